// The real `weir` binary as a process of its own.

const { spawn } = require("node:child_process");
const { once } = require("node:events");
const { mkdtempSync, rmSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { join } = require("node:path");
const { createInterface } = require("node:readline");

const ADMIN_TOKEN = "weir-admin-token-of-the-node-suite";
const API_KEY = "sk-weir-key-of-the-node-suite";

// Starts `weir serve --demo`, and returns when it serves: where, and how to stop it.
async function start() {
  const folder = mkdtempSync(join(tmpdir(), "weir-node-"));
  const addresses = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
  const env = { PATH: process.env.PATH, WEIR_ADMIN_TOKEN: ADMIN_TOKEN, WEIR_API_KEY: API_KEY };
  const child = spawn(process.env.WEIR_BIN, ["serve", "--demo", "--data-dir", folder, ...addresses], { env });
  child.stderr.resume();
  const ended = once(child, "exit");
  const printed = [];
  for await (const line of createInterface({ input: child.stdout })) {
    printed.push(line);
    const url = line.match(/(http:\/\/[0-9.:]+)\//);
    if (url && line.includes("data plane")) {
      child.stdout.resume();
      return { url: url[1], stop: () => stop(child, ended, folder) };
    }
  }
  throw new Error(`weir did not start:\n${printed.join("\n")}`);
}

async function stop(child, ended, folder) {
  child.kill("SIGTERM");
  const [code] = await ended;
  rmSync(folder, { recursive: true, force: true });
  if (code !== 0) throw new Error(`weir ended with ${code}`);
}

module.exports = { ADMIN_TOKEN, API_KEY, start };
