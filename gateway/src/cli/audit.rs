//! `weir audit`: who changed what, and whether the chain of entries holds.
//!
//! Verifying reads every entry and reckons the chain anew, here: neither the gateway nor its database is believed.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::Context as _;
use clap::Subcommand;
use registry::audit::{Verdict, Verifier};
use registry::{AuditEntry, AuditHead};
use serde_json::{Value, json};

use super::client::{Client, Connection};
use super::page::{Page, given};
use super::{complain, say, table};

/// What stands in the last line of an export, instead of an entry.
const RECEIPT: &str = "weir_audit";
/// What asks for the whole chain.
const WHOLE: [(&str, &str); 2] = [("all_projects", "true"), ("receipt", "true")];

/// What can be done with the audit.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists changes, newest first.
    List(List),
    /// Writes every change as a line of JSON, oldest first.
    Export(Export),
    /// Finds entries that were edited, removed, replaced or reordered, and says which; exit code 1 if there are any.
    Verify(Verify),
}

/// Which changes to list.
#[derive(Debug, clap::Args)]
pub struct List {
    /// Only what this owner answers for.
    #[arg(long, value_name = "OWNER")]
    who: Option<String>,
    /// Only this action, or this family: `label.moved`, `label.*`.
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only what was done to this, or to all that begins so: `support/*`.
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// The earliest time: RFC 3339, or `-7d`.
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    from: Option<String>,
    /// The latest time.
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    to: Option<String>,
    /// Of all projects, and of none.
    #[arg(long)]
    all_projects: bool,
    #[command(flatten)]
    page: Page,
}

/// Where to write every change.
#[derive(Debug, clap::Args)]
pub struct Export {
    /// The file; standard output when absent. Ends with a receipt, so that a file that broke off is told from a whole one.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Writes over a file that is there already.
    #[arg(long, requires = "output")]
    force: bool,
}

/// What to verify, and against what.
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// An export to verify, instead of the gateway's audit.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// An entry that must be as it was, `NUMBER:HASH`, from an earlier verification or `GET /api/v1/audit/head`.
    #[arg(long, value_name = "NUMBER:HASH")]
    anchor: Vec<Anchor>,
    /// Prints JSON: `{holds, entries, head, findings}`.
    #[arg(long)]
    json: bool,
}

/// An entry's number and hash, as written on a command line.
#[derive(Clone, Debug)]
struct Anchor(AuditHead);

impl FromStr for Anchor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once(':').and_then(|(number, hash)| Some((number.parse().ok()?, hash)));
        let is_hash = |hash: &str| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        match parts {
            Some((number, hash)) if is_hash(hash) => {
                Ok(Self(AuditHead { number, hash: hash.to_ascii_lowercase() }))
            }
            Some(_) | None => Err("an anchor is an entry's number, a colon and its hash of 64 hex digits"),
        }
    }
}

/// Runs one of the commands.
pub fn run(connection: &Connection, command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::List(list) => list.run(&connection.open()?)?,
        Command::Export(export) => export.run(&connection.open()?)?,
        Command::Verify(verify) => return verify.run(connection),
    }
    Ok(ExitCode::SUCCESS)
}

impl List {
    fn run(&self, client: &Client) -> anyhow::Result<()> {
        let mut query = given(&[
            ("who", &self.who),
            ("action", &self.action),
            ("target", &self.target),
            ("from", &self.from),
            ("to", &self.to),
        ]);
        if self.all_projects {
            query.push(("all_projects", "true"));
        }
        self.page.print(client, "/audit", &query, listed)
    }
}

impl Export {
    fn run(&self, client: &Client) -> anyhow::Result<()> {
        let mut answer = BufReader::new(client.open("/audit/export", &WHOLE)?);
        let Some(path) = &self.output else {
            let mut out = std::io::stdout().lock();
            std::io::copy(&mut answer, &mut out).context("the export broke off")?;
            return Ok(());
        };
        anyhow::ensure!(
            self.force || !path.exists(),
            "{} is there already: name another file, or write over it with --force",
            path.display()
        );
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        let mut out = BufWriter::new(file);
        let copied = std::io::copy(&mut answer, &mut out).and_then(|_| out.flush());
        copied.with_context(|| format!("the export broke off: {} is not whole", path.display()))?;
        complain(&format!("the audit is exported to {}", path.display()));
        Ok(())
    }
}

