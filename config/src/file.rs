//! The configuration file as parsed TOML that still knows on which line each value stands.

use std::path::{Path, PathBuf};

use toml::de::DeTable;

use crate::problem::{Place, Problem};

/// A file larger than this is not a configuration.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// A parsed file.
pub(crate) struct File<'t> {
    path: PathBuf,
    text: &'t str,
    table: DeTable<'t>,
}

/// Reads the text of the file at `path`.
pub(crate) fn text(path: &Path) -> Result<String, Vec<Problem>> {
    let refused = |wrong: String, fix: &str| {
        let place = Place::Argument("--config");
        vec![Problem { place, key: String::new(), wrong, fix: fix.to_owned() }]
    };
    let shown = path.display();
    let size = std::fs::metadata(path).map_or(0, |found| found.len());
    if size > FILE_BYTES_MAX {
        return Err(refused(format!("{shown} has {size} bytes"), "name a TOML file below 4 MiB"));
    }
    std::fs::read_to_string(path)
        .map_err(|error| refused(format!("{shown} cannot be read: {error}"), "name a readable TOML file"))
}

impl<'t> File<'t> {
    /// Parses the text of the file at `path`; every syntax error is a problem of its own.
    pub(crate) fn parse(path: &Path, text: &'t str) -> Result<Self, Vec<Problem>> {
        let (parsed, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            return Ok(Self { path: path.to_owned(), text, table: parsed.into_inner() });
        }
        let problem = |error: &toml::de::Error| Problem {
            place: place(path, text, error.span().map_or(0, |span| span.start)),
            key: String::new(),
            wrong: error.message().trim().replace('\n', ", "),
            fix: "write valid TOML: [section] lines, and key = value lines with texts in quotes".to_owned(),
        };
        Err(errors.iter().map(problem).collect())
    }

    /// The top of the file.
    pub(crate) fn table(&self) -> &DeTable<'t> {
        &self.table
    }

    /// The place of the byte at `offset`.
    pub(crate) fn place(&self, offset: usize) -> Place {
        place(&self.path, self.text, offset)
    }
}

fn place(path: &Path, text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    Place::File { path: path.to_owned(), line, column }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_syntax_error_is_told_with_its_line() {
        let text = "listen = \n\n[limits]\nbody_bytes = 1 2\n";
        let Err(problems) = File::parse(Path::new("w.toml"), text) else { panic!("it is not TOML") };
        let lines: Vec<_> = problems
            .iter()
            .map(|problem| match problem.place {
                Place::File { line, .. } => line,
                Place::Variable(_) | Place::Argument(_) | Place::Default => 0,
            })
            .collect();
        assert_eq!(lines, [1, 4]);
    }

    #[test]
    fn a_missing_file_is_a_problem_and_not_the_defaults() {
        let Err(problems) = text(Path::new("/nowhere/weir.toml")) else { panic!("there is no such file") };
        assert!(problems[0].wrong.starts_with("/nowhere/weir.toml cannot be read"));
    }
}
