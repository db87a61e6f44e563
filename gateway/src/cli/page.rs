//! Lists on the command line: which page of one, and how it is printed.

use serde_json::{Value, json};

use super::client::Client;
use super::{complain, say};

/// Which part of a list to print, and how.
#[derive(Debug, clap::Args)]
pub struct Page {
    /// How many, 1 to 1000.
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: u32,
    /// Goes on where another page ended: its `next_cursor`.
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    /// All of them, page after page.
    #[arg(long, conflicts_with_all = ["limit", "cursor"])]
    all: bool,
    /// Prints JSON: `{data, next_cursor}`.
    #[arg(long)]
    json: bool,
}

impl Page {
    /// Prints this page of the list at `path`, laid out for people unless JSON is wanted.
    pub fn print(
        &self,
        client: &Client,
        path: &str,
        query: &[(&str, &str)],
        lay_out: impl Fn(&[Value]) -> String,
    ) -> anyhow::Result<()> {
        let page = self.read(client, path, query)?;
        print(&page, self.json, lay_out);
        if let (false, Some(cursor)) = (self.json, page["next_cursor"].as_str()) {
            complain(&format!("there are more: --all prints all, --cursor {cursor} the next ones"));
        }
        Ok(())
    }

    fn read(&self, client: &Client, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Value> {
        if self.all {
            return Ok(json!({"data": client.all(path, query)?, "next_cursor": null}));
        }
        let limit = self.limit.to_string();
        let mut query = query.to_vec();
        query.push(("limit", &limit));
        query.extend(self.cursor.as_deref().map(|cursor| ("cursor", cursor)));
        client.get(path, &query)
    }
}

/// Prints a list that comes on one page.
pub fn print_whole(
    client: &Client,
    path: &str,
    json: bool,
    lay_out: impl Fn(&[Value]) -> String,
) -> anyhow::Result<()> {
    print(&client.get(path, &[])?, json, lay_out);
    Ok(())
}

fn print(page: &Value, json: bool, lay_out: impl Fn(&[Value]) -> String) {
    say(&if json { page.to_string() } else { lay_out(items(&page["data"])) });
    if !json && page["complete"] == Value::Bool(false) {
        let seen = page["searched_to"].as_str().unwrap_or("the last one shown");
        complain(&format!(
            "the search ran out of time: what is before {seen} was not looked at; narrow it with --from and --to"
        ));
    }
}

/// What a list holds.
pub fn items(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

/// The query parameters that are given.
pub fn given<'n, 'v>(named: &[(&'n str, &'v Option<String>)]) -> Vec<(&'n str, &'v str)> {
    named.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect()
}
