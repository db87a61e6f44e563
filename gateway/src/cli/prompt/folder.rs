//! A folder of prompt files as a whole: what its prompts include, they include from each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use registry::content::{Content, DEPTH, Floating, Included, Snippet};
use registry::files::{self, PromptFile};
use registry::template::references;
use vocab::{Id, PromptName, PromptRef, Time};

use super::paths;

/// The prompts of a folder whose files can be read.
pub struct Folder(BTreeMap<PromptName, (Id<vocab::id::Prompt>, PromptFile)>);

impl Folder {
    /// Reads what can be read.
    pub fn open(dir: &Path) -> anyhow::Result<Self> {
        let mut prompts = BTreeMap::new();
        for (name, path) in paths(dir)? {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            if let Ok(file) = files::read(&text) {
                prompts.insert(name, (Id::at(Time(0)), file));
            }
        }
        Ok(Self(prompts))
    }

    /// The prompts these files are.
    pub fn of(files: &BTreeMap<PromptName, PromptFile>) -> Self {
        let prompts = files.iter().map(|(name, file)| (name.clone(), (Id::at(Time(0)), file.clone())));
        Self(prompts.collect())
    }

    /// What a content includes, whatever the version: the folder has one of each. What is not in it is left out.
    pub fn included(&self, content: &Content) -> Included {
        self.included_within(content, DEPTH)
    }

    fn included_within(&self, content: &Content, depth: usize) -> Included {
        let mut included = Included::new();
        if depth == 0 {
            return included;
        }
        for reference in references(content) {
            let Some((prompt, file)) = self.named(&reference).and_then(|name| self.0.get(&name)) else {
                continue;
            };
            let snippet = Snippet {
                prompt: *prompt,
                version: 0,
                content: file.content.clone(),
                included: self.included_within(&file.content, depth - 1),
                floating: Floating::new(),
            };
            included.insert(reference, snippet);
        }
        included
    }

    /// The names in an order in which none comes before what it includes.
    pub fn in_order(&self) -> Vec<PromptName> {
        let (mut order, mut seen) = (Vec::with_capacity(self.0.len()), BTreeSet::new());
        for name in self.0.keys() {
            self.visit(name, &mut seen, &mut order);
        }
        order
    }

    fn visit(&self, name: &PromptName, seen: &mut BTreeSet<PromptName>, order: &mut Vec<PromptName>) {
        let Some((_, file)) = self.0.get(name) else { return };
        if !seen.insert(name.clone()) {
            return;
        }
        for snippet in references(&file.content).iter().filter_map(|reference| self.named(reference)) {
            self.visit(&snippet, seen, order);
        }
        order.push(name.clone());
    }

    fn named(&self, reference: &str) -> Option<PromptName> {
        let parsed: PromptRef = reference.parse().ok()?;
        self.0.contains_key(&parsed.name).then_some(parsed.name)
    }
}
