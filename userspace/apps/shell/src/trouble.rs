//! Why a command did not work, in one helpful line.

use alloc::string::String;
use core::fmt;
use rt::CallError;

/// What went wrong.
pub enum Trouble {
    /// The whole sentence.
    Say(String),
    /// The command needs this capability, and the shell was not granted it.
    NotHeld(&'static str),
    /// How the command is used.
    Usage(&'static str),
    /// A call about this failed.
    Call(String, CallError),
    /// Whoever typed the command ended it.
    Interrupted,
    /// The terminal itself is gone: there is nobody to talk to.
    Terminal(CallError),
}

impl Trouble {
    /// A sentence.
    pub fn say(text: impl Into<String>) -> Trouble {
        Trouble::Say(text.into())
    }

    /// For `map_err`: a call about `what` failed.
    pub fn about(what: &str) -> impl FnOnce(CallError) -> Trouble {
        let what = String::from(what);
        move |error| Trouble::Call(what, error)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Say(text) => f.write_str(text),
            Trouble::NotHeld(name) => {
                write!(f, "this shell does not hold `{name}`; `caps` lists what it holds")
            }
            Trouble::Usage(usage) => write!(f, "usage: {usage}"),
            Trouble::Call(what, error) => write!(f, "{what}: {error}"),
            Trouble::Interrupted => f.write_str("^C"),
            Trouble::Terminal(error) => write!(f, "terminal: {error}"),
        }
    }
}

impl From<diag::Trouble> for Trouble {
    fn from(trouble: diag::Trouble) -> Self {
        match trouble {
            diag::Trouble::Call(error) => Trouble::Call(String::from("inspector"), error),
            other => Trouble::Say(alloc::format!("{other}")),
        }
    }
}

impl From<capos_words::LineError> for Trouble {
    fn from(error: capos_words::LineError) -> Self {
        Trouble::Say(alloc::format!("{error}"))
    }
}

impl From<capos_words::LaunchError> for Trouble {
    fn from(error: capos_words::LaunchError) -> Self {
        Trouble::Say(alloc::format!("{error}"))
    }
}
