//! What is wrong with an export, and where.

use super::parse::JsonError;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The fault of whoever wrote the definitions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExportError {
    /// Labels from the top to the value at fault.
    pub path: Vec<String>,
    /// What is wrong.
    pub message: String,
    /// What may have been meant.
    pub hint: Option<String>,
}

impl ExportError {
    pub(super) fn new(path: &[&str], message: impl Into<String>) -> Self {
        let path = path.iter().map(|label| String::from(*label)).collect();
        ExportError { path, message: message.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}

impl From<JsonError> for ExportError {
    fn from(error: JsonError) -> Self {
        ExportError::new(&[], alloc::format!("{error}"))
    }
}

impl fmt::Display for ExportError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(out, "{}: ", self.path.join("."))?;
        }
        out.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(out, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for ExportError {}
