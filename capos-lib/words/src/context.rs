//! What the word under the cursor is for.

use alloc::string::String;
use alloc::vec::Vec;

/// The stage of the pipeline that is being typed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Context {
    /// Its finished words.
    pub words: Vec<String>,
    /// The word that was begun; may be empty.
    pub begun: String,
    /// It is not the first stage.
    pub piped: bool,
}

impl Context {
    /// Of the line up to the cursor. Quotes are taken literally: good enough to complete names, which have none.
    pub fn of(before_cursor: &str) -> Context {
        let (piped, stage) = match before_cursor.rsplit_once('|') {
            Some((_, stage)) => (true, stage),
            None => (false, before_cursor),
        };
        let mut words: Vec<String> = stage.split_whitespace().map(String::from).collect();
        let begun = if stage.ends_with(char::is_whitespace) { None } else { words.pop() };
        Context { words, begun: begun.unwrap_or_default(), piped }
    }

    /// The first word, if it is finished.
    pub fn command(&self) -> Option<&str> {
        self.words.first().map(String::as_str)
    }

    /// Whether a `with` was typed before the word that was begun.
    pub fn granting(&self) -> bool {
        self.words.iter().any(|word| word == "with")
    }
}
