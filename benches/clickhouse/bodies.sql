-- Bodies of the calls from number {from} on: passages of the project's own documentation, about 1 KB in all.
INSERT INTO bodies (project, started_at, id, request_body, response_body, upstream_request_body, said, retention_days)
WITH (SELECT groupArray(text) FROM (SELECT text FROM bench_passages ORDER BY n)) AS passages, cityHash64(id) AS h,
    concat(passages[1 + h % length(passages)], if(h % 100003 = 0, ' xylophone quartz', ''), if(h % 50021 = 0, ' 我想要退款', '')) AS asked,
    passages[1 + intDiv(h, length(passages)) % length(passages)] AS answered
SELECT project, started_at, id,
    concat('{"model":"', requested_model, '","messages":[{"role":"user","content":', toJSONString(asked), '}]}') AS request_body,
    concat('{"id":"chatcmpl-', hex(h), '","object":"chat.completion","model":"', model, '","choices":[{"index":0,"message":{"role":"assistant","content":', toJSONString(answered), '},"finish_reason":"stop"}],"usage":', if(usage_raw = '', 'null', usage_raw), '}') AS response_body,
    '' AS upstream_request_body, concat(asked, '\n', answered) AS said, retention_days
FROM calls
WHERE started_at >= toDateTime64('2026-10-22 00:00:00', 6, 'UTC') + toIntervalMicrosecond({from} * {step})
    AND started_at < toDateTime64('2026-10-22 00:00:00', 6, 'UTC') + toIntervalMicrosecond(({from} + {count}) * {step})
SETTINGS max_threads = 2, exclude_materialize_skip_indexes_on_insert = 'said_grams'
