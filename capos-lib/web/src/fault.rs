//! What is wrong with a request. It is always the peer's fault.

use crate::response::Status;
use core::fmt;

/// Why a request was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It is not a request of HTTP/1, or could be read in two ways.
    Malformed,
    /// It does not say exactly once whom it is for.
    Host,
    /// It did not come in time.
    Late,
    /// It has a body and does not say how long that is.
    NoLength,
    /// Its body is larger than may be.
    Body,
    /// Its target is longer than may be.
    Target,
    /// It expects something that nobody promised.
    Expectation,
    /// Its head is larger than may be.
    Head,
    /// Its method is none that this server knows.
    Method,
    /// Its body is coded in a way that this server does not know.
    Coding,
    /// It is of another version of HTTP.
    Version,
}

impl Fault {
    /// How it is answered.
    pub fn status(self) -> Status {
        match self {
            Fault::Malformed | Fault::Host => Status::BadRequest,
            Fault::Late => Status::RequestTimeout,
            Fault::NoLength => Status::LengthRequired,
            Fault::Body => Status::ContentTooLarge,
            Fault::Target => Status::UriTooLong,
            Fault::Expectation => Status::ExpectationFailed,
            Fault::Head => Status::HeaderFieldsTooLarge,
            Fault::Method | Fault::Coding => Status::NotImplemented,
            Fault::Version => Status::VersionNotSupported,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Malformed => "this is no request of HTTP/1.1",
            Fault::Host => "the request has to say once whom it is for",
            Fault::Late => "the request took too long",
            Fault::NoLength => "the request does not say how long its body is",
            Fault::Body => "the request's body is too large",
            Fault::Target => "the request's target is too long",
            Fault::Expectation => "nobody here can do what the request expects",
            Fault::Head => "the request's head is too large",
            Fault::Method => "nobody here knows this method",
            Fault::Coding => "nobody here knows how the request's body is coded",
            Fault::Version => "only HTTP/1.0 and HTTP/1.1 are spoken here",
        })
    }
}

impl core::error::Error for Fault {}
