//! How long a provider asks to wait, in every form it may say so.

use std::time::Duration;

use vocab::Time;

/// A longer wait than this is as good as this one.
const WAIT_MAX: Duration = Duration::from_hours(24);

/// What remains of a limit, and when it is whole again.
const LIMITS: [(&str, &str); 3] = [
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
];

/// Reads how long the provider asks to wait from its answer's headers, the most precise one first. Providers
/// send their limits' resets with every answer: those count only for a 429.
pub fn retry_after<'h>(
    status: u16,
    header: impl Fn(&'static str) -> Option<&'h str>,
    now: Time,
) -> Option<Duration> {
    let precise = ["retry-after-ms", "x-ms-retry-after-ms"];
    let wait = precise
        .iter()
        .find_map(|name| parse_number(header(name)?, 1e-3))
        .or_else(|| parse_retry_after(header("retry-after")?, now))
        .or_else(|| if status == 429 { read_resets(header, now) } else { None });
    wait.map(|wait| wait.min(WAIT_MAX))
}

/// The reset of the limit that is used up, else the longest one.
fn read_resets<'h>(header: impl Fn(&'static str) -> Option<&'h str>, now: Time) -> Option<Duration> {
    let mut longest = None;
    for (remaining, reset) in LIMITS {
        let wait = header(reset).and_then(|reset| parse_reset(reset, now));
        if wait.is_some() && header(remaining).map(str::trim) == Some("0") {
            return wait;
        }
        longest = longest.max(wait);
    }
    longest
}

/// `retry-after`: seconds, also with decimals, or an HTTP date.
fn parse_retry_after(value: &str, now: Time) -> Option<Duration> {
    parse_number(value, 1.0).or_else(|| parse_http_date(value, now)).or_else(|| parse_span(value))
}

/// `x-ratelimit-reset`: a span such as `6m0s`, seconds, or a Unix time in seconds or milliseconds.
fn parse_reset(value: &str, now: Time) -> Option<Duration> {
    let Ok(number) = value.trim().parse::<i64>() else {
        return parse_retry_after(value, now);
    };
    match number {
        1_000_000_000_000.. => Some(until(Time(number.saturating_mul(1_000)), now)),
        1_000_000_000.. => Some(until(Time(number.saturating_mul(1_000_000)), now)),
        _ => Some(Duration::from_secs(u64::try_from(number).ok()?)),
    }
}

fn parse_number(value: &str, unit_secs: f64) -> Option<Duration> {
    let number: f64 = value.trim().parse().ok()?;
    Duration::try_from_secs_f64(number * unit_secs).ok()
}

fn parse_http_date(value: &str, now: Time) -> Option<Duration> {
    let date = jiff::fmt::rfc2822::parse(value.trim()).ok()?;
    Some(until(Time(date.timestamp().as_microsecond()), now))
}

fn until(then: Time, now: Time) -> Duration {
    Duration::from_micros(u64::try_from(then.micros().saturating_sub(now.micros())).unwrap_or(0))
}

/// A span as Go prints it: `1h2m3.5s`, `6m0s`, `20ms`.
pub(super) fn parse_span(value: &str) -> Option<Duration> {
    let mut rest = value.trim();
    let mut span = Duration::ZERO;
    while !rest.is_empty() {
        let (number, unit_on) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.')?);
        let (unit, next) =
            unit_on.split_at(unit_on.find(|c: char| c.is_ascii_digit()).unwrap_or(unit_on.len()));
        let unit_secs = match unit {
            "d" => 86_400.0,
            "h" => 3_600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "μs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        span = span.checked_add(parse_number(number, unit_secs)?)?;
        rest = next;
    }
    (!value.trim().is_empty()).then_some(span)
}
