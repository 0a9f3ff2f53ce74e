// What a claimant for Node.js says to onewinner: the stdio protocol, version 1 (specs/protocol.md).
// A namespace is a directory, and a key is a file in it.
import { mkdirSync, writeSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

const welcome = {
  protocol: 1,
  implementation: { name: "claimant", language: "javascript" },
  capabilities: { scope: "process", durable: true, operations: ["registerIfAbsent"] },
};

// Serve requests to the end; `claim` is told a file and a text for it, and answers whether it won.
export async function serve(claim) {
  const places = new Map(); // the directory of each connection, and of each handle
  const methods = {
    hello: () => welcome,
    connect: ({ connection, location }) => void places.set(connection, location),
    open({ connection, handle, plugin, namespace }) {
      places.set(handle, join(places.get(connection), `${plugin}.${namespace}`));
      mkdirSync(places.get(handle), { recursive: true });
    },
    registerIfAbsent: ({ handle, key, value }) =>
      claim(join(places.get(handle), key), JSON.stringify(value)),
    close() {},
    bye: () => process.exit(),
  };
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, method, params } = JSON.parse(line);
    const answer = { jsonrpc: "2.0", id };
    try {
      answer.result = (await methods[method](params)) ?? null;
    } catch (error) {
      answer.error = { code: -32000, message: error.message };
    }
    writeSync(1, `${JSON.stringify(answer)}\n`);
  }
}
