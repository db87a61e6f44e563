//! Prompts of LangSmith: manifests, alone or in the commits that `pull_prompt_commit` and its API answer.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Found, FoundVersion, NotThat, items, langchain, read_json, text};

/// How many digits of a commit's hash name it.
const HASH_DIGITS: usize = 8;

/// Reads the prompts of a file; `name` is for those that do not tell theirs.
pub fn read(file: &str, name: &str) -> Result<Vec<Found>, NotThat> {
    let mut named: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for value in read_json(file)? {
        for item in items(&value, &["commits"]) {
            let repo =
                ["repo", "repo_handle"].into_iter().find_map(|field| text(&item, field)).unwrap_or(name);
            named.entry(repo.to_owned()).or_default().push(item.clone());
        }
    }
    named.into_iter().map(|(name, commits)| prompt(&name, commits)).collect()
}

/// Commits go by their time; without, by their order.
fn prompt(name: &str, mut commits: Vec<Value>) -> Result<Found, NotThat> {
    let mut found = Found::named(name)?;
    if commits.iter().all(|commit| commit["created_at"].is_string()) {
        commits.sort_by(|one, other| one["created_at"].as_str().cmp(&other["created_at"].as_str()));
    }
    for (at, commit) in commits.iter().enumerate() {
        let hash = text(commit, "commit_hash");
        let id = hash.map_or_else(|| (at + 1).to_string(), |hash| hash.chars().take(HASH_DIGITS).collect());
        let manifest = if commit["manifest"].is_object() { &commit["manifest"] } else { commit };
        let tags: Vec<&str> =
            commit["tags"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let labels = found.labels(tags);
        let mut notes = Vec::new();
        let version = langchain::read(manifest, &mut notes).map(|content| FoundVersion {
            content,
            commit_message: text(commit, "description").map(str::to_owned),
            metadata: hash.map(|hash| ("langsmith_commit".to_owned(), json!(hash))).into_iter().collect(),
            ..FoundVersion::default()
        });
        if !commit["examples"].as_array().is_none_or(Vec::is_empty) {
            notes.push("examples are not carried".to_owned());
        }
        found.take((&id, labels), version, notes);
    }
    Ok(found)
}
