//! What a virtual key may reach: models, prompts and labels by pattern, and three switches.

use serde::{Deserialize, Serialize};
use vocab::{LabelName, PromptName};

use crate::StoreError;
use crate::db::Result;
use crate::prompts::names::check_text;

/// The most patterns of one list.
const PATTERNS: usize = 1_000;
/// The longest pattern, in bytes.
const PATTERN_BYTES: usize = 300;

/// What a key may do. In lists, `None` is everything, an empty list nothing, `prefix*` all that starts so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeyScope {
    /// Models it may call.
    pub models: Option<Vec<String>>,
    /// Prompts it may call or read.
    pub prompts: Option<Vec<String>>,
    /// Labels it may call by; with a list, versions cannot be pinned.
    pub labels: Option<Vec<String>>,
    /// Whether it may read prompts without calling a model.
    pub read_prompts: bool,
    /// Whether stateful and unlisted routes are open to it.
    pub passthrough: bool,
    /// Whether instructions and tools must come from a registered prompt.
    pub registered_prompts_only: bool,
}

impl Default for KeyScope {
    fn default() -> Self {
        Self {
            models: None,
            prompts: None,
            labels: None,
            read_prompts: true,
            passthrough: false,
            registered_prompts_only: false,
        }
    }
}

impl KeyScope {
    /// Whether this key may call a model.
    pub fn allows_model(&self, model: &str) -> bool {
        allows(self.models.as_deref(), model)
    }

    /// Whether this key may call or read a prompt, by the name it has now.
    pub fn allows_prompt(&self, name: &PromptName) -> bool {
        allows(self.prompts.as_deref(), name.as_str())
    }

    /// Whether this key may call what a reference came to: by a label, or, with `None`, by a pinned version or
    /// `latest`.
    pub fn allows_label(&self, label: Option<&LabelName>) -> bool {
        match label {
            Some(label) => allows(self.labels.as_deref(), label.as_str()),
            None => self.labels.is_none(),
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        let lists = [("models", &self.models), ("prompts", &self.prompts), ("labels", &self.labels)];
        lists.into_iter().try_for_each(|(field, patterns)| check_patterns(field, patterns.as_deref()))
    }
}

/// Refuses a list with too many entries, or with one that is neither a name nor a pattern.
pub(crate) fn check_patterns(field: &'static str, patterns: Option<&[String]>) -> Result<()> {
    let patterns = patterns.unwrap_or_default();
    if patterns.len() > PATTERNS {
        let message = format!("`{field}` has more than {PATTERNS} entries: use patterns such as `team/*`");
        return Err(StoreError::invalid(field, message));
    }
    patterns.iter().try_for_each(|pattern| check_pattern(field, pattern))
}

fn check_pattern(field: &'static str, pattern: &str) -> Result<()> {
    check_text(field, pattern, PATTERN_BYTES)?;
    let body = pattern.strip_suffix('*').unwrap_or(pattern);
    if pattern.is_empty() || body.contains('*') {
        let message = format!(
            "`{}` in `{field}` is not a name or a pattern: `*` stands at the end only, as in `support/*`",
            pattern.escape_debug()
        );
        return Err(StoreError::invalid(field, message));
    }
    Ok(())
}

/// Whether a list has a name, or a pattern it fits; without a list every name does.
pub(crate) fn allows(patterns: Option<&[String]>, name: &str) -> bool {
    let Some(patterns) = patterns else { return true };
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(patterns: &[&str]) -> Vec<String> {
        patterns.iter().map(|pattern| (*pattern).to_owned()).collect()
    }

    #[test]
    fn absent_is_all_and_empty_is_nothing() {
        let all = KeyScope::default();
        let nothing = KeyScope { models: Some(Vec::new()), ..KeyScope::default() };
        assert!(all.allows_model("gpt-5") && !nothing.allows_model("gpt-5"));
        assert!(all.read_prompts && !all.passthrough && !all.registered_prompts_only);
    }

    #[test]
    fn a_star_at_the_end_stands_for_any_rest() {
        let scope = KeyScope { prompts: Some(list(&["support/*", "greeting"])), ..KeyScope::default() };
        let allows = |name: &str| scope.allows_prompt(&name.parse().unwrap());
        assert!(allows("support/reply") && allows("greeting"));
        assert!(!allows("greeting2") && !allows("sales/support/reply"));
    }

    #[test]
    fn a_list_of_labels_closes_pinned_versions() {
        let scope = KeyScope { labels: Some(list(&["production"])), ..KeyScope::default() };
        assert!(scope.allows_label(Some(&LabelName::production())));
        assert!(!scope.allows_label(Some(&"staging".parse().unwrap())));
        assert!(!scope.allows_label(None) && KeyScope::default().allows_label(None));
    }

    #[test]
    fn a_star_elsewhere_is_refused() {
        for wrong in ["a*b", "*a", "**", ""] {
            let scope = KeyScope { models: Some(list(&[wrong])), ..KeyScope::default() };
            assert_eq!(scope.check().unwrap_err().field(), Some("models"), "{wrong}");
        }
        assert!(KeyScope { models: Some(list(&["*", "gpt-*"])), ..KeyScope::default() }.check().is_ok());
    }
}
