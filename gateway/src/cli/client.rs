//! How commands reach a running gateway: the admin API over HTTP, with the admin token.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use ureq::Agent;

use crate::start::read_first_start;

/// What may stand in a path segment or a query value as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The data folder when nobody names one.
const DATA_DIR: &str = "./data";
/// The most of an answer that is read.
const ANSWER_BYTES: u64 = 256 * 1024 * 1024;
/// How many items to a page are asked for where all pages are wanted.
const PAGE_ITEMS: &str = "200";

/// Where the gateway is and how to get in.
#[derive(Debug, clap::Args)]
pub struct Connection {
    /// The admin listener's URL.
    #[arg(
        long,
        global = true,
        env = "WEIR_ADMIN_URL",
        default_value = "http://127.0.0.1:8081",
        value_name = "URL"
    )]
    admin_url: String,
    /// The admin token; without it, the one the first start wrote into the data folder.
    #[arg(long, global = true, env = "WEIR_ADMIN_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    admin_token: Option<String>,
    /// The project to act on; `default`, or the one the token is held to, when absent.
    #[arg(long, global = true, env = "WEIR_PROJECT", value_name = "NAME")]
    project: Option<String>,
    /// The data folder to look for the first start's token in.
    #[arg(long, global = true, env = "WEIR_DATA_DIR", default_value = DATA_DIR, value_name = "DIR")]
    data_dir: PathBuf,
}

/// A gateway's admin API.
pub struct Client {
    agent: Agent,
    base: String,
    authorization: String,
    project: Option<String>,
}

impl Connection {
    /// The data folder, unless it is the one everybody has.
    pub fn chosen_data_dir(&self) -> Option<PathBuf> {
        (self.data_dir != Path::new(DATA_DIR)).then(|| self.data_dir.clone())
    }

    /// Finds the token and prepares to ask; nothing is sent yet.
    pub fn open(&self) -> anyhow::Result<Client> {
        let known = || read_first_start(&self.data_dir).admin_token.map(|token| token.expose().to_owned());
        let token = self.admin_token.clone().or_else(known).with_context(|| {
            format!(
                "no admin token: set WEIR_ADMIN_TOKEN, or name the gateway's data folder with --data-dir (looked in {})",
                self.data_dir.display()
            )
        })?;
        // Only an https URL needs it, and a second installation is refused: either way nothing is lost.
        drop(rustls::crypto::ring::default_provider().install_default());
        let agent = Agent::config_builder().http_status_as_error(false).build().into();
        let base = format!("{}/api/v1", self.admin_url.trim_end_matches('/'));
        Ok(Client { agent, base, authorization: format!("Bearer {token}"), project: self.project.clone() })
    }
}

impl Client {
    /// The project that was named to act on.
    pub fn project(&self) -> Option<&str> {
        self.project.as_deref()
    }

    /// Reads `path`, with query parameters.
    pub fn get(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Value> {
        let url = self.url(path, query);
        read(&url, self.agent.get(&url).header("authorization", &self.authorization).call())
    }

    /// Reads `path`, which answers with text.
    pub fn text(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<String> {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut self.open(path, query)?, &mut text)
            .context("the answer broke off")?;
        Ok(text)
    }

    /// Opens `path` for reading bit by bit; an answer that breaks off is an error where it broke.
    pub fn open(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<ureq::BodyReader<'static>> {
        let url = self.url(path, query);
        let answer = self.agent.get(&url).header("authorization", &self.authorization).call();
        let answer = match answer {
            Ok(answer) if answer.status().is_success() => answer,
            refused => {
                read(&url, refused)?;
                anyhow::bail!("{url} does not answer like Weir's admin API");
            }
        };
        Ok(answer.into_body().into_with_config().limit(u64::MAX).reader())
    }

    /// Reads `path`; `None` when there is nothing.
    pub fn find(&self, path: &str) -> anyhow::Result<Option<Value>> {
        let url = self.url(path, &[]);
        let answer = self.agent.get(&url).header("authorization", &self.authorization).call();
        if answer.as_ref().is_ok_and(|answer| answer.status() == http::StatusCode::NOT_FOUND) {
            return Ok(None);
        }
        read(&url, answer).map(Some)
    }

    /// Sends `body` to `path`.
    pub fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = self.url(path, &[]);
        read(&url, self.agent.post(&url).header("authorization", &self.authorization).send_json(body))
    }

