//! Answers. All that they can say is chosen from lists, or a number: there is no way for a peer's bytes into a head.

use crate::asset::Tag;
use alloc::string::String;
use alloc::vec::Vec;
use capos_text::http_date;
use core::fmt::Write;

macro_rules! statuses {
    ($($name:ident = $number:literal $reason:literal,)*) => {
        /// How it went.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Status { $(#[doc = $reason] $name,)* }

        impl Status {
            /// The number.
            pub fn number(self) -> u16 {
                match self { $(Status::$name => $number,)* }
            }

            /// The same in words.
            pub fn reason(self) -> &'static str {
                match self { $(Status::$name => $reason,)* }
            }
        }
    };
}

statuses! {
    Ok = 200 "OK",
    NotModified = 304 "Not Modified",
    BadRequest = 400 "Bad Request",
    Unauthorized = 401 "Unauthorized",
    Forbidden = 403 "Forbidden",
    NotFound = 404 "Not Found",
    MethodNotAllowed = 405 "Method Not Allowed",
    RequestTimeout = 408 "Request Timeout",
    Conflict = 409 "Conflict",
    LengthRequired = 411 "Length Required",
    ContentTooLarge = 413 "Content Too Large",
    UriTooLong = 414 "URI Too Long",
    UnsupportedMediaType = 415 "Unsupported Media Type",
    ExpectationFailed = 417 "Expectation Failed",
    MisdirectedRequest = 421 "Misdirected Request",
    TooManyRequests = 429 "Too Many Requests",
    HeaderFieldsTooLarge = 431 "Request Header Fields Too Large",
    InternalServerError = 500 "Internal Server Error",
    NotImplemented = 501 "Not Implemented",
    ServiceUnavailable = 503 "Service Unavailable",
    VersionNotSupported = 505 "HTTP Version Not Supported",
}

/// What a body is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Media {
    /// Words.
    Text,
    /// A page.
    Html,
    /// Its look.
    Css,
    /// Its program.
    JavaScript,
    /// Facts.
    Json,
    /// A drawing.
    Svg,
    /// Numbers for Prometheus (exposition format 0.0.4).
    Prometheus,
}

impl Media {
    fn name(self) -> &'static str {
        match self {
            Media::Text => "text/plain; charset=utf-8",
            Media::Html => "text/html; charset=utf-8",
            Media::Css => "text/css; charset=utf-8",
            Media::JavaScript => "text/javascript; charset=utf-8",
            Media::Json => "application/json",
            Media::Svg => "image/svg+xml",
            Media::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// What is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// Part of the program.
    Fixed(&'static [u8]),
    /// Made for this answer.
    Made(Vec<u8>),
}

impl Body {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Body::Fixed(bytes) => bytes,
            Body::Made(bytes) => bytes,
        }
    }
}

/// One answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    status: Status,
    media: Option<Media>,
    body: Body,
    tag: Option<Tag>,
    allow: Option<&'static str>,
    unix_s: Option<u64>,
}

/// On every answer. Pages get their parts from here and nowhere else, run no program that stands inside them, and are in nobody's frame.
const ALWAYS: &str = "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
    X-Content-Type-Options: nosniff\r\n\
    X-Frame-Options: DENY\r\n\
    Referrer-Policy: no-referrer\r\n\
    Cross-Origin-Opener-Policy: same-origin\r\n\
    Cross-Origin-Resource-Policy: same-origin\r\n";

impl Response {
    /// An answer with a body.
    pub fn new(status: Status, media: Media, body: Body) -> Response {
        Response { status, media: Some(media), body, tag: None, allow: None, unix_s: None }
    }

    /// An answer without one.
    pub fn empty(status: Status) -> Response {
        Response { status, media: None, body: Body::Fixed(&[]), tag: None, allow: None, unix_s: None }
    }

    /// An answer of words.
    pub fn text(status: Status, text: &str) -> Response {
        let mut line = String::from(text);
        line.push('\n');
        Response::new(status, Media::Text, Body::Made(line.into_bytes()))
    }

    /// With the edition of a file: it may be kept, and asked for again. Everything else is kept by nobody.
    pub fn tagged(self, tag: Tag) -> Response {
        Response { tag: Some(tag), ..self }
    }

    /// With the methods that there are.
    pub fn allowing(self, methods: &'static str) -> Response {
        Response { allow: Some(methods), ..self }
    }

    /// With the time; only who knows it may say it.
    pub fn at(self, unix_s: u64) -> Response {
        Response { unix_s: Some(unix_s), ..self }
    }

    /// How it went.
    pub fn status(&self) -> Status {
        self.status
    }

    /// What is told.
    pub fn body(&self) -> &Body {
        &self.body
    }

    pub(crate) fn into_body(self) -> Body {
        self.body
    }

    /// Its head.
    pub(crate) fn head(&self, close: bool, old: bool) -> Vec<u8> {
        let mut out = String::with_capacity(700);
        // Writing to a string does not fail.
        let _ = write!(out, "HTTP/1.1 {} {}\r\n", self.status.number(), self.status.reason());
        if let Some(unix_s) = self.unix_s {
            let _ = write!(out, "Date: {}\r\n", http_date(unix_s));
        }
        if let Some(media) = self.media {
            let _ = write!(out, "Content-Type: {}\r\n", media.name());
        }
        // Of the file that a 304 stands for, nobody asked the length.
        if self.status != Status::NotModified {
            let _ = write!(out, "Content-Length: {}\r\n", self.body.bytes().len());
        }
        match self.tag {
            Some(tag) => {
                let _ = write!(out, "ETag: {tag}\r\nCache-Control: no-cache\r\n");
            }
            None => out.push_str("Cache-Control: no-store\r\n"),
        }
        if let Some(methods) = self.allow {
            let _ = write!(out, "Allow: {methods}\r\n");
        }
        if self.status == Status::Unauthorized {
            out.push_str("WWW-Authenticate: Bearer realm=\"operator\"\r\n");
        }
        out.push_str(ALWAYS);
        match (close, old) {
            (true, _) => out.push_str("Connection: close\r\n"),
            (false, true) => out.push_str("Connection: keep-alive\r\n"),
            (false, false) => {}
        }
        out.push_str("\r\n");
        out.into_bytes()
    }
}
