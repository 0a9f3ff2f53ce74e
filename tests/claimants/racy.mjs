// Looks first and writes then: between the two anybody else may win as well.
// Serves "claim KEY VALUE" with "true", "false" or "error TEXT", on files in the directory given.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

const directory = process.argv[2];

function claim(key, value) {
  const path = join(directory, key);
  if (existsSync(path)) return "false";
  writeFileSync(path, value);
  return "true";
}

for await (const line of createInterface({ input: process.stdin })) {
  const [, key, value] = line.match(/^claim (\S+) (.*)$/);
  process.stdout.write(`${claim(key, value)}\n`);
}
