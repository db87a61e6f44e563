//! Finding prompts by a text, in memory: a database would read all of them from its pages.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Snapshot;
use crate::prompts::{Prompt, PromptFilter};

/// Which prompts are looked for, and which of them are wanted.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    pub(crate) project: String,
    pub(crate) filter: PromptFilter,
    /// Only names behind this one.
    pub(crate) after: String,
    /// Of those, the first so many.
    pub(crate) limit: usize,
}

impl Snapshot {
    /// What is found, by name. Takes milliseconds where there are very many prompts.
    pub(crate) fn search(&self, search: &Search) -> Vec<Arc<Prompt>> {
        let Some(names) = self.projects.get(&*search.project) else { return Vec::new() };
        let text = search.filter.text.as_deref().unwrap_or_default().to_lowercase();
        let mut found: BTreeMap<&str, &Arc<Prompt>> = BTreeMap::new();
        for (name, entry) in names.iter().filter(|(_, entry)| entry.search.contains(&text)) {
            let is_late = found.len() >= search.limit
                && found.last_key_value().is_some_and(|(last, _)| **name > **last);
            // Aliases lead to the same prompt.
            if is_late || **name != *entry.prompt.name.as_str() || !search.takes(&entry.prompt) {
                continue;
            }
            found.insert(name, &entry.prompt);
            if found.len() > search.limit {
                found.pop_last();
            }
        }
        found.into_values().cloned().collect()
    }
}

impl Search {
    fn takes(&self, prompt: &Prompt) -> bool {
        let name = prompt.name.as_str();
        let PromptFilter { folder, tag, text: _, archived } = &self.filter;
        let folder = folder.as_deref().map_or("", |folder| folder.trim_end_matches('/'));
        let within = folder.is_empty() || name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        let tagged = tag.as_ref().is_none_or(|tag| prompt.tags.contains(tag));
        name > self.after.as_str() && within && tagged && prompt.is_archived() == *archived
    }
}
