//! Points in time as people write them in `from` and `to`: RFC 3339, a date, or a while ago (`-1h`).

use std::time::Duration;

use vocab::Time;

/// Reads `2026-11-30T12:00:00Z`, `2026-11-30` (its first moment, UTC), `now`, or `-90s`, `-15m`, `-1h`, `-7d`,
/// `-2w` before `now`.
pub fn parse(text: &str, now: Time) -> Result<Time, NotAMoment> {
    let text = text.trim();
    if let Some(while_ago) = text.strip_prefix('-') {
        return span(while_ago).map(|span| now.minus(span)).ok_or(NotAMoment);
    }
    if text == "now" {
        return Ok(now);
    }
    // A `+` in a URL that was not encoded arrives as a space.
    let text = text.replace(' ', "+");
    let dated = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text };
    dated.parse().map_err(|_| NotAMoment)
}

/// A text that names no point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time: write RFC 3339 such as 2026-11-30T12:00:00Z, or a while ago such as -15m, -1h or -7d")]
pub struct NotAMoment;

/// Reads `90s`, `15m`, `1h`, `7d`, `2w`; `None` when it is none of them.
pub fn span(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (count, unit) = text.split_at_checked(unit_at)?;
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return None,
    };
    Some(Duration::from_secs(count.parse::<u64>().ok()?.checked_mul(seconds)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_795_996_800_000_000);

    #[test]
    fn moments_are_read_in_every_way_people_write_them() {
        for (text, micros_before_now) in [
            ("now", 0),
            ("2026-11-30T00:00:00Z", 0),
            ("2026-11-30", 0),
            ("2026-11-30T01:00:00+01:00", 0),
            ("2026-11-30T01:00:00 01:00", 0),
            ("-1h", 3_600_000_000),
            ("-90s", 90_000_000),
            (" -7d ", 7 * 86_400_000_000),
            ("-2w", 14 * 86_400_000_000),
        ] {
            assert_eq!(parse(text, NOW), Ok(Time(NOW.0 - micros_before_now)), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in
            ["", "-", "-1", "-h", "-1y", "1h", "yesterday", "-99999999999999999999h", "2026-13-01", "-ü"]
        {
            assert_eq!(parse(text, NOW), Err(NotAMoment), "{text}");
        }
    }
}
