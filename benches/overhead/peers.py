"""One program under test: how it is started, called, measured and stopped."""

import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

import processes

HERE = os.path.dirname(os.path.abspath(__file__))
MOCK = "http://127.0.0.1:9100"
PROMPT = "bench%2Fsupport-reply"


def get(url, headers=None):
    request = urllib.request.Request(url, headers=headers or {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read()


def mock_calls():
    """How many calls have reached the mock provider."""
    stats = json.loads(get(f"{MOCK}/_mock/stats"))
    return stats["completions"] + stats["streams"]


def set_mock(**settings):
    get(f"{MOCK}/_mock/set?" + "&".join(f"{name}={value}" for name, value in settings.items()))


def microseconds(text):
    number, unit = re.match(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}[unit]


class Peer:
    def __init__(self, entry, setup):
        self.entry, self.setup, self.process = entry, setup, None
        self.name = entry["name"]
        self.url = entry["base"] + "/v1/chat/completions"
        self.headers = entry.get("headers", ["Authorization: Bearer sk-x"])
        self.bodies, self.stream_bodies = [], []
        for name in entry.get("bodies", ["body.json"]):
            with open(f"{HERE}/{name}") as file:
                body = json.load(file)
            self.bodies.append(self._keep(f"whole-{name}", body))
            self.stream_bodies.append(self._keep(f"stream-{name}", {**body, "stream": True}))

    def _keep(self, name, body):
        path = f"{self.setup.run}/{name}"
        with open(path, "w") as file:
            json.dump(body, file, separators=(",", ":"))
        return path

    def start(self):
        """Starts the program, waits until every body is answered, and returns the seconds that took."""
        self.reached_before = mock_calls()
        if not self.entry.get("start"):
            return 0.0
        if self.entry.get("prepare"):
            subprocess.run(["bash", "-c", self.setup.expand(self.entry["prepare"])], check=True)
        begun = time.time()
        with open(self.log, "w") as log:
            command = ["taskset", "-c", self.setup.gateway_cores, "bash", "-c",
                       "exec " + self.setup.expand(self.entry["start"])]
            self.process = subprocess.Popen(
                command, env={**os.environ, **self.entry.get("env", {})}, cwd=self.setup.run,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        self._wait_until(lambda: self._answers(self.bodies[:1]))
        seconds = time.time() - begun
        if self.entry.get("admin"):
            self._put_prompt()
            self._wait_until(lambda: self._answers(self.bodies))
        return seconds

    @property
    def log(self):
        return f"{self.setup.run}/{re.sub('[^a-z+-]+', '-', self.name)}.log"

    def _wait_until(self, ready):
        begun = time.time()
        while True:
            try:
                return ready()
            except (OSError, ValueError, LookupError) as problem:
                if self.process.poll() is not None or time.time() - begun > 30:
                    raise RuntimeError(f"{self.name} did not come up: {problem!r}; see {self.log}") from problem
            time.sleep(0.05)

    def _answers(self, bodies):
        for path in bodies:
            with open(path, "rb") as file:
                answer = self._send("POST", self.url, file.read(), self.headers)
            if not json.loads(answer)["choices"][0]["message"]["content"]:
                raise ValueError("an empty answer")

    @staticmethod
    def _send(method, url, body, headers):
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method=method)
        for line in headers:
            name, value = line.split(":", 1)
            request.add_header(name, value.strip())
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def _put_prompt(self):
        token = f"Authorization: Bearer {self.entry['env']['WEIR_ADMIN_TOKEN']}"
        with open(f"{HERE}/prompt.json", "rb") as file:
            content = file.read()
        try:
            self._send("POST", f"{self.entry['admin']}/api/v1/prompts/{PROMPT}/versions", content, [token])
        except urllib.error.HTTPError as refused:
            raise RuntimeError(f"the prompt was refused: {refused.read().decode()}") from refused

    def stop(self):
        if self.process is None:
            return
        for number, seconds in ((signal.SIGTERM, 40), (signal.SIGKILL, 5)):
            try:
                os.killpg(self.process.pid, number)   # the session this script started, and nothing else
            except ProcessLookupError:
                break
            try:
                self.process.wait(seconds)
                break
            except subprocess.TimeoutExpired:
                continue
        self.process = None

    def records_lost(self):
        """Calls that reached the mock less records written; None where there are no records."""
        if not self.entry.get("admin"):
            return None
        written, deadline = -1, time.time() + 15
        while time.time() < deadline:
            now = self._metric("weir_records_written_total")
            if now == written:
                break
            written = now
            time.sleep(0.5)
        reached = mock_calls() - self.reached_before
        return {"reached": reached, "written": written, "dropped": self._metric("weir_records_dropped_total"),
                "lost": max(0, reached - written)}

    def _metric(self, name):
        text = get(f"{self.entry['admin']}/metrics").decode()
        values = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.M)
        return int(sum(map(float, values)))

    def memory_mb(self):
        return processes.memory_mb(self.process.pid) if self.process else None

    def cpu_ns(self):
        return processes.cpu_ns(self.process.pid, self.entry.get("aside", ())) if self.process else (0, 0)

    def load(self, stream=False, **options):
        """Runs our own load generator."""
        command = ["taskset", "-c", self.setup.load_cores, f"{self.setup.programs}/load-generator", "--url", self.url]
        for path in self.stream_bodies if stream else self.bodies:
            command += ["--body", path]
        for header in self.headers:
            command += ["-H", header]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    def wrk(self, connections, seconds):
        """Runs wrk, whose own cost per call is the smallest: for throughput and CPU figures."""
        command = ["taskset", "-c", self.setup.load_cores, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s",
                   "--timeout", "20s", "-s", f"{HERE}/post.lua", self.url]
        settings = {"BODIES": "\n".join(self.bodies), "HEADERS": "\n".join(self.headers)}
        out = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **settings}).stdout
        bad = sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", out)))
        sockets = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
        bad += sum(map(int, sockets.groups())) if sockets else 0
        return {"rps": float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]), "errors": bad}

    def with_cpu(self, phase):
        """Runs a phase and adds the CPU µs per call.

        wrk leaves calls unanswered when its time is up, so CPU is counted until the program is idle again, over the
        calls that reached the mock: no phase inherits a backlog."""
        before, aside_before = self.cpu_ns()
        reached_before = mock_calls()
        result = phase()
        if self.process:
            self._wait_until_idle()
        after, aside_after = self.cpu_ns()
        calls = max(1, mock_calls() - reached_before)
        result["cpu_us"] = (after - before) / calls / 1000
        result["own_us"] = (after - before - aside_after + aside_before) / calls / 1000
        return result

    def _wait_until_idle(self):
        deadline = time.time() + 15
        while time.time() < deadline:
            spent = self.cpu_ns()[0]
            time.sleep(0.25)
            if self.cpu_ns()[0] - spent < 0.05 * 0.25e9:
                return
