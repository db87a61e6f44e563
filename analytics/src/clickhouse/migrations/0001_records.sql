-- Calls, their attempts and bodies, spans and scores. Rows are only ever added.
--
-- Words that are absent are '', ids that are absent are all zero, prompt_version 0 is none; numbers that are
-- unknown are NULL. `retention_days` 0 is for ever. `block` is the insert's deduplication token: whether a block
-- went in can be asked after the engine has forgotten the token.
--
-- Every table is cut into weeks, so that what expires is rewritten a week at a time and at most daily. Keys begin
-- with project and time: lists are read backwards, and a call's id holds its millisecond.

-- A thousand calls to a granule: the rows of a page of rare finds lie in as many granules, of which all fifty columns
-- are read; with eight thousand that is ten times the bytes, and twice the time in all.
CREATE TABLE IF NOT EXISTS {db}.calls{local} {on_cluster} (
    project LowCardinality(String),
    started_at DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    id UUID CODEC(ZSTD(1)),
    duration_us UInt64 CODEC(T64, ZSTD(1)),
    ttft_us Nullable(UInt64) CODEC(T64, ZSTD(1)),
    overhead_us UInt64 CODEC(T64, ZSTD(1)),
    endpoint LowCardinality(String),
    streaming Bool,
    status UInt16 CODEC(ZSTD(1)),
    outcome LowCardinality(String),
    error_code LowCardinality(String),
    error_message String CODEC(ZSTD(1)),
    requested_model LowCardinality(String),
    provider LowCardinality(String),
    model LowCardinality(String),
    response_model LowCardinality(String),
    attempts UInt32 CODEC(T64, ZSTD(1)),
    cache LowCardinality(String),
    key_id LowCardinality(String),
    user String CODEC(ZSTD(1)),
    session String CODEC(ZSTD(1)),
    tags Array(String) CODEC(ZSTD(1)),
    metadata String CODEC(ZSTD(1)),
    prompt LowCardinality(String),
    prompt_id LowCardinality(String),
    prompt_version UInt32 CODEC(T64, ZSTD(1)),
    prompt_digest LowCardinality(String),
    prompt_label LowCardinality(String),
    experiment LowCardinality(String),
    arm LowCardinality(String),
    variables String CODEC(ZSTD(1)),
    words Array(String) CODEC(ZSTD(1)) COMMENT 'user=, session=, tag=, metadata.KEY=, variable.KEY= with the value folded: what exact filters look in',
    input_tokens Nullable(UInt64) CODEC(T64, ZSTD(1)),
    cached_input_tokens Nullable(UInt64) CODEC(T64, ZSTD(1)),
    cache_write_tokens Nullable(UInt64) CODEC(T64, ZSTD(1)),
    output_tokens Nullable(UInt64) CODEC(T64, ZSTD(1)),
    reasoning_tokens Nullable(UInt64) CODEC(T64, ZSTD(1)),
    audio_tokens Nullable(UInt64) CODEC(T64, ZSTD(1)),
    usage_raw String CODEC(ZSTD(1)),
    usage_source LowCardinality(String),
    cost_nanousd Nullable(Int64) CODEC(T64, ZSTD(1)),
    price_id LowCardinality(String),
    finish_reason LowCardinality(String),
    tool_names Array(LowCardinality(String)),
    trace_id FixedString(16) CODEC(ZSTD(1)),
    span_id FixedString(8) CODEC(ZSTD(1)),
    parent_span_id FixedString(8) CODEC(ZSTD(1)),
    request_preview String CODEC(ZSTD(1)),
    response_preview String CODEC(ZSTD(1)),
    body_state LowCardinality(String),
    node LowCardinality(String),
    retention_days UInt16 CODEC(ZSTD(1)),
    block UUID DEFAULT toUUIDOrZero(getSetting('insert_deduplication_token')) CODEC(ZSTD(1)),
    INDEX id_seen id TYPE bloom_filter(0.01),
    INDEX trace_seen trace_id TYPE bloom_filter(0.01),
    INDEX word_seen words TYPE bloom_filter(0.01),
    INDEX status_seen status TYPE set(32),
    INDEX duration_within duration_us TYPE minmax,
    INDEX cost_within cost_nanousd TYPE minmax,
    INDEX block_seen block TYPE bloom_filter(0.01)
)
ENGINE = {MergeTree}
PARTITION BY toMonday(started_at)
ORDER BY (project, started_at, id)
TTL if(retention_days = 0, toDateTime('2100-01-01 00:00:00', 'UTC'), toDateTime(started_at, 'UTC') + toIntervalDay(least(retention_days, 20000)))
SETTINGS non_replicated_deduplication_window = 1000, merge_with_ttl_timeout = 86400, index_granularity = 1024;

