//! Filling a registry with many prompts, past its verbs: those would take an hour.

use anyhow::bail;
use registry::{Registry, canonical};
use serde_json::json;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Executor};
use vocab::{Clock, Id};

/// What is filled in.
pub(crate) struct Many {
    pub(crate) prompts: u32,
    pub(crate) versions: u32,
    /// Of text in each version.
    pub(crate) bytes: usize,
}

const PROMPT: &str = "INSERT INTO prompt (id, project, name, kind, description, tags, aliases, latest,
                                         created_us, updated_us, archived_us, revision)
                      VALUES ($1, 'default', $2, 'chat', $3, '[]', '[]', $4, 0, 0, NULL, $5)";
const NAME: &str = "INSERT INTO prompt_name (project, name, prompt_id) VALUES ('default', $2, $1)";
const VERSION: &str =
    "INSERT INTO version (prompt_id, number, digest, major, minor, patch, impact, impact_reasons, parent, author,
                          commit_message, content, metadata, examples, created_us)
     VALUES ($1, $2, $3, 1, 0, $2, NULL, '[]', NULL, 'ann', 'a wording change', $4, '{}', '[]', 0)";
const LABEL: &str = "INSERT INTO label (prompt_id, label, version, moved_by, moved_us)
                     VALUES ($1, 'production', $2, 'ann', 0)";
const REVISION: &str = "UPDATE revision SET number = $1 WHERE id = 1";

/// Enough that a text repeats itself about as much as people do.
const WORDS: &str = "about account accept after agree allow always amount answer any apology apply ask available balance because before bill brief calm cancel card carrier change check clear client code colour complaint confirm contact context copy correct cost country credit currency customer date deliver delay detail device discount document double email ending error exact exchange explain fail fault feature fee final first follow formal friendly gift greet guess help holiday honest hour identity invoice item keep kind language late lead legal limit link list locale loss manager manual mention message method missing month name never note notice number offer once order owner package page partial party pay phone photo polite policy price privacy problem product promise proof question quote reason receipt refund region reply report request return review rule sale schedule seller sentence serial service ship sign size speak status stock store street subscription support tax team term thank ticket time tone total track transfer trust update upset user value verify visit voucher wait warranty week whole window word write wrong year";

/// Runs one statement with its values on either engine.
macro_rules! run {
    ($connection:expr, $sql:expr, $($value:expr),*) => {
        sqlx::query($sql)$(.bind($value))*.execute(&mut *$connection).await?
    };
}

/// The same statements on whatever connection it is given.
macro_rules! fill {
    ($many:expr, $connection:expr) => {{
        let connection = $connection;
        let clock = Clock::system();
        connection.execute("BEGIN").await?;
        for number in 0..$many.prompts {
            let id = Id::<vocab::id::Prompt>::new(&clock).to_string();
            let (name, revision) = (name(number), i64::from(number) + 1);
            let description = format!("What support says in case {number}.");
            let latest = i64::from($many.versions);
            run!(connection, PROMPT, &id, &name, &description, latest, revision);
            run!(connection, NAME, &id, &name);
            for version in 1..=$many.versions {
                let content = $many.content(number, version);
                let digest = canonical::digest(&content);
                run!(connection, VERSION, &id, i64::from(version), digest, content.to_string());
            }
            run!(connection, LABEL, &id, i64::from($many.labelled()));
        }
        run!(connection, REVISION, i64::from($many.prompts) + 1);
        connection.execute("COMMIT").await?;
    }};
}

impl Many {
    /// Fills an empty registry.
    pub(crate) async fn fill(&self, url: &str) -> anyhow::Result<()> {
        Registry::open(url, Clock::system()).await?.close().await;
        match url.split_once(':') {
            Some(("sqlite", path)) => fill!(self, &mut SqliteConnection::connect(path).await?),
            Some(("postgres" | "postgresql", _)) => fill!(self, &mut PgConnection::connect(url).await?),
            _ => bail!("{url} names no engine"),
        }
        Ok(())
    }

    /// The version that `production` points at.
    pub(crate) fn labelled(&self) -> u32 {
        self.versions.saturating_sub(1).max(1)
    }

    fn content(&self, prompt: u32, version: u32) -> serde_json::Value {
        let words: Vec<&str> = WORDS.split(' ').collect();
        let mut text = format!("You answer {{{{customer}}}} in case {prompt}, as of version {version}.");
        let mut place = (prompt as usize).wrapping_mul(31) + version as usize;
        while text.len() < self.bytes {
            text.push(' ');
            text.push_str(words.get(place % words.len()).copied().unwrap_or_default());
            place =
                place.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 3;
        }
        json!({"messages": [{"role": "system", "content": text}, {"role": "user", "content": "{{question}}"}],
               "engine": "plain", "model": "gpt-4o-mini", "parameters": {"temperature": 0.2}})
    }
}

/// The name of a prompt, in one of a thousand folders.
pub(crate) fn name(prompt: u32) -> String {
    format!("team-{:03}/case-{prompt:06}", prompt % 1_000)
}
