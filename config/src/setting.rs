//! Values a setting can have: how each is written in a file or a variable, and how its default is shown.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::nearest::nearest;
use crate::problem::Wrong;

/// A value that can be written as text, in the file or in an environment variable.
pub(crate) trait Setting: Sized {
    /// Reads the value, or says what is wrong with the text and what to write.
    fn parse(text: &str) -> Result<Self, Wrong>;

    /// The value as one would write it.
    fn show(&self) -> String;
}

/// A number of bytes, written `67108864` or `64 MiB`; never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) usize);

/// A number of things, never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) usize);

const SIZES: [(&str, u64); 8] = [
    ("b", 1),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("", 1),
];

const SPANS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl Setting for Size {
    fn parse(text: &str) -> Result<Self, Wrong> {
        quantity(text, &SIZES)
            .and_then(|bytes| usize::try_from(bytes).ok())
            .filter(|bytes| *bytes > 0)
            .map(Self)
            .ok_or_else(|| {
                Wrong::new(
                    format!("`{text}` is not a size"),
                    "write a number of bytes above zero, such as 1048576 or \"64 MiB\"",
                )
            })
    }

    fn show(&self) -> String {
        let bytes = self.0 as u64;
        let unit = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
        match unit.iter().find(|(_, factor)| bytes.is_multiple_of(*factor)) {
            Some((name, factor)) => format!("{} {name}", bytes / factor),
            None => bytes.to_string(),
        }
    }
}

impl Setting for Duration {
    fn parse(text: &str) -> Result<Self, Wrong> {
        quantity(text, &SPANS).filter(|millis| *millis > 0).map(Self::from_millis).ok_or_else(|| {
            Wrong::new(
                format!("`{text}` is not a length of time"),
                "write a number above zero and its unit (ms, s, m, h, d), such as \"30s\"",
            )
        })
    }

    fn show(&self) -> String {
        let millis = u64::try_from(self.as_millis()).unwrap_or(u64::MAX);
        // Up to two minutes people say seconds.
        let largest = if millis <= 600_000 { 2 } else { SPANS.len() };
        let fitting = SPANS.iter().take(largest).rev().find(|(_, factor)| millis.is_multiple_of(*factor));
        fitting.map_or_else(|| format!("{millis}ms"), |(name, factor)| format!("{}{name}", millis / factor))
    }
}

impl Setting for Count {
    fn parse(text: &str) -> Result<Self, Wrong> {
        text.replace('_', "").parse().ok().filter(|count| *count > 0).map(Self).ok_or_else(|| {
            Wrong::new(format!("`{text}` is not a number above zero"), "write a whole number, such as 100")
        })
    }

    fn show(&self) -> String {
        self.0.to_string()
    }
}

impl Setting for bool {
    fn parse(text: &str) -> Result<Self, Wrong> {
        match text {
            "true" | "1" | "on" | "yes" => Ok(true),
            "false" | "0" | "off" | "no" => Ok(false),
            _ => Err(Wrong::new(format!("`{text}` is neither true nor false"), "write true or false")),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Setting for String {
    fn parse(text: &str) -> Result<Self, Wrong> {
        match text.trim() {
            "" => Err(Wrong::new("it is empty", "write a text, or leave it out")),
            kept => Ok(kept.to_owned()),
        }
    }

    fn show(&self) -> String {
        self.clone()
    }
}

impl Setting for PathBuf {
    fn parse(text: &str) -> Result<Self, Wrong> {
        String::parse(text).map(Self::from)
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

impl Setting for SocketAddr {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let numeric = text.replacen("localhost:", "127.0.0.1:", 1);
        numeric.parse().map_err(|_| {
            Wrong::new(
                format!("`{text}` is not an address to listen on"),
                "write IP:PORT, such as 127.0.0.1:8080, or 0.0.0.0:8080 for every interface",
            )
        })
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// Reads one of a closed set of words.
pub(crate) fn choice<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, Wrong> {
    if let Some((_, chosen)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*chosen);
    }
    let all = words.iter().map(|(word, _)| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
    let fix = match nearest(text, words.iter().map(|(word, _)| *word)) {
        Some(word) => format!("did you mean \"{word}\"? it is one of {all}"),
        None => format!("write one of {all}"),
    };
    Err(Wrong::new(format!("`{text}` is not known here"), fix))
}

/// Reads the path of a file that is there and can be opened.
pub(crate) fn readable(text: &str) -> Result<PathBuf, Wrong> {
    let path = PathBuf::parse(text)?;
    match std::fs::File::open(&path) {
        Ok(_) => Ok(path),
        Err(error) => Err(Wrong::new(format!("{text} cannot be read: {error}"), "name a readable file")),
    }
}

/// A whole number followed by a unit.
fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim().replace('_', "").to_ascii_lowercase();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_numbers_of_bytes_or_carry_a_unit() {
        for (text, bytes) in
            [("1", 1), ("1_024", 1_024), ("64 MiB", 64 << 20), ("1gib", 1 << 30), ("2 MB", 2_000_000)]
        {
            assert_eq!(Size::parse(text), Ok(Size(bytes)), "{text}");
        }
        for wrong in ["0", "", "-1", "1.5 MiB", "64 MX", "99999999999 GiB", "MiB"] {
            assert!(Size::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lengths_of_time_need_a_unit() {
        for (text, millis) in [("500ms", 500), ("30s", 30_000), ("5 m", 300_000), ("30d", 2_592_000_000)] {
            assert_eq!(Duration::parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for wrong in ["30", "0s", "1y", "s", "-5s", ""] {
            assert!(Duration::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same_value() {
        for size in [1, 1_000, 64 << 10, 64 << 20, 3 << 30] {
            assert_eq!(Size::parse(&Size(size).show()), Ok(Size(size)));
        }
        for millis in [1, 250, 75_000, 600_000, 86_400_000] {
            let span = Duration::from_millis(millis);
            assert_eq!(Duration::parse(&span.show()), Ok(span));
        }
        assert_eq!(Duration::from_mins(10).show(), "600s");
        assert_eq!(Duration::from_hours(24).show(), "1d");
    }

    #[test]
    fn an_unknown_word_is_answered_with_the_known_ones() {
        let wrong = choice("metdata", &[("off", 0), ("metadata", 1)]).unwrap_err();
        assert_eq!(wrong.fix, "did you mean \"metadata\"? it is one of \"off\", \"metadata\"");
        assert_eq!(choice("off", &[("off", 0)]), Ok(0));
    }

    #[test]
    fn localhost_is_an_address() {
        assert_eq!(SocketAddr::parse("localhost:1"), Ok(([127, 0, 0, 1], 1).into()));
        assert_eq!(SocketAddr::parse("[::1]:8080").map(|address| address.port()), Ok(8080));
        assert!(SocketAddr::parse(":8080").is_err());
    }
}
