//! Environment variables behind a trait, and the values that refer to a variable or a file.

use std::collections::BTreeMap;

use vocab::Secret;

use crate::problem::Wrong;

/// Where environment variables come from, so that reading a configuration is tested without touching the process.
pub trait Vars {
    /// The variable's value. An empty variable counts as unset.
    fn get(&self, key: &str) -> Option<String>;

    /// The names of all variables, as far as they can be listed.
    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The variables of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Environment;

impl Vars for Environment {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    fn get(&self, key: &str) -> Option<String> {
        std::env::var(key).ok().filter(|value| !value.is_empty())
    }

    fn names(&self) -> Vec<String> {
        std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect()
    }
}

impl Vars for BTreeMap<String, String> {
    fn get(&self, key: &str) -> Option<String> {
        self.get(key).filter(|value| !value.is_empty()).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }
}

/// Reads a secret: `${VARIABLE}`, `file:PATH` (less the line break at its end), or the secret itself.
pub(crate) fn secret(text: &str, vars: &dyn Vars) -> Result<Secret, Wrong> {
    let value = dereference(text, vars)?;
    if value.is_empty() {
        return Err(Wrong::new("it is empty", "leave it out, or write the secret"));
    }
    if value.chars().any(|c| c.is_control() || !c.is_ascii()) {
        return Err(Wrong::new(
            "it holds a character that no HTTP header can carry",
            "write printable ASCII on one line",
        ));
    }
    Ok(Secret::new(value))
}

/// Follows `${VARIABLE}` and `file:PATH`.
pub(crate) fn dereference(text: &str, vars: &dyn Vars) -> Result<String, Wrong> {
    if let Some(path) = text.strip_prefix("file:") {
        let held = std::fs::read_to_string(path).map_err(|error| {
            Wrong::new(format!("`{path}` cannot be read: {error}"), "name a readable file")
        })?;
        return Ok(held.trim_end_matches(['\r', '\n']).to_owned());
    }
    let Some(name) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else {
        return Ok(text.trim().to_owned());
    };
    vars.get(name).ok_or_else(|| {
        Wrong::new(
            format!("the environment variable {name} is not set"),
            format!("set {name}, or leave this out"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars() -> BTreeMap<String, String> {
        BTreeMap::from([("KEY".to_owned(), "sk-1".to_owned()), ("EMPTY".to_owned(), String::new())])
    }

    #[test]
    fn a_secret_is_a_variable_a_file_or_itself() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "sk-2\n").unwrap();
        let from_file = format!("file:{}", file.path().display());
        for (text, wanted) in [("${KEY}", "sk-1"), (from_file.as_str(), "sk-2"), ("sk-3", "sk-3")] {
            assert!(secret(text, &vars()).unwrap().is(wanted), "{text}");
        }
    }

    #[test]
    fn a_reference_to_nothing_says_what_is_missing() {
        for (text, said) in [
            ("${GONE}", "variable GONE is not set"),
            ("${EMPTY}", "variable EMPTY is not set"),
            ("file:/nowhere/at/all", "cannot be read"),
            ("", "empty"),
            ("sk-\u{e9}", "no HTTP header"),
        ] {
            let wrong = secret(text, &vars()).unwrap_err();
            assert!(wrong.wrong.contains(said), "{text}: {}", wrong.wrong);
        }
    }
}
