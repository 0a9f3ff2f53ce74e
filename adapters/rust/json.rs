//! As much JSON as the protocol takes, so that the adapter needs nothing but the compiler.
//!
//! Values that the store keeps are left as the text that they came in.

pub enum Json {
    Text(String),
    /// A list, an object, a number, `true`, `false` or `null`; or text that is no Unicode.
    Other,
}

pub struct Parser<'a> {
    text: &'a str,
    at: usize,
}

/// Parse a value.
pub fn parse(text: &str) -> Json {
    Parser { text, at: 0 }.value()
}

/// Answer the text of the member `name` of the object that `text` is.
pub fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut parser = Parser { text, at: 0 };
    if parser.next() != '{' {
        return None;
    }
    loop {
        match parser.next() {
            '"' => {}
            _ => return None,
        }
        parser.at -= 1;
        let key = parser.value();
        parser.next(); // the colon
        parser.skip();
        let start = parser.at;
        parser.value();
        if matches!(&key, Json::Text(found) if found == name) {
            return Some(&text[start..parser.at]);
        }
        if parser.next() != ',' {
            return None;
        }
    }
}

/// Answer the texts of the elements of the list that `text` is.
pub fn elements(text: &str) -> Vec<&str> {
    let mut parser = Parser { text, at: 0 };
    let mut found = Vec::new();
    parser.next();
    if parser.peek() == ']' {
        return found;
    }
    loop {
        parser.skip();
        let start = parser.at;
        parser.value();
        found.push(&text[start..parser.at]);
        if parser.next() != ',' {
            return found;
        }
    }
}

impl Parser<'_> {
    fn skip(&mut self) {
        while self.text[self.at..].starts_with(|c: char| c.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn peek(&mut self) -> char {
        self.skip();
        self.text[self.at..].chars().next().unwrap_or('\0')
    }

    fn next(&mut self) -> char {
        let found = self.peek();
        self.at += found.len_utf8();
        found
    }

    fn value(&mut self) -> Json {
        match self.peek() {
            '"' => self.string(),
            '[' | '{' => {
                self.next();
                while !"]}\0".contains(self.peek()) {
                    self.value();
                    if ",:".contains(self.peek()) {
                        self.next();
                    }
                }
                self.next();
                Json::Other
            }
            _ => {
                let rest = &self.text[self.at..];
                self.at += rest.find(|c| ",:]} \n".contains(c)).unwrap_or(rest.len());
                Json::Other
            }
        }
    }

    fn string(&mut self) -> Json {
        let mut units: Vec<u16> = Vec::new();
        let mut found = String::new();
        let mut whole = true;
        self.next();
        loop {
            let c = self.text[self.at..].chars().next().unwrap_or('"');
            self.at += c.len_utf8();
            if c != '\\' {
                whole &= flush(&mut units, &mut found);
                if c == '"' {
                    return if whole { Json::Text(found) } else { Json::Other };
                }
                found.push(c);
                continue;
            }
            let escaped = self.text[self.at..].chars().next().unwrap_or('"');
            self.at += escaped.len_utf8();
            if escaped == 'u' {
                let unit = u16::from_str_radix(&self.text[self.at..self.at + 4], 16);
                units.push(unit.unwrap_or(0xFFFD));
                self.at += 4;
                continue;
            }
            whole &= flush(&mut units, &mut found);
            found.push(match escaped {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'b' => '\u{8}',
                'f' => '\u{c}',
                other => other,
            });
        }
    }
}

/// Append UTF-16 units as text; answer whether they are some.
fn flush(units: &mut Vec<u16>, found: &mut String) -> bool {
    let text = String::from_utf16(units);
    units.clear();
    match text {
        Ok(text) => {
            found.push_str(&text);
            true
        }
        Err(_) => false,
    }
}

/// Answer text as JSON.
pub fn quoted(text: &str) -> String {
    let mut found = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                found.push('\\');
                found.push(c);
            }
            c if (c as u32) < 0x20 => found.push_str(&format!("\\u{:04x}", c as u32)),
            c => found.push(c),
        }
    }
    found + "\""
}
