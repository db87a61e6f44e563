"""The figures as Markdown: medians over the rounds, ratios against the anchor, and the targets."""

import statistics

ANCHOR = "nginx+log"


def median(rounds, *path):
    values = []
    for value in rounds:
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            values.append(value)
    return statistics.median(values) if values else None


def show(value, digits=0, divisor=1.0):
    return "-" if value is None else f"{value / divisor:,.{digits}f}"


def ratio(value, anchor):
    return "-" if not value or not anchor else f"{value / anchor:.2f}"


def row(*cells):
    return "| " + " | ".join(cells) + " |"


def print_all(results):
    anchor = results.get(ANCHOR, [])
    print_whole(results, anchor)
    print_streams(results)
    print_lost(results)
    print_targets(results, anchor)


def print_whole(results, anchor):
    print("\nWhole answers; times in µs, CPU in µs a call at 64 connections, memory in MB (PSS).\n")
    heads = ["", "CPU", f"× {ANCHOR}", "own path", "×", "one connection p50/p99", "200 calls/s p50/p99",
             "half of maximum: calls/s, p50/p99", "calls/s c=64", "memory idle/load", "errors"]
    print(row(*heads))
    print(row(*["---"] * len(heads)))
    cpu_anchor = median(anchor, "c64", "cpu_us")
    for name, rounds in results.items():
        m = lambda *path: median(rounds, *path)
        times = lambda phase: "/".join(show(m(phase, "total_us", key)) for key in ("p50", "p99"))
        cpu, own = m("c64", "cpu_us") or None, m("c64", "own_us") or None
        print(row(name, show(cpu, 1), ratio(cpu, cpu_anchor), show(own, 1), ratio(own, cpu_anchor), times("c1"),
                  times("r200"), f"{show(m('half', 'rate'))}, {times('half')}", show(m("c64", "rps")),
                  f"{show(m('idle_mb'))}/{show(m('load_mb'))}", str(errors(rounds))))


def errors(rounds):
    return sum(phase.get("errors", 0) for result in rounds for phase in result.values() if isinstance(phase, dict))


def print_streams(results):
    print("\nStreams of 32 events. Paced: first after 20 ms, then 5 ms apart, 16 connections; burst: no pauses.\n")
    heads = ["", "paced: first byte p50/p99 ms", "paced: CPU ms a stream", "burst: streams/s c=16",
             "burst: CPU ms a stream", "burst c=1: first byte/whole p50 µs", "reads a paced stream"]
    print(row(*heads))
    print(row(*["---"] * len(heads)))
    for name, rounds in results.items():
        m = lambda *path: median(rounds, *path)
        first = "/".join(show(m("paced", "ttfb_us", key), 2, 1e3) for key in ("p50", "p99"))
        single = f"{show(m('stream1', 'ttfb_us', 'p50'))}/{show(m('stream1', 'total_us', 'p50'))}"
        print(row(name, first, show(m("paced", "cpu_us") or None, 2, 1e3), show(m("burst", "rps")),
                  show(m("burst", "cpu_us") or None, 2, 1e3), single, show(m("paced", "reads_per_req"), 1)))


def print_lost(results):
    for name, rounds in results.items():
        for number, result in enumerate(rounds, 1):
            records = result.get("records")
            if records:
                print(f"\n{name}, round {number}: {records['reached']:,} calls reached the provider, "
                      f"{records['written']:,} records written, {records['dropped']:,} dropped, "
                      f"{records['lost']:,} lost" + ("" if records["lost"] + records["dropped"] == 0 else " — FIGURES VOID"))


def print_targets(results, anchor):
    rounds, plain = results.get("weir"), results.get("nginx")
    if not rounds or not anchor or not plain:
        return
    of, base = lambda *path: median(rounds, *path), lambda *path: median(plain, *path)
    cpu = median(anchor, "c64", "cpu_us")
    ms = lambda value: None if value is None else value / 1e3
    more = lambda *path: None if of(*path) is None or base(*path) is None else ms(of(*path) - base(*path))
    per = lambda value: None if value is None or not cpu else value / cpu
    checks = [
        (f"CPU a call, × {ANCHOR}", per(of("c64", "cpu_us")), 2.75),
        (f"own path, × {ANCHOR}", per(of("c64", "own_us")), 1.6),
        ("200 calls/s p50, ms over nginx", more("r200", "total_us", "p50"), 0.25),
        ("200 calls/s p99, ms over nginx", more("r200", "total_us", "p99"), 1.0),
        ("one connection p50, ms over nginx", more("c1", "total_us", "p50"), 0.1),
        ("paced stream, CPU ms", ms(of("paced", "cpu_us")), 1.2),
        ("paced stream first byte p50, ms over nginx", more("paced", "ttfb_us", "p50"), 0.3),
        ("memory idle, MB", of("idle_mb"), 40),
    ]
    print("\nTargets of `weir`:\n")
    print(row("", "measured", "at most", ""))
    print(row(*["---"] * 4))
    for what, measured, limit in checks:
        verdict = "-" if measured is None else "met" if measured <= limit else "missed"
        print(row(what, show(measured, 2), str(limit), verdict))
