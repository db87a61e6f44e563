//! Spans of time as people write them: `90s`, `5m`, `2h`, `7d`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::given;

/// A span of time as text: `90s`, `5m`, `2h`, `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(pub(super) u32);

const UNITS: [(&str, u32); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

impl FromStr for Span {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "a span of time is a number and a unit: 90s, 5m, 2h, 7d";
        let (unit, seconds) = UNITS.into_iter().find(|(unit, _)| text.ends_with(unit)).ok_or(wrong)?;
        let digits =
            text.strip_suffix(unit).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let number: u32 = digits.and_then(|digits| digits.parse().ok()).ok_or(wrong)?;
        number.checked_mul(seconds).map(Self).ok_or("this span of time is too long")
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, seconds): &(&str, u32)| self.0 > 0 && self.0.is_multiple_of(*seconds);
        let (unit, seconds) = UNITS.into_iter().find(fits).unwrap_or(("s", 1));
        write!(f, "{}{unit}", self.0 / seconds)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        given::parsed(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_shown_in_their_largest_unit() {
        for (text, seconds, shown) in [
            ("90s", 90, "90s"),
            ("5m", 300, "5m"),
            ("120m", 7_200, "2h"),
            ("7d", 604_800, "7d"),
            ("0s", 0, "0s"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!((span.0, span.to_string()), (seconds, shown.to_owned()), "{text}");
        }
        for bad in ["", "5", "m", "-5m", "5 m", "1.5h", "5min", "99999999d", "+5m"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }
}
