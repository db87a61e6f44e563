//! What a rule says: the condition, how long it must hold, and who is told. A value; the words of a report in it are
//! read by whoever evaluates it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use vocab::{Id, id};

use crate::StoreError;
use crate::db::Result;
use crate::prompts::names::check_text;

/// The most fields a rule may group by.
const GROUPS: usize = 3;
/// The most who are told of one rule.
const TARGETS: usize = 20;
/// The longest search text, in bytes.
const QUERY_BYTES: usize = 8 * 1024;
/// The shortest and the longest window, in seconds: a minute and 31 days.
const WINDOW_SECONDS: [u32; 2] = [60, 31 * 86_400];
/// The longest hold, in seconds: a week.
const HOLD_SECONDS: u32 = 7 * 86_400;
/// The least and the most time between two reminders, in seconds.
const RENOTIFY_SECONDS: [u32; 2] = [300, 30 * 86_400];
/// The longest e-mail address, in bytes (RFC 5321).
const ADDRESS_BYTES: usize = 254;

/// What is watched, how long it must hold, and who is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// When it should fire.
    pub condition: Condition,
    /// Which calls, as search text.
    pub q: String,
    /// Fields that split the calls: each combination of values has a state of its own.
    pub group_by: Vec<String>,
    /// With fewer calls in the window, there is nothing to judge.
    pub min_calls: u64,
    /// How long the condition must hold before it fires, in seconds.
    pub for_seconds: u32,
    /// How long it must not hold before that is over, in seconds.
    pub recover_seconds: u32,
    /// What it means when there is nothing to judge.
    pub missing: Missing,
    /// How bad it is.
    pub severity: Severity,
    /// Who is told.
    pub notify: Vec<Target>,
    /// How often they are told again while it fires, in seconds; never when `None`.
    pub renotify_seconds: Option<u32>,
}

/// When a rule should fire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Condition {
    /// A measure over the last while, against a number.
    Threshold {
        /// The measure's word.
        measure: String,
        /// Which side of the number.
        comparison: Comparison,
        /// The number, in the measure's unit.
        value: f64,
        /// The last while, in seconds.
        window_seconds: u32,
    },
    /// A measure over the last while, against the while before.
    Change {
        /// The measure's word.
        measure: String,
        /// Which side of the number.
        comparison: Comparison,
        /// The number.
        value: f64,
        /// What the number counts.
        unit: Unit,
        /// The last while, in seconds.
        window_seconds: u32,
    },
    /// What was spent since the present hour, day or month began (UTC), against an amount.
    Cost {
        /// The amount, US dollars.
        amount_usd: f64,
        /// Since when.
        per: Period,
        /// At how much of the amount it fires, percent.
        at_percent: f64,
    },
}

/// A word for each value, as JSON, the store and people write it.
macro_rules! words {
    ($($(#[$about:meta])* $name:ident ($field:literal) { $($(#[$says:meta])* $variant:ident = $word:literal),+ $(,)? })+) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$says])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word for it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = StoreError;

            fn from_str(text: &str) -> Result<Self> {
                let found = Self::ALL.iter().copied().find(|it| it.as_str() == text);
                found.ok_or_else(|| {
                    let words: Vec<_> = Self::ALL.iter().map(|it| it.as_str()).collect();
                    StoreError::invalid($field, format!("`{}` must be one of {}", $field, words.join(", ")))
                })
            }
        }
    )+};
}
pub(super) use words;

words! {
    /// Which side of a number.
    Comparison("comparison") {
        /// More than it.
        Above = "above",
        /// It or more.
        AtLeast = "at_least",
        /// Less than it.
        Below = "below",
        /// It or less.
        AtMost = "at_most",
    }
    /// What the number of a change counts.
    Unit("unit") {
        /// Percent more than before: 50 is half as much again, -50 is half.
        Percent = "percent",
        /// Times as much as before.
        Factor = "factor",
    }
    /// A stretch of the calendar, UTC.
    Period("per") {
        /// From one full hour to the next.
        Hour = "hour",
        /// From midnight to midnight.
        Day = "day",
        /// From the first to the first.
        Month = "month",
    }
    /// What it means when there is nothing to judge.
    Missing("missing") {
        /// Nothing is wrong.
        Ok = "ok",
        /// Whatever was the case still is.
        Keep = "keep",
        /// The condition holds.
        Fire = "fire",
    }
    /// How bad it is.
    Severity("severity") {
        /// Worth knowing.
        Info = "info",
        /// Worth looking at soon.
        Warning = "warning",
        /// Worth waking somebody.
        Critical = "critical",
    }
}

impl Comparison {
    /// Whether `measured` stands on this side of `value`.
    pub fn holds(self, measured: f64, value: f64) -> bool {
        match self {
            Self::Above => measured > value,
            Self::AtLeast => measured >= value,
            Self::Below => measured < value,
            Self::AtMost => measured <= value,
        }
    }
}

/// Somebody who is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Target {
    /// A webhook, Slack's included.
    Webhook(Id<id::Webhook>),
    /// An e-mail address.
    Email(String),
}

impl Rule {
    /// The webhooks that are told.
    pub fn webhooks(&self) -> impl Iterator<Item = Id<id::Webhook>> {
        self.notify.iter().filter_map(|target| match target {
            Target::Webhook(id) => Some(*id),
            Target::Email(_) => None,
        })
    }

