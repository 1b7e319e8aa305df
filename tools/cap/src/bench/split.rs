//! Where the instructions of a figure go: by function, as the plugin saw the blocks of code that ran.

use std::collections::BTreeMap;

use serde::Serialize;

use super::count::Series;
use crate::exec::Failure;
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

/// Names of the functions of the kernel and of the program that measures.
pub struct Functions {
    kernel: Symbols,
    program: Symbols,
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
        Ok(Functions {
            kernel: Symbols::read(&boot.join("kernel.elf"))?,
            program: Symbols::read(&boot.join("files/probe-bench"))?,
        })
    }

    fn name(&self, address: u64) -> String {
        let symbols = if address >> 63 == 1 { &self.kernel } else { &self.program };
        symbols.find(address).map_or("?", |(name, _)| name).to_owned()
    }

    /// The functions that take part in an operation, those that take most first; with `less`, what is more than there.
    pub fn split(&self, all: &Series, measure: Measure, less: Option<Measure>) -> Vec<Part> {
        let mut parts: BTreeMap<String, f64> = BTreeMap::new();
        let signed = [(Some(measure), 1.0), (less, -1.0)];
        for (measure, sign) in signed.into_iter().filter_map(|(measure, sign)| Some((measure?, sign))) {
            for (address, part) in all.places(measure.series) {
                *parts.entry(self.name(address)).or_default() += sign * part * measure.instructions;
            }
        }
        let mut parts: Vec<Part> =
            parts.into_iter().map(|(function, instructions)| Part { function, instructions }).collect();
        parts.retain(|part| part.instructions.abs() >= 0.5);
        parts.sort_by(|a, b| b.instructions.total_cmp(&a.instructions));
        parts
    }
}
