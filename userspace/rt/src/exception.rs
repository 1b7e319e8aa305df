//! What a server answers when it can not do what was asked (architecture, section 3, second layer).

use alloc::boxed::Box;
use capos_abi::ExceptionCode;
use capos_schema::DecodeError;
use core::fmt;

/// A typed refusal, with an optional short text for people. Never put addresses or others' data in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exception {
    code: ExceptionCode,
    text: Option<Box<str>>,
}

impl Exception {
    /// Longest text that travels; the rest is cut.
    pub const MAX_TEXT: usize = 200;

    /// A refusal with a text.
    pub fn new(code: ExceptionCode, text: &str) -> Exception {
        Exception { code, text: Some(Box::from(text)) }
    }

    pub(crate) fn with_text(code: ExceptionCode, text: Option<Box<str>>) -> Exception {
        Exception { code, text }
    }

    /// What programs branch on.
    pub fn code(&self) -> ExceptionCode {
        self.code
    }

    /// What people read; may be empty.
    pub fn text(&self) -> &str {
        self.text.as_deref().unwrap_or("")
    }
}

impl From<ExceptionCode> for Exception {
    fn from(code: ExceptionCode) -> Self {
        Exception { code, text: None }
    }
}

impl From<DecodeError> for Exception {
    fn from(_: DecodeError) -> Self {
        Exception::from(ExceptionCode::Malformed)
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(words(self.code))?;
        match self.text() {
            "" => Ok(()),
            text => write!(f, ": {text}"),
        }
    }
}

impl core::error::Error for Exception {}

/// A code in words for people.
fn words(code: ExceptionCode) -> &'static str {
    match code {
        ExceptionCode::Failed => "failed",
        ExceptionCode::InvalidArgument => "invalid argument",
        ExceptionCode::NotFound => "not found",
        ExceptionCode::WrongState => "not possible in its state",
        ExceptionCode::BudgetExhausted => "budget exhausted",
        ExceptionCode::OutOfMemory => "out of memory",
        ExceptionCode::Denied => "denied",
        ExceptionCode::Unsupported => "not supported here",
        ExceptionCode::Exists => "exists already",
        ExceptionCode::Disconnected => "disconnected",
        ExceptionCode::Malformed => "malformed",
        ExceptionCode::DeviceFault => "device fault",
        ExceptionCode::EndOfStream => "end of stream",
    }
}
