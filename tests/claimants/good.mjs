// Claims that the kernel decides: the file is made, or was there, in one system call.
import { closeSync, openSync, writeSync } from "node:fs";

import { serve } from "./protocol.mjs";

function claim(path, value) {
  try {
    const file = openSync(path, "wx");
    writeSync(file, value);
    closeSync(file);
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

await serve(claim);
