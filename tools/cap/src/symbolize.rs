//! Addresses of a crash, as names: adds to every hexadecimal address, among the arguments or in the text on standard input, the function
//! around it.
//! The symbols come from the very file that ran; it is never stripped.

use std::io::{self, BufRead};
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::build::toolchain_file;
use crate::exec::{Context, Failure, ask};
use crate::house::House;

static ADDRESS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\b0x[0-9a-fA-F]{5,16}\b").ok());

/// Annotates `addresses`, or standard input if there are none, with the symbols of `program`, or of the kernel.
pub fn run(house: &House, program: Option<&str>, addresses: &[String]) -> Result<(), Failure> {
    let path = match program {
        Some(name) => house.boot().join("files").join(name),
        None => house.boot().join("kernel.elf"),
    };
    let symbols = Symbols::read(&path)?;
    for address in addresses {
        println!("{}", symbols.annotate(address));
    }
    if !addresses.is_empty() {
        return Ok(());
    }
    for line in io::stdin().lock().lines() {
        println!("{}", symbols.annotate(&line.context("standard input")?));
    }
    Ok(())
}

/// Functions by address.
pub struct Symbols(Vec<(u64, String)>);

impl Symbols {
    /// Those of a file.
    pub fn read(elf: &Path) -> Result<Symbols, Failure> {
        let nm = toolchain_file("llvm-nm")?;
        Ok(Symbols::parse(&ask(Command::new(nm).arg("--defined-only").arg(elf))?))
    }

    /// Lines of `nm`: address, type letter, name.
    fn parse(listing: &str) -> Symbols {
        let mut symbols: Vec<(u64, String)> = listing
            .lines()
            .filter_map(|line| {
                let mut parts = line.splitn(3, ' ');
                let address = u64::from_str_radix(parts.next()?, 16).ok()?;
                let is_code = matches!(parts.next()?, "t" | "T" | "w" | "W");
                is_code.then_some((address, format!("{:#}", rustc_demangle::demangle(parts.next()?))))
            })
            .collect();
        symbols.sort();
        Symbols(symbols)
    }

    /// The function at or before `address`, if it is not far away.
    pub fn find(&self, address: u64) -> Option<(&str, u64)> {
        let after = self.0.partition_point(|(start, _)| *start <= address);
        let (start, name) = self.0.get(after.checked_sub(1)?)?;
        let offset = address - start;
        (offset < 1 << 20).then_some((name.as_str(), offset))
    }

    fn annotate(&self, line: &str) -> String {
        let Some(pattern) = LazyLock::force(&ADDRESS) else { return line.to_owned() };
        let replaced = pattern.replace_all(line, |found: &Captures<'_>| {
            let text = found.get(0).map_or("", |m| m.as_str());
            let address = text.get(2..).and_then(|digits| u64::from_str_radix(digits, 16).ok());
            match address.and_then(|address| self.find(address)) {
                Some((name, offset)) => format!("{text} <{name}+{offset:#x}>"),
                None => text.to_owned(),
            }
        });
        replaced.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "ffffffff80001000 T kernel::start\nffffffff80002000 t kernel::trap\nffffffff80003000 D DATA\n\
                           garbage\n";

    #[test]
    fn addresses_get_names() {
        let symbols = Symbols::parse(LISTING);
        assert_eq!(
            symbols.annotate("at 0xffffffff80001010, then 0xffffffff80002000"),
            "at 0xffffffff80001010 <kernel::start+0x10>, then 0xffffffff80002000 <kernel::trap+0x0>"
        );
    }

    #[test]
    fn strangers_stay_as_they_are() {
        let symbols = Symbols::parse(LISTING);
        for line in ["0x1234", "0x12345", "0xffffffffffffffff", "no address", "0xffffffff80001"] {
            assert_eq!(symbols.annotate(line), line);
        }
        assert_eq!(Symbols::parse("").annotate("0xffffffff80001010"), "0xffffffff80001010");
    }
}
