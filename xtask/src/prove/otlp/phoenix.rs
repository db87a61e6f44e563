//! A real Arize Phoenix server, read as its own pages read it: over GraphQL.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::shown::{Shown, Trace};
use super::{Environment, Server, wait_until_up};
use crate::prove::gateway::{Process, free_port};
use crate::workspace::Workspace;

/// More spans than the proof makes.
const SPANS: &str = "query ($first: Int!) { projects { edges { node { spans(first: $first) { edges { node {
    name spanKind statusCode spanId parentId userId tokenCountPrompt tokenCountCompletion attributes
    input { value } output { value } costSummary { total { cost } } trace { traceId session { sessionId } }
} } } } } } }";
const FIRST: u32 = 1_000;
/// Phoenix prices tokens by itself; it is told what the demo provider's model costs, as its users do.
const PRICE: &str = "mutation ($costs: [TokenPriceInput!]!) {
    createModel(input: {name: \"demo-small\", namePattern: \"demo-small\", costs: $costs}) { model { id } } }";
/// How long until it reads new prices: every five seconds.
const PRICES_TIME: Duration = Duration::from_secs(7);

struct Phoenix {
    environment: Environment,
    _process: Process,
    url: String,
}

pub(super) fn start(workspace: &Workspace, folder: &Path) -> anyhow::Result<Box<dyn Server>> {
    let environment = Environment::new(workspace, "phoenix")?;
    let (port, grpc_port, log) = (free_port()?, free_port()?, folder.join("phoenix.log"));
    let mut command = environment.program("phoenix");
    command.arg("serve").current_dir(folder).env("PHOENIX_WORKING_DIR", folder.join("data"));
    command.env("PHOENIX_HOST", "127.0.0.1").env("PHOENIX_PORT", port.to_string());
    command.env("PHOENIX_GRPC_PORT", grpc_port.to_string());
    for (name, value) in [
        ("PHOENIX_TELEMETRY_ENABLED", "false"),
        ("PHOENIX_ALLOW_EXTERNAL_RESOURCES", "false"),
        ("PHOENIX_DISABLE_AGENT_ASSISTANT", "true"),
        ("PHOENIX_ENABLE_MCP_SERVER", "false"),
    ] {
        command.env(name, value);
    }
    let process = Process::start(&mut command, &log)?;
    let phoenix = Phoenix { environment, _process: process, url: format!("http://127.0.0.1:{port}") };
    wait_until_up("Phoenix", &format!("{}/healthz", phoenix.url), &log)?;
    phoenix.price()?;
    Ok(Box::new(phoenix))
}

impl Phoenix {
    fn price(&self) -> anyhow::Result<()> {
        let cost = |kind: &str, token_type: &str, dollars: f64| json!({"kind": kind, "tokenType": token_type, "costPerMillionTokens": dollars});
        let costs = [cost("PROMPT", "input", 0.15), cost("COMPLETION", "output", 0.6)];
        self.ask(PRICE, &json!({"costs": costs}))?;
        std::thread::sleep(PRICES_TIME);
        Ok(())
    }

    fn ask(&self, query: &str, variables: &Value) -> anyhow::Result<Value> {
        let body = json!({"query": query, "variables": variables});
        let mut answer = ureq::post(format!("{}/graphql", self.url)).send_json(body)?;
        let mut answer: Value = answer.body_mut().with_config().limit(u64::MAX).read_json()?;
        ensure!(answer["errors"].is_null(), "Phoenix refuses the query: {}", answer["errors"]);
        Ok(answer["data"].take())
    }
}

impl Server for Phoenix {
    fn traces_url(&self) -> String {
        format!("{}/v1/traces", self.url)
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    fn environment(&self) -> &Environment {
        &self.environment
    }

    fn spans(&self) -> anyhow::Result<Vec<Shown>> {
        let data = self.ask(SPANS, &json!({"first": FIRST}))?;
        let projects = nodes(&data["projects"])?;
        let spans: Vec<&Value> = projects
            .map(|project| nodes(&project["spans"]))
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .flatten()
            .collect();
        spans.into_iter().map(shown).collect()
    }
}

fn nodes(connection: &Value) -> anyhow::Result<impl Iterator<Item = &Value>> {
    let edges = connection["edges"].as_array().context("Phoenix answers in another form")?;
    Ok(edges.iter().map(|edge| &edge["node"]))
}

fn shown(span: &Value) -> anyhow::Result<Shown> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let required = |value: &Value| text(value).context("a span lacks its name or ids");
    // It counts no tokens where none are named.
    let count = |value: &Value| value.as_u64().filter(|tokens| *tokens > 0);
    let attributes: Value = serde_json::from_str(span["attributes"].as_str().unwrap_or("{}"))?;
    let prompt = &attributes["weir"]["prompt"];
    Ok(Shown {
        trace_id: required(&span["trace"]["traceId"])?,
        span_id: required(&span["spanId"])?,
        parent_id: text(&span["parentId"]),
        name: required(&span["name"])?,
        kind: text(&span["spanKind"]),
        failed: span["statusCode"] == "ERROR",
        model: text(&attributes["llm"]["model_name"]),
        input_tokens: count(&span["tokenCountPrompt"]),
        output_tokens: count(&span["tokenCountCompletion"]),
        cost_usd: span["costSummary"]["total"]["cost"].as_f64(),
        input: said(&attributes["llm"]["input_messages"], &span["input"]),
        output: said(&attributes["llm"]["output_messages"], &span["output"]),
        user: text(&span["userId"]),
        session: text(&span["trace"]["session"]["sessionId"]),
        prompt: text(&prompt["name"]).map(|name| format!("{name}@{}", prompt["version"])),
        trace: Trace::default(),
    })
}

/// The messages, which Phoenix's pages show of a model call; of other spans, the value.
fn said(messages: &Value, value: &Value) -> Option<String> {
    let value = value["value"].as_str().map(str::to_owned);
    messages.as_array().map(|_| messages.to_string()).or(value)
}
