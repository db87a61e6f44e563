//! What a token may change: prompts in some folders, labels of some names. Reading is divided by projects only.

use serde::{Deserialize, Serialize};
use vocab::PromptName;

use crate::StoreError;
use crate::db::Result;
use crate::keys::{allows, check_patterns};

/// The most folders of a token.
const FOLDERS: usize = 1_000;

/// What a token may change. In both, `None` is everything and an empty list nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TokenScope {
    /// Folders in which, and below which, it may change prompts.
    pub folders: Option<Vec<String>>,
    /// Labels it may move, `prefix*` allowed.
    pub labels: Option<Vec<String>>,
}

impl TokenScope {
    /// Whether it holds to nothing.
    pub const fn is_open(&self) -> bool {
        self.folders.is_none() && self.labels.is_none()
    }

    /// Whether a prompt of this name may be changed.
    pub fn allows_prompt(&self, name: &str) -> bool {
        let Some(folders) = &self.folders else { return true };
        let within =
            |folder: &String| name.strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/'));
        folders.iter().any(within)
    }

    /// Whether a label of this name may be moved.
    pub fn allows_label(&self, label: &str) -> bool {
        allows(self.labels.as_deref(), label)
    }

    /// The same with every folder written one way, `support/mail`, or what is wrong with it.
    pub(crate) fn checked(self) -> Result<Self> {
        check_patterns("labels", self.labels.as_deref())?;
        let Some(folders) = self.folders else { return Ok(self) };
        if folders.len() > FOLDERS {
            return Err(StoreError::invalid("folders", format!("a token has at most {FOLDERS} folders")));
        }
        let mut plain = Vec::with_capacity(folders.len());
        for folder in &folders {
            let bare = folder.strip_suffix("/*").or_else(|| folder.strip_suffix('/')).unwrap_or(folder);
            if let Err(error) = bare.parse::<PromptName>() {
                let (folder, error) = (folder.escape_debug(), error.to_string());
                let message = format!("`{folder}` in `folders` is not a folder such as `support`: {error}");
                return Err(StoreError::invalid("folders", message));
            }
            if !plain.iter().any(|kept| kept == bare) {
                plain.push(bare.to_owned());
            }
        }
        Ok(Self { folders: Some(plain), labels: self.labels })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(folders: &[&str], labels: &[&str]) -> TokenScope {
        let list = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
        TokenScope { folders: list(folders), labels: list(labels) }
    }

    #[test]
    fn a_folder_is_what_is_in_it_and_below() {
        let scope = scope(&["support", "sales/eu"], &[]);
        for inside in ["support/reply", "support/mail/reply", "sales/eu/offer"] {
            assert!(scope.allows_prompt(inside), "{inside}");
        }
        for outside in ["support", "supporting/reply", "sales/offer", "sales/europe/offer", "x/support/reply"]
        {
            assert!(!scope.allows_prompt(outside), "{outside}");
        }
    }

    #[test]
    fn absent_is_all_and_empty_is_nothing() {
        let (open, closed) = (TokenScope::default(), scope(&[], &[]));
        assert!(open.is_open() && open.allows_prompt("a") && open.allows_label("production"));
        assert!(!closed.is_open() && !closed.allows_prompt("a/b") && !closed.allows_label("production"));
        assert!(
            scope(&[], &["dev*", "qa"]).allows_label("dev-2") && !scope(&[], &["dev*"]).allows_label("qa")
        );
    }

    #[test]
    fn folders_are_written_one_way() {
        let checked = scope(&["support/", "support/*", "a b/c"], &[]).checked().unwrap();
        assert_eq!(checked.folders.unwrap(), ["support", "a b/c"]);
        for wrong in ["", "/", "/support", "a//b", "sup*", "a@b"] {
            assert_eq!(scope(&[wrong], &[]).checked().unwrap_err().field(), Some("folders"), "{wrong}");
        }
        assert_eq!(scope(&[], &["d*v"]).checked().unwrap_err().field(), Some("labels"));
    }
}
