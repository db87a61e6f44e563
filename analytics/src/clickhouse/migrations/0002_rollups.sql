-- Calls by the minute, for reports and dashboards; few dimensions each, because a roll-up over many saves nothing.
-- Quantiles are DDSketch states of one accuracy: `quantileDDMerge(0.01, LEVEL)(duration)` with whatever level.
-- An error is an outcome neither ok nor cancelled; cost leaves out calls of unknown cost, which `unpriced` counts
-- when they used tokens. Cost and tokens are NULL where no call's are known.

CREATE TABLE IF NOT EXISTS {db}.calls_by_model{local} {on_cluster} (
    project LowCardinality(String),
    minute DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    provider LowCardinality(String),
    model LowCardinality(String),
    outcome LowCardinality(String),
    calls SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    errors SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    unpriced SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    cost_nanousd SimpleAggregateFunction(sum, Nullable(Int64)) CODEC(T64, ZSTD(1)),
    input_tokens SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(T64, ZSTD(1)),
    cached_input_tokens SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(T64, ZSTD(1)),
    cache_write_tokens SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(T64, ZSTD(1)),
    output_tokens SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(T64, ZSTD(1)),
    reasoning_tokens SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(T64, ZSTD(1)),
    audio_tokens SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(T64, ZSTD(1)),
    cache_asked SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    cache_hits SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    duration AggregateFunction(quantileDD(0.01, 0.5), UInt64) CODEC(ZSTD(1)),
    ttft AggregateFunction(quantileDD(0.01, 0.5), UInt64) CODEC(ZSTD(1)),
    retention_days SimpleAggregateFunction(max, UInt16) CODEC(ZSTD(1))
)
ENGINE = {AggregatingMergeTree}
PARTITION BY toMonday(minute)
ORDER BY (project, minute, provider, model, outcome)
TTL if(retention_days = 0, toDateTime('2100-01-01 00:00:00', 'UTC'), minute + toIntervalDay(least(retention_days, 20000)))
SETTINGS non_replicated_deduplication_window = 1000, merge_with_ttl_timeout = 86400;

{distributed calls_by_model cityHash64(project, minute)}

CREATE MATERIALIZED VIEW IF NOT EXISTS {db}.calls_by_model_feed {on_cluster} TO {db}.calls_by_model{local} AS
SELECT
    project, toStartOfMinute(c.started_at) AS minute, provider, model, outcome,
    count() AS calls,
    countIf(c.outcome NOT IN ('ok', 'cancelled')) AS errors,
    countIf(c.cost_nanousd IS NULL AND ifNull(c.input_tokens, 0) + ifNull(c.output_tokens, 0) > 0) AS unpriced,
    sum(c.cost_nanousd) AS cost_nanousd,
    sum(c.input_tokens) AS input_tokens,
    sum(c.cached_input_tokens) AS cached_input_tokens,
    sum(c.cache_write_tokens) AS cache_write_tokens,
    sum(c.output_tokens) AS output_tokens,
    sum(c.reasoning_tokens) AS reasoning_tokens,
    sum(c.audio_tokens) AS audio_tokens,
    countIf(c.cache IN ('hit', 'miss')) AS cache_asked,
    countIf(c.cache = 'hit') AS cache_hits,
    quantileDDState(0.01, 0.5)(c.duration_us) AS duration,
    quantileDDStateIf(0.01, 0.5)(ifNull(c.ttft_us, 0), c.ttft_us IS NOT NULL) AS ttft,
    max(c.retention_days) AS retention_days
FROM {db}.calls{local} AS c
GROUP BY project, minute, provider, model, outcome;

CREATE TABLE IF NOT EXISTS {db}.calls_by_prompt{local} {on_cluster} (
    project LowCardinality(String),
    minute DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    prompt LowCardinality(String),
    prompt_version UInt32 CODEC(T64, ZSTD(1)),
    prompt_label LowCardinality(String),
    experiment LowCardinality(String),
    arm LowCardinality(String),
    calls SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    errors SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    unpriced SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    cost_nanousd SimpleAggregateFunction(sum, Nullable(Int64)) CODEC(T64, ZSTD(1)),
    input_tokens SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(T64, ZSTD(1)),
    cached_input_tokens SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(T64, ZSTD(1)),
    cache_write_tokens SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(T64, ZSTD(1)),
    output_tokens SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(T64, ZSTD(1)),
    reasoning_tokens SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(T64, ZSTD(1)),
    audio_tokens SimpleAggregateFunction(sum, Nullable(UInt64)) CODEC(T64, ZSTD(1)),
    cache_asked SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    cache_hits SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    duration AggregateFunction(quantileDD(0.01, 0.5), UInt64) CODEC(ZSTD(1)),
    ttft AggregateFunction(quantileDD(0.01, 0.5), UInt64) CODEC(ZSTD(1)),
    retention_days SimpleAggregateFunction(max, UInt16) CODEC(ZSTD(1))
)
ENGINE = {AggregatingMergeTree}
PARTITION BY toMonday(minute)
ORDER BY (project, minute, prompt, prompt_version, prompt_label, experiment, arm)
TTL if(retention_days = 0, toDateTime('2100-01-01 00:00:00', 'UTC'), minute + toIntervalDay(least(retention_days, 20000)))
SETTINGS non_replicated_deduplication_window = 1000, merge_with_ttl_timeout = 86400;

{distributed calls_by_prompt cityHash64(project, minute)}

CREATE MATERIALIZED VIEW IF NOT EXISTS {db}.calls_by_prompt_feed {on_cluster} TO {db}.calls_by_prompt{local} AS
SELECT
    project, toStartOfMinute(c.started_at) AS minute, prompt, prompt_version, prompt_label, experiment, arm,
    count() AS calls,
    countIf(c.outcome NOT IN ('ok', 'cancelled')) AS errors,
    countIf(c.cost_nanousd IS NULL AND ifNull(c.input_tokens, 0) + ifNull(c.output_tokens, 0) > 0) AS unpriced,
    sum(c.cost_nanousd) AS cost_nanousd,
    sum(c.input_tokens) AS input_tokens,
    sum(c.cached_input_tokens) AS cached_input_tokens,
    sum(c.cache_write_tokens) AS cache_write_tokens,
    sum(c.output_tokens) AS output_tokens,
    sum(c.reasoning_tokens) AS reasoning_tokens,
    sum(c.audio_tokens) AS audio_tokens,
    countIf(c.cache IN ('hit', 'miss')) AS cache_asked,
    countIf(c.cache = 'hit') AS cache_hits,
    quantileDDState(0.01, 0.5)(c.duration_us) AS duration,
    quantileDDStateIf(0.01, 0.5)(ifNull(c.ttft_us, 0), c.ttft_us IS NOT NULL) AS ttft,
    max(c.retention_days) AS retention_days
FROM {db}.calls{local} AS c
GROUP BY project, minute, prompt, prompt_version, prompt_label, experiment, arm;
