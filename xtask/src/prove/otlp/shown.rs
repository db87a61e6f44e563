//! Spans as a server shows them, held against the calls they stand for.

use std::fmt::Debug;

use serde::Deserialize;

use super::calls::Made;

/// How much two amounts of money may differ, in dollars: what a float loses.
const DUST: f64 = 1e-12;
/// How many letters of an answer are looked for in what is shown.
const LETTERS: usize = 40;

/// A span. What the server shows nothing of is `None`.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Shown {
    pub(super) trace_id: String,
    pub(super) span_id: String,
    pub(super) parent_id: Option<String>,
    pub(super) name: String,
    pub(super) kind: Option<String>,
    pub(super) failed: bool,
    pub(super) model: Option<String>,
    pub(super) input_tokens: Option<u64>,
    pub(super) output_tokens: Option<u64>,
    pub(super) cost_usd: Option<f64>,
    pub(super) input: Option<String>,
    pub(super) output: Option<String>,
    pub(super) user: Option<String>,
    pub(super) session: Option<String>,
    /// The registered prompt, `name@version`.
    pub(super) prompt: Option<String>,
    /// What the server says of the whole trace, if it does.
    #[serde(flatten)]
    pub(super) trace: Trace,
}

/// A trace's own line in a list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Trace {
    pub(super) state: Option<String>,
    pub(super) trace_input: Option<String>,
    pub(super) trace_tokens: Option<u64>,
    pub(super) trace_cost_usd: Option<f64>,
}

/// A call's own span, and those of its tries under it.
fn of<'s>(made: &Made, spans: &'s [Shown]) -> (Option<&'s Shown>, Vec<&'s Shown>) {
    let call = &made.call;
    let trace: Vec<&Shown> = spans.iter().filter(|span| span.trace_id == call.trace_id).collect();
    let own = trace.iter().copied().find(|span| span.span_id == call.span_id);
    let is_try = |span: &&Shown| span.parent_id.as_deref() == Some(&call.span_id);
    (own, trace.into_iter().filter(is_try).collect())
}

/// Prints a line for each call, and what is shown of the first one's texts.
pub(super) fn print(made: &[Made], spans: &[Shown]) {
    row(&["call", "spans", "parent", "model", "tokens", "cost, Weir", "cost, shown", "kind", "trace"]
        .map(Some));
    for call in made {
        let count = spans.iter().filter(|span| span.trace_id == call.call.trace_id).count().to_string();
        let (own, tries) = of(call, spans);
        let (own, last) =
            (own.cloned().unwrap_or_default(), tries.last().copied().cloned().unwrap_or_default());
        let tokens = last.input_tokens.zip(last.output_tokens);
        let tokens = tokens.map(|(input, output)| format!("{input}+{output}"));
        let dollars = |cost: Option<f64>| cost.map(|cost| format!("{cost:.9}"));
        let (cost, cost_shown) = (dollars(call.cost_usd()), dollars(last.cost_usd));
        row(&[
            Some(call.what),
            Some(&count),
            own.parent_id.as_deref(),
            last.model.as_deref(),
            tokens.as_deref(),
            cost.as_deref(),
            cost_shown.as_deref(),
            last.kind.as_deref(),
            own.trace.state.as_deref(),
        ]);
    }
    let first = made.first().and_then(|call| of(call, spans).0).cloned().unwrap_or_default();
    println!("  input {:?}, output {:?}", word(first.input.as_deref()), word(first.output.as_deref()));
}

fn row(cells: &[Option<&str>; 9]) {
    let [call, spans, parent, model, tokens, cost, shown, kind, trace] = cells.map(word);
    println!(
        "  {call:<28} {spans:<5} {parent:<16} {model:<10} {tokens:>7} {cost:>11} {shown:>11} {kind:<10} {trace}"
    );
}

fn word(value: Option<&str>) -> &str {
    value.unwrap_or("-")
}

/// How many values were held against each other, and which are not shown as they were.
pub(super) fn compare(made: &[Made], spans: &[Shown]) -> (usize, Vec<String>) {
    let mut comparison = Comparison::default();
    for call in made {
        comparison.what = call.what;
        of_call(&mut comparison, call, spans);
    }
    (comparison.compared, comparison.problems)
}