    /// The addresses that are told.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        self.notify.iter().filter_map(|target| match target {
            Target::Email(address) => Some(address.as_str()),
            Target::Webhook(_) => None,
        })
    }

    /// Refuses what cannot be meant.
    pub(super) fn check(&self) -> Result<()> {
        self.condition.check()?;
        check_text("q", &self.q, QUERY_BYTES)?;
        if self.group_by.len() > GROUPS {
            return Err(wrong("group_by", format!("a rule groups by at most {GROUPS} fields")));
        }
        for (field, seconds) in [("for", self.for_seconds), ("recover", self.recover_seconds)] {
            if seconds > HOLD_SECONDS {
                return Err(wrong(field, format!("`{field}` is at most a week")));
            }
        }
        let [least, most] = RENOTIFY_SECONDS;
        if self.renotify_seconds.is_some_and(|seconds| !(least..=most).contains(&seconds)) {
            return Err(wrong("renotify", "`renotify` is 5 minutes to 30 days, or null for never"));
        }
        if self.notify.len() > TARGETS {
            return Err(wrong("notify", format!("a rule tells at most {TARGETS} receivers")));
        }
        if let Some(address) = self.addresses().find(|address| !is_address(address)) {
            let address = address.escape_debug();
            return Err(wrong("notify", format!("`{address}` is no e-mail address: write name@example.com")));
        }
        let twice = self
            .notify
            .iter()
            .enumerate()
            .any(|(at, target)| self.notify.iter().take(at).any(|it| it == target));
        if twice { Err(wrong("notify", "a receiver is named twice in `notify`")) } else { Ok(()) }
    }
}

impl Condition {
    /// The measure's word; what is spent for a cost.
    pub fn measure(&self) -> &str {
        match self {
            Self::Threshold { measure, .. } | Self::Change { measure, .. } => measure,
            Self::Cost { .. } => "cost",
        }
    }

    fn check(&self) -> Result<()> {
        match self {
            Self::Threshold { value, window_seconds, .. } => {
                check_number("condition.value", *value)?;
                check_window(*window_seconds)
            }
            Self::Change { value, window_seconds, unit, .. } => {
                check_number("condition.value", *value)?;
                if *unit == Unit::Factor && *value < 0.0 {
                    return Err(wrong(
                        "condition.value",
                        "a factor is 0 or more: 2 is twice as much as before",
                    ));
                }
                check_window(*window_seconds)
            }
            Self::Cost { amount_usd, at_percent, .. } => {
                for (field, number) in
                    [("condition.amount_usd", *amount_usd), ("condition.at_percent", *at_percent)]
                {
                    check_number(field, number)?;
                    if number <= 0.0 {
                        return Err(wrong(field, format!("`{field}` must be more than 0")));
                    }
                }
                Ok(())
            }
        }
    }
}

fn check_number(field: &'static str, number: f64) -> Result<()> {
    if number.is_finite() { Ok(()) } else { Err(wrong(field, format!("`{field}` must be a number"))) }
}

fn check_window(seconds: u32) -> Result<()> {
    let [least, most] = WINDOW_SECONDS;
    if (least..=most).contains(&seconds) {
        return Ok(());
    }
    Err(wrong("condition.window", "`window` is 1 minute to 31 days: write 5m, 1h, 7d"))
}

/// Whether a text can be an address: one `@`, a name before it, a host with a dot or `localhost` after it, and nothing
/// that would end a line or start another address. Whether somebody reads there, only sending tells.
fn is_address(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+-/=?^_`{|}~".contains(&byte);
    let host = |host: &str| {
        host.split('.').all(|part| {
            !part.is_empty()
                && !part.starts_with('-')
                && !part.ends_with('-')
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
    };
    let Some((name, at)) = text.split_once('@') else { return false };
    text.len() <= ADDRESS_BYTES
        && !name.is_empty()
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
        && name.bytes().all(plain)
        && host(at)
}

fn wrong(field: &'static str, message: impl Into<String>) -> StoreError {
    StoreError::invalid(field, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_what_would_smuggle_in_more() {
        for good in ["a@b.example", "on-call+weir@ops.example.com", "root@localhost"] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "a@",
            "@b.example",
            "a@b@c",
            "a@b..c",
            "a b@c.example",
            "a@c.example,d@e.example",
            "a@c.example\r\nbcc: x@y",
            "<a@b.example>",
            "a@-b.example",
            "ä@b.example",
            ".a@b.example",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
    }

    #[test]
    fn each_side_of_a_number_is_what_its_word_says() {
        let holds = |comparison: Comparison| [1.0, 2.0, 3.0].map(|measured| comparison.holds(measured, 2.0));
        assert_eq!(holds(Comparison::Above), [false, false, true]);
        assert_eq!(holds(Comparison::AtLeast), [false, true, true]);
        assert_eq!(holds(Comparison::Below), [true, false, false]);
        assert_eq!(holds(Comparison::AtMost), [true, true, false]);
        assert!(!holds(Comparison::Above)[0] && !Comparison::AtMost.holds(f64::NAN, 2.0));
    }
}
