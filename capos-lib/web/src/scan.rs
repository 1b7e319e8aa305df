//! Where the head of a request ends, found byte by byte: a peer that sends one byte at a time has each looked at once.

use crate::fault::Fault;

/// What a longest target stands between on its line: method, version, spaces.
const AROUND_TARGET: usize = 32;

/// How far somebody has looked into what arrived.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Scan {
    /// Bytes looked at.
    at: usize,
    /// Where the head begins: empty lines before it are skipped.
    start: usize,
    /// Where the line begins that is being looked at.
    line: usize,
}

/// The head, without the empty lines before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Span {
    pub start: usize,
    pub end: usize,
}

impl Scan {
    /// Whether a head has begun.
    pub fn has_begun(&self) -> bool {
        self.at > self.start
    }

    /// Looks at the bytes that are new in `input`, which begins where it did before.
    ///
    /// # Errors
    /// A line that is too long, too many lines, a line feed without a carriage return (which others read as another end), and what begins like
    /// no request at all.
    pub fn look(&mut self, input: &[u8], target: usize, head: usize) -> Result<Option<Span>, Fault> {
        while let Some(&byte) = input.get(self.at) {
            let before = self.at.checked_sub(1).and_then(|at| input.get(at));
            self.at += 1;
            if byte == b'\n' {
                if before != Some(&b'\r') || self.at - self.line < 2 {
                    return Err(Fault::Malformed);
                }
                let empty = self.at - self.line == 2;
                if empty && self.line > self.start {
                    return Ok(Some(Span { start: self.start, end: self.at }));
                }
                if empty {
                    self.start = self.at;
                }
                self.line = self.at;
            } else if self.at - 1 == self.start && !(byte.is_ascii_alphabetic() || byte == b'\r') {
                return Err(Fault::Malformed);
            }
            if self.line == self.start && self.at - self.start > target + AROUND_TARGET {
                return Err(Fault::Target);
            }
            if self.at > head {
                return Err(Fault::Head);
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(input: &[u8]) -> Result<Option<Span>, Fault> {
        let whole = Scan::default().look(input, 20, 100);
        let mut scan = Scan::default();
        let mut found = Ok(None);
        for end in 1..=input.len() {
            found = scan.look(&input[..end], 20, 100);
            if found != Ok(None) {
                break;
            }
        }
        assert_eq!(whole, found, "byte by byte it is the same");
        whole
    }

    #[test]
    fn an_empty_line_ends_it() {
        let text = b"\r\n\r\nGET / HTTP/1.1\r\na: b\r\n\r\nrest";
        assert_eq!(look(text), Ok(Some(Span { start: 4, end: text.len() - 4 })));
        assert_eq!(look(b"GET / HTTP/1.1\r\na: b\r\n\r"), Ok(None));
        assert_eq!(look(b"\r\n"), Ok(None));
    }

    #[test]
    fn what_can_become_no_head_is_known_at_once() {
        assert_eq!(look(b"GET / HTTP/1.1\n"), Err(Fault::Malformed));
        assert_eq!(look(b"\x16\x03\x01"), Err(Fault::Malformed));
        assert_eq!(look(b"\n"), Err(Fault::Malformed));
        assert_eq!(look(b" GET"), Err(Fault::Malformed));
    }

    #[test]
    fn lines_and_heads_have_limits() {
        assert_eq!(look(&[b'G'; 53]), Err(Fault::Target));
        assert_eq!(look(&[b'G'; 52]), Ok(None));
        let mut many = b"GET / HTTP/1.1\r\n".to_vec();
        many.extend([b'a'; 84]);
        assert_eq!(look(&many), Ok(None));
        many.push(b'a');
        assert_eq!(look(&many), Err(Fault::Head));
        assert_eq!(look(&b"\r\n".repeat(51)), Err(Fault::Head));
    }
}
