// A small store to copy the adapter from: one log for each namespace, shared by all processes.
//
// Every call appends one record, with one `write` to a file that is open for appending, and then
// reads the log up to its own record. The order in the file is the order of the calls, so they are
// atomic without any lock, and a process that is killed leaves nothing to wait for.
import { createHash, randomBytes } from "node:crypto";
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";

const CHUNK = Buffer.alloc(1 << 16);

export class LogStore {
  #rows = new Map();
  #read = 0;
  #partial = Buffer.alloc(0);
  #made = 0;
  #me = randomBytes(8).toString("hex");
  #file;
  #ttlMs;

  constructor(location, plugin, namespace, ttlMs) {
    const name = createHash("sha256").update(JSON.stringify([plugin, namespace])).digest("hex");
    this.#file = openSync(join(location, `${name}.log`), "a+", 0o600);
    this.#ttlMs = ttlMs;
  }

  // Make one call and answer what it comes to.
  call(method, now, key = "", value = null, ttl = this.#ttlMs) {
    this.#made += 1;
    const by = `${this.#me}-${this.#made}`;
    const ends = ttl === undefined ? null : now + ttl;
    refuseWhatCannotBeKept(key, ends);
    // It begins on a line of its own, also behind one that was cut off by a kill.
    writeSync(this.#file, `\n${JSON.stringify([by, method, now, key, value, ends])}\n`);
    return this.#catchUp(by);
  }

  close() {
    closeSync(this.#file);
  }

  #catchUp(by) {
    let answer = null;
    for (let size; (size = readSync(this.#file, CHUNK, 0, CHUNK.length, this.#read)); ) {
      this.#read += size;
      const seen = Buffer.concat([this.#partial, CHUNK.subarray(0, size)]);
      const end = seen.lastIndexOf(10) + 1;
      this.#partial = seen.subarray(end);
      for (const [who, ...call] of parsed(seen.toString("utf8", 0, end))) {
        const found = this.#apply(...call);
        if (who === by) answer = found;
      }
      if (size < CHUNK.length) break;
    }
    return answer;
  }

  #apply(method, now, key, value, ends) {
    const row = this.#rows.get(key);
    const live = row !== undefined && isLive(row, now);
    switch (method) {
      case "registerIfAbsent":
        if (live) return false;
      // falls through
      case "register":
        this.#rows.set(key, { key, value, createdAt: now, expiresAt: ends });
        return true;
      case "consume":
      case "delete":
        this.#rows.delete(key);
      // falls through
      case "lookup":
        return live ? row : null;
      case "clear":
        this.#rows.clear();
    }
    return [...this.#rows.values()].filter((each) => isLive(each, now)).sort(byAge);
  }
}

// The same with a claim that looks first and writes then: two may see nothing and go on.
export class RacyStore extends LogStore {
  call(method, now, key, value, ttl) {
    if (method !== "registerIfAbsent") return super.call(method, now, key, value, ttl);
    if (super.call("lookup", now, key) !== null) return false;
    return super.call("register", now, key, value, ttl);
  }
}

function isLive(row, now) {
  return row.expiresAt === null || row.expiresAt > now;
}

export class Refused extends Error {}

// Text that no UTF-8 can hold, and a time that no number of JavaScript can.
function refuseWhatCannotBeKept(key, ends) {
  if (/\p{Surrogate}/u.test(key)) throw new Refused("the key holds half of a character");
  if (ends !== null && !Number.isSafeInteger(ends)) throw new Refused("the ttl ends after 2^53 ms");
}

// Keys are ordered as text is in most languages; JavaScript would compare halves of characters.
function byAge(one, other) {
  return one.createdAt - other.createdAt || Buffer.compare(Buffer.from(one.key), Buffer.from(other.key));
}

// All records at once; one by one where one of them was cut off.
function parsed(text) {
  try {
    return JSON.parse(`[${text.trim().replaceAll("\n\n", ",")}]`);
  } catch {
    return text.split("\n").flatMap((line) => {
      try {
        return [JSON.parse(line)];
      } catch {
        return [];
      }
    });
  }
}
