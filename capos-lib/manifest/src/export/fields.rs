//! Typed access to the members of an object. Members that nobody knows are errors, so that a typing mistake is never silent.

use super::error::ExportError;
use super::json::Json;
use crate::suggest::did_you_mean;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// An object at a path.
pub(super) struct Fields<'a> {
    path: Vec<&'a str>,
    members: &'a [(String, Json)],
}

impl<'a> Fields<'a> {
    /// `value` must be an object.
    pub fn of(path: &[&'a str], value: &'a Json) -> Result<Self, ExportError> {
        let members = value.members().ok_or_else(|| wrong(path, "an object", value))?;
        Ok(Fields { path: path.to_vec(), members })
    }

    /// Members as they are.
    pub fn members(&self) -> &'a [(String, Json)] {
        self.members
    }

    /// The path of a member.
    pub fn path(&self, name: &'a str) -> Vec<&'a str> {
        let mut path = self.path.clone();
        path.push(name);
        path
    }

    /// An error about the object itself.
    pub fn error(&self, message: impl Into<String>) -> ExportError {
        ExportError::new(&self.path, message)
    }

    /// All members must have these names.
    pub fn only(&self, known: &[&str]) -> Result<(), ExportError> {
        match self.members.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, _)) => {
                let hint = did_you_mean(name, known.iter().copied())
                    .or_else(|| Some(format!("possible are {}", known.join(", "))));
                Err(ExportError::new(&self.path(name), "there is no such field").hint(hint))
            }
        }
    }

    /// A member; `null` is as good as none.
    pub fn get(&self, name: &str) -> Option<&'a Json> {
        let found = self.members.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        found.filter(|value| **value != Json::Null)
    }

    /// A text.
    pub fn text(&self, name: &'a str) -> Result<Option<&'a str>, ExportError> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(other) => Err(wrong(&self.path(name), "a text", other)),
        }
    }

    /// True or false.
    pub fn flag(&self, name: &'a str) -> Result<Option<bool>, ExportError> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(wrong(&self.path(name), "true or false", other)),
        }
    }

    /// A number that fits.
    pub fn number<T: TryFrom<u64>>(&self, name: &'a str) -> Result<Option<T>, ExportError> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::Number(number)) => match T::try_from(*number) {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(ExportError::new(&self.path(name), format!("{number} is too large"))),
            },
            Some(other) => Err(wrong(&self.path(name), "a number", other)),
        }
    }

    /// A list of texts; without the member, an empty one.
    pub fn texts(&self, name: &'a str) -> Result<Vec<String>, ExportError> {
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Json::List(items)) => {
                let texts = items.iter().map(|item| match item {
                    Json::Text(text) => Ok(text.clone()),
                    other => Err(wrong(&self.path(name), "a list of texts", other)),
                });
                texts.collect()
            }
            Some(other) => Err(wrong(&self.path(name), "a list of texts", other)),
        }
    }

    /// A list of objects; without the member, an empty one.
    pub fn objects(&self, name: &'a str) -> Result<Vec<Fields<'a>>, ExportError> {
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Json::List(items)) => items.iter().map(|item| Fields::of(&self.path(name), item)).collect(),
            Some(other) => Err(wrong(&self.path(name), "a list of objects", other)),
        }
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&self, name: &'a str, words: &[(&str, T)]) -> Result<Option<T>, ExportError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Ok(Some(*value)),
            None => {
                let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                let message = format!("{text:?} is none of {}", known.join(", "));
                Err(ExportError::new(&self.path(name), message).hint(did_you_mean(text, known)))
            }
        }
    }

    /// An object; without the member, none.
    pub fn object(&self, name: &'a str) -> Result<Option<Fields<'a>>, ExportError> {
        self.get(name).map(|value| Fields::of(&self.path(name), value)).transpose()
    }
}

fn wrong(path: &[&str], expected: &str, found: &Json) -> ExportError {
    ExportError::new(path, format!("{expected} should be here, not {}", found.kind()))
}
