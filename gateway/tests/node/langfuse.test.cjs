// Prompts through Langfuse's unmodified JavaScript SDKs: `@langfuse/client`, and `langfuse`, the one before it.

const assert = require("node:assert/strict");
const { randomUUID } = require("node:crypto");
const { after, before, test } = require("node:test");

const { LangfuseClient } = require("@langfuse/client");
const { Langfuse } = require("langfuse");
const { ADMIN_TOKEN, API_KEY, start } = require("./gateway.cjs");

const REPLY = [
  { role: "system", content: "Be {{tone}}." },
  { type: "placeholder", name: "history" },
  { role: "user", content: "{{question}}" },
];
const HISTORY = [
  { role: "user", content: "Hello" },
  { role: "assistant", content: "Hi" },
];

let gateway;
let clients;

before(async () => {
  gateway = await start();
  const pair = (secretKey) => ({ publicKey: "pk-lf-any", secretKey, baseUrl: gateway.url });
  clients = {
    reader: new LangfuseClient(pair(API_KEY)),
    writer: new LangfuseClient(pair(ADMIN_TOKEN)),
    oldReader: new Langfuse({ ...pair(API_KEY), enabled: false }),
    oldWriter: new Langfuse({ ...pair(ADMIN_TOKEN), enabled: false }),
  };
});

after(() => gateway.stop());

// A prompt of one test's own, in a folder.
const fresh = () => `langfuse/${randomUUID()}`;

test("a text prompt is created, read and compiled", async () => {
  const name = fresh();
  const config = { model: "demo/demo-small", temperature: 0.2, owner: "ann" };
  await clients.writer.prompt.create({ name, prompt: "Hi {{name}}", labels: ["production"], tags: ["a"], config });
  const read = await clients.reader.prompt.get(name);
  assert.deepEqual([read.version, read.type, read.labels, read.tags], [1, "text", ["production", "latest"], ["a"]]);
  assert.deepEqual(read.config, config);
  assert.equal(read.compile({ name: "<Ada>" }), "Hi <Ada>");
  assert.equal(read.getLangchainPrompt(), "Hi {name}");
});

test("a chat prompt keeps its placeholders", async () => {
  const name = fresh();
  await clients.writer.prompt.create({ name, type: "chat", prompt: REPLY, labels: ["production"] });
  const read = await clients.reader.prompt.get(name, { type: "chat" });
  assert.deepEqual(read.compile({ tone: "kind", question: "Why?" }, { history: HISTORY }), [
    { role: "system", content: "Be kind." },
    ...HISTORY,
    { role: "user", content: "Why?" },
  ]);
  assert.deepEqual(read.getLangchainPrompt()[1], ["placeholder", "{history}"]);
});

test("versions are read by label and number, and labels move", async () => {
  const name = fresh();
  for (const prompt of ["one", "two"]) await clients.writer.prompt.create({ name, prompt, labels: ["production"] });
  const uncached = { cacheTtlSeconds: 0, maxRetries: 0 };
  const read = async (options) => (await clients.reader.prompt.get(name, { ...uncached, ...options })).prompt;
  assert.deepEqual([await read({ version: 1 }), await read({}), await read({ label: "latest" })], ["one", "two", "two"]);
  await clients.writer.prompt.update({ name, version: 1, newLabels: ["production", "stable"] });
  assert.deepEqual([await read({}), await read({ label: "stable" })], ["one", "one"]);
  await assert.rejects(read({ label: "nowhere" }), (error) => error.statusCode === 404);
});

test("a prompt is cached until it is refreshed behind the scenes", async () => {
  const name = fresh();
  const read = async (cacheTtlSeconds) => (await clients.reader.prompt.get(name, { cacheTtlSeconds })).prompt;
  await clients.writer.prompt.create({ name, prompt: "one", labels: ["production"] });
  assert.equal(await read(1), "one");
  await clients.writer.prompt.create({ name, prompt: "two", labels: ["production"] });
  assert.equal(await read(1), "one", "it is cached");
  const deadline = Date.now() + 30_000;
  while ((await read(1)) !== "two") {
    assert.ok(Date.now() < deadline, "the cache is never refreshed");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});

test("a fallback serves when there is no prompt", async () => {
  const read = await clients.reader.prompt.get(fresh(), { fallback: "Hi {{name}}", maxRetries: 0 });
  assert.ok(read.isFallback);
  assert.equal(read.compile({ name: "Ada" }), "Hi Ada");
});

test("prompts are listed, and gone when they are deleted", async () => {
  const name = fresh();
  await clients.writer.prompt.create({ name, prompt: "one", labels: ["production"], tags: [name] });
  const listed = await clients.reader.api.prompts.list({ tag: name });
  assert.deepEqual(listed.data.map((prompt) => [prompt.name, prompt.versions]), [[name, [1]]]);
  await clients.writer.prompt.delete(name);
  assert.equal((await clients.reader.api.prompts.list({ tag: name })).meta.totalItems, 0);
});

test("either secret sees the project, and a virtual key writes nothing", async () => {
  for (const client of [clients.reader, clients.writer]) {
    assert.equal((await client.api.projects.get()).data[0].name, "default");
  }
  const refused = clients.reader.prompt.create({ name: fresh(), prompt: "one" });
  await assert.rejects(refused, (error) => error.statusCode === 403 && error.body.error === "ForbiddenError");
});

test("the SDK before it reads and writes as well", async () => {
  const name = fresh();
  await clients.oldWriter.createPrompt({ name, type: "chat", prompt: REPLY, labels: ["production"], config: { n: 1 } });
  const read = await clients.oldReader.getPrompt(name, undefined, { type: "chat" });
  assert.deepEqual([read.version, read.config], [1, { n: 1 }]);
  assert.equal(read.compile({ tone: "kind" }, { history: HISTORY })[0].content, "Be kind.");
  await clients.oldWriter.createPrompt({ name: `${name}-text`, prompt: "Hi {{name}}", isActive: true });
  assert.equal((await clients.oldReader.getPrompt(`${name}-text`)).compile({ name: "Ada" }), "Hi Ada");
  await clients.oldWriter.updatePrompt({ name, version: 1, newLabels: ["stable"] });
  assert.equal((await clients.oldReader.getPrompt(name, undefined, { type: "chat", label: "stable" })).version, 1);
});
