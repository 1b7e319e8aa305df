//! Who may ask for what.

use crate::authority::Authority;
use crate::head::Head;
use crate::response::{Response, Status};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::hint::black_box;

/// The secret that who acts has to know.
pub struct Token(Vec<u8>);

/// A secret that somebody could guess, or could not send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WeakToken;

impl fmt::Display for WeakToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a token has {} letters, digits or any of -._~+/= at least, and {} at most",
            Token::LEAST,
            Token::MOST
        )
    }
}

impl core::error::Error for WeakToken {}

impl Token {
    /// Characters of a token.
    pub const LEAST: usize = 16;
    /// So that comparing takes as long whatever came.
    pub const MOST: usize = 128;

    /// A token, without what stands around it.
    ///
    /// # Errors
    /// [`WeakToken`]
    pub fn new(text: &str) -> Result<Token, WeakToken> {
        let text = text.trim();
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if (Self::LEAST..=Self::MOST).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Token(text.as_bytes().to_vec()))
        } else {
            Err(WeakToken)
        }
    }

    /// Whether that is it. It takes as long wherever they differ.
    pub fn is(&self, other: &str) -> bool {
        let at = |bytes: &[u8], n: usize| bytes.get(n).copied().unwrap_or(0);
        let other = other.as_bytes();
        let start = u8::from(self.0.len() != other.len());
        let wrong =
            (0..Self::MOST).fold(start, |wrong, n| black_box(wrong | (at(&self.0, n) ^ at(other, n))));
        black_box(wrong) == 0
    }
}

/// Why something is not done for somebody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// It is for a host that this is not: perhaps a page of somebody else, whose name was made to point here.
    Host,
    /// It comes from a page of somebody else.
    Origin,
    /// It is what a form of any page could send.
    Media,
    /// Nobody may act here.
    Closed,
    /// It has no token, or another one.
    Token,
}

impl Refusal {
    /// How it is answered.
    pub fn answer(self) -> Response {
        let (status, why) = match self {
            Refusal::Host => (Status::MisdirectedRequest, "this is no host of that name"),
            Refusal::Origin => (Status::Forbidden, "only pages of this host may ask that"),
            Refusal::Media => (Status::UnsupportedMediaType, "the body has to be application/json"),
            Refusal::Closed => {
                (Status::Forbidden, "no operator token was given to this host, so nobody may act")
            }
            Refusal::Token => (Status::Unauthorized, "this takes the operator's token"),
        };
        Response::text(status, why)
    }
}

/// Says who may.
#[derive(Default)]
pub struct Guard {
    names: Vec<String>,
    token: Option<Token>,
}

impl Guard {
    /// With these names, besides `localhost` and numbers of hosts. Without a token nobody may act.
    pub fn new(names: Vec<String>, token: Option<Token>) -> Guard {
        Guard { names, token }
    }

    /// Whether anybody may act.
    pub fn is_open(&self) -> bool {
        self.token.is_some()
    }

    /// Whether a request may be answered at all.
    ///
    /// # Errors
    /// [`Refusal::Host`], [`Refusal::Origin`]
    pub fn reading(&self, head: &Head) -> Result<(), Refusal> {
        // Who speaks HTTP/1.0 is no browser.
        let Some(host) = &head.host else { return Ok(()) };
        let authority = Authority::parse(host).ok_or(Refusal::Host)?;
        let called = |name: &str| authority.host.eq_ignore_ascii_case(name);
        if !(authority.is_address || called("localhost") || self.names.iter().any(|name| called(name))) {
            return Err(Refusal::Host);
        }
        match &head.origin {
            Some(origin) if !is_from(origin, &authority) => Err(Refusal::Origin),
            _ => Ok(()),
        }
    }

    /// Whether something may be done. A token alone would do, since no browser sends it by itself; the rest is for the day when one does.
    ///
    /// # Errors
    /// All of [`Refusal`].
    pub fn acting(&self, head: &Head) -> Result<(), Refusal> {
        self.reading(head)?;
        if head.fetch_site.as_deref().is_some_and(|site| !matches!(site, "same-origin" | "none")) {
            return Err(Refusal::Origin);
        }
        let media = head.content_type.as_deref().and_then(|kind| kind.split(';').next()).map(str::trim);
        if !media.is_some_and(|media| media.eq_ignore_ascii_case("application/json")) {
            return Err(Refusal::Media);
        }
        let token = self.token.as_ref().ok_or(Refusal::Closed)?;
        let given = head.authorization.as_deref().and_then(|text| text.split_once(' '));
        match given {
            Some((scheme, given)) if scheme.eq_ignore_ascii_case("Bearer") && token.is(given.trim()) => {
                Ok(())
            }
            _ => Err(Refusal::Token),
        }
    }
}

