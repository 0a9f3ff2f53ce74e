// Looks first and writes then, with promises: the system calls are made by threads of a pool.
import { stat, writeFile } from "node:fs/promises";

import { serve } from "./protocol.mjs";

async function claim(path, value) {
  try {
    await stat(path);
    return false;
  } catch {
    await writeFile(path, value);
    return true;
  }
}

await serve(claim);
