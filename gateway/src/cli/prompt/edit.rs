//! `weir prompt create` and `edit`: a prompt's names, folder, description, tags and aliases.

use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use super::super::client::Client;
use super::super::page::items;
use super::super::{changes, table, tell};
use super::manage::path;
use super::publish::{self, Said};

/// A prompt to make.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// Its name; folders are the name's prefixes.
    name: String,
    /// Its first version, and what the file says of the prompt; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Words to find it by.
    #[arg(long, value_delimiter = ',', value_name = "TAGS")]
    tags: Option<Vec<String>>,
    /// Another name it answers to, such as `pmpt_68ab`, with the version that one means when none is asked for.
    #[arg(long = "alias", value_name = "NAME[=VERSION]")]
    aliases: Vec<String>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// A prompt to change.
#[derive(Debug, clap::Args)]
pub struct Edit {
    /// The prompt.
    prompt: String,
    #[command(flatten)]
    changes: Changes,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// What to change of a prompt.
#[derive(Debug, clap::Args)]
struct Changes {
    /// Its new name; the old one stays as an alias, so that nothing that calls it breaks.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The folder to move it to, under the last part of its name; empty for none.
    #[arg(long, value_name = "FOLDER", conflicts_with = "name")]
    folder: Option<String>,
    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// All its tags; empty for none.
    #[arg(long, value_delimiter = ',', value_name = "TAGS")]
    tags: Option<Vec<String>>,
    /// A name it is to answer to as well.
    #[arg(long, value_name = "NAME[=VERSION]")]
    add_alias: Vec<String>,
    /// A name it answers to no more.
    #[arg(long, value_name = "NAME")]
    remove_alias: Vec<String>,
}

impl Create {
    /// Makes it.
    pub fn run(&self, client: &Client) -> anyhow::Result<()> {
        let file = self.file.as_deref().map(publish::read).transpose()?.map(|(_, file)| file);
        let mut about = file.as_ref().map(publish::about).unwrap_or_default();
        about.extend(said(self.description.as_deref(), self.tags.as_deref()));
        if !self.aliases.is_empty() {
            about.insert("aliases".into(), read_aliases(&self.aliases)?.into());
        }
        let Some(file) = file else {
            about.insert("name".into(), json!(self.name));
            let made = client.post("/prompts", &Value::Object(about))?;
            tell(&made, self.json, &format!("prompt {} made; it has no version yet", self.name));
            return Ok(());
        };
        let mut version = publish::version_of(&file, Some(&Said::default()))?;
        version.insert("expected_parent".into(), json!(0));
        let made = publish::publish(client, &self.name, version, about)?;
        tell(&made, self.json, &format!("prompt {} made", publish::made_known(&made)));
        Ok(())
    }
}

fn said(description: Option<&str>, tags: Option<&[String]>) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.extend(description.map(|text| ("description".to_owned(), json!(text))));
    let words = |tags: &[String]| tags.iter().filter(|tag| !tag.is_empty()).cloned().collect::<Vec<_>>();
    fields.extend(tags.map(|tags| ("tags".to_owned(), json!(words(tags)))));
    fields
}

fn read_aliases(aliases: &[String]) -> anyhow::Result<Vec<Value>> {
    aliases.iter().map(|alias| read_alias(alias)).collect()
}

fn read_alias(alias: &str) -> anyhow::Result<Value> {
    let Some((id, version)) = alias.split_once('=') else { return Ok(json!({"id": alias})) };
    let version: u32 = version
        .parse()
        .with_context(|| format!("`{alias}`: write NAME=VERSION, such as pmpt_68ab=3, or NAME alone"))?;
    Ok(json!({"id": id, "default": version}))
}

impl Edit {
    /// Changes it.
    pub fn run(&self, client: &Client) -> anyhow::Result<()> {
        let path = path(&self.prompt);
        let now = client.get(&path, &[])?;
        let body = changes(self.changes.body(&now)?)?;
        // The list of aliases is written as a whole, and so only over the one it was made from.
        let changed = if body["aliases"].is_array() {
            client.patch_if_still(&path, &now, &body)?
        } else {
            client.patch(&path, &body)?
        };
        let [old, new] = [&now, &changed].map(|prompt| table::cell(&prompt["name"]));
        let words = if old == new {
            format!("prompt {new} changed")
        } else {
            format!("prompt {old} is {new} now, and answers to the old name too")
        };
        tell(&changed, self.json, &words);
        Ok(())
    }
}

impl Changes {
    fn body(&self, now: &Value) -> anyhow::Result<Map<String, Value>> {
        let mut body = said(self.description.as_deref(), self.tags.as_deref());
        let moved = self.folder.as_deref().map(|folder| moved(&table::cell(&now["name"]), folder));
        body.extend(self.name.clone().or(moved).map(|name| ("name".to_owned(), json!(name))));
        if self.add_alias.is_empty() && self.remove_alias.is_empty() {
            return Ok(body);
        }
        let gone = |alias: &Value| self.remove_alias.iter().any(|id| alias["id"] == *id);
        for id in &self.remove_alias {
            let there = items(&now["aliases"]).iter().any(|alias| alias["id"] == *id);
            anyhow::ensure!(there, "{} has no alias `{id}`", table::cell(&now["name"]));
        }
        let mut aliases: Vec<Value> =
            items(&now["aliases"]).iter().filter(|alias| !gone(alias)).cloned().collect();
        aliases.extend(read_aliases(&self.add_alias)?);
        body.insert("aliases".into(), aliases.into());
        Ok(body)
    }
}

/// The last part of a name, in another folder.
fn moved(name: &str, folder: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    match folder.trim_end_matches('/') {
        "" => last.to_owned(),
        folder => format!("{folder}/{last}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_moves_with_the_last_part_of_its_name() {
        for (name, folder, to) in
            [("a/b/c", "x", "x/c"), ("c", "x/y/", "x/y/c"), ("a/b", "", "b"), ("b", "", "b")]
        {
            assert_eq!(moved(name, folder), to);
        }
    }

    #[test]
    fn an_alias_may_say_which_version_it_means() {
        assert_eq!(read_alias("pmpt_1").unwrap(), json!({"id": "pmpt_1"}));
        assert_eq!(read_alias("pmpt_1=3").unwrap(), json!({"id": "pmpt_1", "default": 3}));
        assert!(read_alias("pmpt_1=x").is_err());
    }
}
