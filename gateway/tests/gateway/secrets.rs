//! Secrets: in no record, no log, no answer and no file but the one they belong in.

use std::fs;
use std::io::Write;
use std::sync::{Arc, Mutex};

use crate::support::{Answer, Harness, PROVIDER_KEY, Reply, ask};

/// A log that the test can read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Calls in which every secret there is is at stake, and what the callers were told.
async fn risky_calls(weir: &Harness, client_secret: &str) -> Vec<Answer> {
    let leaky = format!("Incorrect API key provided: {PROVIDER_KEY}");
    weir.provider.will(Reply::error(401, "invalid_request_error", "invalid_api_key", &leaky));
    let refused = weir.chat(&ask()).await;
    weir.provider.will(Reply::text(500, "text/html", &format!("<html>{leaky}</html>")));
    weir.provider.will(Reply::text(500, "text/html", &format!("<html>{leaky}</html>")));
    let broken = weir.chat(&ask()).await;
    let answered = weir.chat(&ask()).await;
    let wrong = weir.call("POST", "/v1/chat/completions").key(client_secret).json(&ask()).send().await;
    let cookie =
        weir.call("POST", "/v1/chat/completions").header("cookie", client_secret).json(&ask()).send().await;
    vec![refused, broken, answered, wrong, cookie]
}

#[tokio::test]
async fn no_secret_is_in_any_record_log_or_answer() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let logging = tracing::subscriber::set_default(subscriber);
    let weir = Harness::start().await;
    let secrets = [
        PROVIDER_KEY.to_owned(),
        weir.api_key().to_owned(),
        weir.admin_token().to_owned(),
        "sk-clients-own-secret".to_owned(),
    ];

    let answers = risky_calls(&weir, &secrets[3]).await;
    let mut told: Vec<String> =
        answers.iter().map(|answer| format!("{:?} {}", answer.headers, answer.text())).collect();
    for row in weir.records(5).await {
        told.push(weir.record(row["id"].as_str().unwrap()).await.to_string());
    }
    drop(logging);
    told.push(String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned());

    for (text, secret) in told.iter().flat_map(|text| secrets.iter().map(move |secret| (text, secret))) {
        assert!(!text.contains(secret.as_str()), "{secret} is in {text}");
    }
}

#[tokio::test]
async fn no_secret_of_the_gateway_is_in_its_files_but_the_first_starts() {
    let weir = Harness::start().await;
    risky_calls(&weir, "sk-clients-own-secret").await;
    let secrets = [PROVIDER_KEY.to_owned(), weir.api_key().to_owned(), weir.admin_token().to_owned()];
    let folder = weir.app().config.data_dir.clone();

    let stopped = weir.stop().await;

    for entry in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap()) {
        if entry.file_name() == "first-start.json" {
            continue;
        }
        let bytes = fs::read(entry.path()).unwrap();
        for secret in &secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {}", entry.path().display());
        }
    }
    assert_eq!(stopped.dropped, 0);
}
