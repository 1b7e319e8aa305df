//! What a request asks for.

use crate::authority::Authority;
use crate::fault::Fault;
use alloc::string::String;
use alloc::vec::Vec;

/// A path and what stands behind its question mark.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// Decoded. It begins with a slash and has no control characters; dots in it mean nothing.
    pub path: String,
    /// As it came; empty without one.
    pub query: String,
}

impl Target {
    /// The target and, if it says so itself, whom it is for (RFC 9112, 3.2).
    ///
    /// # Errors
    /// [`Fault::Malformed`]
    pub fn parse(text: &str) -> Result<(Target, Option<String>), Fault> {
        let (authority, rest) = match text.get(..7) {
            Some(scheme) if scheme.eq_ignore_ascii_case("http://") => {
                let rest = text.get(7..).unwrap_or_default();
                let end = rest.find(['/', '?']).unwrap_or(rest.len());
                let (authority, rest) = rest.split_at(end);
                Authority::parse(authority).ok_or(Fault::Host)?;
                (Some(String::from(authority)), if rest.is_empty() { "/" } else { rest })
            }
            _ => (None, text),
        };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        if !path.starts_with('/') || rest.contains('#') {
            return Err(Fault::Malformed);
        }
        let path = decoded(path).ok_or(Fault::Malformed)?;
        Ok((Target { path, query: String::from(query) }, authority))
    }

    /// The value of a name in the query, decoded.
    pub fn asked(&self, name: &str) -> Option<String> {
        let pairs = self.query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.filter(|(key, _)| *key == name).find_map(|(_, value)| decoded(value))
    }
}

/// Text with its `%41` replaced; `None` when one is cut off, or the result is no text or has control characters.
pub fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        out.push(digit()? << 4 | digit()?);
    }
    String::from_utf8(out).ok().filter(|text| !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Result<(String, String, Option<String>), Fault> {
        Target::parse(text).map(|(target, authority)| (target.path, target.query, authority))
    }

    #[test]
    fn paths_queries_and_whole_addresses() {
        assert_eq!(parts("/"), Ok(("/".into(), "".into(), None)));
        assert_eq!(parts("/a%2fb?c=%41&d"), Ok(("/a/b".into(), "c=%41&d".into(), None)));
        assert_eq!(parts("HTTP://h:1/x?y"), Ok(("/x".into(), "y".into(), Some("h:1".into()))));
        assert_eq!(parts("http://h"), Ok(("/".into(), "".into(), Some("h".into()))));
        assert_eq!(parts("http://h?q"), Err(Fault::Malformed));
    }

    #[test]
    fn what_is_no_target() {
        for wrong in
            ["", "*", "x", "https://h/", "/%", "/%4", "/%zz", "/%00", "/%ff", "/a#b", "/%0d%0a", "/%+1"]
        {
            assert_eq!(parts(wrong), Err(Fault::Malformed), "{wrong}");
        }
        assert_eq!(parts("http://u@h/"), Err(Fault::Host));
    }

    #[test]
    fn values_of_queries() {
        let (target, _) = Target::parse("/?a=1&b=x%20y&a=2&c").unwrap();
        assert_eq!(target.asked("a").as_deref(), Some("1"));
        assert_eq!(target.asked("b").as_deref(), Some("x y"));
        assert_eq!((target.asked("c").as_deref(), target.asked("d")), (Some(""), None));
    }
}
