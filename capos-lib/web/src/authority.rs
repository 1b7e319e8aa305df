//! Whom a request is for: `name`, `name:port`, `192.0.2.1:80`, `[2001:db8::1]:80`.

use core::net::{Ipv4Addr, Ipv6Addr};

/// Longest name there is (RFC 1035).
const LONGEST: usize = 255;

/// A host as requests name it, and the port if they do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Authority<'a> {
    /// Without brackets.
    pub host: &'a str,
    /// Not the one of the scheme.
    pub port: Option<u16>,
    /// The host is the number of one: no name that somebody could let point elsewhere.
    pub is_address: bool,
}

impl<'a> Authority<'a> {
    /// Reads one; `None` when it is none. Users and passwords have no place in it.
    pub fn parse(text: &'a str) -> Option<Authority<'a>> {
        let (host, port, is_address) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']')?;
                host.parse::<Ipv6Addr>().ok()?;
                let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) };
                (host, port, true)
            }
            None => {
                let (host, port) =
                    text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
                (host, port, host.parse::<Ipv4Addr>().is_ok())
            }
        };
        let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if host.is_empty() || host.len() > LONGEST || !(is_address || host.chars().all(letter)) {
            return None;
        }
        let port = match port {
            // An empty port is the usual one (RFC 3986).
            None | Some("") => None,
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => Some(digits.parse().ok()?),
            Some(_) => return None,
        };
        Some(Authority { host, port, is_address })
    }

    /// Whether both are the same place to a browser, where neither says more than it must.
    pub fn is(&self, other: &Authority<'_>) -> bool {
        let usual = |port: Option<u16>| port.unwrap_or(80);
        self.host.eq_ignore_ascii_case(other.host) && usual(self.port) == usual(other.port)
    }
}

#[cfg(test)]
mod tests {
    use super::Authority;

    fn parts(text: &str) -> Option<(&str, Option<u16>, bool)> {
        Authority::parse(text).map(|it| (it.host, it.port, it.is_address))
    }

    #[test]
    fn names_and_addresses() {
        assert_eq!(parts("capos"), Some(("capos", None, false)));
        assert_eq!(parts("Capos.example:8080"), Some(("Capos.example", Some(8080), false)));
        assert_eq!(parts("127.0.0.1:80"), Some(("127.0.0.1", Some(80), true)));
        assert_eq!(parts("[::1]"), Some(("::1", None, true)));
        assert_eq!(parts("[fe80::1]:81"), Some(("fe80::1", Some(81), true)));
        assert_eq!(parts("a:"), Some(("a", None, false)));
    }

    #[test]
    fn what_is_neither() {
        for wrong in [
            "",
            ":80",
            "a b",
            "user@a",
            "a/b",
            "[::1",
            "[a]",
            "[::1]x",
            "a:65536",
            "a:-1",
            "a:+1",
            "a:8:9",
            "ä",
            "a,b",
            "[1.2.3.4]",
        ] {
            assert_eq!(parts(wrong), None, "{wrong}");
        }
        assert_eq!(parts(&"a".repeat(256)), None);
    }

    #[test]
    fn letters_of_names_do_not_differ_by_their_size() {
        let same = |one, other| Authority::parse(one).unwrap().is(&Authority::parse(other).unwrap());
        assert!(same("A.b", "a.B:80") && same("[::1]:8080", "[::1]:8080"));
        assert!(!same("a", "b") && !same("a:1", "a:2") && !same("a", "a:8080"));
    }
}
