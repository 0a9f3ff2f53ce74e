// The adapter for OpenClaw's plugin-state store: `node adapter.mjs RELEASE`, where RELEASE is a
// directory made by `install.py`. It speaks the stdio protocol (specs/protocol.md).
//
// Calls go to the store as a plugin's would, and what it answers or throws is handed on. Three things
// are arranged around it. Time: each request carries `now`, and `Date.now`, which the store reads,
// answers that, so TTLs are exact. Places: a process of OpenClaw has one state directory, which the
// environment names, and one instance of the store; here each location gets an instance of its own,
// and the environment names its directory during its calls. Types: a key is declared `string`, and a
// plugin that passes a number does not compile; such a call is refused here.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const release = process.argv[2];
const about = JSON.parse(readFileSync(join(release, "store.json"), "utf8"));
const entry = pathToFileURL(join(release, about.entry)).href;

let now = Date.now();
Date.now = () => now;
// What the store prints for people must not stand between answers.
for (const say of ["log", "info", "debug"]) console[say] = console.error;

// One instance of the store for a location, with the functions that the adapter calls.
async function instance(location) {
  const exported = await import(`${entry}?location=${encodeURIComponent(location)}`);
  const taken = (use) => exported[about.exports[use]];
  return {
    location,
    connections: new Set(),
    create: taken("create"),
    sweepExpired: taken("sweepExpired"),
    close: taken("close"),
  };
}

// A call that the store's types do not declare.
class NotDeclared extends Error {
  code = "PLUGIN_STATE_INVALID_INPUT";

  constructor(method) {
    super("the key is no string, which the types of the store exclude");
    this.operation = method === "registerIfAbsent" ? "register" : method;
  }
}

const instances = new Map();
const connections = new Map();
const handles = new Map();

async function connect({ connection, location }) {
  if (!instances.has(location)) instances.set(location, await instance(location));
  const made = instances.get(location);
  made.connections.add(connection);
  connections.set(connection, made);
  return null;
}

function open({ connection, handle, plugin, namespace, maxEntries, defaultTtlMs }) {
  const at = connections.get(connection);
  process.env.OPENCLAW_STATE_DIR = at.location;
  const options = { namespace, maxEntries, ...(defaultTtlMs === undefined ? {} : { defaultTtlMs }) };
  handles.set(handle, { at, store: at.create(plugin, options) });
  return null;
}

// The database of a process is closed when nobody there needs it any more.
async function close({ connection }) {
  const at = connections.get(connection);
  connections.delete(connection);
  at.connections.delete(connection);
  if (at.connections.size === 0) await at.close();
  return null;
}

function sweepExpired({ connection }) {
  const at = connections.get(connection);
  process.env.OPENCLAW_STATE_DIR = at.location;
  return at.sweepExpired();
}

// Make one operation of the contract and answer its result.
async function operation(method, params) {
  const { at, store } = handles.get(params.handle);
  process.env.OPENCLAW_STATE_DIR = at.location;
  now = params.now;
  const { key, value, ttlMs } = params;
  if ("key" in params && typeof key !== "string") throw new NotDeclared(method);
  const options = ttlMs === undefined ? undefined : { ttlMs };
  switch (method) {
    case "register":
      await store.register(key, value, options);
      return null;
    case "registerIfAbsent":
      return await store.registerIfAbsent(key, value, options);
    case "lookup":
    case "consume": {
      const found = await store[method](key);
      return found === undefined ? { found: false } : { found: true, value: found };
    }
    case "delete":
      return await store.delete(key);
    case "entries":
      return (await store.entries()).map((row) => ({ ...row, expiresAt: row.expiresAt ?? null }));
    case "clear":
      await store.clear();
      return null;
  }
}

// Make operations one after the other, from the agreed instant on.
async function batch({ at, operations }) {
  const clock = () => Number(process.hrtime.bigint());
  while (clock() < at);
  const results = [];
  for (const { method, params } of operations) {
    const start = clock();
    const outcome = {};
    try {
      outcome.result = await operation(method, params);
    } catch (error) {
      outcome.error = failure(method, error);
    }
    results.push({ ...outcome, t: [start, clock()] });
  }
  return { results };
}

// An error of the store names its code and its operation; any other says nothing of what happened.
function failure(method, error) {
  const message = error.cause ? `${error.message} (${error.cause.message})` : String(error.message);
  if (!String(error.code).startsWith("PLUGIN_STATE_")) return { code: -32000, message };
  return { code: -32000, message, data: { code: error.code, operation: error.operation } };
}

async function welcome() {
  const { create, sweepExpired } = await instance("");
  const store = { ...create("onewinner", { namespace: "methods", maxEntries: 1 }), sweepExpired };
  const methods = "register registerIfAbsent lookup consume delete entries clear sweepExpired";
  return {
    protocol: 1,
    implementation: {
      name: "openclaw",
      version: about.version,
      language: `JavaScript (Node.js ${process.versions.node})`,
      issues: "https://github.com/openclaw/openclaw/issues",
    },
    capabilities: {
      scope: "process",
      durable: true,
      virtualClock: true,
      ttlUnitMs: 1,
      operations: methods.split(" ").filter((name) => store[name] !== undefined),
      eviction: "oldest",
      validatesInput: true,
      privateFiles: true,
      batch: true,
      ...about.limits,
    },
  };
}

// Answer the result of one request.
async function serve(method, params) {
  if (params.now !== undefined) now = params.now;
  switch (method) {
    case "hello":
      return welcome();
    case "connect":
      return connect(params);
    case "open":
      return open(params);
    case "close":
      return close(params);
    case "sweepExpired":
      return sweepExpired(params);
    case "bye":
      process.exit();
    case "batch":
      return batch(params);
    default:
      return operation(method, params);
  }
}

// Lines end with a line feed and nothing else: `node:readline` also ends them within text, at U+2028.
async function* lines() {
  let rest = "";
  for await (const chunk of process.stdin.setEncoding("utf8")) {
    const parts = (rest + chunk).split("\n");
    rest = parts.pop();
    yield* parts;
  }
}

for await (const line of lines()) {
  const { id, method, params } = JSON.parse(line);
  const answer = { jsonrpc: "2.0", id };
  try {
    answer.result = await serve(method, params);
  } catch (error) {
    answer.error = failure(method, error);
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
