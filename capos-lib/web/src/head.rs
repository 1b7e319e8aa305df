//! The head of a request.

use crate::authority::Authority;
use crate::fault::Fault;
use crate::target::Target;
use alloc::string::String;
use httparse::Status::Complete;

/// Most fields of a head.
const FIELDS: usize = 64;

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// Tell it.
    Get,
    /// Tell how it would be told.
    Head,
    /// Do it.
    Post,
    /// Something that no page does: known, so that it can be told apart from nonsense.
    Other,
}

/// How the end of a body is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Length {
    /// So many bytes.
    Fixed(usize),
    /// By its chunks.
    Chunked,
}

/// What a head says, as far as anybody here wants to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// What is to be done.
    pub method: Method,
    /// What with.
    pub target: Target,
    /// Whom it is for; only requests of HTTP/1.0 may not say.
    pub host: Option<String>,
    /// `Authorization`
    pub authorization: Option<String>,
    /// `Origin`
    pub origin: Option<String>,
    /// `Sec-Fetch-Site`
    pub fetch_site: Option<String>,
    /// `Content-Type`
    pub content_type: Option<String>,
    /// `If-None-Match`
    pub if_none_match: Option<String>,
    pub(crate) length: Length,
    /// The peer waits for leave to send the body.
    pub(crate) expects: bool,
    /// Nothing comes behind it.
    pub(crate) last: bool,
    /// It is of HTTP/1.1.
    pub(crate) modern: bool,
}

/// Reads a whole head.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse(bytes: &[u8]) -> Result<Head, Fault> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(bytes) {
        Ok(Complete(length)) if length == bytes.len() => {}
        Err(httparse::Error::Version) => return Err(Fault::Version),
        Err(httparse::Error::TooManyHeaders) => return Err(Fault::Head),
        _ => return Err(Fault::Malformed),
    }
    let (Some(method), Some(target)) = (request.method, request.path) else { return Err(Fault::Malformed) };
    let method = known(method)?;
    let (target, authority) = Target::parse(target)?;
    let mut found = Fields::default();
    for field in request.headers.iter() {
        found.take(field.name, field.value)?;
    }
    let modern = request.version == Some(1);
    let Fields { host, .. } = &found;
    if modern && host.is_none() || host.as_deref().is_some_and(|host| Authority::parse(host).is_none()) {
        return Err(Fault::Host);
    }
    let length = found.length(method, modern)?;
    Ok(Head {
        method,
        target,
        host: authority.or(found.host),
        authorization: found.authorization,
        origin: found.origin,
        fetch_site: found.fetch_site,
        content_type: found.content_type,
        if_none_match: found.if_none_match,
        length,
        // Nobody of HTTP/1.0 knows it.
        expects: found.expects && modern,
        last: found.close || !(modern || found.keep),
        modern,
    })
}

fn known(method: &str) -> Result<Method, Fault> {
    match method {
        "GET" => Ok(Method::Get),
        "HEAD" => Ok(Method::Head),
        "POST" => Ok(Method::Post),
        "PUT" | "DELETE" | "OPTIONS" | "PATCH" => Ok(Method::Other),
        _ => Err(Fault::Method),
    }
}

#[derive(Default)]
struct Fields {
    host: Option<String>,
    authorization: Option<String>,
    origin: Option<String>,
    fetch_site: Option<String>,
    content_type: Option<String>,
    if_none_match: Option<String>,
    length: Option<usize>,
    chunked: bool,
    expects: bool,
    close: bool,
    keep: bool,
}

impl Fields {
    fn take(&mut self, name: &str, value: &[u8]) -> Result<(), Fault> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        // What has to be there once, and would be something else to who took the other one.
        let only = if is("Host") {
            &mut self.host
        } else if is("Authorization") {
            &mut self.authorization
        } else if is("Origin") {
            &mut self.origin
        } else if is("Sec-Fetch-Site") {
            &mut self.fetch_site
        } else if is("Content-Type") {
            &mut self.content_type
        } else if is("If-None-Match") {
            &mut self.if_none_match
        } else {
            return self.control(name, value);
        };
        let text = String::from(text(value)?);
        if only.replace(text).is_none() {
            Ok(())
        } else {
            Err(if is("Host") { Fault::Host } else { Fault::Malformed })
        }
    }

    /// Fields about the connection itself.
    fn control(&mut self, name: &str, value: &[u8]) -> Result<(), Fault> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("Content-Length") {
            let value = text(value)?;
            if self.length.is_some() || value.is_empty() || !value.bytes().all(|digit| digit.is_ascii_digit())
            {
                return Err(Fault::Malformed);
            }
            // A number that is too large for us is too large.
            self.length = Some(value.parse().map_err(|_| Fault::Body)?);
        } else if is("Transfer-Encoding") {
            let twice = core::mem::replace(&mut self.chunked, true);
            if twice || !text(value)?.eq_ignore_ascii_case("chunked") {
                return Err(Fault::Coding);
            }
        } else if is("Expect") {
            self.expects = text(value)?.eq_ignore_ascii_case("100-continue");
            if !self.expects {
                return Err(Fault::Expectation);
            }
        } else if is("Connection") {
            for option in text(value)?.split(',').map(str::trim) {
                self.close |= option.eq_ignore_ascii_case("close");
                self.keep |= option.eq_ignore_ascii_case("keep-alive");
            }
        }
        Ok(())
    }

    fn length(&self, method: Method, modern: bool) -> Result<Length, Fault> {
        match (self.length, self.chunked) {
            // Where one server sees one end and the next server another, requests are smuggled.
            (Some(_), true) => Err(Fault::Malformed),
            (None, true) if !modern => Err(Fault::Malformed),
            (None, true) => Ok(Length::Chunked),
            (Some(length), false) => Ok(Length::Fixed(length)),
            (None, false) if method == Method::Post => Err(Fault::NoLength),
            (None, false) => Ok(Length::Fixed(0)),
        }
    }
}

