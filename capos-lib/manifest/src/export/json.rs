//! JSON values whose objects keep the order of their members: the order of capabilities is the order of slots.

use alloc::string::String;
use alloc::vec::Vec;

/// A value. Numbers are whole and not negative, as no others occur in a manifest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Json {
    /// `null`: in a change, takes a member away.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(u64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// Members in order, each name once.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// What it is, in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "true or false",
            Json::Number(_) => "a number",
            Json::Text(_) => "a text",
            Json::List(_) => "a list",
            Json::Object(_) => "an object",
        }
    }

    /// The members, if it is an object.
    pub fn members(&self) -> Option<&[(String, Json)]> {
        match self {
            Json::Object(members) => Some(members),
            _ => None,
        }
    }

    /// A member by name.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.members()?.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// This value with `change` laid over it: members are changed down to `depth` objects below, `null` takes one away, and
    /// everything else is replaced (RFC 7396, but for the depth).
    #[must_use]
    pub fn changed(&self, change: &Json, depth: usize) -> Json {
        let (Some(depth), Some(old), Some(new)) = (depth.checked_sub(1), self.members(), change.members())
        else {
            return change.clone();
        };
        let mut members = old.to_vec();
        for (name, value) in new {
            let found = members.iter().position(|(known, _)| known == name);
            match (found.and_then(|at| members.get_mut(at)), value) {
                (_, Json::Null) => members.retain(|(known, _)| known != name),
                (Some((_, before)), value) => *before = before.changed(value, depth),
                (None, value) => members.push((name.clone(), value.clone())),
            }
        }
        Json::Object(members)
    }
}