{distributed calls cityHash64(id)}

CREATE TABLE IF NOT EXISTS {db}.attempts{local} {on_cluster} (
    project LowCardinality(String),
    started_at DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)) COMMENT 'when this try was sent: never before the call began nor after it ended',
    id UUID CODEC(ZSTD(1)) COMMENT 'of the call',
    n UInt32 CODEC(T64, ZSTD(1)),
    provider LowCardinality(String),
    model LowCardinality(String),
    account LowCardinality(String),
    status Nullable(UInt16) CODEC(ZSTD(1)),
    failure_class LowCardinality(String),
    error String CODEC(ZSTD(1)),
    duration_us UInt64 CODEC(T64, ZSTD(1)),
    ttft_us Nullable(UInt64) CODEC(T64, ZSTD(1)),
    waited_us Nullable(UInt64) CODEC(T64, ZSTD(1)),
    upstream_request_id String CODEC(ZSTD(1)),
    cost_nanousd Nullable(Int64) CODEC(T64, ZSTD(1)),
    won Bool,
    reason LowCardinality(String),
    retention_days UInt16 CODEC(ZSTD(1)),
    block UUID DEFAULT toUUIDOrZero(getSetting('insert_deduplication_token')) CODEC(ZSTD(1)),
    INDEX block_seen block TYPE bloom_filter(0.01)
)
ENGINE = {MergeTree}
PARTITION BY toMonday(started_at)
ORDER BY (project, started_at, id, n)
TTL if(retention_days = 0, toDateTime('2100-01-01 00:00:00', 'UTC'), toDateTime(started_at, 'UTC') + toIntervalDay(least(retention_days, 20000)))
SETTINGS non_replicated_deduplication_window = 1000, merge_with_ttl_timeout = 86400, index_granularity = 2048;

{distributed attempts cityHash64(id)}

-- Only of calls whose bodies are kept. `said` is what text search looks in: the text of the request as it went
-- upstream and of the answer, both folded, with a line feed between them that folded text holds nowhere else.
CREATE TABLE IF NOT EXISTS {db}.bodies{local} {on_cluster} (
    project LowCardinality(String),
    started_at DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    id UUID CODEC(ZSTD(1)),
    request_body String CODEC(ZSTD(3)),
    response_body String CODEC(ZSTD(3)),
    upstream_request_body String CODEC(ZSTD(3)),
    said String CODEC(ZSTD(1)),
    retention_days UInt16 CODEC(ZSTD(1)),
    block UUID DEFAULT toUUIDOrZero(getSetting('insert_deduplication_token')) CODEC(ZSTD(1)),
    INDEX block_seen block TYPE bloom_filter(0.01),
    INDEX said_grams said TYPE text(tokenizer = ngrams(3))
)
ENGINE = {MergeTree}
PARTITION BY toMonday(started_at)
ORDER BY (project, started_at, id)
TTL if(retention_days = 0, toDateTime('2100-01-01 00:00:00', 'UTC'), toDateTime(started_at, 'UTC') + toIntervalDay(least(retention_days, 20000)))
SETTINGS non_replicated_deduplication_window = 1000, merge_with_ttl_timeout = 86400, index_granularity = 128;

{distributed bodies cityHash64(id)}

