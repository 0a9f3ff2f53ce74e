// Claims that the kernel decides: the file is made, or was there, in one system call.
// Serves "claim KEY VALUE" with "true", "false" or "error TEXT", on files in the directory given.
import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

const directory = process.argv[2];

function claim(key, value) {
  try {
    const file = openSync(join(directory, key), "wx");
    writeSync(file, value);
    closeSync(file);
    return "true";
  } catch (error) {
    return error.code === "EEXIST" ? "false" : `error ${error.code}`;
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const [, key, value] = line.match(/^claim (\S+) (.*)$/);
  process.stdout.write(`${claim(key, value)}\n`);
}
