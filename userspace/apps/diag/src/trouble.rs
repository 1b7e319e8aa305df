//! Why a command has no answer.

use alloc::string::String;
use capos_text::Object;
use core::fmt;
use rt::CallError;

/// What went wrong, and what to do about it.
pub enum Trouble {
    /// No such command; perhaps this one.
    Unknown(String, Option<&'static str>),
    /// The capability of this name was not granted.
    Missing(&'static str),
    /// This word has no business there.
    Surplus(String),
    /// This is no number.
    NoNumber(String),
    /// There is no prompt to leave.
    NotInside,
    /// Reboot or halt answered instead of doing it.
    StillHere,
    /// The kernel's answer can not be read.
    Malformed,
    /// The call failed.
    Call(CallError),
}

impl Trouble {
    /// No such command.
    pub(crate) fn unknown(command: &str) -> Trouble {
        let meant = capos_words::closest(command, crate::COMMANDS.iter().map(|(name, _)| *name));
        Trouble::Unknown(String::from(command), meant)
    }

    /// As a JSON line.
    pub(crate) fn json(&self) -> String {
        let mut line = Object::new().text("kind", "error").text("text", &alloc::format!("{self}")).finish();
        line.push('\n');
        line
    }
}

impl From<CallError> for Trouble {
    fn from(error: CallError) -> Self {
        Trouble::Call(error)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Unknown(command, Some(meant)) => {
                write!(f, "no command `{command}`; did you mean `{meant}`?")
            }
            Trouble::Unknown(command, None) => write!(f, "no command `{command}`; try help"),
            Trouble::Missing(name) => write!(f, "needs the capability `{name}`, which was not granted"),
            Trouble::Surplus(word) => write!(f, "`{word}` is too much; try help"),
            Trouble::NoNumber(word) => write!(f, "`{word}` is no number"),
            Trouble::NotInside => f.write_str("answers one question here; there is no prompt to leave"),
            Trouble::StillHere => f.write_str("the machine is still here"),
            Trouble::Malformed => f.write_str("the kernel's answer is malformed"),
            Trouble::Call(error) => error.fmt(f),
        }
    }
}
