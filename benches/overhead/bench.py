#!/usr/bin/env python3
"""Measures what the gateway adds to a call, beside anchors, against a mock provider on the same machine.

Called by `cargo xtask bench overhead [...]`, which builds the programs. Everything runs inside a fresh network namespace
that has only `lo` where that is permitted: no port collides and nothing leaves the machine. Elsewhere it runs on plain
loopback. Each round starts every peer in turn, so that the drift of a noisy machine falls on all alike; figures are
medians over rounds.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import tomllib

import peers
import table

HERE = os.path.dirname(os.path.abspath(__file__))


class Setup:
    """Where things are and on which cores they run."""

    def __init__(self, arguments):
        self.run = os.path.abspath(os.environ.get("BENCH_RUN", "target/bench-overhead"))
        self.programs = os.path.abspath(os.environ.get("BENCH_BIN", "target/release"))
        self.gateway_cores, self.load_cores = arguments.gateway_cores, arguments.load_cores

    def expand(self, text):
        return text.replace("$RUN", self.run).replace("$BIN", self.programs)

    def lay_out(self):
        """Copies the configurations into the scratch folder, with its path filled in."""
        os.makedirs(f"{self.run}/conf", exist_ok=True)
        for name in os.listdir(f"{HERE}/conf"):
            with open(f"{HERE}/conf/{name}") as source, open(f"{self.run}/conf/{name}", "w") as out:
                out.write(source.read().replace("@RUN@", self.run))


def log(*words):
    print(time.strftime("%H:%M:%S"), *words, file=sys.stderr, flush=True)


def enter_namespace():
    """Starts this script again inside a network namespace of its own, if that is permitted."""
    if os.environ.get("BENCH_NAMESPACE"):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    tools = shutil.which("unshare") and shutil.which("ip")
    if not tools or subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode != 0:
        log("no network namespace (needs root and the packages util-linux and iproute2): using plain loopback")
        return
    os.environ["BENCH_NAMESPACE"] = "1"
    os.execvp("unshare", ["unshare", "-n", sys.executable, os.path.abspath(__file__), *sys.argv[1:]])


def check_tools():
    missing = [tool for tool in ("nginx", "wrk", "taskset") if not shutil.which(tool)]
    if missing:
        sys.exit(f"{', '.join(missing)} missing: apt-get install --no-install-recommends nginx-light wrk util-linux")


def measure(peer, scale):
    """One round of one peer."""
    seconds = lambda whole: max(1, round(whole * scale))
    result = {}
    peers.set_mock(chunks=32, chunk_us=0, first_us=0, latency_us=0)
    result["start_s"] = peer.start()
    time.sleep(1)
    result["idle_mb"] = peer.memory_mb()
    peer.wrk(16, seconds(3))
    result["c1"] = peer.with_cpu(lambda: peer.load(conc=1, secs=seconds(3)))
    for connections, length in ((16, 3), (64, 5), (256, 3)):
        result[f"c{connections}"] = peer.with_cpu(lambda: peer.wrk(connections, seconds(length)))
    result["load_mb"] = peer.memory_mb()
    result["r200"] = peer.with_cpu(lambda: peer.load(conc=32, secs=seconds(4), rate=200))
    # Beyond this rate the load generator's own core is what is measured.
    rate = min(15_000, round(result["c64"]["rps"] * 0.5))
    result["half"] = peer.with_cpu(lambda: peer.load(conc=64, secs=seconds(4), rate=rate))
    result["half"]["rate"] = rate
    peers.set_mock(first_us=20_000, chunk_us=5_000)
    result["paced"] = peer.with_cpu(lambda: peer.load(stream=True, conc=16, secs=seconds(4)))
    peers.set_mock(first_us=0, chunk_us=0)
    result["burst"] = peer.with_cpu(lambda: peer.load(stream=True, conc=16, secs=seconds(3)))
    result["stream1"] = peer.load(stream=True, conc=1, secs=seconds(2))
    result["records"] = peer.records_lost()
    result["load_average"] = os.getloadavg()[0]
    return result


def run_rounds(entries, setup, arguments):
    results = {entry["name"]: [] for entry in entries}
    for number in range(1, arguments.rounds + 1):
        for entry in entries:
            peer, begun = peers.Peer(entry, setup), time.time()
            try:
                result = measure(peer, arguments.scale)
                results[peer.name].append(result)
                log(f"round {number} {peer.name}: {result['c64']['cpu_us']:.1f} µs CPU a call, "
                    f"{result['c64']['rps']:.0f} calls/s at c=64 ({time.time() - begun:.0f} s)")
            except (OSError, RuntimeError, ValueError, subprocess.CalledProcessError) as problem:
                log(f"round {number} {peer.name}: FAILED {problem!r}")
            finally:
                peer.stop()
            with open(f"{setup.run}/results.json", "w") as file:
                json.dump(results, file, indent=1)
    return results


def soak(entry, setup, calls):
    """Many calls through one process; prints its memory as they pass."""
    peer = peers.Peer(entry, setup)
    peers.set_mock(chunks=32, chunk_us=0, first_us=0, latency_us=0)
    try:
        peer.start()
        time.sleep(1)
        print("| calls | memory MB (PSS) |\n| --- | --- |")
        print(f"| 0 | {peer.memory_mb():.1f} |", flush=True)
        begun, shown = peers.mock_calls(), 0
        while (passed := peers.mock_calls() - begun) < calls:
            peer.wrk(64, 2)
            step = (peers.mock_calls() - begun) * 10 // calls
            if step > shown:
                shown = step
                print(f"| {peers.mock_calls() - begun:,} | {peer.memory_mb():.1f} |", flush=True)
        time.sleep(5)
        print(f"| {passed:,}, 5 s later | {peer.memory_mb():.1f} |")
        print(peer.records_lost())
    finally:
        peer.stop()


def choose(arguments):
    with open(f"{HERE}/peers.toml", "rb") as file:
        entries = tomllib.load(file)["peer"]
    if arguments.peers:
        wanted = arguments.peers.split(";")
        return [entry for entry in entries if entry["name"] in wanted]
    return [entry for entry in entries if not entry.get("optional")]


def main():
    parser = argparse.ArgumentParser(prog="cargo xtask bench overhead", description=__doc__.split("\n")[0])
    parser.add_argument("--peers", default="", help="names from peers.toml with ; between them (default: all but optional)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the length of every phase; 0.3 for a quick look")
    parser.add_argument("--soak", type=int, metavar="CALLS", help="instead: memory of `weir` over so many calls")
    parser.add_argument("--gateway-cores", default="0")
    parser.add_argument("--load-cores", default="1", help="the mock provider's and the load generator's")
    parser.add_argument("--table", metavar="FILE", help="instead: print the tables of an earlier results.json")
    arguments = parser.parse_args()
    if arguments.table:
        with open(arguments.table) as file:
            return table.print_all(json.load(file))
    check_tools()
    enter_namespace()
    setup = Setup(arguments)
    setup.lay_out()
    mock = subprocess.Popen(["taskset", "-c", setup.load_cores, f"{setup.programs}/mock-provider"])
    time.sleep(0.5)
    try:
        entries = choose(arguments)
        if arguments.soak:
            arguments.peers = arguments.peers or "weir"
            return soak(choose(arguments)[0], setup, arguments.soak)
        results = run_rounds(entries, setup, arguments)
        table.print_all(results)
        unmeasured = [name for name, rounds in results.items() if len(rounds) < arguments.rounds]
        if unmeasured:
            sys.exit(f"not measured in every round: {', '.join(unmeasured)}; see above")
    finally:
        mock.terminate()
        mock.wait()


if __name__ == "__main__":
    main()
