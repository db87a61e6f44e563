#!/usr/bin/env python3
"""How long the questions people ask of their records take on ClickHouse, over many synthetic calls.

    cargo xtask bench records-clickhouse [--calls 10000000] [--bodies 1000000]
    CLICKHOUSE_URL=http://127.0.0.1:8123 python3 benches/clickhouse/bench.py

Makes the database weir_bench from the store's own migrations, fills it by SQL, and asks each question five times. Time is
the median as the client sees it, CPU what the engine's own query log says. Nothing but the standard library is needed.
"""

import argparse
import glob
import json
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
MIGRATIONS = os.path.join(ROOT, "analytics/src/clickhouse/migrations")
DATABASE = "weir_bench"
DAYS_US = 30 * 24 * 3600 * 1_000_000
ROUNDS = 5
FILL_STEP = 500_000

COLUMNS = """project, started_at, id, duration_us, ttft_us, overhead_us, endpoint, streaming, status, outcome, error_code,
 error_message, requested_model, provider, model, response_model, attempts, cache, key_id, user, session, tags, metadata, prompt,
 prompt_id, prompt_version, prompt_label, variables, input_tokens, output_tokens, usage_raw, cost_nanousd, price_id, trace_id,
 request_preview, response_preview, body_state, node"""
WEEK = "started_at >= '2026-11-13' AND started_at < '2026-11-20'"
HOURLY = "SELECT toStartOfHour(started_at) AS hour, count(), countIf(outcome NOT IN ('ok', 'cancelled')), sum(cost_nanousd)"
ROLLED = "SELECT toStartOfHour(minute) AS hour, sum(calls), sum(errors), sum(cost_nanousd)"


def newest(where):
    return f"SELECT {COLUMNS} FROM calls WHERE {where} ORDER BY started_at DESC, id DESC LIMIT 50"


def says(text):
    return f"SELECT started_at, id FROM bodies WHERE said LIKE '%{text}%' ORDER BY started_at DESC LIMIT 50"


OURS = "project = 'project-0'"
QUESTIONS = [
    ("newest of a project", newest(OURS)),
    ("newest of all, a day", newest("started_at >= '2026-11-20'")),
    ("by model", newest(f"{OURS} AND model = 'gpt-5'")),
    ("by a rare outcome", newest(f"{OURS} AND outcome = 'timeout'")),
    ("by a user, 30 days", newest(f"{OURS} AND has(words, 'user=user-77777')")),
    ("by a session, 30 days", newest(f"{OURS} AND has(words, 'session=session-3000000')")),
    ("by metadata, 30 days", newest(f"{OURS} AND has(words, 'metadata.tenant=tenant-4321')")),
    ("by a word nobody used", newest(f"{OURS} AND has(words, 'user=nobody')")),
    ("by words of an error", newest(f"{OURS} AND error_message LIKE '%zubra%'")),
    ("by a latency nobody had", newest(f"{OURS} AND duration_us > 100000000")),
    ("one call by its id", "SELECT * FROM calls WHERE started_at >= '2026-11-02 03:00:00' AND started_at < '2026-11-02 03:00:00.3'"
                           " ORDER BY started_at LIMIT 1"),
    ("one call's body", "SELECT * FROM bodies WHERE project = 'project-0' AND started_at >= '2026-11-20 03:00:00' LIMIT 1"),
    ("a trace by its id", "SELECT * FROM calls WHERE project = 'project-0' AND trace_id = (SELECT trace_id FROM calls WHERE"
                          " project = 'project-0' AND started_at >= '2026-11-02 03:00:00' LIMIT 1)"),
    ("text: a rare phrase", says("xylophone quartz")),
    ("text: part of a word", says("ylophone qua")),
    ("text: three characters", says("要退款")),
    ("text: two characters", says("退款")),
    ("text: words in use", says("records are kept")),
    ("text: nobody said it", says("never said by anybody")),
    ("week by hour, one project", f"{HOURLY} FROM calls WHERE {OURS} AND {WEEK} GROUP BY hour"),
    ("… with p95, calls", f"{HOURLY}, quantileDD(0.01, 0.95)(duration_us) FROM calls WHERE {OURS} AND {WEEK} GROUP BY hour"),
    ("week by hour, all", f"{ROLLED} FROM calls_by_model WHERE minute >= '2026-11-13' AND minute < '2026-11-20' GROUP BY hour"),
    ("… with p95, calls", f"{HOURLY}, quantileDD(0.01, 0.95)(duration_us) FROM calls WHERE {WEEK} GROUP BY hour"),
    ("… with p95, roll-up", f"{ROLLED}, quantileDDMerge(0.01, 0.95)(duration) FROM calls_by_model"
                            " WHERE minute >= '2026-11-13' AND minute < '2026-11-20' GROUP BY hour"),
]


class Server:
    def __init__(self, url):
        self.url = url.rstrip("/")

    def ask(self, sql, database=DATABASE):
        """What a statement answers, and how long it took."""
        request = urllib.request.Request(f"{self.url}/?database={database}", data=sql.encode())
        began = time.monotonic()
        try:
            with urllib.request.urlopen(request, timeout=3600) as answer:
                return answer.read().decode("utf-8", "replace").strip(), time.monotonic() - began
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{error.read().decode()[:500]}\nin: {sql[:200]}") from None


