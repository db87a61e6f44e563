//! The canonical form of JSON (RFC 8785) and the digest of a version's content.
//!
//! Members are ordered by the UTF-16 units of their names, texts escape only what they must, and numbers are
//! written as ECMAScript writes doubles, so that anybody can compute the same digest from the same JSON.

use std::fmt::Write;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Writes `value` in the canonical form.
pub fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write_value(value, &mut out);
    out
}

/// The SHA-256 digest of the canonical form, as 64 lower-case hex digits.
pub fn digest(value: &Value) -> String {
    hex(&Sha256::digest(canonical(value)))
}

/// Bytes as lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

fn write_value(value: &Value, out: &mut String) {
    match value {
        Value::Null | Value::Bool(_) => push(out, format_args!("{value}")),
        Value::Number(number) => write_number(number.as_f64().unwrap_or_default(), out),
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(index, out);
                write_value(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (index, (name, member)) in members.into_iter().enumerate() {
                separate(index, out);
                write_text(name, out);
                out.push(':');
                write_value(member, out);
            }
            out.push('}');
        }
    }
}

fn separate(index: usize, out: &mut String) {
    if index > 0 {
        out.push(',');
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    // Most of a text is copied as it is.
    while let Some((plain, escaped, after)) = split_at_escaped(rest) {
        out.push_str(plain);
        match escaped {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            8 => out.push_str("\\b"),
            b'\t' => out.push_str("\\t"),
            b'\n' => out.push_str("\\n"),
            12 => out.push_str("\\f"),
            b'\r' => out.push_str("\\r"),
            control => push(out, format_args!("\\u{control:04x}")),
        }
        rest = after;
    }
    out.push_str(rest);
    out.push('"');
}

/// The text before the first character that must be escaped, that character, and the text behind it.
fn split_at_escaped(text: &str) -> Option<(&str, u8, &str)> {
    let place = text.bytes().position(|byte| byte < b' ' || byte == b'"' || byte == b'\\')?;
    let (plain, rest) = text.split_at(place);
    Some((plain, *rest.as_bytes().first()?, rest.get(1..)?))
}

/// ECMAScript's `Number::toString`: the fewest digits that read back as the same double, laid out by size.
fn write_number(number: f64, out: &mut String) {
    if number == 0.0 {
        return out.push('0');
    }
    // Rust's `{:e}` gives the fewest digits as `d.ddde±x`.
    let text = format!("{:e}", number.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = mantissa.replace('.', "");
    let point = exponent.parse::<i32>().unwrap_or_default() + 1;
    if number < 0.0 {
        out.push('-');
    }
    lay_out(&digits, point, out);
}

/// Writes `digits` with the decimal point after the first `point` of them, in the layout for that size.
fn lay_out(digits: &str, point: i32, out: &mut String) {
    let count = digits.len() as i32;
    let (whole, fraction) = digits.split_at(point.clamp(0, count) as usize);
    match point {
        _ if count <= point && point <= 21 => {
            out.push_str(digits);
            out.extend(std::iter::repeat_n('0', (point - count) as usize));
        }
        1..=21 => push(out, format_args!("{whole}.{fraction}")),
        -5..=0 => {
            out.push_str("0.");
            out.extend(std::iter::repeat_n('0', point.unsigned_abs() as usize));
            out.push_str(digits);
        }
        _ => {
            let (first, rest) = digits.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            push(out, format_args!("{first}{dot}{rest}e{:+}", point - 1));
        }
    }
}

fn push(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    out.write_fmt(arguments).expect("a String grows");
}

#[cfg(test)]
mod tests;
