// Looks first and writes then, with promises: the system calls are made by threads of a pool.
// Serves "claim KEY VALUE" with "true", "false" or "error TEXT", on files in the directory given.
import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";

const directory = process.argv[2];

async function claim(key, value) {
  const path = join(directory, key);
  try {
    await stat(path);
    return "false";
  } catch {
    await writeFile(path, value);
    return "true";
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const [, key, value] = line.match(/^claim (\S+) (.*)$/);
  process.stdout.write(`${await claim(key, value)}\n`);
}
