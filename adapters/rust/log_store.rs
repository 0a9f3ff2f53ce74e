//! A small store to copy the adapter from: one log for each namespace, shared by all processes.
//!
//! Every call appends one record, with one `write` to a file that is open for appending, and then
//! reads the log up to its own record. The order in the file is the order of the calls, so they are
//! atomic, and a process that is killed leaves nothing to wait for.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;

#[derive(Clone)]
pub struct Row {
    pub key: String,
    pub value: String,
    pub created_at: i64,
    pub expires_at: Option<i64>,
}

impl Row {
    fn live(&self, now: i64) -> bool {
        self.expires_at.map_or(true, |at| at > now)
    }
}

/// What a call comes to: a yes or no, a row or none, or rows.
pub enum Answer {
    Told(bool),
    Row(Option<Row>),
    Rows(Vec<Row>),
}

pub struct Call<'a> {
    pub method: &'a str,
    pub now: i64,
    pub key: &'a str,
    pub value: &'a str,
    pub ttl_ms: Option<i64>,
}

pub struct LogStore {
    file: File,
    ttl_ms: Option<i64>,
    rows: BTreeMap<String, Row>,
    read: u64,
    partial: Vec<u8>,
    made: u64,
    me: String,
}

impl LogStore {
    pub fn open(path: &str, ttl_ms: Option<i64>, me: String) -> std::io::Result<LogStore> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let (rows, partial) = (BTreeMap::new(), Vec::new());
        Ok(LogStore { file, ttl_ms, rows, read: 0, partial, made: 0, me })
    }

    /// Make one call and answer what it comes to.
    pub fn call(&mut self, call: &Call) -> std::io::Result<Answer> {
        self.made += 1;
        let by = format!("{}-{}", self.me, self.made);
        let ends = call.ttl_ms.or(self.ttl_ms).map(|ttl| call.now + ttl);
        let ends = ends.map_or(String::from("-"), |at| at.to_string());
        let key: String = call.key.bytes().map(|byte| format!("{byte:02x}")).collect();
        // It begins on a line of its own, also behind one that was cut off by a kill.
        let record = format!(
            "\n{by}\t{}\t{}\t{ends}\t{key}\t{}\t.\n",
            call.method, call.now, call.value
        );
        self.file.write_all(record.as_bytes())?;
        self.catch_up(&by)
    }

    fn catch_up(&mut self, by: &str) -> std::io::Result<Answer> {
        let mut answer = Answer::Told(false);
        let mut chunk = vec![0; 1 << 16];
        loop {
            let size = self.file.read_at(&mut chunk, self.read)?;
            if size == 0 {
                return Ok(answer);
            }
            self.read += size as u64;
            self.partial.extend_from_slice(&chunk[..size]);
            let whole = self.partial.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            let lines: Vec<u8> = self.partial.drain(..whole).collect();
            for line in String::from_utf8_lossy(&lines).split('\n') {
                let fields: Vec<&str> = line.split('\t').collect();
                if fields.len() == 7 && fields[6] == "." {
                    let found = self.apply(&fields);
                    if fields[0] == by {
                        answer = found;
                    }
                }
            }
        }
    }

    fn apply(&mut self, fields: &[&str]) -> Answer {
        let (method, now) = (fields[1], fields[2].parse().unwrap_or(0));
        let key = text_of(fields[4]);
        let row = self.rows.get(&key).filter(|row| row.live(now)).cloned();
        match method {
            "registerIfAbsent" if row.is_some() => return Answer::Told(false),
            "register" | "registerIfAbsent" => {
                let (value, expires_at) = (fields[5].to_string(), fields[3].parse().ok());
                let new = Row { key: key.clone(), value, created_at: now, expires_at };
                self.rows.insert(key, new);
                return Answer::Told(true);
            }
            "lookup" => return Answer::Row(row),
            "consume" | "delete" => {
                self.rows.remove(&key);
                return Answer::Row(row);
            }
            "clear" => self.rows.clear(),
            _ => {}
        }
        let mut rows: Vec<Row> = self.rows.values().filter(|row| row.live(now)).cloned().collect();
        rows.sort_by(|one, other| (one.created_at, &one.key).cmp(&(other.created_at, &other.key)));
        Answer::Rows(rows)
    }
}

fn text_of(hexadecimal: &str) -> String {
    let bytes: Vec<u8> = (0..hexadecimal.len() / 2)
        .filter_map(|at| u8::from_str_radix(&hexadecimal[2 * at..2 * at + 2], 16).ok())
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
