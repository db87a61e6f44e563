//! What blocks are passed over: never one that holds a match.

use proptest::prelude::*;
use proptest::sample::select;
use vocab::{NanoUsd, Time, Usage};

use super::super::columns;
use super::super::grams::Grams;
use super::*;
use crate::policy::Policy;
use crate::query;
use crate::record::{Outcome, PromptUse, Record};
use crate::row::Row;

fn word() -> impl Strategy<Value = &'static str> {
    select(vec!["ann", "Größe", "two  words", "GPT-4o", "x", "", "ok"])
}

fn words() -> impl Strategy<Value = Record> {
    let maybe = || prop::option::of(word());
    (maybe(), maybe(), maybe(), prop::collection::vec(word(), 0..3), maybe()).prop_map(
        |(user, model, error, tags, prompt)| Record {
            user: user.map(Into::into),
            requested_model: model.map(Into::into),
            error_message: error.map(Into::into),
            tags: tags.iter().map(|tag| (*tag).into()).collect(),
            metadata: user.map(|user| serde_json::json!({"k": user, "n": 5}).to_string().into()),
            prompt: prompt.map(|name| PromptUse {
                id: Id::first_at(Time(0)),
                name: name.into(),
                version: 7,
                digest: "abc".into(),
                label: model.map(Into::into),
            }),
            ..Record::begin(
                Id::first_at(Time(1_000)),
                "default".into(),
                Time(1_000),
                dialects::Endpoint::Responses,
            )
        },
    )
}

fn record() -> impl Strategy<Value = Record> {
    let number = || select(vec![0_u64, 1, 2, 3, 7, 8, 255, 256, 1_000, 2_000_000, 5_000_000]);
    let status = select(vec![200, 201, 404, 429, 500, 503]);
    (words(), status, number(), prop::option::of(number()), prop::option::of(number())).prop_map(
        |(words, status, duration_us, ttft_us, cost)| Record {
            status,
            outcome: if status < 300 { Outcome::Ok } else { Outcome::Timeout },
            duration_us,
            ttft_us,
            cost: cost.map(|cost| NanoUsd(cost as i64)),
            usage: cost.map(|input| Usage { input, output: duration_us, ..Usage::default() }),
            ..words
        },
    )
}

fn search() -> impl Strategy<Value = String> {
    let field = select(vec![
        "user",
        "model",
        "error",
        "tag",
        "metadata.k",
        "metadata.n",
        "prompt",
        "label",
        "outcome",
    ]);
    let word = select(vec![
        "ANN",
        "\"größe\"",
        "\"two words\"",
        "gpt-4o",
        "x",
        "ok",
        "5",
        "*",
        "g*",
        "ann@7",
        "ann,x",
    ]);
    let measure = select(vec!["status", "latency", "ttft", "cost", "tokens", "input_tokens"]);
    let sign = select(vec![":", "<", "<=", ">", ">="]);
    let number = select(vec!["0", "1", "8", "200", "256", "404", "500", "*", "5*"]);
    let unit = select(vec!["", "us", "s"]);
    prop_oneof![
        (any::<bool>(), field, word).prop_map(|(not, field, word)| format!("{}{field}:{word}", minus(not))),
        (any::<bool>(), measure, sign, number, unit).prop_map(|(not, measure, sign, number, unit)| format!(
            "{}{measure}{sign}{number}{unit}",
            minus(not)
        )),
    ]
}

const fn minus(negated: bool) -> &'static str {
    if negated { "-" } else { "" }
}

/// Without scores a filter needs nothing of any file.
fn plan(filter: &Filter) -> Plan {
    thread_local! {
        static EMPTY: Connection = Connection::open_in_memory().unwrap();
    }
    EMPTY.with(|empty| Plan::new(empty, filter, None).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn no_block_that_holds_a_match_is_passed_over(record in record(), text in search()) {
        // What does not read as a search tests nothing.
        let Ok(filter) = query::parse(&text) else { return Ok(()) };
        let ready = plan(&filter);
        let row = Row::new(&record, "n", &Policy::default(), false);
        let mut packed = String::new();
        columns::pack(&row, &mut packed);
        let (metadata, variables) = (row.metadata.as_deref(), row.variables.as_deref());
        let call = Stored { id: record.id.bytes(), fields: Fields::read_all(&packed), metadata, variables };
        let mut grams = Grams::new();
        marks::leave(&call, |mark| grams.add_word(mark));
        let matches = ready.matches_columns(&call);
        prop_assert!(!matches || ready.may_match_block(&grams.to_bytes()), "{} passes over {}", text, packed);
        let opposite = Filter { terms: filter.terms.iter().map(|term| Term { negated: !term.negated, ..term.clone() }).collect() };
        prop_assert_ne!(matches, plan(&opposite).matches_columns(&call), "{} and its opposite", text);
    }
}

#[test]
fn blocks_without_the_few_that_went_wrong_are_passed_over() {
    let mut grams = Grams::new();
    let mut packed = String::new();
    for n in 0..128 {
        let fine = Record {
            status: 200,
            outcome: Outcome::Ok,
            duration_us: 900_000 + n,
            ..Record::begin(
                Id::first_at(Time(1_000)),
                "default".into(),
                Time(1_000),
                dialects::Endpoint::Responses,
            )
        };
        columns::pack(&Row::new(&fine, "n", &Policy::default(), false), &mut packed);
        let call = Stored { id: [0; 16], fields: Fields::read_all(&packed), metadata: None, variables: None };
        marks::leave(&call, |mark| grams.add_word(mark));
    }
    let filter = grams.to_bytes();
    for text in [
        "-status:200",
        "-outcome:ok",
        "error:*",
        "error:x",
        "status:5*",
        "latency>5s",
        "latency<1ms",
        "tokens>1",
    ] {
        assert!(!plan(&query::parse(text).unwrap()).may_match_block(&filter), "{text}");
    }
    for text in ["status:200", "latency>500ms", "outcome:*", "-error:*", "user:*", "-user:ann", "model:g*"] {
        assert!(plan(&query::parse(text).unwrap()).may_match_block(&filter), "{text}");
    }
}
