//! One suite: running its command in sight of the terminal, and counting its tests from what it prints.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

/// How a suite ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It ran, and what failed is counted.
    Ran(Counts),
    /// It failed in another way than by a counted test.
    Failed(Counts, String),
    /// It did not run, and why.
    CouldNotRun(String),
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

impl Outcome {
    pub(crate) fn failed(why: &str) -> Self {
        Self::Failed(Counts { failed: 1, ..Counts::default() }, why.to_owned())
    }

    /// What it adds to the sum. A suite that could not run is skipped where somebody reads it, else failed.
    pub(crate) fn counts(&self, watched: bool) -> Counts {
        match self {
            Self::Ran(counts) | Self::Failed(counts, _) => *counts,
            Self::CouldNotRun(_) if watched => Counts { skipped: 1, ..Counts::default() },
            Self::CouldNotRun(_) => Counts { failed: 1, ..Counts::default() },
        }
    }
}

/// Runs a command that only passes or fails.
pub(crate) fn check(command: &mut Command, fix: &str) -> Outcome {
    match command.status() {
        Ok(status) if status.success() => Outcome::Ran(Counts { passed: 1, ..Counts::default() }),
        Ok(_) => Outcome::failed(fix),
        Err(error) => Outcome::CouldNotRun(error.to_string()),
    }
}

/// Runs a command, passing on what it prints, and sums what `count` finds in its lines.
pub(crate) fn counted(command: &mut Command, count: fn(&str) -> Option<Counts>) -> Outcome {
    let (counts, success) = match watch(command, count) {
        Ok(ended) => ended,
        Err(error) => return Outcome::CouldNotRun(error.to_string()),
    };
    match (counts, success) {
        (Some(counts), true) => Outcome::Ran(counts),
        (Some(counts), false) if counts.failed > 0 => Outcome::Ran(counts),
        (counts, false) => {
            let mut counts = counts.unwrap_or_default();
            counts.failed += 1;
            Outcome::Failed(counts, "it ended with an error, see above".to_owned())
        }
        (None, true) => Outcome::failed("it ran no test"),
    }
}

fn watch(
    command: &mut Command,
    count: fn(&str) -> Option<Counts>,
) -> std::io::Result<(Option<Counts>, bool)> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let errors = child.stderr.take();
    let errors = std::thread::spawn(move || errors.and_then(|pipe| pass_on(pipe, std::io::stderr(), count)));
    let output = child.stdout.take().and_then(|pipe| pass_on(pipe, std::io::stdout(), count));
    let errors = errors.join().unwrap_or_default();
    let success = child.wait()?.success();
    let sum = output.into_iter().chain(errors).reduce(|mut sum, counts| {
        sum.add(counts);
        sum
    });
    Ok((sum, success))
}

/// Copies a pipe line by line and sums the counts in it; `None` when no line held any.
fn pass_on(pipe: impl Read, mut onto: impl Write, count: fn(&str) -> Option<Counts>) -> Option<Counts> {
    let mut reader = BufReader::new(pipe);
    let mut sum: Option<Counts> = None;
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
        // A terminal that is gone must not stop the counting.
        onto.write_all(&line).ok();
        if let Some(found) = count(String::from_utf8_lossy(&line).trim()) {
            sum.get_or_insert_default().add(found);
        }
        line.clear();
    }
    sum
}

/// `Summary [   0.094s] 34 tests run: 33 passed (1 slow), 1 failed, 2 skipped`
pub(crate) fn nextest(line: &str) -> Option<Counts> {
    let (_, counts) = line.strip_prefix("Summary [")?.split_once("run: ")?;
    let failed = number_before(counts, "failed") + number_before(counts, "timed out");
    Some(Counts {
        passed: number_before(counts, "passed"),
        failed,
        skipped: number_before(counts, "skipped"),
    })
}

/// `test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s`
pub(crate) fn cargo_test(line: &str) -> Option<Counts> {
    let counts = line.strip_prefix("test result: ")?;
    Some(Counts {
        passed: number_before(counts, "passed"),
        failed: number_before(counts, "failed"),
        skipped: number_before(counts, "ignored"),
    })
}

