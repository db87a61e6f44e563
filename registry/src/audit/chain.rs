//! Holding a chain of entries against itself: what was edited, removed, replaced or put elsewhere, and which entry it is.
//!
//! Pure, so that the command line checks what it was sent without trusting whoever sent it. What it cannot see is an end
//! that was rewritten together with the head; for that, keep a head ([`AuditHead`]) where the database's owner cannot
//! write, and name it as an anchor.

use std::fmt;

use super::{AuditEntry, AuditHead, GENESIS};

/// How far from its place an entry that was put elsewhere is looked for.
const REACH: i64 = 100;
/// The most findings kept; the first ones say where to look.
const FINDINGS: usize = 100;

/// Something wrong with a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// An entry does not match its hash.
    Edited {
        /// Its number.
        number: i64,
    },
    /// An entry matches its hash under another number.
    Renumbered {
        /// The number it has.
        number: i64,
        /// The number it was written with.
        was: i64,
    },
    /// An entry stands behind one with a number that is not lower.
    OutOfOrder {
        /// Its number.
        number: i64,
        /// The number of the one it stands behind.
        behind: i64,
    },
    /// Entries are not there.
    Missing {
        /// The first number.
        from: i64,
        /// The last number.
        to: i64,
    },
    /// An entry is not the one that the next was written behind.
    Replaced {
        /// Its number; 0 for the beginning of the chain.
        number: i64,
    },
    /// An entry is not the one that an anchor names.
    NotTheAnchor {
        /// Its number.
        number: i64,
    },
    /// The last entry is not the one that the head names.
    NotTheHead {
        /// Its number.
        number: i64,
    },
    /// There are entries behind the head.
    BeyondTheHead {
        /// The number of the head.
        head: i64,
        /// The number of the last entry.
        last: i64,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edited { number } => {
                write!(f, "entry {number} was edited: what it says does not match its hash")
            }
            Self::Renumbered { number, was } => {
                write!(f, "entry {number} was written as entry {was}: the order was changed")
            }
            Self::OutOfOrder { number, behind } => {
                write!(f, "entry {number} stands behind entry {behind}: the order was changed")
            }
            Self::Missing { from, to } if from == to => write!(f, "entry {from} is missing: it was removed"),
            Self::Missing { from, to } => write!(f, "entries {from} to {to} are missing: they were removed"),
            Self::Replaced { number: 0 } => {
                f.write_str("entry 1 is not the beginning: what was before it was removed")
            }
            Self::Replaced { number } => {
                let next = number + 1;
                write!(f, "entry {number} was replaced: entry {next} was written behind another one")
            }
            Self::NotTheAnchor { number } => {
                write!(f, "entry {number} is not the one the anchor names: it or one before it was rewritten")
            }
            Self::NotTheHead { number } => {
                write!(f, "entry {number}, the last one, is not the one the head names: it was replaced")
            }
            Self::BeyondTheHead { head, last } => {
                write!(
                    f,
                    "the entries up to {last} go on behind the head, {head}: the head or they were written over"
                )
            }
        }
    }
}