    /// Puts `body` at `path`.
    pub fn put(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = self.url(path, &[]);
        read(&url, self.agent.put(&url).header("authorization", &self.authorization).send_json(body))
    }

    /// Changes what is at `path`.
    pub fn patch(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = self.url(path, &[]);
        read(&url, self.agent.patch(&url).header("authorization", &self.authorization).send_json(body))
    }

    /// Changes what is at `path`, if it still is as it was `seen`.
    pub fn patch_if_still(&self, path: &str, seen: &Value, body: &Value) -> anyhow::Result<Value> {
        let url = self.url(path, &[]);
        let request = self.agent.patch(&url).header("authorization", &self.authorization);
        let tag = format!("\"{}\"", seen["revision"]);
        read(&url, request.header(http::header::IF_MATCH, tag).send_json(body))
    }

    /// Deletes what is at `path`.
    pub fn delete(&self, path: &str) -> anyhow::Result<Value> {
        self.delete_where(path, &[])
    }

    /// Deletes what the query says of what is at `path`.
    pub fn delete_where(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Value> {
        let url = self.url(path, query);
        read(&url, self.agent.delete(&url).header("authorization", &self.authorization).call())
    }

    /// Deletes what is at `path`, on the conditions that `body` says.
    pub fn delete_if(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = self.url(path, &[]);
        let request = self.agent.delete(&url).header("authorization", &self.authorization);
        read(&url, request.force_send_body().send_json(body))
    }

    /// The path of the `what` that `word` names: by its id, or by a name that it alone has.
    pub fn path_of(&self, what: &str, word: &str) -> anyhow::Result<String> {
        let list = format!("/{what}s");
        Ok(format!("{list}/{}", segment(&self.id_of(&list, what, word)?)))
    }

    fn id_of(&self, list: &str, what: &str, word: &str) -> anyhow::Result<String> {
        if word.parse::<vocab::Id<vocab::id::Key>>().is_ok() {
            return Ok(word.to_owned());
        }
        let all = self.all(list, &[])?;
        let live = all.iter().filter(|item| item["name"] == word && item["revoked_at"].is_null());
        let ids: Vec<&str> = live.filter_map(|item| item["id"].as_str()).collect();
        match ids.as_slice() {
            [id] => Ok((*id).to_owned()),
            [] => anyhow::bail!("there is no {what} `{word}`: `weir {what} list` shows them"),
            _ => anyhow::bail!("{} {what}s are named `{word}`: name one by its id", ids.len()),
        }
    }

    /// Every item of a list, page after page.
    pub fn all(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut query = query.to_vec();
            query.push(("limit", PAGE_ITEMS));
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let mut page = self.get(path, &query)?;
            if let Value::Array(data) = page["data"].take() {
                items.extend(data);
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(items),
            }
        }
    }

    fn url(&self, path: &str, query: &[(&str, &str)]) -> String {
        let mut url = format!("{}{path}", self.base);
        let project = self.project.as_deref().map(|project| ("project", project));
        for (at, (name, value)) in query.iter().copied().chain(project).enumerate() {
            url.push(if at == 0 { '?' } else { '&' });
            url.push_str(name);
            url.push('=');
            url.extend(utf8_percent_encode(value, PLAIN));
        }
        url
    }
}

/// A name as one segment of a path.
pub fn segment(name: &str) -> String {
    utf8_percent_encode(name, PLAIN).to_string()
}

fn read(url: &str, answer: Result<http::Response<ureq::Body>, ureq::Error>) -> anyhow::Result<Value> {
    let mut answer = answer.with_context(|| format!("cannot reach {url}: is the gateway running there?"))?;
    let status = answer.status();
    let text = answer
        .body_mut()
        .with_config()
        .limit(ANSWER_BYTES)
        .read_to_string()
        .context("the answer broke off")?;
    if status == http::StatusCode::NO_CONTENT || text.is_empty() {
        return Ok(Value::Null);
    }
    let value: Value = serde_json::from_str(&text)
        .with_context(|| format!("{url} does not answer like Weir's admin API"))?;
    if status.is_success() {
        return Ok(value);
    }
    let message = value["error"]["message"].as_str().unwrap_or("the gateway refused without saying why");
    anyhow::bail!("{message} ({status})")
}
