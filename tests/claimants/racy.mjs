// Looks first and writes then: between the two anybody else may win as well.
import { existsSync, writeFileSync } from "node:fs";

import { serve } from "./protocol.mjs";

function claim(path, value) {
  if (existsSync(path)) return false;
  writeFileSync(path, value);
  return true;
}

await serve(claim);
