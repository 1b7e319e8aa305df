//! What is wrong with a schema, and where.

use std::fmt;

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Fault {
    /// Path of the file at fault, as the person who reads this would type it.
    pub file: String,
    /// Line, from 1, if it is known.
    pub line: Option<usize>,
    /// What is wrong and, where we know, what to do about it.
    pub message: String,
}

impl Fault {
    /// A fault that concerns a whole file, or none.
    pub fn of_file(file: impl Into<String>, message: impl Into<String>) -> Self {
        Fault { file: file.into(), line: None, message: message.into() }
    }

    /// A fault at a place in a schema file.
    pub fn at(place: &crate::source::Place, message: impl Into<String>) -> Self {
        Fault { file: place.file.clone(), line: place.line, message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

/// Everything that is wrong: a person repairs more than one thing per run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// `Ok` when nothing was found.
    pub fn check(mut self) -> Result<(), Faults> {
        self.0.sort();
        self.0.dedup();
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Faults(vec![fault])
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
