//! What calls cost: the shipped catalogue against costs worked out by hand, and the rules of a file.

use std::time::Duration;

use super::*;
use vocab::{NanoUsd, Usage};

const SHIPPED: &str = include_str!("../../../config/prices.json");

fn shipped() -> Catalogue {
    Catalogue::parse(SHIPPED).unwrap()
}

/// A catalogue of these rows.
fn of(rows: &str) -> Catalogue {
    Catalogue::parse(&file(rows)).unwrap()
}

fn file(rows: &str) -> String {
    format!(r#"{{"format": 1, "prices": [{rows}]}}"#)
}

fn refused(rows: &str) -> String {
    Catalogue::parse(&file(rows)).unwrap_err().to_string()
}

fn at(time: &str) -> Time {
    time.parse().unwrap()
}

fn now() -> Time {
    at("2026-11-20T12:00:00Z")
}

fn tokens(input: u64, output: u64) -> Usage {
    Usage { input, output, ..Usage::default() }
}

fn cost(catalogue: &Catalogue, provider: &str, model: &str, usage: Usage) -> Option<i64> {
    catalogue.find(provider, model, now())?.cost(&usage).map(|NanoUsd(nanos)| nanos)
}

#[test]
fn well_known_models_cost_what_is_worked_out_by_hand() {
    let cached = Usage { cached_input: 600, ..tokens(1_000, 200) };
    let written = Usage { cached_input: 600, cache_write: 300, ..tokens(1_000, 200) };
    let cases = [
        // $2 in, $0.50 cached, $8 out: 1,000 × 2 + 200 × 8 = 3,600 millionths of a dollar.
        ("openai", "gpt-4.1", tokens(1_000, 200), 3_600_000),
        // 400 × 2 + 600 × 0.5 + 200 × 8 = 2,700.
        ("openai", "gpt-4.1-2025-04-14", cached, 2_700_000),
        // $3 in, $0.30 cached, $3.75 written, $15 out: 100 × 3 + 600 × 0.3 + 300 × 3.75 + 200 × 15 = 4,605.
        ("anthropic", "claude-sonnet-4-5-20250929", written, 4_605_000),
        // Above 200,000 all tokens cost more: $6 in, $22.50 out: 200,001 × 6 + 10 × 22.5 = 1,200,231.
        ("anthropic", "claude-sonnet-4-5", tokens(200_001, 10), 1_200_231_000),
        // At 200,000 they do not: 200,000 × 3 + 10 × 15 = 600,150.
        ("anthropic", "claude-sonnet-4-5", tokens(200_000, 10), 600_150_000),
        // $1.25 in, $10 out.
        ("google", "gemini-2.5-pro", tokens(800, 100), 2_000_000),
        // $0.02 for embeddings, which have no output.
        ("openai", "text-embedding-3-small", tokens(1_000, 0), 20_000),
        // $0.15 in, $0.60 out.
        ("demo", "demo-small", tokens(1_000, 500), 450_000),
    ];
    let catalogue = shipped();
    for (provider, model, usage, nanos) in cases {
        assert_eq!(cost(&catalogue, provider, model, usage), Some(nanos), "{provider}/{model}");
    }
}

#[test]
fn a_model_nobody_knows_has_no_price() {
    let catalogue = shipped();
    for (provider, model) in
        [("openai", "my-own-model"), ("ollama", "llama3.2"), ("", ""), ("demo", "gpt-4.1")]
    {
        assert!(catalogue.find(provider, model, now()).is_none(), "{provider}/{model}");
        assert!(!catalogue.sells(provider, model));
    }
}

#[test]
fn a_price_that_is_not_to_be_had_is_unknown_and_never_zero() {
    let catalogue = shipped();
    // Billed by the character, which no token count tells.
    assert!(catalogue.sells("openai", "tts-1"));
    assert!(catalogue.find("openai", "tts-1", now()).is_none());
}

#[test]
fn models_and_providers_go_by_several_names() {
    let catalogue = shipped();
    let id = |provider: &str, model: &str| {
        catalogue.find(provider, model, now()).map(|price| price.id().split('#').next().unwrap().to_owned())
    };
    let sonnet = Some("anthropic/claude-sonnet-4-5".to_owned());
    assert_eq!(id("Anthropic", "Claude-Sonnet-4-5-20250929"), sonnet);
    assert_eq!(id("anthropic", "claude-sonnet-4.5"), sonnet, "asked again, it is remembered");
    assert_eq!(id("anthropic", "claude-sonnet-4.5"), sonnet);
    assert_eq!(id("azure", "gpt-4.1"), Some("openai/gpt-4.1".to_owned()), "azure sells openai's models");
    assert_eq!(id("gemini", "gemini-2.5-pro"), Some("google/gemini-2.5-pro".to_owned()));
    assert_eq!(id("openai", "gpt-4.1-20250414"), Some("openai/gpt-4.1".to_owned()), "a date without dashes");
    assert_eq!(id("google", "gemini-2.5-pro-preview"), Some("google/gemini-2.5-pro".to_owned()));
    let tts = Some("google/gemini-2.5-pro-tts".to_owned());
    assert_eq!(id("google", "gemini-2.5-pro-preview-tts"), tts, "an exception to a pattern");
}

#[test]
fn every_shipped_price_has_an_id_of_its_own_and_a_source() {
    let catalogue = shipped();
    assert!(catalogue.models_of("openai").len() > 50);
    let price = catalogue.find("openai", "gpt-4.1", now()).unwrap();
    assert!(price.id().starts_with("openai/gpt-4.1#"), "{}", price.id());
    assert!(price.source().starts_with("genai-prices "), "{}", price.source());
}

#[test]
fn the_providers_of_a_model_start_with_the_one_it_belongs_to() {
    let catalogue = shipped();
    for (model, home) in [("gpt-4.1", "openai"), ("claude-sonnet-4-5", "anthropic"), ("demo-small", "demo")] {
        assert_eq!(catalogue.providers_of(model).first().map(String::as_str), Some(home), "{model}");
    }
    assert!(catalogue.providers_of("my-own-model").is_empty());
}

const PLAIN: &str = r#"{"provider": "p", "model": "m", "input": 2000000000, "output": 8000000000}"#;

#[test]
fn cost_is_rounded_once_and_from_the_middle_to_the_even() {
    // Half a nano-dollar per token: odd counts land in the middle.
    let catalogue = of(r#"{"provider": "p", "model": "m", "input": 500000, "output": 500000}"#);
    for (input, output, nanos) in
        [(1, 0, 0), (3, 0, 2), (5, 0, 2), (7, 0, 4), (1, 1, 1), (1, 2, 2), (2, 3, 2)]
    {
        assert_eq!(cost(&catalogue, "p", "m", tokens(input, output)), Some(nanos), "{input} + {output}");
    }
    let thirds = of(r#"{"provider": "p", "model": "m", "input": 333333, "output": 0}"#);
    assert_eq!(cost(&thirds, "p", "m", tokens(2, 0)), Some(1));
}

#[test]
fn a_class_without_a_price_costs_what_its_parent_does() {
    let everything = Usage {
        input: 100,
        cached_input: 10,
        cache_write: 20,
        audio_input: 30,
        output: 100,
        reasoning: 40,
        audio_output: 50,
        ..Usage::default()
    };
    assert_eq!(cost(&of(PLAIN), "p", "m", everything), Some(100 * 2_000 + 100 * 8_000));
    let apart =
        of(r#"{"provider": "p", "model": "m", "input": "1", "cached_input": "0.1", "cache_write": "2",
            "audio_input": "10", "output": "4", "reasoning": "3", "audio_output": "20"}"#);
    let micros = 40 + 1 + 2 * 20 + 10 * 30 + 4 * 10 + 3 * 40 + 20 * 50;
    assert_eq!(cost(&apart, "p", "m", everything), Some(micros * 1_000));
}

#[test]
fn classes_that_overlap_are_never_charged_twice() {
    // Cached audio is counted in both; the input's total bounds them.
    let usage = Usage { input: 100, cached_input: 80, audio_input: 60, ..Usage::default() };
    let catalogue = of(
        r#"{"provider": "p", "model": "m", "input": "1", "cached_input": "0.5", "audio_input": "10", "output": "1"}"#,
    );
    assert_eq!(cost(&catalogue, "p", "m", usage), Some((40 + 20 * 10) * 1_000));
    let absurd =
        Usage { input: 10, cached_input: 500, cache_write: 500, reasoning: 9, output: 1, ..Usage::default() };
    assert_eq!(cost(&catalogue, "p", "m", absurd), Some(5_000 + 1_000));
}

#[test]
fn tokens_without_any_price_have_no_cost() {
    let embedding = of(r#"{"provider": "p", "model": "m", "input": "1"}"#);
    assert_eq!(cost(&embedding, "p", "m", tokens(7, 0)), Some(7_000));
    assert_eq!(cost(&embedding, "p", "m", tokens(7, 1)), None);
    assert_eq!(cost(&embedding, "p", "m", Usage::default()), Some(0));
    assert_eq!(
        cost(&of(PLAIN), "p", "m", tokens(u64::MAX, u64::MAX)),
        None,
        "no cost rather than a wrong one"
    );
}

#[test]
fn a_tier_is_a_cliff_strictly_above_its_threshold() {
    let catalogue = of(r#"{"provider": "p", "model": "m", "input": "1", "output": "2", "tiers": [
            {"above": 200, "input": "5", "output": "6"}, {"above": 100, "input": "3", "output": "4"}]}"#);
    for (input, micros) in [(100, 100 + 20), (101, 3 * 101 + 40), (200, 3 * 200 + 40), (201, 5 * 201 + 60)] {
        assert_eq!(cost(&catalogue, "p", "m", tokens(input, 10)), Some(micros * 1_000), "{input}");
    }
}

fn input_price(catalogue: &Catalogue, time: Time) -> Option<i64> {
    let million = tokens(1_000_000, 0);
    catalogue.find("p", "m", time)?.cost(&million).map(|NanoUsd(nanos)| nanos / 1_000_000_000)
}

#[test]
fn the_last_row_that_holds_counts() {
    let catalogue = of(r#"
        {"provider": "p", "model": "m", "input": "1"},
        {"provider": "p", "model": "m", "from": "2026-08-17", "input": "2"},
        {"provider": "p", "model": "m", "from": "2026-10-01T12:00:00Z"},
        {"provider": "p", "model": "m", "from": "2026-11-01", "input": "4"},
        {"provider": "p", "model": "m", "hours": [["23:00", "01:00"], ["06:30", "07:00"]], "input": "8"}"#);
    let cases = [
        ("2026-08-16T22:59:59Z", Some(1)),
        ("2026-08-17T01:00:00Z", Some(2)),
        ("2026-10-01T11:59:59Z", Some(2)),
        ("2026-10-01T12:00:00Z", None),
        ("2026-11-20T12:00:00Z", Some(4)),
        ("2026-11-20T06:29:59Z", Some(4)),
        ("2026-11-20T06:30:00Z", Some(8)),
        ("2026-11-20T07:00:00Z", Some(4)),
        ("2026-11-20T23:30:00Z", Some(8)),
        ("2026-11-21T00:59:59Z", Some(8)),
    ];
    for (time, dollars) in cases {
        assert_eq!(input_price(&catalogue, at(time)), dollars, "{time}");
    }
}

#[test]
fn before_its_first_date_a_model_costs_what_it_first_did() {
    let catalogue = of(r#"{"provider": "p", "model": "m", "from": "2026-08-17", "input": "2"}"#);
    assert_eq!(input_price(&catalogue, at("2026-08-16T00:00:00Z")), Some(2));
}

#[test]
fn an_operators_rows_win_over_shipped_ones_even_by_pattern() {
    let own = file(
        r#"{"provider": "openai", "model": "house rate", "match": ["gpt-4.1*"], "input": "1", "output": "1"},
           {"provider": "my-vllm", "model": "llama", "match": ["*"], "input": 0, "output": 0}"#,
    );
    let catalogue = shipped().with_overrides(&own).unwrap();
    assert_eq!(cost(&catalogue, "openai", "gpt-4.1", tokens(1_000, 0)), Some(1_000_000));
    assert_eq!(cost(&catalogue, "openai", "gpt-4o-mini", tokens(1_000, 0)), Some(150_000), "others stay");
    assert_eq!(cost(&catalogue, "my-vllm", "anything", tokens(1_000, 9)), Some(0));
    let price = catalogue.find("openai", "gpt-4.1", now()).unwrap();
    assert_eq!(price.source(), "the operator's own prices");
    assert!(price.id().starts_with("own:openai/house rate#"), "{}", price.id());
}

#[test]
fn a_row_without_an_id_gets_another_one_when_its_price_changes() {
    let id = |row: &str| of(row).find("p", "m", now()).unwrap().id().to_string();
    assert_eq!(id(PLAIN), id(PLAIN));
    assert_ne!(
        id(PLAIN),
        id(r#"{"provider": "p", "model": "m", "input": 2000000001, "output": 8000000000}"#)
    );
}

#[test]
fn a_file_that_makes_no_sense_is_refused_with_the_row_and_the_fix() {
    let row = |fields: &str| refused(&format!(r#"{{"provider": "p", "model": "m", {fields}}}"#));
    assert_eq!(row(r#""inptu": 1"#), "the price of `m` at `p`: there is no field `inptu`");
    assert_eq!(
        row(r#""from": "soon", "input": 1"#),
        "the price of `m` at `p`: `from` is `soon`: write a date, as in 2026-11-30"
    );
    assert!(row(r#""hours": [["25:00", "x"]], "input": 1"#).contains("write hours in UTC, as in 16:30"));
    for amount in ["-1", "1.5", r#""1.0000000001""#, r#""$2""#, r#""""#, "true"] {
        let refusal = row(&format!(r#""input": {amount}"#));
        assert!(refusal.contains("expected nano-dollars per million tokens"), "{amount}: {refusal}");
    }
    assert!(refused(r#"{"provider": "", "model": "m"}"#).contains("must not be empty"));
    let twice = format!("{PLAIN}, {PLAIN}");
    assert!(refused(&twice).contains("stands twice"));
    let other = Catalogue::parse(r#"{"format": 2, "prices": []}"#).unwrap_err();
    assert_eq!(other.to_string(), "`format` is 2, this build reads 1");
}

#[test]
fn patterns_match_as_they_read() {
    let cases = [
        ("gpt-4.1", "gpt-4.1", true),
        ("gpt-4.1", "gpt-4.10", false),
        ("gpt-*", "gpt-", true),
        ("*-tts", "x-tts", true),
        ("*-tts", "x-tts-1", false),
        ("*sonnet*", "claude-sonnet-4", true),
        ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "a-c-b", false),
        ("a*a", "a", false),
        ("x-####-##-##", "x-2026-01-31", true),
        ("x-####-##-##", "x-2026-01-3x", false),
        ("*", "größe", true),
        ("gr*e", "größe", true),
    ];
    for (rule, text, fits) in cases {
        assert_eq!(pattern::matches(rule, text), fits, "{rule} on {text}");
    }
}

#[test]
fn a_date_without_dashes_is_told_from_other_digits() {
    let dashed = |model: &str| pattern::dashed_date(model);
    assert_eq!(dashed("gpt-5.2-20251211").as_deref(), Some("gpt-5.2-2025-12-11"));
    assert_eq!(dashed("a-20251211:free").as_deref(), Some("a-2025-12-11:free"));
    for other in ["gpt-5.2", "a-20251311", "a-19991231", "a-202512110", "20251211", "a-2025"] {
        assert_eq!(dashed(other), None, "{other}");
    }
}

#[test]
fn names_without_end_are_answered_and_not_all_kept() {
    let catalogue = of(r#"{"provider": "p", "model": "m", "match": ["m*"], "input": "1"}"#);
    for number in 0..NAMES_KEPT + 10 {
        assert!(catalogue.find("p", &format!("m{number}"), now()).is_some());
    }
    assert_eq!(catalogue.kept.read().unwrap().names, NAMES_KEPT);
}

#[test]
fn time_of_day_is_read_before_1970_too() {
    let catalogue = of(r#"{"provider": "p", "model": "m", "input": "1"},
           {"provider": "p", "model": "m", "hours": [["23:00", "24:00"]], "input": "2"}"#);
    let eve = Time(0).minus(Duration::from_secs(1));
    assert_eq!(input_price(&catalogue, eve), Some(2));
}

#[test]
fn the_documented_example_is_a_catalogue() {
    let page = include_str!("../../../docs/PRICES.md");
    let example = page.split("```json").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let catalogue = shipped().with_overrides(example).unwrap();
    assert_eq!(cost(&catalogue, "openai", "gpt-4.1-2025-04-14", tokens(1_000, 1_000)), Some(9_000_000));
    assert_eq!(cost(&catalogue, "local", "qwen", tokens(1_000, 1_000)), Some(0));
}

#[test]
fn classes_tiers_and_services_cost_what_is_worked_out_by_hand() {
    let hour = Usage { cached_input: 600, cache_write: 300, cache_write_1h: 200, ..tokens(1_000, 200) };
    let long = Usage { cached_input: 150_000, cache_write: 300, cache_write_1h: 300, ..tokens(200_001, 100) };
    let searched = Usage { searches: 3, ..tokens(1_000, 200) };
    let drawn = Usage { image_input: 40, image_output: 272, ..tokens(50, 272) };
    let heard = Usage { audio_input: 800, ..tokens(1_000, 100) };
    let cached = Usage { cached_input: 600, reasoning: 150, ..tokens(1_000, 200) };
    let cases = [
        // $3 in, $0.30 cached, $3.75 and $6 written, $15 out: 300 + 180 + 375 + 1,200 + 3,000 millionths of a dollar.
        ("anthropic", "claude-sonnet-4-5", hour, None, 5_055_000),
        // Above 200,000, cached ones counted: 49,701 × 6 + 150,000 × 0.6 + 300 × 12 + 100 × 22.5 = 394,056.
        ("anthropic", "claude-sonnet-4-5", long, None, 394_056_000),
        // Three searches at $10 a thousand: 3,000 + 3,000 + 30,000.
        ("anthropic", "claude-sonnet-4-5", searched, None, 36_000_000),
        // Half of it in a batch: 1,000 × 1.5 + 200 × 7.5 = 3,000.
        ("anthropic", "claude-sonnet-4-5", tokens(1_000, 200), Some("batch"), 3_000_000),
        // $5 for words, $8 for pictures seen, $32 for pictures drawn: 10 × 5 + 40 × 8 + 272 × 32 = 9,074.
        ("openai", "gpt-image-1.5", drawn, None, 9_074_000),
        // $0.30 for words, $1 for sound: 200 × 0.3 + 800 × 1 + 100 × 2.5 = 1,110.
        ("google", "gemini-2.5-flash", heard, None, 1_110_000),
        // $1.25, $0.125, $10: 400 × 1.25 + 600 × 0.125 + 200 × 10 = 2,575; half as flex, twice with priority.
        ("openai", "gpt-5-2025-08-07", cached, None, 2_575_000),
        ("openai", "gpt-5-2025-08-07", cached, Some("flex"), 1_287_500),
        ("openai", "gpt-5-2025-08-07", cached, Some("priority"), 5_150_000),
    ];
    for (provider, model, usage, service, nanos) in cases {
        let price = shipped().find_for(provider, model, now(), service).unwrap();
        assert_eq!(price.cost(&usage), Some(NanoUsd(nanos)), "{provider}/{model} {service:?}");
    }
}

#[test]
fn a_tier_without_a_price_of_its_own_is_unknown_and_never_anothers() {
    let catalogue = of(r#"{"provider": "p", "model": "m", "input": "1", "output": "2"},
           {"provider": "p", "model": "m", "service": "flex", "from": "2026-11-01", "input": "0.5", "output": "1"}"#);
    let find =
        |service, time| catalogue.find_for("p", "m", at(time), service).map(|price| price.id().clone());
    let (day, before) = ("2026-11-20T00:00:00Z", "2026-10-01T00:00:00Z");
    assert!(find(None, day).is_some() && find(Some("flex"), day).is_some());
    assert_ne!(find(None, day), find(Some("flex"), day));
    assert_eq!((find(Some("priority"), day), find(Some("flex"), before)), (None, None));
}

#[test]
fn retired_rows_price_nothing_and_can_be_looked_up() {
    let catalogue =
        of(r#"{"id": "old", "provider": "p", "model": "m", "input": "1", "output": "2", "retired": true},
           {"id": "new", "provider": "p", "model": "m", "input": "3", "output": "4"},
           {"id": "gone", "provider": "p", "model": "n", "input": "3", "output": "4", "retired": true}"#);
    assert_eq!(&**catalogue.find("p", "m", now()).unwrap().id(), "new");
    assert!(catalogue.find("p", "n", now()).is_none() && !catalogue.sells("p", "n"));
    assert_eq!(catalogue.models_of("p"), ["m"]);
    let ids: Vec<_> = catalogue.rows().map(|row| (row.id.to_owned(), row.retired)).collect();
    assert_eq!(ids, [("old".to_owned(), true), ("new".to_owned(), false), ("gone".to_owned(), true)]);
}

#[test]
fn what_a_call_costs_by_itself_is_added_once() {
    let catalogue = of(
        r#"{"provider": "p", "model": "m", "input": "1", "output": "2", "request": "5000", "search": "10000"}"#,
    );
    assert_eq!(cost(&catalogue, "p", "m", tokens(10, 10)), Some(5_000_000 + 30_000));
    let searched = Usage { searches: 2, ..tokens(0, 0) };
    assert_eq!(cost(&catalogue, "p", "m", searched), Some(25_000_000));
    assert_eq!(cost(&of(PLAIN), "p", "m", searched), None, "a fee nobody knows");
}

#[test]
fn disagreements_with_litellm_are_told_by_model_and_field() {
    let catalogue = Catalogue::parse(
        r#"{"format": 1, "providers": [{"id": "google"}], "prices": [
            {"provider": "openai", "model": "m", "input": "1", "cached_input": "0.1", "output": "2"},
            {"provider": "openai", "model": "m", "service": "flex", "input": "0.4", "output": "1"},
            {"provider": "google", "model": "g", "input": "1", "output": "2"}]}"#,
    )
    .unwrap();
    let theirs = r#"{
        "sample_spec": {"litellm_provider": "openai", "input_cost_per_token": 1},
        "m": {"litellm_provider": "openai", "input_cost_per_token": 1e-6, "output_cost_per_token": 3e-6,
              "cache_read_input_token_cost": 1.0000000001e-7, "input_cost_per_token_flex": 5e-7},
        "gemini/g": {"litellm_provider": "gemini", "input_cost_per_token": 1e-06, "output_cost_per_token": 0.0},
        "gemini/h": {"litellm_provider": "gemini", "input_cost_per_token": 1e-06},
        "x/y": {"litellm_provider": "nobody", "input_cost_per_token": 1e-06}}"#;
    let found = compare(&catalogue, theirs, now()).unwrap();
    assert_eq!((found.models, found.fields, found.missing), (2, 5, vec!["google/h".to_owned()]));
    let told: Vec<_> = found
        .disagreements
        .iter()
        .map(|d| (&*d.model, d.field, d.ours / 1_000_000, d.theirs / 1_000_000))
        .collect();
    assert_eq!(told, [("m", "output", 2_000, 3_000), ("m", "input", 400, 500)]);
    assert!(compare(&catalogue, "[]", now()).is_err());
}

proptest::proptest! {
    #[test]
    fn classes_never_overlap_and_sum_up(counts in proptest::array::uniform11(0_u64..1_000)) {
        let [input, cached, written, hour, audio_in, image_in, output, reasoning, audio_out, image_out, searches] = counts;
        let usage = Usage {
            input, cached_input: cached, cache_write: written, cache_write_1h: hour, audio_input: audio_in,
            image_input: image_in, output, reasoning, audio_output: audio_out, image_output: image_out, searches,
        };
        let sum: u64 = price::Rates::default().tokens(&usage).iter().map(|(tokens, _)| tokens).sum();
        proptest::prop_assert_eq!(sum, input + output);
        // At one price for every class, a call costs its tokens.
        let flat = of(r#"{"provider": "p", "model": "m", "input": "1", "output": "1", "search": 0}"#);
        proptest::prop_assert_eq!(cost(&flat, "p", "m", usage), Some(((input + output) * 1_000) as i64));
    }
}
