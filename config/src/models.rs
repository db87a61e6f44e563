//! Names of the operator's own for models: `[models] fast = "groq/llama-3.3-70b-versatile"`.

use std::collections::BTreeMap;

use toml::de::DeValue;

use crate::nearest::nearest;
use crate::problem::Wrong;
use crate::providers::Provider;
use crate::reader::Section;

/// How an alias and its target are written.
const FORM: &str = "write it as \"provider/model\"";

/// Reads the aliases; each must lead to a provider that is there.
pub(crate) fn read(top: &mut Section<'_, '_>, providers: &[Provider]) -> BTreeMap<String, String> {
    let mut section = top.section("models");
    let mut aliases = BTreeMap::new();
    for alias in section.written_keys() {
        if alias.is_empty() || alias.starts_with("prompt:") || alias.contains(char::is_whitespace) {
            let fix = "write a word that does not start with `prompt:`, which names prompts";
            section.refuse(&alias, "it cannot be a model's name", fix);
        }
        if section.value(&alias).is_some_and(|(_, value)| matches!(value.get_ref(), DeValue::Table(_))) {
            section.accept(&alias);
            section.refuse(&alias, "it is a table", "write the alias in quotes if it holds a dot");
            continue;
        }
        if let Some(target) = section.parse(&alias, "", |text| target(text, providers)) {
            aliases.insert(alias, target);
        }
    }
    section.finish();
    aliases
}

fn target(text: &str, providers: &[Provider]) -> Result<String, Wrong> {
    let Some((provider, model)) = text.split_once('/') else {
        return Err(Wrong::new(format!("`{text}` names no provider"), FORM));
    };
    if model.is_empty() {
        return Err(Wrong::new(format!("`{text}` names no model"), FORM));
    }
    let names = || providers.iter().map(|known| &*known.name);
    if names().any(|known| known == provider) {
        return Ok(text.to_owned());
    }
    let fix = match nearest(provider, names()) {
        Some(near) => format!("did you mean \"{near}/{model}\"?"),
        None => format!("add [providers.{provider}], or {FORM} of one that is there"),
    };
    Err(Wrong::new(format!("there is no provider `{provider}`"), fix))
}
