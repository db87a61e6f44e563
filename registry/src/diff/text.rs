//! A difference as text for a terminal: what changed, with a few lines around it.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Change, Diff, Line, MessageDiff, NamedDiff, Piece};

/// Lines of context around a difference.
const CONTEXT_LINES: usize = 3;

/// What the two sides are called.
#[derive(Clone, Copy, Debug)]
pub struct Headings<'a> {
    /// The one before.
    pub from: &'a str,
    /// The one after.
    pub to: &'a str,
}

impl Diff {
    /// The difference as text: lines begin with a blank (same), `-` (removed), `+` (added) or `~` (changed, with
    /// `[-words that went-]` and `{+words that came+}`). Empty when there is none.
    pub fn to_text(&self, headings: &Headings<'_>) -> String {
        let mut text = String::new();
        if self.same {
            return text;
        }
        put(&mut text, format_args!("--- {}\n+++ {}", headings.from, headings.to));
        self.put_summary(&mut text);
        for message in &self.messages {
            put_message(&mut text, message);
        }
        put_named(&mut text, "variables", &self.variables);
        put_named(&mut text, "parameters", &self.parameters);
        put_named(&mut text, "tools", &self.tools);
        put_named(&mut text, "", self.response_format.as_slice());
        put_named(&mut text, "", &self.settings);
        text
    }

    fn put_summary(&self, text: &mut String) {
        if let Some(impact) = self.impact {
            let reasons: Vec<_> = self.impact_reasons.iter().map(|reason| &*reason.reason).collect();
            put(text, format_args!("impact: {} ({})", impact.as_str(), reasons.join(", ")));
        }
        let tokens = self.tokens;
        put(
            text,
            format_args!("tokens: {} → {} ({:+}, estimated)", tokens.from, tokens.to, tokens.difference),
        );
    }
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line).expect("a string takes any text");
    text.push('\n');
}

fn put_message(text: &mut String, message: &MessageDiff) {
    let place = match (message.from_index, message.to_index) {
        (_, Some(index)) | (Some(index), None) => index,
        (None, None) => 0,
    };
    let says = match message.change {
        Change::Same => return,
        Change::Added => " added".to_owned(),
        Change::Removed => " removed".to_owned(),
        Change::Changed => String::new(),
        Change::Moved => format!(" moved from {}", message.from_index.unwrap_or_default()),
    };
    if message.heading == "text" {
        put(text, format_args!("\n@@ text{says}"));
    } else {
        put(text, format_args!("\n@@ messages[{place}] {}{says}", message.heading));
    }
    for field in &message.fields {
        put_value(text, &field.name, field);
    }
    if message.change != Change::Moved {
        put_lines(text, &message.lines);
    }
}

fn put_named(text: &mut String, family: &str, diffs: &[NamedDiff]) {
    for diff in diffs {
        let name = if family.is_empty() { diff.name.clone() } else { format!("{family}.{}", diff.name) };
        if diff.lines.is_empty() {
            text.push('\n');
            put_value(text, &name, diff);
            continue;
        }
        put(text, format_args!("\n@@ {name}{}", said(diff.change)));
        put_lines(text, &diff.lines);
    }
}

/// A value that takes no lines of its own.
fn put_value(text: &mut String, name: &str, diff: &NamedDiff) {
    let show = |value: &Option<Value>| value.as_ref().map(Value::to_string).unwrap_or_default();
    match diff.change {
        Change::Removed => put(text, format_args!("-{name}: {}", show(&diff.from))),
        Change::Added => put(text, format_args!("+{name}: {}", show(&diff.to))),
        Change::Changed | Change::Moved | Change::Same => {
            put(text, format_args!("~{name}: [-{}-]{{+{}+}}", show(&diff.from), show(&diff.to)));
        }
    }
}

const fn said(change: Change) -> &'static str {
    match change {
        Change::Added => " added",
        Change::Removed => " removed",
        Change::Changed | Change::Same => "",
        Change::Moved => " moved",
    }
}

/// Writes lines that differ and some around them; `…` stands for what is left out.
fn put_lines(text: &mut String, lines: &[Line]) {
    let mut skipped = false;
    for (at, line) in lines.iter().enumerate() {
        let near = at.saturating_sub(CONTEXT_LINES)..(at + CONTEXT_LINES + 1).min(lines.len());
        let shown = lines.get(near).is_some_and(|near| near.iter().any(|line| line.change != Change::Same));
        if !shown {
            skipped = true;
            continue;
        }
        if std::mem::take(&mut skipped) {
            put(text, format_args!("…"));
        }
        let mark = match line.change {
            Change::Same | Change::Moved => ' ',
            Change::Added => '+',
            Change::Removed => '-',
            Change::Changed => '~',
        };
        put(text, format_args!("{mark}{}", marked(line)));
    }
}

fn marked(line: &Line) -> String {
    let show = |piece: &Piece| match (line.change, piece.change) {
        (Change::Changed, Change::Removed) => format!("[-{}-]", piece.text),
        (Change::Changed, Change::Added) => format!("{{+{}+}}", piece.text),
        (_, _) => piece.text.clone(),
    };
    line.pieces.iter().map(show).collect()
}
