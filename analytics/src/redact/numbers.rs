//! Numbers that carry their own proof: cards, bank accounts, social security.

use std::ops::Range;

/// The shortest card number, in digits.
pub(super) const CARD_DIGITS_MIN: usize = 13;
/// The longest.
const CARD_DIGITS_MAX: usize = 19;
/// Groups of a card number have this many digits at least; shorter ones are columns of a table.
const GROUP_DIGITS_MIN: usize = 3;
/// The shortest bank account number (Norway), in letters and digits.
const IBAN_CHARS_MIN: usize = 15;
/// The longest.
const IBAN_CHARS_MAX: usize = 34;
/// What people write between groups: blanks, hyphens, points, those that do not break included.
const SEPARATORS: [&[u8]; 6] = [b" ", b"-", b".", b"\xc2\xa0", b"\xe2\x80\xaf", b"\xe2\x80\x91"];

/// The card numbers in a text.
pub(super) fn cards(text: &[u8]) -> Vec<Range<usize>> {
    let mut cards = Vec::new();
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while let Some(start) = text.get(at..).and_then(|rest| rest.iter().position(u8::is_ascii_digit)) {
        groups.clear();
        at = run(text, at + start, &mut groups);
        among(text, &groups, &mut cards);
    }
    cards
}

/// Collects groups of digits with one separator between them; returns where they end.
fn run(text: &[u8], start: usize, groups: &mut Vec<Range<usize>>) -> usize {
    let mut at = start;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        groups.push(at..at + digits);
        at += digits;
        let rest = rest.get(digits..).unwrap_or_default();
        let separator = SEPARATORS.iter().find(|separator| rest.starts_with(separator));
        match separator {
            Some(separator) if rest.get(separator.len()).is_some_and(u8::is_ascii_digit) => {
                at += separator.len();
            }
            Some(_) | None => return at,
        }
    }
}

/// Takes the longest runs of whole groups that are card numbers.
fn among(text: &[u8], groups: &[Range<usize>], cards: &mut Vec<Range<usize>>) {
    let mut first = 0;
    while let Some(begin) = groups.get(first) {
        let mut digits = Vec::with_capacity(CARD_DIGITS_MAX);
        let mut found = None;
        for (index, group) in groups.iter().enumerate().skip(first) {
            let length = digits.len() + group.len();
            if group.len() < GROUP_DIGITS_MIN || length > CARD_DIGITS_MAX {
                break;
            }
            digits.extend(text.get(group.clone()).unwrap_or_default().iter().map(|byte| byte - b'0'));
            if length >= CARD_DIGITS_MIN && is_card(&digits) {
                found = Some((index, group.end));
            }
        }
        match found {
            Some((last, end)) => {
                cards.push(begin.start..end);
                first = last + 1;
            }
            None => first += 1,
        }
    }
}

/// Whether the first digits are an issuer's and the last one is right (Luhn).
fn is_card(digits: &[u8]) -> bool {
    let lead = digits.iter().take(4).fold(0_u32, |number, digit| number * 10 + u32::from(*digit));
    let issued = matches!(lead, 2_221..=2_720 | 3_000..=3_099 | 3_400..=3_999 | 4_000..=6_999);
    let double = |digit: u8| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| u32::from(if place % 2 == 1 { double(*digit) } else { *digit }))
        .sum();
    issued && sum.is_multiple_of(10)
}

/// How much of `found` is a bank account number: the longest part that ends a word and whose check digits are right.
pub(super) fn iban(found: &str, after: Option<char>) -> Option<usize> {
    let places: Vec<(usize, u8)> =
        found.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_alphanumeric()).collect();
    let longest = places.len().min(IBAN_CHARS_MAX);
    (IBAN_CHARS_MIN..=longest).rev().find_map(|length| {
        let end = places.get(length - 1)?.0 + 1;
        let next = found.get(end..)?.chars().next().or(after);
        let ends = !next.is_some_and(char::is_alphanumeric);
        (ends && is_iban(places.get(..length)?)).then_some(end)
    })
}

/// ISO 7064: the first four characters moved to the end, letters as 10 to 35, leave 1 when divided by 97.
fn is_iban(chars: &[(usize, u8)]) -> bool {
    let (head, tail) = chars.split_at(4);
    let rest = tail.iter().chain(head).fold(0_u32, |rest, (_, byte)| match char::from(*byte).to_digit(36) {
        Some(value) if value > 9 => (rest * 100 + value) % 97,
        Some(digit) => (rest * 10 + digit) % 97,
        None => rest,
    });
    rest == 1
}

/// Whether an area, a group and a serial number stand here that could have been given to somebody.
pub(super) fn is_ssn(found: &str) -> bool {
    let mut parts = found.split([' ', '-']);
    let mut part = || parts.next().and_then(|part| part.parse::<u16>().ok()).unwrap_or_default();
    let (area, group, serial) = (part(), part(), part());
    area != 0 && area != 666 && area < 900 && group != 0 && serial != 0
}
