// An adapter for the stdio protocol: `onewinner verify "exec:node adapters/node/adapter.mjs"`.
//
// What is said to the kit stands in `serve`; the rest is the store (`log_store.mjs`). With the word
// `racy` the store behind it is broken on purpose.
import { writeSync } from "node:fs";

import { LogStore, RacyStore, Refused } from "./log_store.mjs";

const Kind = process.argv[2] === "racy" ? RacyStore : LogStore;
const locations = new Map();
const stores = new Map();
const opened = new Map();

const welcome = {
  protocol: 1,
  implementation: { name: "log store", version: "1", language: "javascript" },
  capabilities: {
    scope: "process",
    durable: true,
    virtualClock: true,
    ttlUnitMs: 1,
    operations: "register registerIfAbsent lookup consume delete entries clear".split(" "),
    batch: true,
  },
};

// Make one operation of the contract and answer its result.
function operation(method, { handle, now, key, value, ttlMs }) {
  const found = stores.get(handle).call(method, now, key, value, ttlMs);
  if (method === "lookup" || method === "consume")
    return found === null ? { found: false } : { found: true, value: found.value };
  return method === "delete" ? found !== null : found;
}

// Make operations one after the other, from the agreed instant on.
function batch({ at, operations }) {
  const clock = () => Number(process.hrtime.bigint());
  while (clock() < at);
  const results = operations.map(({ method, params }) => {
    const start = clock();
    const result = operation(method, params);
    return { result, t: [start, clock()] };
  });
  return { results };
}

// Answer the result of one request.
function serve(method, p) {
  switch (method) {
    case "hello":
      return welcome;
    case "connect":
      locations.set(p.connection, p.location);
      opened.set(p.connection, []);
      return null;
    case "open":
      stores.set(p.handle, new Kind(locations.get(p.connection), p.plugin, p.namespace, p.defaultTtlMs));
      opened.get(p.connection).push(p.handle);
      return null;
    case "close":
      for (const handle of opened.get(p.connection)) stores.get(handle).close(), stores.delete(handle);
      return null;
    case "bye":
      process.exit();
    case "batch":
      return batch(p);
    default:
      return operation(method, p);
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
    answer.result = serve(method, params);
  } catch (error) {
    const code = error instanceof Refused ? "INVALID_INPUT" : "WRITE_FAILED";
    const operation = method === "registerIfAbsent" ? "register" : method;
    answer.error = { code: -32000, message: error.message, data: { code, operation } };
  }
  writeSync(1, `${JSON.stringify(answer)}\n`);
}
