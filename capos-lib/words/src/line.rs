//! Words, quotes and pipelines.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Longest command line, bytes.
const MAX_LINE: usize = 4096;

/// A command line taken apart: the words of each stage of its pipeline.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CommandLine {
    /// One stage without a pipe; none for an empty line.
    pub stages: Vec<Vec<String>>,
    /// It ended in `&`.
    pub background: bool,
}

/// Why a line could not be taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineError {
    /// This quote has no second one.
    OpenQuote(char),
    /// A backslash at the end.
    OpenEscape,
    /// Nothing on one side of `|`.
    EmptyStage,
    /// `&` is not at the end.
    StrayBackground,
    /// Too long.
    TooLong,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LineError::OpenQuote(quote) => write!(f, "a {quote} is not closed"),
            LineError::OpenEscape => f.write_str("a backslash at the end escapes nothing"),
            LineError::EmptyStage => f.write_str("a program is missing on one side of |"),
            LineError::StrayBackground => f.write_str("& only goes at the end"),
            LineError::TooLong => f.write_str("the line is too long"),
        }
    }
}

impl core::error::Error for LineError {}

/// Takes a line apart. `'…'` and `"…"` keep what is in them together, a backslash keeps the next character (not inside `'…'`),
/// `|` separates stages, `&` at the end asks for the background, `#` at the beginning of a word begins a comment.
pub fn split(line: &str) -> Result<CommandLine, LineError> {
    if line.len() > MAX_LINE {
        return Err(LineError::TooLong);
    }
    let mut result = CommandLine::default();
    let mut stage = Vec::new();
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.peek().copied() {
        match c {
            c if c.is_whitespace() => drop(chars.next()),
            '#' => break,
            _ if result.background => return Err(LineError::StrayBackground),
            '|' => {
                chars.next();
                if stage.is_empty() {
                    return Err(LineError::EmptyStage);
                }
                result.stages.push(core::mem::take(&mut stage));
            }
            '&' => {
                chars.next();
                result.background = true;
            }
            _ => stage.push(word(&mut chars)?),
        }
    }
    match (stage.is_empty(), result.stages.is_empty()) {
        (false, _) => result.stages.push(stage),
        (true, false) => return Err(LineError::EmptyStage),
        (true, true) if result.background => return Err(LineError::StrayBackground),
        (true, true) => {}
    }
    Ok(result)
}

/// One word, up to unquoted white space or an operator.
fn word(chars: &mut core::iter::Peekable<core::str::Chars<'_>>) -> Result<String, LineError> {
    let mut word = String::new();
    while let Some(c) = chars.peek().copied() {
        match c {
            '|' | '&' => break,
            c if c.is_whitespace() => break,
            '\'' | '"' => {
                chars.next();
                quoted(chars, c, &mut word)?;
            }
            '\\' => {
                chars.next();
                word.push(chars.next().ok_or(LineError::OpenEscape)?);
            }
            c => {
                chars.next();
                word.push(c);
            }
        }
    }
    Ok(word)
}

fn quoted(chars: &mut impl Iterator<Item = char>, quote: char, word: &mut String) -> Result<(), LineError> {
    while let Some(c) = chars.next() {
        match c {
            c if c == quote => return Ok(()),
            '\\' if quote == '"' => word.push(chars.next().ok_or(LineError::OpenQuote(quote))?),
            c => word.push(c),
        }
    }
    Err(LineError::OpenQuote(quote))
}
