//! In which line of a CUE text a value is: by its labels and braces, without evaluating anything.
//!
//! What comes out of a definition elsewhere (`#Probe`) is found at the place that uses it. No error of a manifest is ever hidden by
//! a text that this reads wrongly; at worst it is shown with the line of the service, or with none.

use std::iter::Peekable;
use std::str::CharIndices;

/// Stands for a pattern like `[string]`, which is no label.
const PATTERN: &str = "[]";

/// Every label of a text with its line.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    found: Vec<(Vec<String>, usize)>,
}

/// Where a path leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// How many labels of the path are there.
    pub depth: usize,
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    Colon,
    Open,
    Close,
    OpenList,
    CloseList,
    /// A comma, or the end of a line.
    End,
    /// Something that goes on: an operator.
    Other,
}

impl Labels {
    /// Of a text.
    pub fn of(text: &str) -> Labels {
        let mut reader = Reader::default();
        for (line, token) in Tokens::of(text) {
            reader.take(line, token);
        }
        reader.labels
    }

    /// The fields of all definitions: labels below one that begins with `#`.
    pub fn of_definitions(&self) -> Vec<&str> {
        let mut fields: Vec<&str> = Vec::new();
        for (labels, _) in &self.found {
            if let [definition, .., field] = labels.as_slice()
                && definition.starts_with('#')
                && field != PATTERN
                && !fields.contains(&field.as_str())
            {
                fields.push(field);
            }
        }
        fields
    }

    /// The place of a path, or of as much of it as there is.
    pub fn find(&self, path: &[&str]) -> Option<Place> {
        let matching = self.found.iter().filter(|(labels, _)| {
            labels.len() <= path.len() && labels.iter().zip(path).all(|(label, wanted)| label == wanted)
        });
        let mut best: Option<Place> = None;
        for (labels, line) in matching {
            if best.is_none_or(|best| labels.len() > best.depth) {
                best = Some(Place { line: *line, depth: labels.len() });
            }
        }
        best
    }
}

/// Follows the nesting of labels.
#[derive(Default)]
struct Reader {
    labels: Labels,
    /// Labels around the current place.
    path: Vec<String>,
    /// How many of them belong to the declaration that is being read; they end with it.
    own: usize,
    /// The same for the declarations around it.
    around: Vec<usize>,
    /// A word that is a label if a colon follows.
    word: Option<(String, usize)>,
    /// Brackets that are open; nothing inside of lists is looked at.
    lists: usize,
    /// The declaration goes on behind the end of the line.
    unfinished: bool,
}

impl Reader {
    fn take(&mut self, line: usize, token: Token) {
        match token {
            Token::OpenList => self.lists += 1,
            Token::CloseList => {
                self.lists = self.lists.saturating_sub(1);
                self.word = Some((PATTERN.into(), line));
            }
            _ if self.lists > 0 => return,
            Token::Word(word) => self.word = Some((word, line)),
            Token::Colon => {
                self.label();
                self.unfinished = true;
                return;
            }
            Token::Open => {
                self.around.push(self.own);
                self.own = 0;
                self.word = None;
            }
            Token::Close => {
                self.end();
                self.own = self.around.pop().unwrap_or(0);
            }
            Token::End if self.unfinished => return,
            Token::End => self.end(),
            Token::Other => {
                self.unfinished = true;
                return;
            }
        }
        self.unfinished = false;
    }

    fn label(&mut self) {
        if let Some((word, line)) = self.word.take() {
            self.path.push(word);
            self.own += 1;
            self.labels.found.push((self.path.clone(), line));
        }
    }

    /// A declaration is over.
    fn end(&mut self) {
        self.path.truncate(self.path.len().saturating_sub(self.own));
        self.own = 0;
        self.word = None;
    }
}

/// Splits a text into tokens with their lines.
struct Tokens<'a> {
    text: &'a str,
    rest: Peekable<CharIndices<'a>>,
    line: usize,
}

impl<'a> Tokens<'a> {
    fn of(text: &'a str) -> Self {
        Tokens { text, rest: text.char_indices().peekable(), line: 1 }
    }

    fn skip_while(&mut self, goes_on: impl Fn(char) -> bool) {
        while self.rest.next_if(|(_, c)| goes_on(*c)).is_some() {}
    }

    /// Where the next character is.
    fn at(&mut self) -> usize {
        self.rest.peek().map_or(self.text.len(), |(at, _)| *at)
    }

    fn word(&mut self, start: usize) -> Token {
        self.skip_while(is_word);
        let end = self.at();
        Token::Word(self.text.get(start..end).unwrap_or_default().into())
    }

    /// A string, whose opening quote has been taken. In texts of several lines the quotes are three.
    fn string(&mut self, start: usize) -> Token {
        if self.text.get(start..).is_some_and(|rest| rest.starts_with("\"\"\"")) {
            let inner = self.text.get(start + 3..).unwrap_or_default();
            let length = inner.find("\"\"\"").map_or(inner.len(), |at| at + 3);
            while self.at() < start + 3 + length {
                if let Some((_, '\n')) = self.rest.next() {
                    self.line += 1;
                }
            }
            return Token::Word(String::new());
        }
        let mut word = String::new();
        while let Some((_, c)) = self.rest.next_if(|(_, c)| *c != '\n') {
            match c {
                '"' => break,
                '\\' => word.extend(self.rest.next_if(|(_, c)| *c != '\n').map(|(_, c)| c)),
                c => word.push(c),
            }
        }
        Token::Word(word)
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '#' | '$' | '.')
}

impl Iterator for Tokens<'_> {
    type Item = (usize, Token);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (at, c) = self.rest.next()?;
            let line = self.line;
            let token = match c {
                '\n' => {
                    self.line += 1;
                    Token::End
                }
                // An optional field is a label like any other.
                ' ' | '\t' | '\r' | '?' => continue,
                '/' if self.rest.peek().is_some_and(|(_, c)| *c == '/') => {
                    self.skip_while(|c| c != '\n');
                    continue;
                }
                '"' => self.string(at),
                ':' => Token::Colon,
                ',' => Token::End,
                '{' => Token::Open,
                '}' => Token::Close,
                '[' => Token::OpenList,
                ']' => Token::CloseList,
                c if is_word(c) => self.word(at),
                _ => Token::Other,
            };
            return Some((line, token));
        }
    }
}

#[cfg(test)]
mod tests;
