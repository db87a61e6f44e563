//! Asking other servers for their prompts.

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use ureq::Agent;

use crate::cli::client::segment;
use crate::cli::complain;
use crate::import::{Found, langfuse as rows, mlflow as models};

/// How many prompts are asked for at a time.
const PAGE: &str = "100";
/// The most prompts, and the most versions of one, that are taken from a server.
const PAGES_MAX: usize = 10_000;
/// The most of an answer that is read.
const ANSWER_BYTES: u64 = 64 << 20;

/// A server that answers JSON.
struct Server {
    agent: Agent,
    base: String,
    authorization: Option<String>,
}

impl Server {
    fn at(url: &str, authorization: Option<String>) -> Self {
        let agent = Agent::config_builder().http_status_as_error(false).build().into();
        Self { agent, base: url.trim_end_matches('/').to_owned(), authorization }
    }

    fn get(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Value> {
        self.find(path, query)?.map_err(anyhow::Error::msg)
    }

    /// The same; what the server refuses for what it holds is no error but said in its words.
    fn find(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Result<Value, String>> {
        let pairs: Vec<String> =
            query.iter().map(|(name, value)| format!("{name}={}", segment(value))).collect();
        let url = format!("{}{path}?{}", self.base, pairs.join("&"));
        let mut request = self.agent.get(&url);
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let mut answer = request.call().with_context(|| format!("cannot reach {url}"))?;
        let status = answer.status();
        let text = answer.body_mut().with_config().limit(ANSWER_BYTES).read_to_string();
        let text = text.with_context(|| format!("the answer of {url} broke off"))?;
        let refused = || format!("{url} answers {status}: {}", beginning(&text));
        if matches!(status.as_u16(), 400 | 404 | 422) {
            return Ok(Err(refused()));
        }
        anyhow::ensure!(status.is_success(), refused());
        let value: Value = serde_json::from_str(&text)
            .with_context(|| format!("{url} does not answer JSON: {}", beginning(&text)))?;
        Ok(Ok(value))
    }
}

fn beginning(text: &str) -> String {
    text.chars().take(200).collect()
}

/// Every version of every prompt of a Langfuse project.
pub(super) fn langfuse(
    url: &str,
    (public, secret): (&str, &str),
    only: Option<&str>,
) -> anyhow::Result<Vec<Found>> {
    let pair = STANDARD.encode(format!("{public}:{secret}"));
    let server = Server::at(url, Some(format!("Basic {pair}")));
    let mut found = Vec::new();
    for page in 1..=PAGES_MAX {
        let number = page.to_string();
        let mut query = vec![("page", number.as_str()), ("limit", PAGE)];
        query.extend(only.map(|name| ("name", name)));
        let listed = server.get("/api/public/v2/prompts", &query)?;
        for prompt in listed["data"].as_array().into_iter().flatten() {
            found.push(langfuse_prompt(&server, prompt)?);
        }
        if listed["meta"]["totalPages"].as_u64().is_none_or(|pages| page as u64 >= pages) {
            break;
        }
    }
    Ok(found)
}

fn langfuse_prompt(server: &Server, listed: &Value) -> anyhow::Result<Found> {
    let name = listed["name"].as_str().context("the server lists a prompt without a name")?;
    let path = format!("/api/public/v2/prompts/{}", segment(name));
    let (mut versions, mut refused) = (Vec::new(), Vec::new());
    for version in listed["versions"].as_array().into_iter().flatten() {
        match server.find(&path, &[("version", &version.to_string())])? {
            Ok(row) => versions.push(row),
            Err(why) => refused.push(format!("version {version} is not carried: {why}")),
        }
    }
    complain(&format!("read {name}: {} versions", versions.len()));
    let mut found = rows::read(name, versions)?;
    found.notes.extend(refused);
    Ok(found)
}

/// Every version of every prompt of an MLflow registry.
pub(super) fn mlflow(url: &str, token: Option<&str>) -> anyhow::Result<Vec<Found>> {
    let server = Server::at(url, token.map(|token| format!("Bearer {token}")));
    let filter = format!("tags.`{}` = 'true'", models::IS_PROMPT);
    let registered = pages(&server, "registered-models/search", "registered_models", &filter)?;
    let mut versions = Vec::new();
    for model in &registered {
        let name = model["name"].as_str().context("the server lists a prompt without a name")?;
        let filter = format!("name = '{}' AND {filter}", name.replace('\'', "\\'"));
        versions.extend(pages(&server, "model-versions/search", "model_versions", &filter)?);
    }
    anyhow::ensure!(!versions.is_empty(), "{url} has no prompts");
    Ok(models::of(&registered, versions)?)
}

fn pages(server: &Server, path: &str, member: &str, filter: &str) -> anyhow::Result<Vec<Value>> {
    let path = format!("/api/2.0/mlflow/{path}");
    let mut all = Vec::new();
    let mut token: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let mut query = vec![("filter", filter), ("max_results", PAGE)];
        query.extend(token.as_deref().map(|token| ("page_token", token)));
        let mut page = server.get(&path, &query)?;
        if let Value::Array(items) = page[member].take() {
            all.extend(items);
        }
        match page["next_page_token"].as_str().filter(|token| !token.is_empty()) {
            Some(next) => token = Some(next.to_owned()),
            None => return Ok(all),
        }
    }
    anyhow::bail!("the server's list does not end")
}