/// `===== 3 failed, 12 passed, 1 skipped in 4.20s =====`, with or without the signs.
pub(crate) fn pytest(line: &str) -> Option<Counts> {
    let counts = line.trim_matches(['=', ' ']);
    let (counts, seconds) = counts.split_once(" in ")?;
    if !seconds.contains('s')
        || !["passed", "failed", "error", "skipped"].iter().any(|word| counts.contains(word))
    {
        return None;
    }
    let all_counts = counts.split(", ").all(|part| part.starts_with(|c: char| c.is_ascii_digit()));
    all_counts.then(|| Counts {
        passed: number_before(counts, "passed"),
        failed: number_before(counts, "failed") + number_before(counts, "error"),
        skipped: number_before(counts, "skipped"),
    })
}

/// `# pass 8`, one line for each of the counts that TAP ends with.
pub(crate) fn tap(line: &str) -> Option<Counts> {
    let (word, number) = line.strip_prefix("# ")?.split_once(' ')?;
    let number = number.parse().ok()?;
    match word {
        "pass" => Some(Counts { passed: number, ..Counts::default() }),
        "fail" | "cancelled" => Some(Counts { failed: number, ..Counts::default() }),
        "skipped" => Some(Counts { skipped: number, ..Counts::default() }),
        _ => None,
    }
}

/// The number that stands before `word`; 0 when the word does not occur.
fn number_before(text: &str, word: &str) -> u64 {
    let Some((before, _)) = text.split_once(word) else { return 0 };
    before.split_whitespace().next_back().and_then(|number| number.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u64, failed: u64, skipped: u64) -> Counts {
        Counts { passed, failed, skipped }
    }

    #[test]
    fn closing_lines_are_counted() {
        let line = "Summary [   0.094s] 34/36 tests run: 33 passed (1 slow), 1 failed, 2 skipped";
        assert_eq!(nextest(line), Some(counts(33, 1, 2)));
        assert_eq!(nextest("PASS [   0.005s] ( 1/34) config a::b"), None);
        let line = "test result: FAILED. 1 passed; 2 failed; 3 ignored; 0 measured; 0 filtered out";
        assert_eq!(cargo_test(line), Some(counts(1, 2, 3)));
        assert_eq!(pytest("==== 3 failed, 12 passed, 1 skipped in 4.20s ===="), Some(counts(12, 3, 1)));
        assert_eq!(pytest("12 passed in 61.20s (0:01:01)"), Some(counts(12, 0, 0)));
        assert_eq!(pytest("1 error in 0.10s"), Some(counts(0, 1, 0)));
        assert_eq!(pytest("it passed in silence"), None);
        assert_eq!((tap("# pass 8"), tap("# fail 2")), (Some(counts(8, 0, 0)), Some(counts(0, 2, 0))));
        assert_eq!((tap("# tests 10"), tap("# Subtest: pass 8")), (None, None));
    }

    #[test]
    fn a_suite_without_a_test_is_a_failure() {
        assert_eq!(counted(&mut Command::new("true"), pytest), Outcome::failed("it ran no test"));
        assert!(matches!(counted(&mut Command::new("/no/such/program"), pytest), Outcome::CouldNotRun(_)));
        let mut broken = Command::new("sh");
        broken.args(["-c", "echo 2 passed in 1s; exit 3"]);
        assert!(matches!(
            counted(&mut broken, pytest),
            Outcome::Failed(Counts { passed: 2, failed: 1, .. }, _)
        ));
    }

    #[test]
    fn what_could_not_run_is_skipped_in_sight_and_failed_in_ci() {
        let outcome = Outcome::CouldNotRun("no network".to_owned());
        assert_eq!(outcome.counts(true).to_string(), "0 passed, 0 failed, 1 skipped");
        assert_eq!(outcome.counts(false).to_string(), "0 passed, 1 failed");
    }
}
