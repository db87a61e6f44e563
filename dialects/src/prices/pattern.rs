//! Match rules for names: a text in which `*` stands for any text and `#` for one digit.

/// Whether `text` is what `pattern` describes.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, mut rest)) = pattern.split_once('*') else { return same(pattern, text) };
    let Some(mut text) = after(head, text) else { return false };
    while let Some((middle, tail)) = rest.split_once('*') {
        let Some(behind) = (0..=text.len()).find_map(|start| after(middle, text.get(start..)?)) else {
            return false;
        };
        (rest, text) = (tail, behind);
    }
    (0..=text.len()).any(|start| text.get(start..).is_some_and(|end| same(rest, end)))
}

/// Whether a pattern is one name and no more.
pub(super) fn is_exact(pattern: &str) -> bool {
    !pattern.contains(['*', '#'])
}

/// What follows `head` at the start of `text`.
fn after<'t>(head: &str, text: &'t str) -> Option<&'t str> {
    let (start, behind) = text.split_at_checked(head.len())?;
    same(head, start).then_some(behind)
}

fn same(pattern: &str, text: &str) -> bool {
    let fits = |(mark, byte): (u8, u8)| mark == byte || (mark == b'#' && byte.is_ascii_digit());
    pattern.len() == text.len() && pattern.bytes().zip(text.bytes()).all(fits)
}

/// A model name with its date in dashes, `x-2025-12-11` for `x-20251211`: some gateways write it without.
pub(super) fn dashed_date(model: &str) -> Option<String> {
    let is_date = |digits: &str| {
        let within = |part: Option<&str>, last: &str| part.is_some_and(|part| ("01"..=last).contains(&part));
        matches("20######", digits) && within(digits.get(4..6), "12") && within(digits.get(6..), "31")
    };
    let (start, digits) = model.match_indices('-').find_map(|(dash, _)| {
        let digits = model.get(dash + 1..dash + 9)?;
        let ends = matches!(model.as_bytes().get(dash + 9), None | Some(b'-' | b':'));
        (ends && is_date(digits)).then_some((dash + 1, digits))
    })?;
    let (year, month, day) = (digits.get(..4)?, digits.get(4..6)?, digits.get(6..)?);
    Some(format!("{}{year}-{month}-{day}{}", model.get(..start)?, model.get(start + 8..)?))
}