fn is_from(origin: &str, host: &Authority<'_>) -> bool {
    origin.strip_prefix("http://").and_then(Authority::parse).is_some_and(|origin| origin.is(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::parse;
    use alloc::{format, vec};

    const SECRET: &str = "0123456789abcdef";

    fn guard() -> Guard {
        Guard::new(vec!["capos.example".into()], Some(Token::new(SECRET).unwrap()))
    }

    fn head(fields: &str) -> Head {
        parse(format!("POST /x HTTP/1.1\r\nContent-Length: 0\r\n{fields}\r\n").as_bytes()).unwrap()
    }

    fn reads(fields: &str) -> Result<(), Refusal> {
        guard().reading(&head(fields))
    }

    fn acts(fields: &str) -> Result<(), Refusal> {
        guard().acting(&head(&format!("Host: localhost:80\r\n{fields}")))
    }

    #[test]
    fn names_that_are_not_ours_are_refused() {
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:2", "192.0.2.7", "Capos.example"] {
            assert_eq!(reads(&format!("Host: {host}\r\n")), Ok(()), "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "capos.example.", "x"]
        {
            assert_eq!(reads(&format!("Host: {host}\r\n")), Err(Refusal::Host), "{host}");
        }
    }

    #[test]
    fn pages_of_others_are_refused() {
        let from = |origin: &str| reads(&format!("Host: localhost:8080\r\nOrigin: {origin}\r\n"));
        assert_eq!(from("http://localhost:8080"), Ok(()));
        for origin in [
            "http://localhost",
            "https://localhost:8080",
            "null",
            "http://evil.example",
            "",
            "http://x@localhost:8080",
        ] {
            assert_eq!(from(origin), Err(Refusal::Origin), "{origin}");
        }
    }

    #[test]
    fn acting_takes_all_of_it() {
        let json = "Content-Type: application/json; charset=utf-8\r\n";
        let token = format!("Authorization: bearer {SECRET}\r\n");
        assert_eq!(acts(&format!("{json}{token}")), Ok(()));
        assert_eq!(acts(&format!("{json}{token}Sec-Fetch-Site: same-origin\r\n")), Ok(()));
        assert_eq!(acts(&format!("{json}{token}Sec-Fetch-Site: cross-site\r\n")), Err(Refusal::Origin));
        assert_eq!(acts(&format!("{json}{token}Origin: http://evil.example\r\n")), Err(Refusal::Origin));
        assert_eq!(acts(&token), Err(Refusal::Media));
        assert_eq!(acts(&format!("Content-Type: text/plain\r\n{token}")), Err(Refusal::Media));
        assert_eq!(acts(json), Err(Refusal::Token));
        for wrong in [
            "Bearer 0123456789abcdeg",
            "Bearer 0123456789abcde",
            "Bearer",
            "Basic 0123456789abcdef",
            "Bearer  ",
        ] {
            assert_eq!(acts(&format!("{json}Authorization: {wrong}\r\n")), Err(Refusal::Token), "{wrong}");
        }
        let closed = Guard::default();
        let asked = head(&format!("Host: localhost\r\n{json}{token}"));
        assert_eq!((closed.acting(&asked), closed.is_open()), (Err(Refusal::Closed), false));
    }

    #[test]
    fn tokens_that_can_be_guessed_are_none() {
        for weak in ["", "short", "0123456789abcde", "0123456789 abcdef", "0123456789abcdé", &"x".repeat(129)]
        {
            assert!(Token::new(weak).is_err(), "{weak}");
        }
        let longest = "y".repeat(128);
        let token = Token::new(&format!(" {longest}\n")).unwrap();
        assert!(token.is(&longest) && !token.is(&format!("{longest}y")) && !token.is(""));
        assert!(!Token::new(SECRET).unwrap().is(&format!("{SECRET}\0")));
    }
}
