"""The real `weir` binary as a process of its own, and the ways people reach it."""

import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from urllib.parse import quote

ADMIN_TOKEN = "weir-admin-token-of-the-sdk-suite"
API_KEY = "sk-weir-key-of-the-sdk-suite"
PATIENCE_S = 30


@dataclass
class Gateway:
    """A running gateway."""

    data: str
    admin: str
    process: subprocess.Popen
    printed: list = field(default_factory=list)

    @property
    def base_url(self):
        return f"{self.data}/v1"

    def call_admin(self, method, path, body=None):
        """Asks the admin API as curl would, and returns the JSON it answers with."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {ADMIN_TOKEN}", "content-type": "application/json"}
        request = urllib.request.Request(f"{self.admin}/api/v1{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
            text = response.read()
        return json.loads(text) if text else None

    def publish(self, name, version):
        return self.call_admin("POST", f"/prompts/{quote(name, safe='')}/versions", version)

    def move_label(self, name, label, version):
        return self.call_admin("PUT", f"/prompts/{quote(name, safe='')}/labels/{label}", {"version": version})

    def make_key(self, **scope):
        return self.call_admin("POST", "/keys", {"name": "for a test", **scope})["secret"]

    def search(self, text):
        """Runs `weir calls search TEXT --json` and returns the calls, newest first."""
        command = [self.process.args[0], "calls", "search", text, "--json"]
        command += ["--admin-url", self.admin, "--admin-token", ADMIN_TOKEN]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, env=environment())
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["data"]

    def find(self, text, count=1):
        """Searches until so many calls are found: records are written a moment after the call."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = self.search(text)
            if len(found) >= count:
                assert len(found) == count, found
                return found
            assert time.monotonic() < deadline, f"{text} finds {len(found)} calls, not {count}"
            time.sleep(0.02)


def environment(**more):
    """Nothing of the machine's own settings: no other provider, no other data folder."""
    return {"PATH": os.environ.get("PATH", ""), **more}


def start(binary, folder, provider_url):
    """Starts `weir serve --demo` with a second provider, and returns when it serves."""
    variables = environment(
        WEIR_ADMIN_TOKEN=ADMIN_TOKEN,
        WEIR_API_KEY=API_KEY,
        OPENAI_API_KEY="sk-of-the-scripted-provider",
        OPENAI_BASE_URL=provider_url,
    )
    command = [binary, "serve", "--demo", "--data-dir", str(folder)]
    command += ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=variables)
    gateway = Gateway("", "", process)
    serving = threading.Event()
    threading.Thread(target=read, args=(gateway, serving), daemon=True).start()
    if not serving.wait(PATIENCE_S):
        process.kill()
        raise AssertionError("weir did not start:\n" + "".join(gateway.printed))
    return gateway


def read(gateway, serving):
    """Reads what the process prints, to its end, and takes the addresses from it."""
    for line in gateway.process.stdout:
        gateway.printed.append(line)
        url = re.search(r"(http://[0-9.:]+)/", line)
        if url and "data plane" in line:
            gateway.data = url[1]
        if url and "admin API" in line:
            gateway.admin = url[1]
        if gateway.data and gateway.admin:
            serving.set()


def stop(gateway):
    """Ends the process as an init system does, and returns its exit code."""
    gateway.process.send_signal(signal.SIGTERM)
    return gateway.process.wait(PATIENCE_S)
