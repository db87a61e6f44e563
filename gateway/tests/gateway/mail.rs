//! Events by e-mail, as a mail server on the wire sees them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use config::Smtp;
use registry::alerts::{Comparison, Condition, Evaluation, Missing, Rule, Severity, Target};
use registry::webhooks::Event;
use registry::{Alert, NewAlert};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use vocab::{Id, Secret};

use crate::office::{Office, admin};

/// A mail server that takes what its test lets it take.
struct MailServer {
    port: u16,
    state: Arc<Mutex<State>>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    /// Envelopes and messages.
    mails: Vec<(Vec<String>, String)>,
    /// What to answer to recipients instead of taking them.
    refusals: Vec<&'static str>,
}

impl MailServer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(converse(socket, Arc::clone(&shared)));
            }
        });
        Self { port, state, accepting }
    }

    fn refuses(&self, with: &'static str) {
        self.state.lock().unwrap().refusals.push(with);
    }

    fn mails(&self) -> Vec<(Vec<String>, String)> {
        self.state.lock().unwrap().mails.clone()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Speaks as much SMTP as sending takes (RFC 5321).
async fn converse(socket: TcpStream, state: Arc<Mutex<State>>) {
    let (read, mut write) = socket.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut envelope = Vec::new();
    write.write_all(b"220 test ESMTP\r\n").await.unwrap();
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = match line.split([' ', ':']).next().unwrap_or_default().to_uppercase().as_str() {
            "EHLO" => "250 test",
            "MAIL" => {
                envelope = vec![line.clone()];
                "250 ok"
            }
            "RCPT" => {
                envelope.push(line.clone());
                let mut state = state.lock().unwrap();
                if state.refusals.is_empty() { "250 ok" } else { state.refusals.remove(0) }
            }
            "DATA" => {
                write.write_all(b"354 go on\r\n").await.unwrap();
                let mut text = String::new();
                while let Ok(Some(line)) = lines.next_line().await
                    && line != "."
                {
                    text = format!("{text}{line}\n");
                }
                state.lock().unwrap().mails.push((std::mem::take(&mut envelope), text));
                "250 taken"
            }
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        if write.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
            return;
        }
    }
}

/// An office with this mail server, and an alert that tells `address`.
async fn office(server: &MailServer, address: &str) -> (Office, Alert) {
    let url = format!("smtp://127.0.0.1:{}", server.port);
    let it = Office::with(|config| {
        config.smtp = Some(Smtp { url: Secret::new(url), from: "Weir <weir@example.com>".to_owned() });
    })
    .await;
    let condition = Condition::Threshold {
        measure: "calls".into(),
        comparison: Comparison::Above,
        value: 1.0,
        window_seconds: 60,
    };
    let rule = Rule {
        condition,
        q: String::new(),
        group_by: Vec::new(),
        min_calls: 0,
        for_seconds: 0,
        recover_seconds: 0,
        missing: Missing::Ok,
        severity: Severity::Info,
        notify: vec![Target::Email(address.to_owned())],
        renotify_seconds: None,
    };
    let new = NewAlert { name: "calls".into(), project: "default".into(), enabled: true, rule };
    let alert = it.registry.create_alert(new, &admin()).await.unwrap();
    (it, alert)
}

/// Queues mails that say `summary`.
async fn tell(it: &Office, alert: &Alert, summary: &str, mails: usize) {
    let events = (0..mails).map(|_| {
        let body = serde_json::json!({"summary": summary, "created_at": it.clock.now()}).to_string();
        let id = Id::new(&it.clock);
        Event { id, project: "default".into(), kind: "alert.firing".into(), body: body.into() }
    });
    let evaluation = Evaluation {
        alert: it.registry.get_alert(alert.id).await.unwrap(),
        at: it.clock.now(),
        states: Vec::new(),
        turns: Vec::new(),
        events: events.collect(),
        trouble: None,
    };
    assert!(it.registry.record_evaluation(evaluation).await.unwrap());
}

#[tokio::test]
async fn a_mail_says_what_the_event_says_and_nothing_in_it_adds_a_header() {
    let server = MailServer::start().await;
    let (it, alert) = office(&server, "ops@example.com").await;
    tell(&it, &alert, "calls fires\r\nBcc: mallory@example.com\r\n.\r\nfor model ä", 1).await;

    assert_eq!(it.after(Duration::ZERO).await, 1);

    let (envelope, text) = server.mails().remove(0);
    assert!(envelope[0].starts_with("MAIL FROM:<weir@example.com>"), "{envelope:?}");
    assert_eq!(envelope.len(), 2, "one recipient: {envelope:?}");
    assert!(envelope[1].starts_with("RCPT TO:<ops@example.com>"), "{envelope:?}");
    let (head, body) = text.split_once("\n\n").unwrap();
    assert!(head.lines().all(|line| !line.to_lowercase().starts_with("bcc")), "{head}");
    for line in
        ["From: Weir <weir@example.com>", "To: ops@example.com", "Date: Mon, 30 Nov 2026 00:00:00 +0000"]
    {
        assert!(head.contains(line), "{line} is missing in {head}");
    }
    assert!(head.contains("Message-ID: <") && body.len() > 50, "{text}");
}

#[tokio::test]
async fn a_mail_refused_for_now_is_tried_again_and_one_refused_for_good_is_not() {
    let server = MailServer::start().await;
    let (it, alert) = office(&server, "ops@example.com").await;
    server.refuses("451 4.3.0 come back later");
    tell(&it, &alert, "later", 1).await;
    assert_eq!(it.after(Duration::ZERO).await, 1);
    assert_eq!((it.after(Duration::from_mins(1)).await, server.mails().len()), (1, 1));

    server.refuses("550 5.1.1 nobody of that name");
    tell(&it, &alert, "never", 1).await;
    assert_eq!(it.after(Duration::ZERO).await, 1);
    assert_eq!((it.after(Duration::from_hours(2)).await, server.mails().len()), (0, 1));
}

#[tokio::test]
async fn a_storm_of_mails_is_spread_over_minutes_and_none_is_lost() {
    let server = MailServer::start().await;
    let (it, alert) = office(&server, "ops@example.com").await;
    tell(&it, &alert, "storm", 70).await;
    // What waits for its minute was not tried: no wait is doubled for it.
    for (minute, mails) in [30, 30, 10].into_iter().enumerate() {
        assert_eq!(it.after(Duration::from_mins(minute.min(1) as u64)).await, mails);
    }
    assert_eq!(server.mails().len(), 70);
}

#[tokio::test]
async fn a_server_that_is_away_is_no_end() {
    let server = MailServer::start().await;
    let (it, alert) = office(&server, "ops@example.com").await;
    server.accepting.abort();
    drop(server);
    tell(&it, &alert, "lost?", 1).await;
    it.after(Duration::ZERO).await;
    assert_eq!(it.after(Duration::from_mins(1)).await, 1, "it is tried again");
}