/// What a whole chain came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How many entries were looked at.
    pub entries: u64,
    /// The last one.
    pub last: AuditHead,
    /// What is wrong, in order; nothing when the chain holds.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// Whether the chain holds.
    pub const fn holds(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Looks at the entries of a chain one after the other, from the first.
#[derive(Debug)]
pub struct Verifier {
    anchors: Vec<AuditHead>,
    last: AuditHead,
    /// Whether the last one matches its hash: if not, the next one need not say so again.
    sealed: bool,
    entries: u64,
    findings: Vec<Finding>,
}

impl Default for Verifier {
    fn default() -> Self {
        Self::anchored(Vec::new())
    }
}

impl Verifier {
    /// One that also expects these entries to be as they were.
    pub fn anchored(anchors: Vec<AuditHead>) -> Self {
        let last = AuditHead { number: 0, hash: GENESIS.to_owned() };
        Self { anchors, last, sealed: true, entries: 0, findings: Vec::new() }
    }

    /// Looks at the next entry.
    pub fn check(&mut self, entry: &AuditEntry) {
        self.entries += 1;
        let number = entry.number;
        let sealed = entry.digest() == entry.hash;
        if !sealed && self.findings.len() < FINDINGS {
            let was = original(entry);
            self.find(was.map_or(Finding::Edited { number }, |was| Finding::Renumbered { number, was }));
        }
        let expected = self.last.number + 1;
        if number < expected {
            self.find(Finding::OutOfOrder { number, behind: self.last.number });
            return;
        }
        if number > expected {
            self.find(Finding::Missing { from: expected, to: number - 1 });
        } else if sealed && self.sealed && entry.previous != self.last.hash {
            self.find(Finding::Replaced { number: self.last.number });
        }
        self.last = AuditHead { number, hash: entry.hash.clone() };
        self.sealed = sealed;
        self.compare_with_anchors();
    }

    fn compare_with_anchors(&mut self) {
        let number = self.last.number;
        if self.anchors.iter().any(|anchor| anchor.number == number && anchor.hash != self.last.hash) {
            self.find(Finding::NotTheAnchor { number });
        }
    }

    /// Says what the chain came to. `head` is where it should end, as far as that is known.
    pub fn finish(mut self, head: Option<&AuditHead>) -> Verdict {
        let last = self.last.number;
        let furthest = self.anchors.iter().map(|anchor| anchor.number).max().unwrap_or_default();
        let end = head.map_or(furthest, |head| head.number.max(furthest));
        if end > last {
            self.find(Finding::Missing { from: last + 1, to: end });
        }
        match head {
            Some(head) if head.number < last => {
                self.find(Finding::BeyondTheHead { head: head.number, last });
            }
            Some(head) if head.number == last && head.hash != self.last.hash => {
                self.find(Finding::NotTheHead { number: last });
            }
            Some(_) | None => {}
        }
        Verdict { entries: self.entries, last: self.last, findings: self.findings }
    }

    fn find(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS {
            self.findings.push(finding);
        }
    }
}

/// The number under which an entry matches its hash, if there is one nearby.
fn original(entry: &AuditEntry) -> Option<i64> {
    let mut candidate = entry.clone();
    (1..=REACH).flat_map(|step| [entry.number + step, entry.number - step]).find(|number| {
        candidate.number = *number;
        candidate.digest() == entry.hash
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use vocab::Time;

    use super::*;

    fn chain(length: i64) -> Vec<AuditEntry> {
        let mut entries: Vec<AuditEntry> = Vec::new();
        for number in 1..=length {
            let previous = entries.last().map_or_else(|| GENESIS.to_owned(), |last| last.hash.clone());
            let mut entry = AuditEntry {
                number,
                at: Time(1_800_000_000_000_000 + number),
                project: Some("default".to_owned()),
                who: "ann".to_owned(),
                role: "editor".to_owned(),
                token: None,
                action: "label.moved".to_owned(),
                target: "support/reply@staging".to_owned(),
                detail: json!({"from": number, "to": number + 1}),
                previous,
                hash: String::new(),
            };
            entry.hash = entry.digest();
            entries.push(entry);
        }
        entries
    }

    fn verdict(entries: &[AuditEntry], head: Option<&AuditHead>) -> Verdict {
        let mut verifier = Verifier::default();
        for entry in entries {
            verifier.check(entry);
        }
        verifier.finish(head)
    }

    fn head(entries: &[AuditEntry]) -> AuditHead {
        let last = entries.last().unwrap();
        AuditHead { number: last.number, hash: last.hash.clone() }
    }

    fn findings(entries: &[AuditEntry], head: &AuditHead) -> Vec<Finding> {
        verdict(entries, Some(head)).findings
    }

    #[test]
    fn a_chain_that_nobody_touched_holds() {
        let entries = chain(20);
        let verdict = verdict(&entries, Some(&head(&entries)));
        assert_eq!((verdict.holds(), verdict.entries, verdict.last), (true, 20, head(&entries)));
        assert!(findings(&[], &AuditHead { number: 0, hash: GENESIS.to_owned() }).is_empty());
    }

    #[test]
    fn an_edited_entry_is_named() {
        for at in [0, 7, 19] {
            let mut entries = chain(20);
            let head = head(&entries);
            entries[at].who = "bob".to_owned();
            assert_eq!(findings(&entries, &head), [Finding::Edited { number: entries[at].number }]);
        }
    }

    #[test]
    fn an_edited_entry_with_a_new_hash_is_named() {
        for at in [0, 7, 19] {
            let mut entries = chain(20);
            let head = head(&entries);
            entries[at].detail = json!({"from": 1, "to": 9});
            entries[at].hash = entries[at].digest();
            let number = entries[at].number;
            let expected =
                if at == 19 { Finding::NotTheHead { number } } else { Finding::Replaced { number } };
            assert_eq!(findings(&entries, &head), [expected]);
        }
    }

    #[test]
    fn removed_entries_are_named() {
        let whole = chain(20);
        let end = head(&whole);
        for (range, from, to) in [(0..1, 1, 1), (4..9, 5, 9), (19..20, 20, 20), (0..20, 1, 20)] {
            let mut entries = whole.clone();
            entries.drain(range);
            assert_eq!(findings(&entries, &end), [Finding::Missing { from, to }]);
        }
    }

    #[test]
    fn removed_entries_whose_numbers_were_closed_up_are_named() {
        let mut entries = chain(6);
        let end = head(&entries);
        entries.remove(2);
        for (entry, number) in entries.iter_mut().zip(1..) {
            entry.number = number;
        }
        let moved = |number, was| Finding::Renumbered { number, was };
        assert_eq!(
            findings(&entries, &end),
            [moved(3, 4), moved(4, 5), moved(5, 6), Finding::Missing { from: 6, to: 6 }]
        );
    }

    #[test]
    fn entries_that_changed_places_are_named() {
        let mut entries = chain(6);
        let end = head(&entries);
        entries.swap(2, 3);
        let by_place = findings(&entries, &end);
        assert!(by_place.contains(&Finding::OutOfOrder { number: 3, behind: 4 }), "{by_place:?}");
        (entries[2].number, entries[3].number) = (3, 4);
        let by_number = findings(&entries, &end);
        assert_eq!(
            by_number,
            [Finding::Renumbered { number: 3, was: 4 }, Finding::Renumbered { number: 4, was: 3 }]
        );
    }

    #[test]
    fn an_end_that_was_rewritten_with_its_head_is_found_by_an_anchor() {
        let whole = chain(10);
        let anchor = head(&whole[..8]);
        let forged = {
            let mut entries = chain(10);
            for at in 5..10 {
                entries[at].who = "bob".to_owned();
                entries[at].previous = entries[at - 1].hash.clone();
                entries[at].hash = entries[at].digest();
            }
            entries
        };
        assert!(verdict(&forged, Some(&head(&forged))).holds(), "it looks whole in itself");
        let against = |entries: &[AuditEntry]| {
            let mut verifier = Verifier::anchored(vec![anchor.clone()]);
            for entry in entries {
                verifier.check(entry);
            }
            verifier.finish(None).findings
        };
        assert_eq!(against(&forged), [Finding::NotTheAnchor { number: 8 }]);
        assert_eq!(against(&whole[..6]), [Finding::Missing { from: 7, to: 8 }]);
        assert!(against(&whole).is_empty());
    }

    #[test]
    fn findings_are_bounded() {
        let mut entries = chain(300);
        let end = head(&entries);
        for entry in &mut entries {
            entry.who = "bob".to_owned();
            entry.hash = GENESIS.to_owned();
        }
        assert_eq!(findings(&entries, &end).len(), FINDINGS);
    }

    #[test]
    fn an_entry_comes_back_from_json_with_its_hash() {
        let entry =
            AuditEntry { detail: json!({"why": "häß \u{2028} \u{1f600}", "n": 3}), ..chain(1).remove(0) };
        let entry = AuditEntry { hash: entry.digest(), ..entry };
        let text = serde_json::to_string(&entry).unwrap();
        let back: AuditEntry = serde_json::from_str(&text).unwrap();
        assert_eq!((back.digest(), &back), (entry.hash.clone(), &entry));
    }
}
