//! A reader of JSON (RFC 8259) for untrusted text: bounded depth, each name once, errors with line and column.

use super::json::Json;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Deeper text is refused, so that no text can use up the stack.
const DEPTH: usize = 32;

/// Where reading stopped, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JsonError {
    /// Line, from 1.
    pub line: usize,
    /// Column in bytes, from 1.
    pub column: usize,
    /// What is wrong there.
    pub problem: &'static str,
}

impl fmt::Display for JsonError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {}, column {}: {}", self.line, self.column, self.problem)
    }
}

impl core::error::Error for JsonError {}

impl Json {
    /// Reads one value and nothing else.
    pub fn parse(text: &str) -> Result<Json, JsonError> {
        let mut parser = Parser { text, at: 0 };
        let result = parser.value(DEPTH).and_then(|value| match parser.peek() {
            None => Ok(value),
            Some(_) => Err("there is more behind the value"),
        });
        result.map_err(|problem| parser.error(problem))
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

type Parsed<T> = Result<T, &'static str>;

impl Parser<'_> {
    fn error(&self, problem: &'static str) -> JsonError {
        let before = self.text.as_bytes().get(..self.at).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let column = 1 + before.iter().rev().take_while(|byte| **byte != b'\n').count();
        JsonError { line, column, problem }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        self.byte()
    }

    fn expect(&mut self, byte: u8, problem: &'static str) -> Parsed<()> {
        if self.peek() != Some(byte) {
            return Err(problem);
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Parsed<Json> {
        let depth = depth.checked_sub(1).ok_or("this is nested too deeply")?;
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'0'..=b'9') => self.number(),
            Some(b'-') => Err("a negative number; no value of a manifest is negative"),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            Some(_) => Err("this begins no value"),
            None => Err("the text ends where a value should be"),
        }
    }

    fn word(&mut self, word: &str, value: Json) -> Parsed<Json> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err("this begins no value");
        }
        self.at += word.len();
        Ok(value)
    }

    fn number(&mut self) -> Parsed<Json> {
        let start = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if matches!(self.byte(), Some(b'.' | b'e' | b'E')) {
            return Err("a fraction; all values of a manifest are whole");
        }
        let digits = self.text.get(start..self.at).unwrap_or_default();
        if digits.len() > 1 && digits.starts_with('0') {
            return Err("a number that begins with 0");
        }
        digits.parse().map(Json::Number).map_err(|_| "a number that is too large")
    }

    fn list(&mut self, depth: usize) -> Parsed<Json> {
        let mut items = Vec::new();
        self.at += 1;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.peek() != Some(b',') {
                break;
            }
            self.at += 1;
        }
        self.expect(b']', "a list goes on with , or ends with ]")?;
        Ok(Json::List(items))
    }

    fn object(&mut self, depth: usize) -> Parsed<Json> {
        let mut members: Vec<(String, Json)> = Vec::new();
        let mut names = alloc::collections::BTreeSet::new();
        self.at += 1;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Object(members));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err("a member begins with its name in quotes");
            }
            let name = self.string()?;
            if !names.insert(name.clone()) {
                return Err("this name is there twice");
            }
            self.expect(b':', "a : follows a name")?;
            members.push((name, self.value(depth)?));
            if self.peek() != Some(b',') {
                break;
            }
            self.at += 1;
        }
        self.expect(b'}', "an object goes on with , or ends with }")?;
        Ok(Json::Object(members))
    }

    fn string(&mut self) -> Parsed<String> {
        let mut out = String::new();
        self.at += 1;
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let c = rest.chars().next().ok_or("the text ends inside of a string")?;
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(out),
                '\\' => out.push(self.escape()?),
                '\0'..='\x1f' => return Err("a control character inside of a string"),
                other => out.push(other),
            }
        }
    }

    fn escape(&mut self) -> Parsed<char> {
        let kind = self.byte().ok_or("the text ends inside of a string")?;
        self.at += 1;
        Ok(match kind {
            b'"' | b'\\' | b'/' => char::from(kind),
            b'b' => '\x08',
            b'f' => '\x0c',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => {
                self.at -= 1;
                return Err("there is no such escape");
            }
        })
    }

    /// `\uXXXX`, or two of them for a character beyond the first 65,536.
    fn unicode(&mut self) -> Parsed<char> {
        const HALF: &str = "half a character";
        let first = self.hex4()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first).ok_or(HALF);
        }
        if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with("\\u")) {
            return Err(HALF);
        }
        self.at += 2;
        let second = self.hex4()?;
        let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400).ok_or(HALF)?;
        char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + low).ok_or(HALF)
    }

    fn hex4(&mut self) -> Parsed<u32> {
        let digits = self.text.get(self.at..self.at + 4).unwrap_or_default();
        if digits.len() != 4 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err("four hexadecimal digits should be here");
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| "four hexadecimal digits should be here")
    }
}
