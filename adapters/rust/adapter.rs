//! An adapter for the stdio protocol. It takes nothing but the compiler:
//!
//!     rustc -O -o adapter adapters/rust/adapter.rs && onewinner verify exec:./adapter
//!
//! What is said to the kit stands in `serve`; the rest is the store (`log_store.rs`) and as much
//! JSON as it takes (`json.rs`). Calls are made on threads, up to eight at a time. With the word
//! `racy` the store behind it is broken on purpose: it looks first and writes then.

mod json;
mod log_store;

use json::{elements, member, parse, quoted, Json};
use log_store::{Answer, Call, LogStore, Row};
use std::collections::hash_map::{DefaultHasher, HashMap};
use std::hash::{Hash, Hasher};
use std::io::{stdin, stdout, BufRead, Write};
use std::sync::{Arc, Mutex};

const WELCOME: &str = r#"{"protocol":1,
    "implementation":{"name":"log store","version":"1","language":"rust"},
    "capabilities":{"scope":"process","durable":true,"virtualClock":true,"ttlUnitMs":1,
    "operations":["register","registerIfAbsent","lookup","consume","delete","entries","clear"],
    "batch":true,"maxInFlight":8}}"#;

/// The last millisecond that every reader of JSON holds exactly.
const LAST_MS: i64 = (1 << 53) - 1;

/// What went wrong: a code of the contract, and words.
struct Failed(&'static str, String);

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Failed {
        Failed("WRITE_FAILED", error.to_string())
    }
}

type Shared = Arc<Mutex<LogStore>>;

#[derive(Default)]
struct Served {
    locations: HashMap<i64, String>,
    stores: HashMap<i64, (i64, Shared)>,
}

fn number(p: &str, name: &str) -> Option<i64> {
    member(p, name).and_then(|text| text.parse().ok())
}

fn text(p: &str, name: &str) -> Result<String, Failed> {
    match member(p, name).map(parse) {
        Some(Json::Text(found)) => Ok(found),
        _ => Err(Failed("INVALID_INPUT", format!("{name} is not text"))),
    }
}

