//! Two texts compared line by line, and changed lines word by word.

use similar::DiffOp;

use super::align::align;
use super::effort::Effort;
use super::{Change, Line, Piece};

/// How alike two lines have to be to count as one that changed, of 1,000.
const ALIKE: u32 = 300;

/// How one text became the other; no text has no lines.
pub(super) fn compare(from: &str, to: &str, effort: &mut Effort) -> Vec<Line> {
    let (old, new) = (lines_of(from), lines_of(to));
    let mut lines = Vec::with_capacity(old.len().max(new.len()));
    for op in effort.compare(&old, &new) {
        let (old_range, new_range) = (op.old_range(), op.new_range());
        let block = Block {
            old: old.get(old_range.clone()).unwrap_or_default(),
            new: new.get(new_range.clone()).unwrap_or_default(),
            first_old: old_range.start + 1,
            first_new: new_range.start + 1,
        };
        match op {
            DiffOp::Equal { .. } => block.same(&mut lines),
            DiffOp::Delete { .. } | DiffOp::Insert { .. } | DiffOp::Replace { .. } => {
                block.replaced(effort, &mut lines);
            }
        }
    }
    lines
}

fn lines_of(text: &str) -> Vec<&str> {
    if text.is_empty() { Vec::new() } else { text.split('\n').collect() }
}

/// Lines that stand beside each other on the two sides.
struct Block<'t> {
    old: &'t [&'t str],
    new: &'t [&'t str],
    first_old: usize,
    first_new: usize,
}

impl Block<'_> {
    fn same(&self, lines: &mut Vec<Line>) {
        let numbered = self.old.iter().enumerate();
        lines.extend(numbered.map(|(at, text)| {
            Line::whole(Change::Same, (Some(self.first_old + at), Some(self.first_new + at)), text)
        }));
    }

    fn replaced(&self, effort: &mut Effort, lines: &mut Vec<Line>) {
        let (old, new) = (self.old.iter().map(Words::of), self.new.iter().map(Words::of));
        let (old, new): (Vec<_>, Vec<_>) = (old.collect(), new.collect());
        let pairs = align((old.len(), new.len()), effort, |i, j| {
            Some(old[i].likeness(&new[j])).filter(|alike| *alike >= ALIKE).unwrap_or(0)
        });
        for (i, j) in pairs {
            let numbers = (i.map(|i| self.first_old + i), j.map(|j| self.first_new + j));
            match (i.and_then(|i| old.get(i)), j.and_then(|j| new.get(j))) {
                (Some(old), Some(new)) => {
                    let pieces = pieces(&old.all, &new.all, effort);
                    let (from_line, to_line) = numbers;
                    lines.push(Line { change: Change::Changed, from_line, to_line, pieces });
                }
                (Some(old), None) => lines.push(Line::whole(Change::Removed, numbers, old.text)),
                (None, Some(new)) => lines.push(Line::whole(Change::Added, numbers, new.text)),
                (None, None) => {}
            }
        }
    }
}

/// A line cut into words, blanks and signs.
struct Words<'t> {
    text: &'t str,
    all: Vec<&'t str>,
    /// Those that are not blank, in order of the alphabet.
    sorted: Vec<&'t str>,
}

impl<'t> Words<'t> {
    fn of(text: &&'t str) -> Self {
        let all = words(text);
        let mut sorted: Vec<_> = all.iter().copied().filter(|word| !word.trim().is_empty()).collect();
        sorted.sort_unstable();
        Self { text, all, sorted }
    }

    fn likeness(&self, other: &Self) -> u32 {
        shared(&self.sorted, &other.sorted)
    }
}

/// How alike two texts are by their words, of 1,000.
pub(super) fn likeness(a: &str, b: &str) -> u32 {
    Words::of(&a).likeness(&Words::of(&b))
}

/// How much of two sorted lists is in both, of 1,000.
fn shared(a: &[&str], b: &[&str]) -> u32 {
    let all = a.len() + b.len();
    if all == 0 {
        return 1_000;
    }
    let (mut i, mut j, mut both) = (0, 0, 0_usize);
    while let (Some(left), Some(right)) = (a.get(i), b.get(j)) {
        match left.cmp(right) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => (i, j, both) = (i + 1, j + 1, both + 1),
        }
    }
    (both * 2_000 / all) as u32
}

/// Runs of letters and digits, runs of blanks, and every other sign by itself.
fn words(text: &str) -> Vec<&str> {
    #[derive(PartialEq)]
    enum Class {
        Word,
        Blank,
        Sign,
    }
    let class = |c: char| match c {
        c if c.is_alphanumeric() || c == '_' => Class::Word,
        c if c.is_whitespace() => Class::Blank,
        _ => Class::Sign,
    };
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let kind = class(first);
        let end = if kind == Class::Sign { first.len_utf8() } else { 0 };
        let run = || rest.find(|c| class(c) != kind).unwrap_or(rest.len());
        let (word, after) = rest.split_at(if end > 0 { end } else { run() });
        words.push(word);
        rest = after;
    }
    words
}

fn pieces(old: &[&str], new: &[&str], effort: &mut Effort) -> Vec<Piece> {
    let mut pieces = Vec::<Piece>::new();
    for op in effort.compare(old, new) {
        let gone = old.get(op.old_range()).unwrap_or_default();
        let come = new.get(op.new_range()).unwrap_or_default();
        match op {
            DiffOp::Equal { .. } => push(&mut pieces, Change::Same, gone),
            DiffOp::Delete { .. } | DiffOp::Insert { .. } | DiffOp::Replace { .. } => {
                push(&mut pieces, Change::Removed, gone);
                push(&mut pieces, Change::Added, come);
            }
        }
    }
    pieces
}

fn push(pieces: &mut Vec<Piece>, change: Change, words: &[&str]) {
    let text = words.concat();
    if text.is_empty() {
        return;
    }
    match pieces.last_mut() {
        Some(last) if last.change == change => last.text.push_str(&text),
        Some(_) | None => pieces.push(Piece { change, text }),
    }
}
