//! Where the instructions of a figure go: by function, as the plugin saw the blocks of code that ran.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use capos_elf::Image;
use serde::Serialize;

use super::count::{Place, Series};
use crate::exec::{Context, Failure};
use crate::house::House;
use crate::symbolize::Symbols;

/// What one function takes of an operation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    /// Its name.
    pub function: String,
    /// Instructions of one operation; of a difference of two series maybe less than none.
    pub instructions: f64,
}

/// What ran: a file, and its functions once somebody asks.
struct Program {
    name: String,
    path: PathBuf,
    file: Vec<u8>,
    symbols: OnceCell<Option<Symbols>>,
}

impl Program {
    fn read(path: PathBuf) -> Result<Program, Failure> {
        let file = fs::read(&path).context(path.display())?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Program { name, path, file, symbols: OnceCell::new() })
    }

    /// Whether this is its code.
    fn has(&self, place: &Place) -> bool {
        let Ok(image) = Image::parse(&self.file, self.file.len() as u64) else { return false };
        image.segments().any(|segment| {
            let within = place.address.checked_sub(segment.address).filter(|at| *at < segment.file_size);
            let from = within.and_then(|at| usize::try_from(segment.offset + at).ok());
            let code = from.and_then(|from| self.file.get(from..));
            code.is_some_and(|code| code.starts_with(&place.code))
        })
    }

    fn function(&self, address: u64) -> Option<&str> {
        let symbols = self.symbols.get_or_init(|| Symbols::read(&self.path).ok());
        Some(symbols.as_ref()?.find(address)?.0)
    }
}

/// It measures: its functions stand for themselves, as the kernel's do. Others have their program's name before them.
const MEASURES: &str = "probe-bench";

/// Names of the functions of all programs.
pub struct Functions {
    kernel: Symbols,
    programs: Vec<Program>,
}

/// A series, and what one of its operations takes.
#[derive(Clone, Copy)]
pub struct Measure {
    pub series: u64,
    pub instructions: f64,
}

impl Functions {
    /// Of the programs that were built last.
    pub fn read(house: &House) -> Result<Functions, Failure> {
        let boot = house.boot();
        let folder = boot.join("files");
        let entries = fs::read_dir(&folder).context(folder.display())?;
        let paths = entries.map(|entry| Ok(entry.context(folder.display())?.path()));
        let mut paths = paths.collect::<Result<Vec<PathBuf>, Failure>>()?;
        paths.sort();
        let programs = paths.into_iter().filter(|path| path.is_file()).map(Program::read);
        Ok(Functions {
            kernel: Symbols::read(&boot.join("kernel.elf"))?,
            programs: programs.collect::<Result<_, _>>()?,
        })
    }

    fn name(&self, place: &Place) -> String {
        if place.address >> 63 == 1 {
            return self.kernel.find(place.address).map_or("?", |(name, _)| name).to_owned();
        }
        let program = self.programs.iter().find(|program| program.has(place));
        let Some(program) = program else { return "?".to_owned() };
        let function = program.function(place.address).unwrap_or("?");
        if program.name == MEASURES { function.to_owned() } else { format!("{}/{function}", program.name) }
    }

    /// The functions that take part in an operation, those that take most first; with `less`, what is more than there.
    pub fn split(&self, all: &Series, measure: Measure, less: Option<Measure>) -> Vec<Part> {
        let mut parts: BTreeMap<String, f64> = BTreeMap::new();
        let signed = [(Some(measure), 1.0), (less, -1.0)];
        for (measure, sign) in signed.into_iter().filter_map(|(measure, sign)| Some((measure?, sign))) {
            for (place, part) in all.places(measure.series) {
                *parts.entry(self.name(place)).or_default() += sign * part * measure.instructions;
            }
        }
        let mut parts: Vec<Part> =
            parts.into_iter().map(|(function, instructions)| Part { function, instructions }).collect();
        parts.retain(|part| part.instructions.abs() >= 0.5);
        parts.sort_by(|a, b| b.instructions.total_cmp(&a.instructions));
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::{Image, Place, Program};

    #[test]
    fn code_is_that_of_the_program_that_has_it_there() {
        let program = Program::read(std::env::current_exe().unwrap()).unwrap();
        let image = Image::parse(&program.file, program.file.len() as u64).unwrap();
        let text = image.segments().find(|segment| segment.access.execute).unwrap();
        let code = program.file[text.offset as usize..][..32].to_vec();
        let place = Place { address: text.address, code, count: 1 };
        assert!(program.has(&place));
        assert!(!program.has(&Place { address: text.address + 1, ..place.clone() }));
        assert!(!program.has(&Place { code: vec![0xa5; 32], ..place.clone() }));
        assert!(!program.has(&Place { address: u64::MAX, ..place }));
    }
}
