//! Dollars from decimal text, exactly: no float stands between a provider's digits and the record.

use vocab::NanoUsd;

/// More digits than these carry no money.
const DIGITS_MAX: usize = 36;

/// Reads a JSON number, or a string that holds one, as dollars; rounds to the nano-dollar, half to even.
pub(super) fn parse_usd(text: &str) -> Option<NanoUsd> {
    let text = text.trim_matches('"').trim();
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || digits.len() > DIGITS_MAX || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let digits: i128 = digits.parse().ok()?;
    let shift = exponent.checked_add(9)?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let power = 10_i128.checked_pow(shift.unsigned_abs());
    let nanos = match (shift >= 0, power) {
        (true, Some(power)) => digits.checked_mul(power)?,
        (true, None) => return if digits == 0 { Some(NanoUsd(0)) } else { None },
        (false, Some(power)) => divide_half_even(digits, power),
        (false, None) => 0,
    };
    i64::try_from(nanos).ok().map(NanoUsd)
}

fn divide_half_even(digits: i128, power: i128) -> i128 {
    let (quotient, remainder) = (digits / power, digits % power);
    let up = match (remainder * 2).cmp(&power) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => quotient % 2 == 1,
        std::cmp::Ordering::Greater => true,
    };
    quotient + i128::from(up)
}