def migrate(server):
    server.ask(f"DROP DATABASE IF EXISTS {DATABASE}", "system")
    server.ask(f"CREATE DATABASE {DATABASE}", "system")
    for name in sorted(glob.glob(MIGRATIONS + "/*.sql")):
        with open(name, encoding="utf-8") as file:
            text = "\n".join(line for line in file.read().splitlines() if not line.strip().startswith("--"))
        text = text.replace("{db}", DATABASE).replace("{local}", "").replace("{on_cluster}", "")
        text = re.sub(r"\{everywhere \w+\}", "MergeTree", re.sub(r"\{distributed [^}]*\}", "", text))
        text = re.sub(r"\{(\w*MergeTree)\}", r"\1", text)
        for statement in filter(None, (part.strip().rstrip(";") for part in text.split("\n\n"))):
            server.ask(statement)


def make_texts(server):
    """Words for labels, and passages of the documentation for bodies."""
    syllables = "ba ce di fo gu ha je ki lo mu na pe qui ro su ta ve wi xo zu bra che dri flo gru sha ster kli".split()
    server.ask("CREATE TABLE bench_words (n UInt32, word String) ENGINE = MergeTree ORDER BY n")
    words = [syllables[n % 28] + syllables[n // 28 % 28] + syllables[n * 7 % 28] for n in range(4097)]
    server.ask("INSERT INTO bench_words FORMAT JSONEachRow\n" + rows("word", words))
    pages = []
    for name in sorted(glob.glob(ROOT + "/**/*.md", recursive=True)):
        with open(name, encoding="utf-8") as file:
            pages.append(re.sub(r"\s+", " ", file.read()).lower())
    text = " ".join(pages)
    passages = [text[at : at + 350 + at % 250] for at in range(0, len(text) - 600, 37)]
    server.ask("CREATE TABLE bench_passages (n UInt32, text String) ENGINE = MergeTree ORDER BY n")
    server.ask("INSERT INTO bench_passages FORMAT JSONEachRow\n" + rows("text", passages))


def rows(column, values):
    return "\n".join(json.dumps({"n": n, column: value}, ensure_ascii=False) for n, value in enumerate(values))


def fill(server, table, first, count, total):
    with open(os.path.join(HERE, table + ".sql"), encoding="utf-8") as file:
        statement = file.read()
    took = 0.0
    for at in range(first, first + count, FILL_STEP):
        step = min(FILL_STEP, first + count - at)
        words = {"{from}": at, "{count}": step, "{total}": total, "{step}": DAYS_US // total}
        filled = statement
        for token, number in words.items():
            filled = filled.replace(token, str(number))
        took += server.ask(filled)[1]
        print(f"  {table}: {at + step - first} of {count}, {took:.0f} s", flush=True)


def sizes(server):
    print(f"\n{'table':16} {'rows':>11} {'bytes':>11} {'indexes':>11}")
    parts = (
        "SELECT table, sum(rows), formatReadableSize(sum(bytes_on_disk)), formatReadableSize(sum(secondary_indices_compressed_bytes))"
        f" FROM system.parts WHERE active AND database = '{DATABASE}' AND table NOT LIKE 'bench%' GROUP BY table ORDER BY table"
    )
    for line in server.ask(parts)[0].splitlines():
        table, count, size, indexes = line.split("\t")
        print(f"{table:16} {count:>11} {size:>11} {indexes:>11}")


def measure(server):
    run = f"weir-bench-{time.time_ns()}"
    found = []
    for n, (_, sql) in enumerate(QUESTIONS):
        asked = [server.ask(f"{sql} SETTINGS log_comment = '{run} {n}', use_query_condition_cache = 0 FORMAT Null") for _ in range(ROUNDS)]
        found.append(sorted(took for _, took in asked)[ROUNDS // 2])
    server.ask("SYSTEM FLUSH LOGS")
    log = (
        "SELECT splitByChar(' ', log_comment)[2], round(median(ProfileEvents['UserTimeMicroseconds']"
        " + ProfileEvents['SystemTimeMicroseconds']) / 1000, 1), any(read_rows) FROM system.query_log"
        f" WHERE type = 'QueryFinish' AND startsWith(log_comment, '{run}') GROUP BY 1"
    )
    cpu = {int(line.split("\t")[0]): line.split("\t")[1:] for line in server.ask(log)[0].splitlines()}
    print(f"\n{'question':28} {'time ms':>8} {'CPU ms':>8} {'rows read':>10}")
    for n, (name, _) in enumerate(QUESTIONS):
        spent, read = cpu.get(n, ["?", "?"])
        print(f"{name:28} {found[n] * 1000:8.0f} {spent:>8} {read:>10}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--calls", type=int, default=10_000_000)
    parser.add_argument("--bodies", type=int, default=1_000_000, help="of the newest calls, so many have bodies")
    parser.add_argument("--keep", action="store_true", help="measure what an earlier run left, without filling again")
    wanted = parser.parse_args()
    server = Server(os.environ["CLICKHOUSE_URL"])
    print("ClickHouse", server.ask("SELECT version()", "system")[0])
    if not wanted.keep:
        migrate(server)
        make_texts(server)
        fill(server, "calls", 0, wanted.calls, wanted.calls)
        fill(server, "bodies", wanted.calls - wanted.bodies, wanted.bodies, wanted.calls)
        print("  merging bodies, which builds the text index:", end=" ", flush=True)
        print(f"{server.ask('OPTIMIZE TABLE bodies FINAL')[1]:.0f} s")
    sizes(server)
    measure(server)


if __name__ == "__main__":
    main()
