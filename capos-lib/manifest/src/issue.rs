//! What is wrong with a manifest, where, and what would help.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Part of a service's definition. The names are those of `system.cue`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Field {
    /// The service's own name.
    Name,
    /// `binary`.
    Binary,
    /// `args`.
    Args,
    /// `caps`.
    Caps,
    /// `exports`.
    Exports,
    /// `budget`.
    Budget,
    /// `backoff`.
    Backoff,
    /// `limit`.
    Limit,
    /// `health`.
    Health,
    /// `drainMs`.
    DrainMs,
    /// `follow`.
    Follow,
    /// `escalate`.
    Escalate,
}

impl Field {
    /// The label in `system.cue`; `None` for the name, which is a label itself.
    pub fn label(self) -> Option<&'static str> {
        match self {
            Field::Name => None,
            Field::Binary => Some("binary"),
            Field::Args => Some("args"),
            Field::Caps => Some("caps"),
            Field::Exports => Some("exports"),
            Field::Budget => Some("budget"),
            Field::Backoff => Some("backoff"),
            Field::Limit => Some("limit"),
            Field::Health => Some("health"),
            Field::DrainMs => Some("drainMs"),
            Field::Follow => Some("follow"),
            Field::Escalate => Some("escalate"),
        }
    }
}

/// Where in the manifest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Name of the service.
    pub service: String,
    /// The part of it.
    pub field: Field,
    /// The entry in that part: name of a capability, of an export, of a budget's resource; empty when the part has no entries.
    pub entry: String,
}

impl Place {
    /// The labels that lead there in `system.cue`, below `services`.
    pub fn labels(&self) -> Vec<&str> {
        let entry = (!self.entry.is_empty()).then_some(self.entry.as_str());
        [Some(self.service.as_str()), self.field.label(), entry].into_iter().flatten().collect()
    }
}

/// One reason to refuse a manifest. It is the fault of whoever wrote it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Issue {
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What may have been meant.
    pub hint: Option<String>,
}

impl fmt::Display for Issue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { service, field, entry } = &self.place;
        write!(out, "service {service:?}: ")?;
        match (field, entry.is_empty()) {
            (Field::Caps, false) => write!(out, "capability {entry:?}: ")?,
            (Field::Exports, false) => write!(out, "export {entry:?}: ")?,
            (Field::Caps | Field::Exports | Field::Name, _) => {}
            (other, true) => write!(out, "{}: ", other.label().unwrap_or_default())?,
            (other, false) => write!(out, "{} {entry}: ", other.label().unwrap_or_default())?,
        }
        out.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(out, " ({hint})"),
            None => Ok(()),
        }
    }
}
