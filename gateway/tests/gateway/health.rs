//! Health and metrics: what machines ask a gateway.

use serde_json::json;

use crate::support::{Call, Harness, Reply, ask, ask_streamed};

#[tokio::test]
async fn health_is_told_on_both_listeners_without_a_key() {
    let weir = Harness::start().await;
    for address in [weir.data_address(), weir.admin_address()] {
        for path in ["/healthz", "/readyz"] {
            let answer = Call::new(address, "GET", path).send().await;
            assert_eq!(answer.status, 200, "{address} {path}");
        }
    }
}

#[tokio::test]
async fn a_damaged_registry_file_keeps_the_gateway_from_starting_and_is_not_touched() {
    let weir = Harness::start().await;
    weir.publish_saying("support/reply", "one").await;
    let stopped = weir.stop().await;
    let path = stopped.folder().join("registry.sqlite");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.iter_mut().skip(100).take(4_000).for_each(|byte| *byte = 0xa5);
    std::fs::write(&path, &bytes).unwrap();

    let told = stopped.refuses_to_start().await;

    assert!(told.contains("registry.sqlite") && told.contains("damaged"), "{told}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "the file must stay as it was found");
}

#[tokio::test]
async fn a_damaged_records_file_is_set_aside_loudly_and_calls_are_served() {
    let weir = Harness::start().await;
    let stopped = weir.stop().await;
    let records = stopped.folder().join("records.sqlite");
    std::fs::write(&records, b"this is no database, whatever its name says").unwrap();

    let weir = stopped.start_again().await;

    assert_eq!(weir.chat(&ask()).await.status, 200);
    let ready = Call::new(weir.admin_address(), "GET", "/readyz").send().await;
    assert_eq!(ready.status, 200);
    assert!(ready.text().contains("records"), "{}", ready.text());
    let kept = std::fs::read_dir(records.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let kept: Vec<_> =
        kept.filter(|path| std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"this is no"))).collect();
    assert_eq!(kept.len(), 1, "the damaged file must be kept under another name");
}

/// The value of the metric line that begins so.
fn metric(text: &str, beginning: &str) -> u64 {
    let line = text.lines().find(|line| line.starts_with(beginning));
    let line = line.unwrap_or_else(|| panic!("no {beginning} in {text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn calls_are_counted_by_how_they_ended() {
    let weir = Harness::with(|config| config.providers[0].tries = 1).await;
    weir.chat(&ask()).await;
    weir.stream(&ask_streamed()).await.rest().await;
    weir.provider.will(Reply::error(500, "server_error", "boom", "it broke"));
    weir.chat(&json!({"model": "other", "messages": []})).await;
    weir.call("POST", "/v1/chat/completions").key("sk-nobodys").json(&ask()).send().await;
    weir.records(4).await;

    let text = Call::new(weir.admin_address(), "GET", "/metrics").send().await.text().to_owned();

    let requests = |outcome: &str, model: &str| {
        metric(
            &text,
            &format!(
                "weir_requests_total{{endpoint=\"chat_completions\",model=\"{model}\",outcome=\"{outcome}\""
            ),
        )
    };
    assert_eq!(requests("ok", "gpt-4o-mini"), 2);
    assert_eq!(metric(&text, "weir_tokens_total{class=\"input\",model=\"gpt-4o-mini\""), 24);
    assert_eq!(metric(&text, "weir_upstream_attempts_total{provider=\"openai\",result=\"ok\"}"), 2);
    assert_eq!(metric(&text, "weir_records_written_total"), 4);
    assert_eq!(metric(&text, "weir_inflight"), 0);
    assert!(!text.contains(weir.api_key()) && !text.contains("sk-nobodys"), "{text}");
}