CREATE TABLE IF NOT EXISTS {db}.spans{local} {on_cluster} (
    project LowCardinality(String),
    started_at DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    trace_id FixedString(16) CODEC(ZSTD(1)),
    span_id FixedString(8) CODEC(ZSTD(1)),
    parent_span_id FixedString(8) CODEC(ZSTD(1)),
    name String CODEC(ZSTD(1)),
    kind LowCardinality(String),
    duration_us UInt64 CODEC(T64, ZSTD(1)),
    failed Bool,
    status_message String CODEC(ZSTD(1)),
    service LowCardinality(String),
    user String CODEC(ZSTD(1)),
    session String CODEC(ZSTD(1)),
    model LowCardinality(String),
    provider LowCardinality(String),
    prompt LowCardinality(String),
    prompt_version UInt32 CODEC(T64, ZSTD(1)),
    input_tokens Nullable(UInt64) CODEC(T64, ZSTD(1)),
    output_tokens Nullable(UInt64) CODEC(T64, ZSTD(1)),
    input String CODEC(ZSTD(3)),
    output String CODEC(ZSTD(3)),
    attributes String CODEC(ZSTD(3)),
    events String CODEC(ZSTD(3)),
    retention_days UInt16 CODEC(ZSTD(1)),
    block UUID DEFAULT toUUIDOrZero(getSetting('insert_deduplication_token')) CODEC(ZSTD(1)),
    INDEX trace_seen trace_id TYPE bloom_filter(0.01),
    INDEX user_seen user TYPE bloom_filter(0.01),
    INDEX session_seen session TYPE bloom_filter(0.01),
    INDEX block_seen block TYPE bloom_filter(0.01)
)
ENGINE = {MergeTree}
PARTITION BY toMonday(started_at)
ORDER BY (project, started_at, trace_id, span_id)
TTL if(retention_days = 0, toDateTime('2100-01-01 00:00:00', 'UTC'), toDateTime(started_at, 'UTC') + toIntervalDay(least(retention_days, 20000)))
SETTINGS non_replicated_deduplication_window = 1000, merge_with_ttl_timeout = 86400, index_granularity = 1024;

{distributed spans cityHash64(trace_id)}

CREATE TABLE IF NOT EXISTS {db}.scores{local} {on_cluster} (
    project LowCardinality(String),
    at DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    id UUID CODEC(ZSTD(1)),
    target_kind LowCardinality(String) COMMENT 'call, trace or session',
    target String CODEC(ZSTD(1)) COMMENT 'the id of the call with its dashes, the trace id in hex, or the session',
    name LowCardinality(String),
    value Float64 CODEC(ZSTD(1)),
    comment String CODEC(ZSTD(1)),
    source LowCardinality(String),
    author String CODEC(ZSTD(1)),
    retention_days UInt16 CODEC(ZSTD(1)),
    block UUID DEFAULT toUUIDOrZero(getSetting('insert_deduplication_token')) CODEC(ZSTD(1)),
    INDEX target_seen target TYPE bloom_filter(0.01),
    INDEX author_seen author TYPE bloom_filter(0.01),
    INDEX block_seen block TYPE bloom_filter(0.01)
)
ENGINE = {MergeTree}
PARTITION BY toMonday(at)
ORDER BY (project, at, id)
TTL if(retention_days = 0, toDateTime('2100-01-01 00:00:00', 'UTC'), toDateTime(at, 'UTC') + toIntervalDay(least(retention_days, 20000)))
SETTINGS non_replicated_deduplication_window = 1000, merge_with_ttl_timeout = 86400;

{distributed scores cityHash64(target)}

-- What applied when: every price a call was reckoned with, only ever added to.
CREATE TABLE IF NOT EXISTS {db}.prices {on_cluster} (
    id String,
    provider LowCardinality(String),
    model String,
    price String CODEC(ZSTD(1)) COMMENT 'nano-dollars per million tokens by class, JSON',
    added_at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = {everywhere prices}
ORDER BY id
SETTINGS non_replicated_deduplication_window = 1000;
