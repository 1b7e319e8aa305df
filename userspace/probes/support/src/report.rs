//! Events on the test port (tools/lab/README.md says which every area uses).

use alloc::string::String;
use core::fmt::{Display, Write};
use rt::generated::TestPortClient;
use rt::{CallError, Env, EnvError};

/// The fields of one event, as a JSON object in the making.
#[derive(Default)]
pub struct Fields(String);

impl Fields {
    /// No fields yet.
    pub fn new() -> Fields {
        Fields::default()
    }

    /// A number, or `true` and `false`.
    pub fn value(mut self, name: &str, value: impl Display) -> Fields {
        self.key(name);
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{value}");
        self
    }

    /// A text.
    pub fn text(mut self, name: &str, text: &str) -> Fields {
        self.key(name);
        self.0.push('"');
        for c in text.chars() {
            match c {
                '"' | '\\' => self.0.extend(['\\', c]),
                c if c < ' ' => {
                    let _ = write!(self.0, "\\u{:04x}", c as u32);
                }
                c => self.0.push(c),
            }
        }
        self.0.push('"');
        self
    }

    fn key(&mut self, name: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        let _ = write!(self.0, "\"{name}\":");
    }

    fn finish(mut self) -> String {
        if self.0.is_empty() {
            self.0.push('{');
        }
        self.0.push('}');
        self.0
    }
}

/// The test port.
pub struct Report {
    port: TestPortClient,
}

impl Report {
    /// On the capability granted as `testport`.
    pub fn new(env: &mut Env) -> Result<Report, EnvError> {
        Ok(Report { port: env.client("testport")? })
    }

    /// For children.
    pub fn port(&self) -> &TestPortClient {
        &self.port
    }

    /// One event.
    pub fn event(&self, name: &str, fields: Fields) {
        // Whoever cannot report is missed by the lab, which waits for the event.
        let _ = self.port.event_blocking(name, &fields.finish());
    }

    /// One thing that was verified, and what was seen.
    pub fn check(&self, name: &str, ok: bool, detail: impl Display) {
        let mut text = String::new();
        let _ = write!(text, "{detail}");
        self.event("check", Fields::new().text("name", name).value("ok", ok).text("detail", &text));
    }

    /// Verifies that two things are equal; says both if not.
    pub fn equal<T: PartialEq + core::fmt::Debug>(&self, name: &str, found: T, wanted: T) {
        let ok = found == wanted;
        if ok {
            self.check(name, ok, format_args!("{found:?}"));
        } else {
            self.check(name, ok, format_args!("{found:?}, not {wanted:?}"));
        }
    }

    /// Verifies that something failed in the right way.
    pub fn fails<T>(&self, name: &str, found: Result<T, CallError>, wanted: impl Into<Failure>) {
        let wanted = wanted.into();
        let ok = found.as_ref().is_err_and(|error| wanted.is(error));
        match found {
            Ok(_) => self.check(name, ok, format_args!("succeeded, not {wanted:?}")),
            Err(error) => self.check(name, ok, format_args!("{error:?}, wanted {wanted:?}")),
        }
    }

    /// Verifies that something worked; gives its result on.
    pub fn works<T>(&self, name: &str, found: Result<T, CallError>) -> Option<T> {
        match &found {
            Ok(_) => self.check(name, true, "done"),
            Err(error) => self.check(name, false, format_args!("{error:?}")),
        }
        found.ok()
    }

    /// Ends the run.
    pub fn finish(&self, code: u8) -> i64 {
        let _ = self.port.finish_blocking(code);
        i64::from(code)
    }
}

/// A failure of either layer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// Of the transport.
    Transport(rt::TransportError),
    /// Of the object.
    Exception(rt::ExceptionCode),
}

impl Failure {
    fn is(self, error: &CallError) -> bool {
        match self {
            Failure::Transport(wanted) => *error == CallError::Transport(wanted),
            Failure::Exception(wanted) => error.exception() == Some(wanted),
        }
    }
}

impl From<rt::TransportError> for Failure {
    fn from(error: rt::TransportError) -> Self {
        Failure::Transport(error)
    }
}

impl From<rt::ExceptionCode> for Failure {
    fn from(code: rt::ExceptionCode) -> Self {
        Failure::Exception(code)
    }
}
