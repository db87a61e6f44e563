//! The calls that are made, and what Weir has on record of them.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Server;
use crate::prove::faults::wait_until;
use crate::prove::gateway::{API_KEY, Stage};

/// How long a record may take from the call's end to the admin API.
const RECORDING: Duration = Duration::from_secs(10);
const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const MODEL: &str = "demo/demo-small";
const PROMPT: &str = "demo/support-reply";
/// A caller's span that nobody reports.
const ELSEWHERE: &str = "00f067aa0ba902b7";

/// A call as Weir has it on record.
#[derive(Debug, Deserialize)]
pub(super) struct Recorded {
    pub(super) trace_id: String,
    pub(super) span_id: String,
    pub(super) parent_span_id: Option<String>,
    pub(super) outcome: String,
    pub(super) user: Option<String>,
    pub(super) session: Option<String>,
    pub(super) prompt: Option<String>,
    pub(super) prompt_version: Option<u32>,
    pub(super) response_model: Option<String>,
    pub(super) input_tokens: Option<u64>,
    pub(super) output_tokens: Option<u64>,
    pub(super) cost_nanousd: Option<i64>,
    pub(super) response_preview: Option<String>,
    pub(super) attempts: Vec<Attempt>,
}

/// One of its tries upstream.
#[derive(Debug, Deserialize)]
pub(super) struct Attempt {
    pub(super) model: String,
}

/// A call that was made.
#[derive(Debug)]
pub(super) struct Made {
    /// What is special about it.
    pub(super) what: &'static str,
    /// What its request says.
    pub(super) asked: &'static str,
    /// Whether the application sent a span of its own above it.
    pub(super) reported_parent: bool,
    pub(super) call: Recorded,
}

impl Made {
    /// How many spans Weir makes of it.
    pub(super) const fn exported(&self) -> usize {
        1 + self.call.attempts.len()
    }

    /// How many spans its trace has.
    pub(super) fn spans(&self) -> usize {
        self.exported() + usize::from(self.reported_parent)
    }

    pub(super) fn is_ok(&self) -> bool {
        self.call.outcome == "ok"
    }

    pub(super) fn cost_usd(&self) -> Option<f64> {
        self.call.cost_nanousd.map(|nano| nano as f64 / 1e9)
    }
}

/// A call to make: what is special about it, what it says, where it goes with what.
struct Call {
    what: &'static str,
    asked: &'static str,
    path: &'static str,
    body: Value,
    headers: Vec<(&'static str, String)>,
}

impl Call {
    fn chat(what: &'static str, asked: &'static str, more: Value) -> Self {
        let mut body = json!({"model": MODEL, "messages": [{"role": "user", "content": asked}]});
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        Self { what, asked, path: CHAT, body, headers: Vec::new() }
    }

    fn responses(what: &'static str, asked: &'static str, body: Value) -> Self {
        Self { what, asked, path: RESPONSES, body, headers: Vec::new() }
    }
}

/// Makes calls of every kind, and returns them as they are on record.
///
/// `run` tells the traces of several runs against one server apart.
pub(super) fn make(stage: &Stage, server: &dyn Server, run: usize) -> anyhow::Result<Vec<Made>> {
    let mut made = Vec::new();
    for call in calls(run) {
        let (status, id) = stage.post(call.path, &call.body, &call.headers)?;
        ensure!(!id.is_empty(), "{}: the answer ({status}) names no call", call.what);
        let recorded = recorded(stage, &id)?;
        made.push(Made { what: call.what, asked: call.asked, reported_parent: false, call: recorded });
    }
    let (what, asked) = ("under an application's span", "Where is parcel six?");
    let body = Call::chat(what, asked, json!({"weir": {"user": "ada", "session": "s-2"}})).body;
    let call = recorded(stage, &under_an_application(stage, server, &body)?)?;
    made.push(Made { what, asked, reported_parent: true, call });
    Ok(made)
}

fn calls(run: usize) -> Vec<Call> {
    let chat = Call::chat;
    let mut elsewhere = chat("under a span elsewhere", "Where is parcel five?", json!({}));
    elsewhere.headers.push(("traceparent", format!("00-4bf92f3577b34da6{run:016x}-{ELSEWHERE}-01")));
    let variables = json!({"customer": "Ada", "question": "Where is parcel four?"});
    vec![
        chat("plain", "Where is parcel one?", json!({"weir": {"user": "ada", "session": "s-1"}})),
        chat("streamed", "Where is parcel two?", json!({"stream": true, "weir": {"session": "s-1"}})),
        chat("without a price", "Where is parcel three?", json!({"model": "mock/mock-model"})),
        Call::responses(
            "registered prompt",
            "Where is parcel four?",
            json!({"prompt": {"id": PROMPT, "version": "production", "variables": variables}}),
        ),
        elsewhere,
        // The mock provider has no such route.
        Call::responses(
            "failing",
            "Where is parcel seven?",
            json!({"model": "mock/mock-model", "input": "Where is parcel seven?"}),
        ),
    ]
}

/// Makes a call as an application does that reports spans of its own with OpenTelemetry's SDK.
fn under_an_application(stage: &Stage, server: &dyn Server, body: &Value) -> anyhow::Result<String> {
    let mut command = server.environment().script("application.py");
    command.arg(server.traces_url());
    command.args(server.headers().iter().map(|(name, value)| format!("{name}={value}")));
    command.arg("--").args([&*stage.url(CHAT), API_KEY, &body.to_string()]);
    let output = command.output().context("cannot start Python")?;
    ensure!(output.status.success(), "the application failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn recorded(stage: &Stage, id: &str) -> anyhow::Result<Recorded> {
    let mut found = None;
    wait_until("the call is on record", RECORDING, || {
        found = stage.record(id)?;
        Ok(found.is_some())
    })?;
    Ok(serde_json::from_value(found.context("the call is not on record")?)?)
}
