//! `weir export`: all matching calls into a file or to standard output, complete or said not to be.

mod begun;
mod whole;

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::ValueEnum;
use serde_json::Value;

use super::calls::Sought;
use super::client::{Client, Connection};
use super::complain;
use begun::Begun;
use whole::Rows;

/// What a CSV's receipt stands behind.
const CSV_RECEIPT: &str = "# ";

/// What to export.
#[derive(Debug, clap::Args)]
pub struct Export {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    sought: Sought,
    /// Lines of JSON with bodies and attempts, or columns for a spreadsheet.
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// The file; while it is written, and when it breaks off, its name ends in `.part`. Standard output when absent.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Goes on with the `.part` of an export that broke off.
    #[arg(long, requires = "output")]
    resume: bool,
    /// Writes over the file, and over a `.part` that is not gone on with.
    #[arg(long, requires = "output")]
    force: bool,
}

/// How calls are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A line of JSON for each call.
    Jsonl,
    /// Comma-separated columns.
    Csv,
}

impl Format {
    const fn word(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
        }
    }
}

impl Export {
    /// Exports.
    pub fn run(&self) -> anyhow::Result<()> {
        let client = &self.connection.open()?;
        let begun = Begun::now(&self.sought, self.format.word());
        if let Some(output) = &self.output {
            return self.write_file(client, begun, output);
        }
        let answer = ask(client, &begun, None)?;
        let rows = self.copy(answer, true, &mut BufWriter::new(std::io::stdout().lock()))?;
        complain(&format!("{rows} calls exported"));
        Ok(())
    }

    fn write_file(&self, client: &Client, asked: Begun, output: &Path) -> anyhow::Result<()> {
        let part = part_of(output);
        self.spare(output, &part)?;
        let before = if self.resume { self.kept(&part)? } else { Rows::none() };
        let begun = if before.rows == 0 { asked } else { same(&asked, &part)? };
        // What is refused at once leaves no file behind.
        let answer = ask(client, &begun, before.last_id.as_deref())?;
        begun.keep(&part)?;
        let mut file = OpenOptions::new().create(true).write(true).truncate(false).open(&part);
        let file =
            file.as_mut().map_err(|error| anyhow::anyhow!("cannot write {}: {error}", part.display()))?;
        file.set_len(before.end_bytes)?;
        std::io::Seek::seek(file, std::io::SeekFrom::End(0))?;
        let mut out = BufWriter::new(&mut *file);
        let rows = self.copy(answer, before.rows == 0, &mut out).with_context(|| {
            format!("{} is not whole: run the same command with --resume to go on", part.display())
        })?;
        drop(out);
        file.sync_all()?;
        std::fs::rename(&part, output)
            .with_context(|| format!("cannot rename {} to {}", part.display(), output.display()))?;
        // Without its part it says nothing any more.
        drop(std::fs::remove_file(begun::note_of(&part)));
        complain(&format!("{} calls exported to {}", before.rows + rows, output.display()));
        Ok(())
    }

    /// Refuses to write over what is there.
    fn spare(&self, output: &Path, part: &Path) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.force || !output.exists(),
            "{} is there already: name another file, or write over it with --force",
            output.display()
        );
        anyhow::ensure!(
            self.force || self.resume || !part.exists(),
            "{} is there from an export that broke off: go on with --resume, or begin anew with --force",
            part.display()
        );
        Ok(())
    }

    /// The whole rows of an export that broke off.
    fn kept(&self, part: &Path) -> anyhow::Result<Rows> {
        match File::open(part) {
            Ok(file) => Ok(Rows::read(BufReader::new(file), self.format)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Rows::none()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", part.display())),
        }
    }

    /// Copies what comes, its receipt aside, and returns how many rows that were; an error unless it was all.
    fn copy(
        &self,
        answer: BufReader<impl Read>,
        headings: bool,
        out: &mut impl Write,
    ) -> anyhow::Result<u64> {
        let (rows, receipt) = self.rows(answer, out, headings && self.format == Format::Csv)?;
        let receipt = receipt.as_deref().and_then(|line| {
            let line = if self.format == Format::Csv { line.strip_prefix(CSV_RECEIPT)? } else { line };
            serde_json::from_str::<Value>(line).ok()
        });
        let receipt = receipt.map(|receipt| receipt["weir_export"].clone()).unwrap_or_default();
        let (sent, complete) = (receipt["rows"].as_u64(), receipt["complete"].as_bool());
        anyhow::ensure!(complete == Some(true), "the export broke off: its receipt is missing");
        anyhow::ensure!(sent == Some(rows), "{rows} rows arrived, {} were sent", sent.unwrap_or_default());
        Ok(rows)
    }

    /// Writes every line but the last, which is the receipt, and counts rows.
    fn rows(
        &self,
        mut answer: BufReader<impl Read>,
        out: &mut impl Write,
        headings: bool,
    ) -> anyhow::Result<(u64, Option<String>)> {
        let mut counted = whole::Counter::new(self.format, headings);
        let mut held: Vec<u8> = Vec::new();
        loop {
            let mut line = Vec::new();
            // What is whole is kept, whatever comes of the rest.
            let read = answer.read_until(b'\n', &mut line);
            if !matches!(read, Ok(0)) && !held.is_empty() {
                out.write_all(&held)?;
                counted.line(&held);
            }
            if let Err(error) = read {
                out.flush()?;
                return Err(error).context("the export broke off");
            }
            if line.is_empty() {
                out.flush()?;
                return Ok((counted.rows(), String::from_utf8(held).ok()));
            }
            held = line;
        }
    }
}

/// Begins to read what `begun` asks for, behind the call `after`.
fn ask(
    client: &Client,
    begun: &Begun,
    after: Option<&str>,
) -> anyhow::Result<BufReader<ureq::BodyReader<'static>>> {
    let mut query = begun.query();
    query.push(("receipt", "true"));
    query.extend(after.map(|id| ("after", id)));
    Ok(BufReader::new(client.open("/calls/export", &query)?))
}

/// What the export in `part` was begun with, which must be what is asked for.
fn same(asked: &Begun, part: &Path) -> anyhow::Result<Begun> {
    let begun = Begun::read(part)?;
    anyhow::ensure!(
        begun.is_same(asked),
        "{} was begun with `{begun}`, not with `{asked}`: go on with what it was begun with, or begin anew with \
         --force instead of --resume",
        part.display()
    );
    Ok(begun)
}

fn part_of(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(".part");
    name.into()
}
