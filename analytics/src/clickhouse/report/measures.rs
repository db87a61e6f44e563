//! What measures are, over calls and over their roll-ups.

use crate::clickhouse::sql::Sql;
use crate::report::{Measured, QUANTILE_ACCURACY, TokenClass};

/// A measure over rows of `calls`; it is the `n`th of its report.
pub(super) fn of_calls(measure: &Measured, n: usize) -> Sql {
    match measure {
        Measured::Calls => Sql::new("count()"),
        Measured::Errors => Sql::new("countIf(outcome NOT IN ('ok', 'cancelled'))"),
        Measured::ErrorRate => Sql::new("countIf(outcome NOT IN ('ok', 'cancelled')) / count()"),
        Measured::Cost => Sql::new("sum(cost_nanousd)"),
        Measured::Unpriced => Sql::new(
            "countIf(isNull(cost_nanousd) AND ifNull(input_tokens, 0) + ifNull(output_tokens, 0) > 0)",
        ),
        Measured::Tokens(class) => Sql::new(tokens(*class)),
        Measured::Latency(level) => quantile("quantileDD", *level, "duration_us"),
        Measured::Ttft(level) => quantile("quantileDD", *level, "ttft_us"),
        Measured::CacheHitRate => Sql::new("countIf(cache = 'hit') / countIf(cache IN ('hit', 'miss'))"),
        Measured::Score(_) => {
            let mut sql = Sql::new("sum(total");
            sql.digits(n as u32).push(") / sum(scores").digits(n as u32).push(")");
            sql
        }
    }
}

/// A measure over rows of a roll-up, which have no scores.
pub(super) fn of_rollup(measure: &Measured, _: usize) -> Sql {
    match measure {
        Measured::Calls => Sql::new("sum(calls)"),
        Measured::Errors => Sql::new("sum(errors)"),
        Measured::ErrorRate => Sql::new("sum(errors) / sum(calls)"),
        Measured::Cost => Sql::new("sum(cost_nanousd)"),
        Measured::Unpriced => Sql::new("sum(unpriced)"),
        Measured::Tokens(class) => Sql::new(tokens(*class)),
        Measured::Latency(level) => quantile("quantileDDMerge", *level, "duration"),
        Measured::Ttft(level) => quantile("quantileDDMerge", *level, "ttft"),
        Measured::CacheHitRate => Sql::new("sum(cache_hits) / sum(cache_asked)"),
        Measured::Score(_) => Sql::new("NULL"),
    }
}

/// Tokens of a class, which have one name in both; null where no call's are known.
const fn tokens(class: TokenClass) -> &'static str {
    match class {
        TokenClass::All => {
            "if(isNull(sum(input_tokens)) AND isNull(sum(output_tokens)), NULL,
             ifNull(sum(input_tokens), 0) + ifNull(sum(output_tokens), 0))"
        }
        TokenClass::Input => "sum(input_tokens)",
        TokenClass::CachedInput => "sum(cached_input_tokens)",
        TokenClass::CacheWrite => "sum(cache_write_tokens)",
        TokenClass::Output => "sum(output_tokens)",
        TokenClass::Reasoning => "sum(reasoning_tokens)",
        TokenClass::Audio => "sum(audio_tokens)",
    }
}

/// A quantile of a column, in the accuracy that roll-ups keep.
fn quantile(function: &'static str, level: f64, column: &'static str) -> Sql {
    let mut sql = Sql::new(function);
    sql.push("(").digits(QUANTILE_ACCURACY).push(", ").digits(level).push(")(").push(column).push(")");
    sql
}

/// The columns of a roll-up a measure needs: as they are called there, and made of calls (`c`).
pub(super) fn pieces(measure: &Measured) -> &'static [Piece] {
    match measure {
        Measured::Calls => &[CALLS],
        Measured::Errors => &[ERRORS],
        Measured::ErrorRate => &[CALLS, ERRORS],
        Measured::Cost => &[COST],
        Measured::Unpriced => &[UNPRICED],
        Measured::Tokens(TokenClass::All) => &[INPUT, OUTPUT],
        Measured::Tokens(TokenClass::Input) => &[INPUT],
        Measured::Tokens(TokenClass::CachedInput) => &[CACHED_INPUT],
        Measured::Tokens(TokenClass::CacheWrite) => &[CACHE_WRITE],
        Measured::Tokens(TokenClass::Output) => &[OUTPUT],
        Measured::Tokens(TokenClass::Reasoning) => &[REASONING],
        Measured::Tokens(TokenClass::Audio) => &[AUDIO],
        Measured::Latency(_) => &[DURATION],
        Measured::Ttft(_) => &[TTFT],
        Measured::CacheHitRate => &[CACHE_ASKED, CACHE_HITS],
        Measured::Score(_) => &[],
    }
}

/// A column of a roll-up, and the same made of calls.
pub(super) type Piece = (&'static str, &'static str);

/// How many calls, which every report needs.
pub(super) const CALLS: Piece = ("calls", "count()");
const ERRORS: Piece = ("errors", "countIf(c.outcome NOT IN ('ok', 'cancelled'))");
const COST: Piece = ("cost_nanousd", "sum(c.cost_nanousd)");
const UNPRICED: Piece = (
    "unpriced",
    "countIf(isNull(c.cost_nanousd) AND ifNull(c.input_tokens, 0) + ifNull(c.output_tokens, 0) > 0)",
);
const INPUT: Piece = ("input_tokens", "sum(c.input_tokens)");
const CACHED_INPUT: Piece = ("cached_input_tokens", "sum(c.cached_input_tokens)");
const CACHE_WRITE: Piece = ("cache_write_tokens", "sum(c.cache_write_tokens)");
const OUTPUT: Piece = ("output_tokens", "sum(c.output_tokens)");
const REASONING: Piece = ("reasoning_tokens", "sum(c.reasoning_tokens)");
const AUDIO: Piece = ("audio_tokens", "sum(c.audio_tokens)");
const CACHE_ASKED: Piece = ("cache_asked", "countIf(c.cache IN ('hit', 'miss'))");
const CACHE_HITS: Piece = ("cache_hits", "countIf(c.cache = 'hit')");
const DURATION: Piece = ("duration", "quantileDDState(0.01, 0.5)(c.duration_us)");
const TTFT: Piece = ("ttft", "quantileDDStateIf(0.01, 0.5)(ifNull(c.ttft_us, 0), isNotNull(c.ttft_us))");

/// All columns of a roll-up.
pub(super) const ALL: [Piece; 15] = [
    CALLS,
    ERRORS,
    COST,
    UNPRICED,
    INPUT,
    CACHED_INPUT,
    CACHE_WRITE,
    OUTPUT,
    REASONING,
    AUDIO,
    CACHE_ASKED,
    CACHE_HITS,
    DURATION,
    TTFT,
    ("retention_days", "max(c.retention_days)"),
];
