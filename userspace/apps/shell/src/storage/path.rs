//! What a word of the command line means: a place, and names below it.
//!
//! A place is something that the shell holds: `boot:`, `store:`, or a volume under its name, of which `NAME@SNAPSHOT:` is what it was. There is nothing
//! above a place, and no way from one to another.

use super::mounts::GIVEN;
use alloc::string::String;
use alloc::vec::Vec;
pub use capos_text::{is_plain, shown};
use core::fmt;

/// What names are below.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// Boot files.
    Boot,
    /// Blobs of the volume, by their hashes.
    Store,
    /// A volume, or what it was when it was kept.
    Volume {
        /// The name that it has here.
        name: String,
        /// The snapshot.
        snapshot: Option<String>,
    },
}

/// A place and names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Path {
    /// Below what.
    pub place: Place,
    /// One in the other; none for all of the place.
    pub names: Vec<String>,
    /// It ends with `/`, so that it can only be a directory.
    pub is_directory: bool,
}

/// Why a word means nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wrong {
    /// What stands before the colon is no place.
    Place(String),
    /// There is no way up, or a character has no such number.
    Name,
}

impl Place {
    /// What stands before a colon, if that is a place. `is_volume` knows names of volumes.
    fn parse(text: &str, is_volume: impl Fn(&str) -> bool) -> Option<Place> {
        match text.split_once('@') {
            _ if text == "boot" => Some(Place::Boot),
            _ if text == "store" => Some(Place::Store),
            None if is_volume(text) => Some(Place::Volume { name: String::from(text), snapshot: None }),
            Some((name, snapshot)) if is_volume(name) && !snapshot.is_empty() => {
                let snapshot = Some(decode(snapshot)?);
                Some(Place::Volume { name: String::from(name), snapshot })
            }
            _ => None,
        }
    }
}

impl Path {
    /// What a word means; below `usual` if it names no place.
    pub fn parse(word: &str, usual: &Place, is_volume: impl Fn(&str) -> bool) -> Result<Path, Wrong> {
        let (place, rest) = match word.split_once(':') {
            Some((place, rest)) => {
                (Place::parse(place, is_volume).ok_or_else(|| Wrong::Place(String::from(place)))?, rest)
            }
            None => (usual.clone(), word),
        };
        let names = rest.split('/').filter(|name| !matches!(*name, "" | "."));
        let names = names.map(|name| if name == ".." { None } else { decode(name) });
        let names = names.collect::<Option<Vec<String>>>().ok_or(Wrong::Name)?;
        Ok(Path { place, names, is_directory: rest.ends_with('/') })
    }

    /// The last name.
    pub fn last(&self) -> Option<&str> {
        self.names.last().map(String::as_str)
    }

    /// As far as the first names of it.
    pub fn first(&self, count: usize) -> Path {
        let names = self.names.iter().take(count).cloned().collect();
        Path { place: self.place.clone(), names, is_directory: false }
    }

    /// One name more.
    pub fn below(&self, name: &str) -> Path {
        let mut path = self.first(self.names.len());
        path.names.push(String::from(name));
        path
    }
}

/// As it can be shown, and typed.
impl fmt::Display for Path {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = if self.names.is_empty() { String::new() } else { shown(&self.names.join("/")) };
        match &self.place {
            Place::Boot => write!(out, "boot:{names}"),
            Place::Store => write!(out, "store:{names}"),
            Place::Volume { name, snapshot: Some(snapshot) } => {
                write!(out, "{name}@{}:{names}", shown(snapshot))
            }
            Place::Volume { name, .. } if name == GIVEN && !names.is_empty() => out.write_str(&names),
            Place::Volume { name, .. } => write!(out, "{name}:{names}"),
        }
    }
}

/// Replaces `\u{...}`, which stands for a character that a terminal does not show, or the command line takes for something else.
pub fn decode(name: &str) -> Option<String> {
    let mut pieces = name.split("\\u{");
    let mut decoded = String::from(pieces.next()?);
    for piece in pieces {
        let (digits, rest) = piece.split_once('}')?;
        decoded.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
        decoded.push_str(rest);
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::{Path, Place, is_plain, shown};
    use alloc::format;
    use alloc::string::String;

    fn parse(word: &str) -> Option<(Place, String)> {
        let usual = Place::Volume { name: "files".into(), snapshot: None };
        let path = Path::parse(word, &usual, |name| matches!(name, "files" | "usb")).ok()?;
        Some((path.place, path.names.join("|")))
    }

    fn volume(name: &str, snapshot: Option<&str>) -> Place {
        Place::Volume { name: name.into(), snapshot: snapshot.map(Into::into) }
    }

    #[test]
    fn a_place_stands_before_a_colon() {
        assert_eq!(parse("a/b"), Some((volume("files", None), "a|b".into())));
        assert_eq!(parse("usb:/a//./b/"), Some((volume("usb", None), "a|b".into())));
        assert_eq!(parse("usb@monday:a"), Some((volume("usb", Some("monday")), "a".into())));
        assert_eq!(parse("boot:welcome"), Some((Place::Boot, "welcome".into())));
        assert_eq!(parse("store:"), Some((Place::Store, String::new())));
        assert_eq!(parse(""), Some((volume("files", None), String::new())));
        assert_eq!(parse("tape:a"), None);
        assert_eq!(parse("usb@:a"), None);
    }

    #[test]
    fn errors_name_what_was_typed() {
        let usual = Place::Volume { name: "files".into(), snapshot: None };
        let path = |word| Path::parse(word, &usual, |name| matches!(name, "files" | "usb")).unwrap();
        for word in ["a/b", "usb:a/b", "usb@monday:a", "boot:welcome", "usb:", "files:"] {
            assert_eq!(format!("{}", path(word)), word);
        }
        assert_eq!(format!("{}", path("files:a//b/").first(1)), "a");
        assert_eq!(format!("{}", path("a").below("b c")), "'a/b c'");
        assert!(path("a/").is_directory && !path("a").is_directory);
    }

    #[test]
    fn there_is_no_way_up() {
        assert_eq!(parse("a/../b"), None);
        assert_eq!(parse(".."), None);
        assert_eq!(parse("..."), Some((volume("files", None), "...".into())));
    }

    #[test]
    fn what_is_shown_can_be_typed() {
        let names =
            ["a", "A b", "\u{1b}[2J", "it's", "a:b", "\\u{41}", "\u{202e}fdp", "é", "x\ny", "\"", "#"];
        for name in names {
            let text = shown(name);
            assert!(!text.chars().any(char::is_control), "{text:?}");
            let line = format!("cat {text}");
            let line = capos_words::split(&line).unwrap_or_else(|error| panic!("{name:?}: {error}"));
            let word = line.stages.first().and_then(|stage| stage.get(1)).map(String::as_str);
            let found = word.and_then(parse).map(|(_, names)| names);
            assert_eq!(found.as_deref(), Some(name), "{text}");
            assert_eq!(is_plain(name), text == name, "{text}");
        }
        assert_eq!(shown("\u{202e}a"), "'\\u{202e}a'");
        assert_eq!(parse("a\\u{110000}"), None);
        assert_eq!(parse("a\\u{41"), None);
    }
}