/// Make one operation of the contract and answer its result.
fn operation(store: &Shared, method: &str, p: &str, racy: bool) -> Result<String, Failed> {
    let ends = number(p, "ttlMs").map(|ttl| number(p, "now").unwrap_or(0).saturating_add(ttl));
    if ends.map_or(member(p, "ttlMs").is_some(), |at| at > LAST_MS) {
        return Err(Failed("INVALID_INPUT", "the ttl is no number, or ends too late".into()));
    }
    let key = if member(p, "key").is_some() { text(p, "key")? } else { String::new() };
    let call = |method| {
        let (now, ttl_ms) = (number(p, "now").unwrap_or(0), number(p, "ttlMs"));
        let value = member(p, "value").unwrap_or("null");
        store.lock().unwrap().call(&Call { method, now, key: &key, value, ttl_ms })
    };
    if racy && method == "registerIfAbsent" {
        if let Answer::Row(Some(_)) = call("lookup")? {
            return Ok("false".into());
        }
        call("register")?;
        return Ok("true".into());
    }
    Ok(match call(method)? {
        Answer::Told(told) => told.to_string(),
        Answer::Row(row) if method == "delete" => row.is_some().to_string(),
        Answer::Row(None) => r#"{"found":false}"#.into(),
        Answer::Row(Some(row)) => format!(r#"{{"found":true,"value":{}}}"#, row.value),
        Answer::Rows(rows) => format!("[{}]", rows.iter().map(listed).collect::<Vec<_>>().join(",")),
    })
}

fn listed(row: &Row) -> String {
    let expires = row.expires_at.map_or("null".into(), |at| at.to_string());
    format!(
        r#"{{"key":{},"value":{},"createdAt":{},"expiresAt":{expires}}}"#,
        quoted(&row.key),
        row.value,
        row.created_at
    )
}

/// Make operations one after the other, from the agreed instant on.
fn batch(served: &Served, p: &str, racy: bool) -> Result<String, Failed> {
    let at = number(p, "at").unwrap_or(0);
    let operations = elements(member(p, "operations").unwrap_or("[]"));
    while monotonic_ns() < at {}
    let mut results = Vec::new();
    for each in operations {
        let p = member(each, "params").unwrap_or("{}");
        let (_, store) = &served.stores[&number(p, "handle").unwrap_or(0)];
        let start = monotonic_ns();
        let outcome = operation(store, &text(each, "method")?, p, racy);
        let end = monotonic_ns();
        results.push(format!(r#"{{"t":[{start},{end}],{}}}"#, told(outcome, "register")));
    }
    Ok(format!(r#"{{"results":[{}]}}"#, results.join(",")))
}

fn told(outcome: Result<String, Failed>, method: &str) -> String {
    match outcome {
        Ok(result) => format!(r#""result":{}"#, result.replace('\n', "")),
        Err(Failed(code, message)) => format!(
            r#""error":{{"code":-32000,"message":{},"data":{{"code":"{code}","operation":"{method}"}}}}"#,
            quoted(&message)
        ),
    }
}

fn answer(id: i64, method: &str, outcome: Result<String, Failed>) {
    let method = if method == "registerIfAbsent" { "register" } else { method };
    let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},{}}}\n", told(outcome, method));
    let mut out = stdout().lock();
    out.write_all(line.as_bytes()).and_then(|_| out.flush()).expect("the kit reads answers");
}

/// Answer the result of one request that is no operation.
fn serve(served: &mut Served, id: i64, method: &str, p: &str, racy: bool) -> Result<String, Failed> {
    let connection = number(p, "connection").unwrap_or(0);
    match method {
        "hello" => return Ok(WELCOME.into()),
        "connect" => {
            served.locations.insert(connection, text(p, "location")?);
        }
        "open" => {
            let (plugin, namespace) = (text(p, "plugin")?, text(p, "namespace")?);
            let mut name = DefaultHasher::new(); // the same in every process
            (plugin, namespace).hash(&mut name);
            let path = format!("{}/{:016x}.log", served.locations[&connection], name.finish());
            let me = format!("{}-{id}", std::process::id());
            let store = LogStore::open(&path, number(p, "defaultTtlMs"), me)?;
            let shared = (connection, Arc::new(Mutex::new(store)));
            served.stores.insert(number(p, "handle").unwrap_or(0), shared);
        }
        "close" => served.stores.retain(|_, (owner, _)| *owner != connection),
        "batch" => return batch(served, p, racy),
        "bye" => std::process::exit(0),
        _ => return Err(Failed("UNKNOWN_METHOD", format!("no method {method}"))),
    }
    Ok("null".into())
}

fn main() {
    let racy = std::env::args().nth(1).as_deref() == Some("racy");
    let mut served = Served::default();
    for line in stdin().lock().lines() {
        let line = line.expect("requests are UTF-8");
        let (id, p) = (number(&line, "id").unwrap_or(0), member(&line, "params").unwrap_or("{}"));
        let method = text(&line, "method").unwrap_or_default();
        let store = number(p, "handle").and_then(|handle| served.stores.get(&handle));
        match store.map(|(_, store)| store.clone()) {
            Some(store) => {
                let p = p.to_string();
                std::thread::spawn(move || {
                    answer(id, &method, operation(&store, &method, &p, racy));
                });
            }
            None => answer(id, &method, serve(&mut served, id, &method, p, racy)),
        }
    }
}

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
}

/// Answer CLOCK_MONOTONIC, which the standard library reads and does not show.
fn monotonic_ns() -> i64 {
    let mut time = Timespec { seconds: 0, nanoseconds: 0 };
    unsafe { clock_gettime(1, &mut time) };
    time.seconds * 1_000_000_000 + time.nanoseconds
}
