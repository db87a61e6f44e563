//! `weir prompt draft`: your working copy of a prompt, kept in the registry while it is written.

use std::path::PathBuf;

use clap::Subcommand;
use registry::files;
use serde_json::{Value, json};

use super::super::client::{Client, segment};
use super::super::{complain, say};
use super::check::Problems;
use super::publish::{self, Said};
use super::{file_of, publish::made_known};

/// What can be done with drafts. Each belongs to the owner of the token.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Prints your draft as a file.
    Show {
        /// The prompt.
        prompt: String,
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Keeps a file as your draft, in place of the one before; its templates need not hold yet.
    Save(Save),
    /// Publishes your draft, which goes away with that.
    Publish {
        /// The prompt.
        prompt: String,
        #[command(flatten)]
        said: Said,
        /// Refuses unless this is the latest version now.
        #[arg(long, value_name = "VERSION")]
        expect: Option<u32>,
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Throws your draft away.
    Discard {
        /// The prompt.
        prompt: String,
    },
}

/// A draft to keep.
#[derive(Debug, clap::Args)]
pub struct Save {
    /// The prompt, which must be there.
    prompt: String,
    /// The file; `-` is standard input.
    file: PathBuf,
    /// What changed and why, so far.
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// The version it is begun from; what your draft says already, else the latest, when absent.
    #[arg(long, value_name = "VERSION")]
    parent: Option<u32>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Runs one of the commands.
pub(super) fn run(client: &Client, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Show { prompt, json } => show(client, prompt, *json),
        Command::Save(save) => save.run(client),
        Command::Publish { prompt, said, expect, json } => {
            let mut body = said.fields(&[]);
            body.insert("draft".into(), json!(true));
            body.extend(expect.map(|version| ("expected_parent".to_owned(), json!(version))));
            let path = format!("/prompts/{}/versions", segment(prompt));
            let made = client.post(&path, &Value::Object(body))?;
            say(&if *json { made.to_string() } else { made_known(&made) });
            Ok(())
        }
        Command::Discard { prompt } => {
            client.delete(&path(prompt))?;
            complain(&format!("your draft of {prompt} is gone"));
            Ok(())
        }
    }
}

fn path(prompt: &str) -> String {
    format!("/prompts/{}/draft", segment(prompt))
}

fn show(client: &Client, prompt: &str, json: bool) -> anyhow::Result<()> {
    let draft = client.get(&path(prompt), &[])?;
    if json {
        say(&draft.to_string());
        return Ok(());
    }
    complain(&stands(&draft));
    let about = client.get(&format!("/prompts/{}", segment(prompt)), &[])?;
    let text = files::write(&file_of(&about, draft.clone())?);
    say(text.trim_end());
    Problems::of(&draft).complain("draft", &text);
    Ok(())
}

impl Save {
    fn run(&self, client: &Client) -> anyhow::Result<()> {
        let (text, file) = publish::read(&self.file)?;
        let mut body = publish::version_of(&file, None)?;
        body.extend(self.message.as_ref().map(|message| ("commit_message".to_owned(), json!(message))));
        body.extend(self.parent.map(|version| ("expected_parent".to_owned(), json!(version))));
        let kept = client.put(&path(&self.prompt), &Value::Object(body))?;
        if self.json {
            say(&kept.to_string());
            return Ok(());
        }
        complain(&stands(&kept));
        Problems::of(&kept).complain(&self.file.display().to_string(), &text);
        Ok(())
    }
}

/// How a draft stands, in a line.
fn stands(draft: &Value) -> String {
    let prompt = draft["prompt"].as_str().unwrap_or_default();
    let begun = match draft["parent"].as_u64() {
        None | Some(0) => "begun from nothing".to_owned(),
        Some(version) => format!("begun from version {version}"),
    };
    let stale = if draft["stale"] == true {
        "; another version was published since: compare it, then save"
    } else {
        ""
    };
    format!("your draft of {prompt}, {begun}{stale}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_says_what_it_was_begun_from() {
        let draft = json!({"prompt": "a/b", "parent": 3, "stale": false});
        assert_eq!(stands(&draft), "your draft of a/b, begun from version 3");
        let stale = json!({"prompt": "a/b", "parent": 0, "stale": true});
        assert!(stands(&stale).contains("begun from nothing; another version was published since"));
    }
}
