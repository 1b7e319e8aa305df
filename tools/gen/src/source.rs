//! Finds declarations in the text of schema files, since the compiler's request holds no line numbers.

use std::collections::HashMap;
use std::path::Path;

/// Where something is declared.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Place {
    /// Path of the schema file.
    pub file: String,
    /// Line, from 1, if it was found.
    pub line: Option<usize>,
}

/// The texts of all schema files, by the path that the compiler knows them under.
#[derive(Default)]
pub struct Sources {
    texts: HashMap<String, String>,
}

impl Sources {
    /// Reads the files; one that cannot be read only costs line numbers.
    pub fn read(root: &Path, files: &[String]) -> Self {
        let texts = files
            .iter()
            .filter_map(|file| Some((file.clone(), std::fs::read_to_string(root.join(file)).ok()?)))
            .collect();
        Sources { texts }
    }

    /// A single text, for tests.
    pub fn of(file: &str, text: &str) -> Self {
        Sources { texts: HashMap::from([(file.to_owned(), text.to_owned())]) }
    }

    /// Where `interface name` or `enum name` is declared.
    pub fn declaration(&self, file: &str, keyword: &str, name: &str) -> Place {
        self.find(file, 0, |words| words.windows(2).any(|pair| *pair == [keyword, name]))
    }

    /// Where member `name @ordinal` of the declaration at `owner` is declared.
    pub fn member(&self, owner: &Place, name: &str, ordinal: usize) -> Place {
        let ordinal = format!("@{ordinal}");
        let from = owner.line.unwrap_or(0);
        self.find(&owner.file, from, |words| words.windows(2).any(|pair| *pair == [name, ordinal.as_str()]))
    }

    fn find(&self, file: &str, from: usize, is_it: impl Fn(&[&str]) -> bool) -> Place {
        let lines = self.texts.get(file).map_or("", String::as_str).lines().enumerate().skip(from);
        let mut code = lines.map(|(index, line)| (index + 1, line.split('#').next().unwrap_or("")));
        let line = code.find(|(_, line)| is_it(&words(line))).map(|(number, _)| number);
        Place { file: file.to_owned(), line }
    }
}

/// Names, keywords and ordinals of a line.
fn words(line: &str) -> Vec<&str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '@' && c != '_')
        .filter(|word| !word.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Place, Sources};

    const TEXT: &str = "@0xff;\n# interface Wrong\ninterface Right {\n  go @0 ();\n  stop @1 ();\n}\ninterface More { go @0 (); }\n";

    #[test]
    fn finds_declarations_but_not_in_comments() {
        let sources = Sources::of("a.capnp", TEXT);
        assert_eq!(sources.declaration("a.capnp", "interface", "Right").line, Some(3));
        assert_eq!(sources.declaration("a.capnp", "interface", "Wrong").line, None);
    }

    #[test]
    fn finds_members_behind_their_owner() {
        let sources = Sources::of("a.capnp", TEXT);
        let right = sources.declaration("a.capnp", "interface", "Right");
        assert_eq!(sources.member(&right, "stop", 1).line, Some(5));
        assert_eq!(sources.member(&right, "stop", 0).line, None);
        let owner = Place { file: "a.capnp".into(), line: Some(6) };
        assert_eq!(sources.member(&owner, "go", 0).line, Some(7));
    }

    #[test]
    fn unknown_files_have_no_lines() {
        let sources = Sources::default();
        assert_eq!(sources.declaration("b.capnp", "enum", "X"), Place { file: "b.capnp".into(), line: None });
    }
}