impl Verify {
    fn run(&self, connection: &Connection) -> anyhow::Result<ExitCode> {
        let verdict = match &self.file {
            Some(path) => self.verify(open(path)?),
            None => self.verify(BufReader::new(connection.open()?.open("/audit/export", &WHOLE)?)),
        }?;
        let last = format!("{}:{}", verdict.last.number, verdict.last.hash);
        let findings: Vec<String> = verdict.findings.iter().map(ToString::to_string).collect();
        if self.json {
            let (holds, entries) = (verdict.holds(), verdict.entries);
            let head = &verdict.last;
            say(&json!({"holds": holds, "entries": entries, "head": head, "findings": findings}).to_string());
        } else {
            for finding in &findings {
                say(finding);
            }
            let entries = verdict.entries;
            let says = if verdict.holds() { "the chain holds" } else { "the chain does not hold" };
            complain(&format!("{says}: {entries} entries; its end, to keep as an anchor, is {last}"));
        }
        Ok(if verdict.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Reckons the chain anew, line by line; an error when what is read is not a whole export.
    fn verify(&self, mut lines: impl BufRead) -> anyhow::Result<Verdict> {
        let mut verifier = Verifier::anchored(self.anchor.iter().map(|anchor| anchor.0.clone()).collect());
        let (mut line, mut at) = (String::new(), 0_u64);
        loop {
            line.clear();
            at += 1;
            anyhow::ensure!(
                lines.read_line(&mut line).context("the export broke off")? > 0,
                "the export is not whole: its receipt, the last line, is missing"
            );
            if let Some(head) = receipt(&line)? {
                return Ok(verifier.finish(Some(&head)));
            }
            let entry: AuditEntry = serde_json::from_str(&line)
                .with_context(|| format!("line {at} is not an entry of an audit"))?;
            verifier.check(&entry);
        }
    }
}

fn open(path: &Path) -> anyhow::Result<BufReader<File>> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(BufReader::new(file))
}

/// The head that the last line of an export names.
fn receipt(line: &str) -> anyhow::Result<Option<AuditHead>> {
    if !line.starts_with("{\"weir_audit\"") {
        return Ok(None);
    }
    let mut receipt: Value = serde_json::from_str(line).context("the receipt cannot be read")?;
    let head = serde_json::from_value(receipt[RECEIPT]["head"].take());
    head.map(Some).context("the receipt cannot be read")
}

fn listed(entries: &[Value]) -> String {
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let rows: Vec<[String; 5]> = entries
        .iter()
        .map(|entry| {
            let why = [&entry["detail"]["reason"], &entry["detail"]["commit_message"]]
                .into_iter()
                .find_map(Value::as_str);
            let why = why.and_then(|why| why.lines().next()).unwrap_or("-").to_owned();
            [word(&entry["at"]), word(&entry["who"]), word(&entry["action"]), word(&entry["target"]), why]
        })
        .collect();
    table::lay_out(["AT", "WHO", "ACTION", "TARGET", "WHY"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_listed_with_who_and_why() {
        let entries = [
            json!({"at": "2026-11-30T12:00:00Z", "who": "ann", "action": "label.moved", "target": "a@production",
                   "detail": {"reason": "reviewed\nby bob"}}),
            json!({"at": "2026-11-30T12:00:01Z", "who": "bob", "action": "key.issued", "target": "1", "detail": {}}),
        ];
        let expected = "AT                    WHO  ACTION       TARGET        WHY\n\
                        2026-11-30T12:00:00Z  ann  label.moved  a@production  reviewed\n\
                        2026-11-30T12:00:01Z  bob  key.issued   1             -";
        assert_eq!(listed(&entries), expected);
    }

    #[test]
    fn an_anchor_is_a_number_and_a_hash() {
        let hash = "ab".repeat(32);
        let anchor: Anchor = format!("12:{}", hash.to_uppercase()).parse().unwrap();
        assert_eq!(anchor.0, AuditHead { number: 12, hash: hash.clone() });
        for wrong in ["", "12", "x:ab", &hash, "12:abc", &format!("12:{hash}0")] {
            assert!(wrong.parse::<Anchor>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_export_without_its_receipt_is_not_whole() {
        let verify = Verify { file: None, anchor: Vec::new(), json: false };
        assert!(verify.verify(&b""[..]).unwrap_err().to_string().contains("not whole"));
        assert!(verify.verify(&b"hello\n"[..]).unwrap_err().to_string().contains("line 1"));
        let empty = format!(
            "{{\"weir_audit\":{{\"entries\":0,\"complete\":true,\"head\":{{\"number\":0,\"hash\":\"{}\"}}}}}}\n",
            registry::audit::GENESIS
        );
        assert!(verify.verify(empty.as_bytes()).unwrap().holds());
    }
}
