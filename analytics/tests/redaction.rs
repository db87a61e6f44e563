//! What is to be redacted is nowhere: not in the file's bytes, not in anything that is read out of it.

#![expect(clippy::unwrap_used, reason = "a test fails where its own files are wrong")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use analytics::record::{Attempt, Capture, Outcome};
use analytics::score::{ScoreSource, Target};
use analytics::{
    Analytics, Known, OutboxSettings, Policies, Policy, Record, Redaction, Rule, Score, Search, Settings,
    query,
};
use dialects::Endpoint;
use vocab::{Clock, Id, Time};

const START: Time = Time(1_795_996_800_000_000);
/// As a person writes it; in JSON it hides behind escapes, in a stream behind pieces.
const SECRET: &str = "joe.secret@example.com";

fn call() -> Record {
    let piece = |text: &str| {
        let event =
            format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
        bytes::Bytes::from(event)
    };
    let secret = || Some(format!("failed for {SECRET}").into());
    Record {
        status: 200,
        outcome: Outcome::Ok,
        error_message: secret(),
        user: Some(SECRET.into()),
        session: Some(format!("s-{SECRET}").into()),
        tags: vec![SECRET.into()],
        metadata: Some(r#"{"mail":"joe.secret\u0040example.com","tier":"gold"}"#.into()),
        variables: Some(format!(r#"{{"long":"{}{SECRET}"}}"#, "x ".repeat(2_040)).into()),
        usage_raw: Some(format!(r#"{{"prompt_tokens":1,"who":"{SECRET}"}}"#).into()),
        request_body: r#"{"messages":[{"role":"user","content":"I am joe.secret\u0040example\u002ecom"}]}"#
            .into(),
        upstream_request_body: Some(
            format!(r#"{{"messages":[{{"role":"user","content":"Mail: {SECRET}"}}]}}"#).into(),
        ),
        response_body: Capture::Stream(
            ["You are joe.sec", "ret@exam", "ple.com, hello"].map(piece).into_iter().collect(),
        ),
        attempts: vec![Attempt {
            provider: "openai".into(),
            model: "m".into(),
            started: START,
            duration_us: 1,
            ttft_us: None,
            waited_us: 0,
            status: Some(200),
            upstream_request_id: None,
            failure_class: None,
            error: secret(),
            cost: None,
            won: true,
            reason: "first",
        }],
        ..Record::begin(Id::at(START), "default".into(), START, Endpoint::ChatCompletions)
    }
}

fn settings(folder: &Path, policy: Policy) -> Settings {
    Settings {
        url: format!("sqlite:{}", folder.join("records.db").display()),
        cluster: None,
        queue_bytes: 1 << 20,
        policies: Policies::of(policy),
        listener: None,
        node: Arc::from("n"),
        clock: Clock::system(),
        outbox: OutboxSettings {
            path: folder.join("outbox.sqlite"),
            bytes: 1 << 30,
            reserve_bytes: 1 << 20,
            sync_full: false,
            refuse_when_full: false,
        },
    }
}

/// Records one call and a judgement of it, and gives everything that can be read back, as text.
async fn read_back(folder: &Path, policy: Policy) -> String {
    let redaction = policy.redaction.clone();
    let analytics = Analytics::open(settings(folder, policy)).unwrap();
    let record = call();
    let mut score = Score {
        id: Id::at(START),
        project: "default".into(),
        at: START,
        target: Target::Call(record.id),
        name: "helpful".into(),
        value: 1.0,
        comment: Some(format!("says {SECRET}").into()),
        source: ScoreSource::Api,
        author: Some(SECRET.into()),
    };
    redaction.score(&mut score);
    let id = record.id;
    analytics.recorder.file(record);
    analytics.recorder.flush().await;
    let found = analytics.store.get(id).await.unwrap();
    let page = analytics.store.find(Search { filter: query::parse("").unwrap(), ..Search::default() }).await;
    let told = format!("{found:?} {:?} {score:?}", page.unwrap().rows);
    analytics.close(std::time::Duration::from_secs(20)).await;
    told
}

#[tokio::test]
async fn a_redacted_secret_is_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let policy = Policy { redaction: Redaction::new(vec![Rule::Known(Known::Email)]), ..Policy::default() };
    let told = read_back(folder.path(), policy).await;
    for part in ["joe.sec", "ret@exam", "ple.com", "u0040", "example"] {
        assert!(!told.contains(part), "{part}: {told}");
    }
    assert!(told.contains("I am [email]") && told.contains("You are [email], hello"), "{told}");
    assert!(told.contains("[email]#") && told.contains("gold"), "users stay apart, the rest stays: {told}");
    for file in fs::read_dir(folder.path()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        for part in [&b"joe.sec"[..], b"ple.com", b"joe.secret\\u0040"] {
            assert!(!bytes.windows(part.len()).any(|window| window == part));
        }
    }
}

#[tokio::test]
async fn without_rules_everything_is_kept_as_it_came() {
    let folder = tempfile::tempdir().unwrap();
    let told = read_back(folder.path(), Policy::default()).await;
    assert!(told.matches(SECRET).count() > 5, "{told}");
}
