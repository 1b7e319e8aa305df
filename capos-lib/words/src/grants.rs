//! `NAME [ARG ...] [with CAP[=MINE] ...]`: a program and exactly what it is to be given.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// One capability for a child.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// The name under which the child finds it.
    pub name: String,
    /// The name under which we hold it.
    pub mine: String,
}

/// A program to start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Launch {
    /// Boot file.
    pub program: String,
    /// Arguments.
    pub args: Vec<String>,
    /// Everything it is given.
    pub grants: Vec<Grant>,
}

/// Why the words do not name a program and its grants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LaunchError {
    /// No program.
    NoProgram,
    /// Nothing behind `with`.
    NoGrants,
    /// This grant has an empty side.
    BadGrant(String),
    /// This name is given twice.
    Twice(String),
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LaunchError::NoProgram => f.write_str("which program? `ls` lists the boot files"),
            LaunchError::NoGrants => f.write_str("`with` what? For example: with console, or with log=log"),
            LaunchError::BadGrant(word) => write!(f, "`{word}` is no grant: write NAME or NAME=MINE"),
            LaunchError::Twice(name) => write!(f, "`{name}` is given twice"),
        }
    }
}

impl core::error::Error for LaunchError {}

impl Launch {
    /// Reads the words behind `run`. Commas and spaces both separate grants.
    pub fn parse(words: &[String]) -> Result<Launch, LaunchError> {
        let (program, rest) = words.split_first().ok_or(LaunchError::NoProgram)?;
        if program == "with" {
            return Err(LaunchError::NoProgram);
        }
        let with = rest.iter().position(|word| word == "with").unwrap_or(rest.len());
        let (args, grants) = rest.split_at(with);
        let mut launch = Launch { program: program.clone(), args: args.to_vec(), grants: Vec::new() };
        let named = grants.iter().skip(1).flat_map(|word| word.split(',')).filter(|word| !word.is_empty());
        for word in named {
            launch.grant(word)?;
        }
        if !grants.is_empty() && launch.grants.is_empty() {
            return Err(LaunchError::NoGrants);
        }
        Ok(launch)
    }

    fn grant(&mut self, word: &str) -> Result<(), LaunchError> {
        let (name, mine) = word.split_once('=').unwrap_or((word, word));
        if name.is_empty() || mine.is_empty() {
            return Err(LaunchError::BadGrant(String::from(word)));
        }
        if self.grants.iter().any(|grant| grant.name == name) {
            return Err(LaunchError::Twice(String::from(name)));
        }
        self.grants.push(Grant { name: String::from(name), mine: String::from(mine) });
        Ok(())
    }
}
