//! What search texts mean, what is wrong with others, and that no text whatever breaks the parser.

use proptest::prelude::*;

use super::*;
use crate::filter::Pattern;

fn one(text: &str) -> Term {
    let filter = parse(text).unwrap_or_else(|problem| panic!("{text}: {problem}"));
    assert_eq!(filter.terms.len(), 1, "{text}");
    filter.terms.into_iter().next().unwrap()
}

fn test(text: &str) -> Test {
    one(text).test
}

fn says(text: &str) -> Test {
    Test::Says(text.to_owned())
}

fn is(field: Field, words: &[&str]) -> Test {
    let pattern = |word: &&str| match word.strip_suffix('*') {
        Some(start) => Pattern::StartsWith(start.to_owned()),
        None => Pattern::Exactly((*word).to_owned()),
    };
    Test::Is(field, words.iter().map(pattern).collect())
}

fn counts(measure: Measure, comparison: Comparison, number: i64) -> Test {
    Test::Counts(measure, vec![Bound::Compares(comparison, number)])
}

#[test]
fn words_and_phrases_are_searched_as_text() {
    for (text, said) in [
        ("refund", "refund"),
        ("\"refund policy\"", "refund policy"),
        (r#""say \"hi\" \\""#, r#"say "hi" \"#),
        ("Rückgabe*", "Rückgabe"),
        ("返金", "返金"),
        ("😀", "😀"),
        ("10:30", "10:30"),
        ("a=b", "a=b"),
        ("->", "->"),
        ("--flag", "--flag"),
        ("*", "*"),
        ("model", "model"),
        ("日本:語", "日本:語"),
    ] {
        assert_eq!(test(text), says(said), "{text}");
    }
}

#[test]
fn fields_take_lists_prefixes_and_quotes() {
    assert_eq!(test("model:gpt-4o,claude*"), is(Field::Model, &["gpt-4o", "claude*"]));
    assert_eq!(test("MODEL:x"), is(Field::Model, &["x"]));
    assert_eq!(test("user=ann"), is(Field::User, &["ann"]));
    assert_eq!(test("user:*"), is(Field::User, &["*"]));
    assert_eq!(test(r#"tag:"a, b",c"#), is(Field::Tag, &["a, b", "c"]));
    assert_eq!(test(r#"tag:"50 % off"*"#), is(Field::Tag, &["50 % off*"]));
    assert_eq!(test("prompt:support/reply@7"), is(Field::Prompt, &["support/reply@7"]));
    assert_eq!(test("metadata.tier:gold"), is(Field::Metadata("tier".into()), &["gold"]));
}

#[test]
fn keys_may_be_quoted_or_dotted() {
    assert_eq!(test(r#"variable."odd: key":x"#), is(Field::Variable("odd: key".into()), &["x"]));
    assert_eq!(test("metadata.user.tier-2:x"), is(Field::Metadata("user.tier-2".into()), &["x"]));
}

#[test]
fn measures_are_read_in_their_units() {
    use Comparison::{AtLeast, AtMost, Equal, Less, More};
    for (text, measure, comparison, number) in [
        ("latency>2s", Measure::Latency, More, 2_000_000),
        ("latency>=1.5s", Measure::Latency, AtLeast, 1_500_000),
        ("latency:<500ms", Measure::Latency, Less, 500_000),
        ("ttft<=250us", Measure::Ttft, AtMost, 250),
        ("latency>1h", Measure::Latency, More, 3_600_000_000),
        ("ttft>0", Measure::Ttft, More, 0),
        ("cost>0.01", Measure::Cost, More, 10_000_000),
        ("cost>$1.000000001", Measure::Cost, More, 1_000_000_001),
        ("tokens>4k", Measure::Tokens, More, 4_000),
        ("input_tokens<1.5m", Measure::InputTokens, Less, 1_500_000),
        ("status:429", Measure::Status, Equal, 429),
        ("version=7", Measure::Version, Equal, 7),
    ] {
        assert_eq!(test(text), counts(measure, comparison, number), "{text}");
    }
    for (text, digits) in [("status:5*", "5"), ("status:5xx", "5"), ("status:42*", "42")] {
        assert_eq!(
            test(text),
            Test::Counts(Measure::Status, vec![Bound::StartsWith(digits.into())]),
            "{text}"
        );
    }
    assert_eq!(test("cost:*"), Test::Counts(Measure::Cost, vec![Bound::StartsWith(String::new())]));
}

#[test]
fn scores_are_decimal_numbers_by_name() {
    use Comparison::{AtMost, Equal, More};
    let scored = |name: &str, bounds: &[Bound]| Test::Scored(name.to_owned(), bounds.to_vec());
    for (text, comparison, number) in [
        ("score.helpful>0.5", More, 500_000_000),
        ("score.helpful:1", Equal, 1_000_000_000),
        ("score.helpful=0.1", Equal, 100_000_000),
        ("score.helpful<=-2.5", AtMost, -2_500_000_000),
        ("SCORE.helpful>0", More, 0),
    ] {
        assert_eq!(test(text), scored("helpful", &[Bound::Compares(comparison, number)]), "{text}");
    }
    assert_eq!(test("score.\"how good\":*"), scored("how good", &[Bound::StartsWith(String::new())]));
    let both = [Bound::Compares(Equal, 0), Bound::Compares(Equal, 1_000_000_000)];
    assert_eq!(test("score.Helpful:0,1"), scored("Helpful", &both), "a name's case counts");
    assert!(one("-score.helpful:*").negated);
}

#[test]
fn a_score_lies_at_a_bound_when_it_was_written_the_same_way() {
    for (text, score) in
        [("0.1", 0.1), ("0.3", 0.3), ("-1.7", -1.7), ("4.35", 4.35), ("1000000.7", 1_000_000.7)]
    {
        let Test::Scored(_, bounds) = test(&format!("score.x:{text}")) else { panic!("{text}") };
        let Bound::Compares(sign, number) = bounds[0] else { panic!("{text}") };
        assert!(sign.holds_for(score, number), "{text}");
        assert!(!Comparison::More.holds_for(score, number) && !Comparison::Less.holds_for(score, number));
    }
}

#[test]
fn a_minus_negates_any_term() {
    for text in ["-status:200", "-refund", "-\"refund policy\"", "-cost>1", "-metadata.tier:gold", "-漢"] {
        assert!(one(text).negated, "{text}");
    }
}

#[test]
fn terms_stand_side_by_side() {
    let text = "latency>2s cost>0.01 prompt:support/reply@7 tag:checkout -status:200 metadata.tier:gold \
                \"refund policy\"";
    assert_eq!(parse(text).unwrap().terms.len(), 7);
    assert_eq!(parse(" \n ").unwrap(), Filter::default());
}

#[test]
fn problems_say_where_and_what_to_write() {
    for (text, position, words) in [
        ("abc modle:gpt", 4, "no field `modle`: put the text in quotes"),
        ("ü colour:red", 2, "provider, prompt"),
        ("https://x.y", 0, "no field `https`"),
        ("score:3", 0, "`score.<name>>0.5`"),
        ("score.:3", 0, "write a key after `score.`"),
        ("score.helpful>good", 14, "`good` is no score: write a number such as 0.5"),
        ("score.helpful:\"1\"", 14, "a score is a number"),
        ("score.helpful:1*", 14, "a score is a number"),
        ("score.helpful>*", 14, "a score is a number"),
        ("score.helpful>0.0000000001", 14, "is no score"),
        ("score.helpful>1,2", 17, "leave out the list"),
        ("metadata:x", 0, "`metadata.<key>:value`"),
        ("metadata.:x", 0, "write a key"),
        ("a \"b c", 2, "not closed"),
        ("\"\"", 0, "nothing between"),
        ("user:\"\"", 5, "nothing between"),
        ("model:", 6, "a value is missing"),
        ("model:a,", 8, "a value is missing"),
        ("model:a*b", 6, "at the end of a value"),
        ("model>4", 5, "`model:value`"),
        ("latency>2", 8, "2s or 500ms"),
        ("latency>fast", 8, "2s or 500ms"),
        ("latency>1s,2s", 13, "leave out the list"),
        ("cost>0.0000000001", 5, "dollars such as 0.01"),
        ("tokens:1*", 7, "4000 or 4k"),
        ("status:abc", 7, "429 or 5*"),
        ("status:>5*", 8, "429 or 5*"),
        ("outcome:okay", 8, "one of ok, caller_error"),
        ("stream:maybe", 7, "true, false"),
        ("prompt:a@latest", 7, "version's number or a label"),
        ("prompt:a@1.2.0", 7, "version's number or a label"),
        ("prompt:a@", 7, "`prompt:name@version`"),
    ] {
        let problem = parse(text).expect_err(text);
        assert_eq!(problem.position, position, "{text}: {problem}");
        assert!(problem.message.contains(words), "{text}: {problem}");
    }
}

#[test]
fn a_search_has_limits() {
    assert!(parse(&"a ".repeat(TERMS)).is_ok());
    assert!(parse(&"a ".repeat(TERMS + 1)).is_err());
    assert!(parse(&format!("id:{}", vec!["1"; VALUES + 1].join(","))).is_err());
    assert!(parse(&"x".repeat(QUERY_BYTES + 1)).is_err());
}

fn field() -> impl Strategy<Value = Field> {
    let plain = prop::sample::select(FIELDS.iter().map(|(_, field)| field.clone()).collect::<Vec<_>>());
    // These take only certain words.
    let open =
        |field: &Field| !matches!(field, Field::Outcome | Field::Endpoint | Field::Cache | Field::Stream);
    prop_oneof![
        plain.prop_filter("takes any word", open),
        ".{1,8}".prop_map(Field::Metadata),
        ".{1,8}".prop_map(Field::Variable),
    ]
}

fn words_test() -> impl Strategy<Value = Test> {
    let pattern = prop_oneof![
        "[^@]{1,12}".prop_map(Pattern::Exactly),
        "[a-z/]{1,9}@[a-z]{1,5}"
            .prop_filter("computed", |text| !text.ends_with("@latest"))
            .prop_map(Pattern::Exactly),
        ".{0,12}".prop_map(Pattern::StartsWith),
    ];
    (field(), prop::collection::vec(pattern, 1..4)).prop_map(|(field, patterns)| Test::Is(field, patterns))
}

fn numbers_test() -> impl Strategy<Value = Test> {
    use Comparison::{AtLeast, AtMost, Equal, Less, More};
    let measure = prop::sample::select(MEASURES.iter().map(|(_, measure)| *measure).collect::<Vec<_>>());
    let comparison = prop::sample::select(vec![Equal, Less, AtMost, More, AtLeast]);
    (measure, comparison, 0..5_000_000_000_i64).prop_map(|(measure, comparison, number)| {
        let number = if measure == Measure::Status { number % 1_000 } else { number };
        counts(measure, comparison, number)
    })
}

fn scores_test() -> impl Strategy<Value = Test> {
    use Comparison::{AtLeast, AtMost, Equal, Less, More};
    let comparison = prop::sample::select(vec![Equal, Less, AtMost, More, AtLeast]);
    let bound = prop_oneof![
        (comparison, -5_000_000_000..5_000_000_000_i64)
            .prop_map(|(comparison, n)| Bound::Compares(comparison, n)),
        Just(Bound::StartsWith(String::new())),
    ];
    (".{1,8}", bound).prop_map(|(name, bound)| Test::Scored(name, vec![bound]))
}

fn any_term() -> impl Strategy<Value = Term> {
    let spoken =
        "(?s).{0,20}".prop_filter("says something", |text| !text.trim().is_empty()).prop_map(Test::Says);
    (any::<bool>(), prop_oneof![spoken, words_test(), numbers_test(), scores_test()])
        .prop_map(|(negated, test)| Term { negated, test })
}

proptest! {
    #[test]
    fn no_text_breaks_the_parser(text in "(?s).{0,200}") {
        match parse(&text) {
            Ok(filter) => prop_assert_eq!(parse(&filter.to_string()), Ok(filter)),
            Err(problem) => prop_assert!(problem.position <= text.chars().count()),
        }
    }

    #[test]
    fn no_text_that_looks_like_a_search_breaks_it(
        text in r#"(model|cost|score\.x|status|metadata\.k|variable\."|prompt|[ -]|[:<>=,*"\\]|5xx|\$?[0-9.]{1,4}(s|ms|k)?|é){0,30}"#,
    ) {
        match parse(&text) {
            Ok(filter) => prop_assert_eq!(parse(&filter.to_string()), Ok(filter)),
            Err(problem) => prop_assert!(problem.position <= text.chars().count()),
        }
    }

    #[test]
    fn every_filter_prints_as_a_text_that_reads_back_as_itself(terms in prop::collection::vec(any_term(), 0..6)) {
        let filter = Filter { terms };
        prop_assert_eq!(parse(&filter.to_string()), Ok(filter));
    }
}