fn text(value: &[u8]) -> Result<&str, Fault> {
    core::str::from_utf8(value).map_err(|_| Fault::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn read(line: &str, fields: &str) -> Result<Head, Fault> {
        parse(format!("{line}\r\n{fields}\r\n").as_bytes())
    }

    fn get(fields: &str) -> Result<Head, Fault> {
        read("GET / HTTP/1.1", &format!("Host: h\r\n{fields}"))
    }

    #[test]
    fn what_stands_in_it() {
        let fields =
            "hOST: h:1\r\nContent-Length: 3\r\nConnection: x, Close\r\nExpect: 100-Continue\r\nX: y\r\n";
        let head = read("POST /a?b HTTP/1.1", fields).unwrap();
        assert_eq!((head.method, head.target.path.as_str()), (Method::Post, "/a"));
        assert_eq!(head.host.as_deref(), Some("h:1"));
        assert_eq!((head.length, head.expects, head.last), (Length::Fixed(3), true, true));
        assert!(!get("").unwrap().last);
        assert_eq!(get("Transfer-Encoding: Chunked\r\n").unwrap().length, Length::Chunked);
        let whole = read("GET http://other/ HTTP/1.1", "Host: h\r\n").unwrap();
        assert_eq!(whole.host.as_deref(), Some("other"), "the target's word is worth more");
    }

    #[test]
    fn old_requests_say_less() {
        let head = read("GET / HTTP/1.0", "").unwrap();
        assert_eq!((head.host.is_none(), head.last), (true, true));
        let head = read(
            "POST / HTTP/1.0",
            "Connection: keep-alive\r\nContent-Length: 1\r\nExpect: 100-continue\r\n",
        );
        let head = head.unwrap();
        assert_eq!((head.last, head.expects), (false, false));
        assert_eq!(read("GET / HTTP/1.0", "Transfer-Encoding: chunked\r\n"), Err(Fault::Malformed));
    }

    #[test]
    fn what_two_servers_could_read_differently() {
        for fields in [
            "Content-Length: 1\r\nContent-Length: 1\r\n",
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length: +1\r\n",
            "Content-Length: 1, 1\r\n",
            "Content-Length:\r\n",
            "Content-Length : 1\r\n",
            "X: a\r\n b\r\n",
            "Authorization: a\r\nauthorization: b\r\n",
            "Origin: a\r\nOrigin: a\r\n",
            ": x\r\n",
            "X\r\n",
            "X: \x01\r\n",
        ] {
            assert_eq!(get(fields), Err(Fault::Malformed), "{fields}");
        }
    }

    #[test]
    fn whom_it_is_for_is_said_once() {
        assert_eq!(read("GET / HTTP/1.1", ""), Err(Fault::Host));
        for fields in ["Host: a\r\nHost: a\r\n", "Host: a b\r\n", "Host:\r\n", "Host: a/b\r\n"] {
            assert_eq!(read("GET / HTTP/1.1", fields), Err(Fault::Host), "{fields}");
        }
    }

    #[test]
    fn what_is_not_spoken_here() {
        assert_eq!(read("GET / HTTP/2.0", "Host: h\r\n"), Err(Fault::Version));
        assert_eq!(read("BREW / HTTP/1.1", "Host: h\r\n"), Err(Fault::Method));
        assert_eq!(read("get / HTTP/1.1", "Host: h\r\n"), Err(Fault::Method));
        assert_eq!(read("POST / HTTP/1.1", "Host: h\r\n"), Err(Fault::NoLength));
        assert_eq!(get("Transfer-Encoding: gzip, chunked\r\n"), Err(Fault::Coding));
        assert_eq!(get("Expect: tea\r\n"), Err(Fault::Expectation));
        assert_eq!(get("Content-Length: 99999999999999999999999\r\n"), Err(Fault::Body));
        assert_eq!(get(&"X: y\r\n".repeat(FIELDS)), Err(Fault::Head));
        assert!(get(&"X: y\r\n".repeat(FIELDS - 1)).is_ok());
    }
}
