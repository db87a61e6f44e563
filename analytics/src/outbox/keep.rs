//! What is left out of records while there is little room: bodies, then previews, variables and metadata, then a
//! sample of successful calls. What a call cost goes last.

use std::borrow::Cow;

use crate::record::Outcome;
use crate::row::{Bodies, BodyState, Row, Said};
use crate::span::Span;
use crate::store::Shed;

/// Of the successful calls, one in so many is kept when room is shortest.
const KEPT_SUCCESSES: u8 = 10;

/// How much there is room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Keep {
    /// All of it.
    #[default]
    Everything,
    /// No bodies.
    NoBodies,
    /// No previews, variables and metadata either.
    Narrow,
    /// Only a sample of the successful calls, and no spans.
    Failures,
}

impl Keep {
    /// Takes from a row what there is no room for, and counts it; false when the call is not kept at all.
    pub fn trim(self, row: &mut Row<'_>, shed: &mut Shed) -> bool {
        if self == Self::Failures && row.record.outcome == Outcome::Ok && !is_sampled(&row.record.id.bytes())
        {
            shed.successes += 1;
            return false;
        }
        if self >= Self::NoBodies && !row.bodies.is_empty() {
            shed.bodies += 1;
            (row.bodies, row.said) = (Bodies::default(), Said::default());
            row.body_state = BodyState::Shed;
        }
        if self >= Self::Narrow {
            let said = row.request_preview.take().is_some() | row.response_preview.take().is_some();
            let given = row.metadata.take().is_some() | row.variables.take().is_some();
            shed.previews += u64::from(said || given);
        }
        true
    }

    /// The span as there is room for it, counting what is left out; `None` when it is not kept at all.
    pub fn trim_span<'s>(self, span: &'s Span, shed: &mut Shed) -> Option<Cow<'s, Span>> {
        if self == Self::Failures {
            shed.rows += 1;
            return None;
        }
        let says =
            [&span.input, &span.output, &span.attributes, &span.events].into_iter().any(Option::is_some);
        if self == Self::Everything || !says {
            return Some(Cow::Borrowed(span));
        }
        shed.bodies += 1;
        Some(Cow::Owned(Span { input: None, output: None, attributes: None, events: None, ..span.clone() }))
    }
}

/// The last byte of an id is chance.
const fn is_sampled(id: &[u8; 16]) -> bool {
    id[15].is_multiple_of(KEPT_SUCCESSES)
}

#[cfg(test)]
mod tests {
    use vocab::{Id, Time};

    use super::*;
    use crate::Policy;
    use crate::record::{Capture, Record};

    fn record(last: u8, outcome: Outcome) -> Record {
        let mut id = [0; 16];
        id[15] = last;
        Record {
            outcome,
            request_body: r#"{"messages":[{"role":"user","content":"hello"}]}"#.into(),
            response_body: Capture::Whole("{}".into()),
            metadata: Some("{}".into()),
            ..Record::begin(Id::from_bytes(id), "p".into(), Time(0), dialects::Endpoint::ChatCompletions)
        }
    }

    fn trimmed(keep: Keep, record: &Record) -> (Option<[bool; 3]>, Shed) {
        let mut shed = Shed::default();
        let policy = Policy::default();
        let mut row = Row::new(record, "n", &policy, false);
        let kept = keep.trim(&mut row, &mut shed);
        let has = [!row.bodies.is_empty(), row.request_preview.is_some(), row.metadata.is_some()];
        (kept.then_some(has), shed)
    }

    #[test]
    fn what_is_left_out_goes_in_the_written_order_and_is_counted() {
        let ok = record(1, Outcome::Ok);
        let shed = |bodies, previews, successes| Shed { bodies, previews, successes, rows: 0 };
        assert_eq!(trimmed(Keep::Everything, &ok), (Some([true, true, true]), Shed::default()));
        assert_eq!(trimmed(Keep::NoBodies, &ok), (Some([false, true, true]), shed(1, 0, 0)));
        assert_eq!(trimmed(Keep::Narrow, &ok), (Some([false, false, false]), shed(1, 1, 0)));
        assert_eq!(trimmed(Keep::Failures, &ok), (None, shed(0, 0, 1)));
    }

    #[test]
    fn failures_and_a_sample_of_successes_are_kept_to_the_last() {
        assert!(trimmed(Keep::Failures, &record(1, Outcome::Timeout)).0.is_some());
        let kept = (0..=255).filter(|last| trimmed(Keep::Failures, &record(*last, Outcome::Ok)).0.is_some());
        assert_eq!(kept.count(), 26);
    }

    #[test]
    fn spans_lose_what_they_say_and_then_go() {
        let (says, silent) = (Span { input: Some("x".into()), ..Span::default() }, Span::default());
        let mut shed = Shed::default();
        assert_eq!(Keep::Everything.trim_span(&says, &mut shed).as_deref(), Some(&says));
        assert_eq!(Keep::NoBodies.trim_span(&says, &mut shed).as_deref(), Some(&silent));
        assert_eq!(Keep::Narrow.trim_span(&silent, &mut shed).as_deref(), Some(&silent));
        assert_eq!(Keep::Failures.trim_span(&silent, &mut shed), None);
        assert_eq!(shed, Shed { bodies: 1, rows: 1, ..Shed::default() });
    }
}