fn of_call(comparison: &mut Comparison, made: &Made, spans: &[Shown]) {
    let call = &made.call;
    let (own, tries) = of(made, spans);
    comparison.same("the number of its own spans", &usize::from(own.is_some()), &1);
    comparison.same("the number of tries", &tries.len(), &call.attempts.len());
    let (Some(own), Some(last)) = (own, tries.last()) else { return };
    comparison.same("its span's parent", &own.parent_id, &call.parent_span_id);
    comparison.same("its user", &own.user, &call.user);
    comparison.same("its session", &own.session, &call.session);
    let prompt = call.prompt.as_ref().zip(call.prompt_version);
    let prompt = prompt.map(|(name, version)| format!("{name}@{version}"));
    comparison.same("its prompt", &last.prompt, &prompt);
    comparison.same("whether it failed", &own.failed, &!made.is_ok());
    comparison.same("whether its try failed", &last.failed, &!made.is_ok());
    let model = call.response_model.clone().or_else(|| Some(call.attempts.last()?.model.clone()));
    comparison.same("the model", &last.model, &model);
    comparison.same("input tokens", &last.input_tokens, &call.input_tokens);
    comparison.same("output tokens", &last.output_tokens, &call.output_tokens);
    comparison.money("the cost", last.cost_usd, made.cost_usd());
    for (which, span) in [("its span", own), ("its try", last)] {
        comparison.says(&format!("the input of {which}"), span.input.as_deref(), made.asked);
        if made.is_ok() {
            let answer = call.response_preview.as_deref().unwrap_or_default();
            comparison.says(&format!("the output of {which}"), span.output.as_deref(), answer);
        }
    }
    of_trace(comparison, made, &own.trace);
}

/// What the server says of the whole trace, where it says anything.
fn of_trace(comparison: &mut Comparison, made: &Made, trace: &Trace) {
    if trace.state.is_none() {
        return;
    }
    let call = &made.call;
    let tokens = call.input_tokens.zip(call.output_tokens).map(|(input, output)| input + output);
    comparison.same("the trace's tokens", &trace.trace_tokens, &tokens);
    comparison.money("the trace's cost", trace.trace_cost_usd, made.cost_usd());
    // Only a trace that begins with the call shows its input; one whose beginning is elsewhere never ends.
    if call.parent_span_id.is_none() {
        comparison.says("the trace's input", trace.trace_input.as_deref(), made.asked);
    }
    let state = match (made.is_ok(), call.parent_span_id.is_some() && !made.reported_parent) {
        (_, true) => "IN_PROGRESS",
        (true, false) => "OK",
        (false, false) => "ERROR",
    };
    comparison.same("the trace's state", &trace.state.as_deref(), &Some(state));
}

/// Collects what differs.
#[derive(Default)]
struct Comparison {
    /// The call that is looked at.
    what: &'static str,
    compared: usize,
    problems: Vec<String>,
}

impl Comparison {
    fn hold(&mut self, holds: bool, problem: impl FnOnce() -> String) {
        self.compared += 1;
        if !holds {
            self.problems.push(format!("{}: {}", self.what, problem()));
        }
    }

    fn same<T: PartialEq + Debug>(&mut self, which: &str, shown: &T, expected: &T) {
        self.hold(shown == expected, || format!("{which} is shown as {shown:?}, it was {expected:?}"));
    }

    fn money(&mut self, which: &str, shown: Option<f64>, expected: Option<f64>) {
        let same = match (shown, expected) {
            (Some(shown), Some(expected)) => (shown - expected).abs() < DUST,
            // A server may put a price to what Weir knows none for.
            (_, None) => true,
            (None, Some(_)) => false,
        };
        self.hold(same, || format!("{which} is shown as {shown:?}, it was {expected:?}"));
    }

    /// Whether a text is in what is shown, however quotes and line ends are written there.
    fn says(&mut self, which: &str, shown: Option<&str>, expected: &str) {
        let wanted: String = letters(expected).take(LETTERS).collect();
        let said = shown.is_some_and(|shown| letters(shown).collect::<String>().contains(&wanted));
        self.hold(said && !wanted.is_empty(), || format!("{which} does not say {expected:?}: {shown:?}"));
    }
}

/// Letters and digits alone; of `\n` and `\"`, as JSON writes them, nothing stays.
fn letters(text: &str) -> impl Iterator<Item = char> {
    let parts = text.split('\\').enumerate();
    let unescaped = parts.flat_map(|(number, part)| part.chars().skip(usize::from(number > 0)));
    unescaped.filter(|letter| letter.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_however_they_are_quoted() {
        let found = |shown: &str| letters(shown).collect::<String>();
        assert_eq!(found(r#"[{"content": "Say \"Hi\"\nAda"}]"#), "contentSayHiAda");
        assert_eq!(found("Say “Hi”\nAda"), "SayHiAda");
    }

    #[test]
    fn a_cost_that_is_not_shown_or_another_is_seen() {
        let seen = |shown, expected| {
            let mut comparison = Comparison::default();
            comparison.money("the cost", shown, expected);
            comparison.problems.len()
        };
        assert_eq!((seen(Some(0.1), Some(0.1)), seen(Some(0.1), None), seen(None, None)), (0, 0, 0));
        assert_eq!((seen(None, Some(0.1)), seen(Some(0.2), Some(0.1))), (1, 1));
    }
}
