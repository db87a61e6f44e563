//! `GET /api/public/v2/prompts`: prompts by name, with the versions and labels that fit.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::{Response, StatusCode};
use registry::{Prompt, ResolveError};
use serde::Deserialize;
use serde_json::{Value, json};
use vocab::{LabelName, PromptRef, Selector, Time};

use super::access::Reader;
use super::row;
use crate::app::App;
use crate::call::relay::Body;
use crate::refusal::{Kind, Refusal};
use crate::surface;

/// How many prompts a page holds when nobody says, and at most.
const PAGE: usize = 10;
const PAGE_MAX: usize = 100;

/// What is asked for; what Weir does not know is ignored, as Langfuse does.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    name: Option<String>,
    label: Option<String>,
    tag: Option<String>,
    version: Option<u32>,
    page: Option<usize>,
    limit: Option<usize>,
    from_updated_at: Option<String>,
    to_updated_at: Option<String>,
}

/// Which prompts fit, and which of their versions.
struct Filter<'a> {
    reader: &'a Reader,
    asked: &'a Asked,
    from: Option<Time>,
    to: Option<Time>,
}

/// Answers a page.
pub(super) async fn list(app: &App, reader: &Reader, asked: Asked) -> Result<Response<Body>, Refusal> {
    let page = asked.page.unwrap_or(1);
    let limit = asked.limit.unwrap_or(PAGE);
    if page == 0 {
        return Err(Refusal::new(Kind::InvalidRequest, "pages count from 1").param("page"));
    }
    if !(1..=PAGE_MAX).contains(&limit) {
        let message = format!("a page holds 1 to {PAGE_MAX} prompts");
        return Err(Refusal::new(Kind::InvalidRequest, message).param("limit"));
    }
    let filter = Filter::of(reader, &asked)?;
    let found = filter.find(app);
    let total = found.len();
    let mut data = Vec::with_capacity(limit);
    for prompt in cut(found, (page - 1).saturating_mul(limit), limit) {
        data.push(filter.describe(app, &prompt).await?);
    }
    let meta =
        json!({"page": page, "limit": limit, "totalItems": total, "totalPages": total.div_ceil(limit)});
    // Langfuse sends it twice, and old clients read the second.
    Ok(surface::json(StatusCode::OK, &json!({"data": data, "meta": meta, "pagination": meta})))
}

impl<'a> Filter<'a> {
    fn of(reader: &'a Reader, asked: &'a Asked) -> Result<Self, Refusal> {
        let from = time("fromUpdatedAt", asked.from_updated_at.as_deref())?;
        let to = time("toUpdatedAt", asked.to_updated_at.as_deref())?;
        Ok(Self { reader, asked, from, to })
    }

    fn find(&self, app: &App) -> Vec<Arc<Prompt>> {
        let snapshot = app.registry.snapshot();
        snapshot.prompt_names(self.reader.project()).filter(|prompt| self.fits(prompt)).cloned().collect()
    }

    fn fits(&self, prompt: &Prompt) -> bool {
        let asked = self.asked;
        self.reader.sees(&prompt.name)
            && asked.name.as_deref().is_none_or(|name| name == prompt.name.as_str())
            && asked.tag.as_ref().is_none_or(|tag| prompt.tags.contains(tag))
            && self.from.is_none_or(|from| prompt.updated_at >= from)
            && self.to.is_none_or(|to| prompt.updated_at < to)
            && self.versions(prompt).next().is_some()
    }

    fn versions<'p>(&'p self, prompt: &'p Prompt) -> impl DoubleEndedIterator<Item = u32> + 'p {
        (1..=prompt.latest.unwrap_or(0)).filter(|version| self.takes(prompt, *version))
    }

    fn takes(&self, prompt: &Prompt, version: u32) -> bool {
        let serves = |label: &str| match label {
            vocab::name::LATEST => prompt.latest == Some(version),
            _ => prompt.labels.get(label) == Some(&version),
        };
        let seen =
            |(label, serves): (&LabelName, &u32)| *serves == version && self.reader.sees_by(Some(label));
        self.asked.version.is_none_or(|asked| asked == version)
            && self.asked.label.as_deref().is_none_or(serves)
            && (self.reader.sees_by(None) || prompt.labels.iter().any(seen))
    }

    /// A prompt with those of its versions that fit, their labels, and the config of the highest.
    async fn describe(&self, app: &App, prompt: &Prompt) -> Result<Value, Refusal> {
        let versions: BTreeSet<u32> = self.versions(prompt).collect();
        let shown = prompt.labels.iter().filter(|(_, version)| versions.contains(version));
        let shown = shown.filter(|(label, _)| self.reader.sees_by(Some(label)));
        let mut labels: Vec<&str> = shown.map(|(label, _)| label.as_str()).collect();
        if prompt.latest.is_some_and(|latest| versions.contains(&latest)) {
            labels.push(vocab::name::LATEST);
        }
        Ok(json!({
            "name": prompt.name,
            "type": prompt.kind,
            "versions": versions,
            "labels": labels,
            "tags": prompt.tags,
            "lastUpdatedAt": prompt.updated_at,
            "lastConfig": self.config(app, prompt, versions.last().copied()).await?,
        }))
    }

    async fn config(&self, app: &App, prompt: &Prompt, version: Option<u32>) -> Result<Value, Refusal> {
        let reference = PromptRef { name: prompt.name.clone(), selector: version.map(Selector::Number) };
        match app.registry.resolve(self.reader.project(), &reference).await {
            Ok(resolved) => Ok(row::write_config(&resolved.version)),
            Err(error @ ResolveError::Unavailable(_)) => Err(error.into()),
            // It went away since it was found, or no longer compiles: the list is of use without its config.
            Err(_) => Ok(json!({})),
        }
    }
}

fn time(field: &'static str, text: Option<&str>) -> Result<Option<Time>, Refusal> {
    let parse = |text: &str| {
        let refused = |_| {
            Refusal::new(Kind::InvalidRequest, format!("`{field}` is not a time (RFC 3339)")).param(field)
        };
        text.parse().map_err(refused)
    };
    text.filter(|text| !text.is_empty()).map(parse).transpose()
}

/// A page of the prompts by name, without putting all of them in order.
fn cut(mut found: Vec<Arc<Prompt>>, start: usize, limit: usize) -> Vec<Arc<Prompt>> {
    let by_name = |one: &Arc<Prompt>, other: &Arc<Prompt>| one.name.cmp(&other.name);
    if start >= found.len() {
        return Vec::new();
    }
    found.select_nth_unstable_by(start, by_name);
    found.drain(..start);
    if found.len() > limit {
        found.select_nth_unstable_by(limit, by_name);
        found.truncate(limit);
    }
    found.sort_unstable_by(by_name);
    found
}
