//! What a prompt may be called: one namespace of names and aliases in a project, and limits on what describes it.

use std::collections::BTreeSet;

use vocab::PromptName;

use super::Prompt;
use crate::StoreError;
use crate::content::Alias;
use crate::db::{Result, Tx, args};

/// The longest description, in bytes.
const DESCRIPTION_BYTES: usize = 10_000;
/// The most tags of a prompt.
const TAGS: usize = 50;
/// The longest tag, in bytes.
const TAG_BYTES: usize = 100;
/// The most aliases of a prompt.
const ALIASES: usize = 100;
/// The most foreign versions one alias maps.
const ALIAS_VERSIONS: usize = 10_000;

/// Refuses text that one of the engines cannot hold, or too much of it.
pub(crate) fn check_text(field: &'static str, text: &str, limit_bytes: usize) -> Result<()> {
    if text.len() > limit_bytes {
        let size = text.len();
        let message = format!("`{field}` has {size} bytes: the limit is {limit_bytes}");
        return Err(StoreError::invalid(field, message));
    }
    if text.contains('\0') {
        return Err(StoreError::invalid(field, format!("`{field}` holds a NUL character: remove it")));
    }
    Ok(())
}

/// The same for what is shown in one line: a name with a line's end or a terminal's commands in it passes for another.
pub(crate) fn check_line(field: &'static str, text: &str, limit_bytes: usize) -> Result<()> {
    check_text(field, text, limit_bytes)?;
    let Some(odd) = text.chars().find(|char| char.is_control() || is_formatting(*char)) else {
        return Ok(());
    };
    let message = format!("`{field}` holds {odd:?}, which is not shown: write it without control characters");
    Err(StoreError::invalid(field, message))
}

/// Characters that turn round or hide the text beside them.
const fn is_formatting(char: char) -> bool {
    matches!(
        char,
        '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
    )
}

pub(super) fn check_description(text: &str) -> Result<()> {
    check_text("description", text, DESCRIPTION_BYTES)
}

/// Tags trimmed, in order, each once.
pub(super) fn check_tags(tags: &[String]) -> Result<Vec<String>> {
    if tags.len() > TAGS {
        return Err(StoreError::invalid("tags", format!("a prompt has at most {TAGS} tags")));
    }
    let trimmed: BTreeSet<_> = tags.iter().map(|tag| tag.trim().to_owned()).collect();
    for tag in &trimmed {
        check_line("tags", tag, TAG_BYTES)?;
        if tag.is_empty() {
            return Err(StoreError::invalid("tags", "a tag is empty: remove it"));
        }
    }
    Ok(trimmed.into_iter().collect())
}

/// The names that aliases claim, or what is wrong with one of them.
pub(super) fn check_aliases(name: &PromptName, aliases: &[Alias]) -> Result<Vec<PromptName>> {
    if aliases.len() > ALIASES {
        return Err(StoreError::invalid("aliases", format!("a prompt has at most {ALIASES} aliases")));
    }
    let mut claimed = Vec::with_capacity(aliases.len());
    for alias in aliases {
        let id: PromptName = alias.id.parse().map_err(|error| alias_error(&alias.id, &error))?;
        if id == *name || claimed.contains(&id) {
            return Err(alias_error(
                &alias.id,
                &"it is named twice: a prompt answers to its own name anyway",
            ));
        }
        check_alias_versions(alias)?;
        claimed.push(id);
    }
    Ok(claimed)
}

fn check_alias_versions(alias: &Alias) -> Result<()> {
    if alias.versions.len() > ALIAS_VERSIONS {
        return Err(alias_error(&alias.id, &format_args!("it maps more than {ALIAS_VERSIONS} versions")));
    }
    if alias.versions.values().chain(&alias.default).any(|version| *version == 0) {
        return Err(alias_error(&alias.id, &"it maps to version 0: versions count from 1"));
    }
    if alias.versions.keys().any(|foreign| foreign.trim().is_empty() || foreign.contains('\0')) {
        return Err(alias_error(&alias.id, &"one of its foreign versions is empty or holds a NUL character"));
    }
    Ok(())
}

fn alias_error(id: &str, why: &dyn std::fmt::Display) -> StoreError {
    StoreError::invalid("aliases", format!("alias `{}`: {why}", id.escape_debug()))
}

/// Claims a name for a prompt, or says whose it is.
pub(super) async fn claim(tx: &mut Tx, prompt: &Prompt, name: &PromptName) -> Result<()> {
    let sql = "INSERT INTO prompt_name (project, name, prompt_id) VALUES ($1, $2, $3)
               ON CONFLICT (project, name) DO NOTHING";
    let id = prompt.id.to_string();
    if tx.run(sql, args![&*prompt.project, name.as_str(), id]).await? == 1 {
        return Ok(());
    }
    let sql = "SELECT p.name, p.archived_us FROM prompt_name n JOIN prompt p ON p.id = n.prompt_id
               WHERE n.project = $1 AND n.name = $2 LIMIT 1";
    let holder = tx.maybe(sql, args![&*prompt.project, name.as_str()]).await?;
    let Some(holder) = holder else { return Err(StoreError::unreadable("prompt_name")) };
    let held_by = holder.text("name")?;
    let archived = if holder.maybe_time("archived_us")?.is_some() { ", which is archived" } else { "" };
    Err(StoreError::Taken(if held_by == name.as_str() {
        format!("there is a prompt `{name}` already{archived}: choose another name")
    } else {
        format!(
            "`{name}` is an alias of prompt `{held_by}`{archived}: remove it there or choose another name"
        )
    }))
}

/// Gives up every name of a prompt.
pub(super) async fn release_all(tx: &mut Tx, prompt: &Prompt) -> Result<()> {
    let sql = "DELETE FROM prompt_name WHERE prompt_id = $1";
    tx.run(sql, args![prompt.id.to_string()]).await?;
    Ok(())
}

/// What a search for text looks at, in lower case.
pub(crate) fn search_text(prompt: &Prompt) -> String {
    let aliases = prompt.aliases.iter().map(|alias| &*alias.id);
    let parts = [prompt.name.as_str(), &prompt.description].into_iter();
    let parts = parts.chain(prompt.tags.iter().map(String::as_str)).chain(aliases);
    parts.collect::<Vec<_>>().join("\n").to_lowercase()
}
