//! What a host counts beside a figure: QEMU runs with our plugin (tools/cap/plugin/count.c), which sees every instruction.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

use crate::build::toolchain_file;
use crate::exec::{Context, Failure, ask};
use crate::house::House;
use crate::plugin;

/// What one operation does, counted on all processors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Beside {
    /// Instructions of processes.
    pub user: f64,
    /// Instructions of the kernel.
    pub kernel: f64,
    /// Ways into the kernel and out of it, each.
    pub crossings: f64,
    /// Writes of CR3.
    pub cr3_writes: f64,
    /// Writes to device registers: ports and device memory, the local APIC's included.
    pub device_writes: f64,
    /// Interrupts of devices, timers and other processors.
    pub interrupts: f64,
    /// Iterations of REP instructions. Each counts as an instruction, too.
    pub rep_iterations: f64,
}

impl Beside {
    /// All of them.
    pub fn instructions(&self) -> f64 {
        self.user + self.kernel
    }

    fn of(counts: &[u64; COUNTS], operations: u64) -> Beside {
        let [user, kernel, crossings, cr3_writes, device_writes, interrupts, rep_iterations] =
            counts.map(|count| count as f64 / operations as f64);
        Beside { user, kernel, crossings, cr3_writes, device_writes, interrupts, rep_iterations }
    }

    /// What this has more than `other`, of each the difference.
    fn minus(&self, other: &Beside) -> Beside {
        Beside {
            user: self.user - other.user,
            kernel: self.kernel - other.kernel,
            crossings: self.crossings - other.crossings,
            cr3_writes: self.cr3_writes - other.cr3_writes,
            device_writes: self.device_writes - other.device_writes,
            interrupts: self.interrupts - other.interrupts,
            rep_iterations: self.rep_iterations - other.rep_iterations,
        }
    }
}

/// Numbers of a region.
const COUNTS: usize = 7;

/// The plugin, compiled, and what it has to know.
pub struct Plugin {
    library: PathBuf,
    traps: String,
}

impl Plugin {
    /// Compiles it; `None` where QEMU is too new for it, and figures then stand alone. The kernel must be built: its symbols say where
    /// interrupts arrive.
    pub fn build(house: &House) -> Result<Option<Plugin>, Failure> {
        let library = match plugin::build(house, "count")? {
            Ok(library) => library,
            Err(why) => {
                println!("nothing is counted beside the figures: {why}");
                return Ok(None);
            }
        };
        let kernel = house.boot().join("kernel.elf");
        let symbols = ask(Command::new(toolchain_file("llvm-nm")?).arg(&kernel))?;
        let traps = address(&symbols, "capos_trap_stubs")
            .ok_or_else(|| Failure::new(format!("{} has no symbol capos_trap_stubs", kernel.display())))?;
        Ok(Some(Plugin { library, traps }))
    }

    /// For QEMU's `-plugin`: counts go to the file `out`.
    pub fn argument(&self, out: &Path) -> String {
        format!("{},out={},traps=0x{}", self.library.display(), out.display(), self.traps)
    }
}

fn address(symbols: &str, name: &str) -> Option<String> {
    let mut lines = symbols.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines.find_map(|words| match words.as_slice() {
        [address, _, symbol] if *symbol == name => Some((*address).to_owned()),
        _ => None,
    })
}

/// One series of regions.
#[derive(Default)]
struct OneSeries {
    regions: Vec<[u64; COUNTS]>,
    places: Vec<Place>,
}

/// A block of code that its regions went through.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Where it begins.
    pub address: u64,
    /// How it begins: programs have the same addresses.
    pub code: Vec<u8>,
    /// Instructions of all regions there.
    pub count: u64,
}

/// Series of regions, as the plugin wrote them down, and everything from the start of the machine to its end.
pub struct Series {
    all: Vec<OneSeries>,
    total: Option<[u64; COUNTS]>,
}

impl Series {
    /// Reads its file.
    pub fn read(path: &Path) -> Result<Series, Failure> {
        parse(&fs::read_to_string(path).context(path.display())?)
            .ok_or_else(|| Failure::new(format!("{} is not what the plugin writes", path.display())))
    }

    /// What one of `operations` does in the middle region of a series: the median by instructions, so that all numbers belong together.
    /// With `less`, what it does more than those of that series.
    pub fn beside(&self, series: u64, less: Option<u64>, operations: u64) -> Option<Beside> {
        let one = |series| Some(Beside::of(&self.middle(series)?, operations.max(1)));
        let whole = one(series)?;
        less.map_or(Some(whole), |less| Some(whole.minus(&one(less)?)))
    }

    /// For places in a series the part of its instructions that is spent there.
    pub fn places(&self, series: u64) -> impl Iterator<Item = (&Place, f64)> {
        let places =
            usize::try_from(series).ok().and_then(|n| self.all.get(n)).map(|one| one.places.as_slice());
        let places = places.unwrap_or_default();
        let all: u64 = places.iter().map(|place| place.count).sum();
        places.iter().map(move |place| (place, place.count as f64 / all.max(1) as f64))
    }

    /// Everything.
    pub fn total(&self) -> Option<Beside> {
        self.total.map(|counts| Beside::of(&counts, 1))
    }

    fn middle(&self, series: u64) -> Option<[u64; COUNTS]> {
        let mut regions = self.all.get(usize::try_from(series).ok()?)?.regions.clone();
        regions.sort_by_key(|[user, kernel, ..]| user + kernel);
        regions.get(regions.len() / 2).copied()
    }
}

fn parse(text: &str) -> Option<Series> {
    let (mut all, mut current, mut total) = (Vec::new(), OneSeries::default(), None);
    for line in text.lines() {
        match line.split_once(' ') {
            Some(("region", numbers)) => current.regions.push(region(numbers)?),
            Some(("at", place)) => current.places.push(self::place(place)?),
            Some(("total", numbers)) => total = Some(region(numbers)?),
            None if line == "series" => all.push(std::mem::take(&mut current)),
            _ => return None,
        }
    }
    Some(Series { all, total })
}

fn place(text: &str) -> Option<Place> {
    let (address, rest) = text.split_once(' ')?;
    let (count, code) = rest.split_once(' ')?;
    let digits = code.as_bytes().chunks(2).map(|two| str::from_utf8(two).ok());
    let code = digits.map(|two| u8::from_str_radix(two?, 16).ok()).collect::<Option<_>>()?;
    Some(Place { address: u64::from_str_radix(address, 16).ok()?, code, count: count.parse().ok()? })
}

fn region(numbers: &str) -> Option<[u64; COUNTS]> {
    let numbers: Result<Vec<u64>, _> = numbers.split(' ').map(str::parse).collect();
    numbers.ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "region 10 90 4 2 0 0 8\nregion 10 70 4 2 0 0 8\nregion 900 900 9 9 9 9 9\nseries\n\
                        region 5 55 2 2 0 0 0\nseries\n";

    #[test]
    fn the_middle_region_counts_for_all_numbers() {
        let series = parse(TEXT).unwrap();
        let found = series.beside(0, None, 2).unwrap();
        assert_eq!((found.user, found.kernel, found.instructions()), (5.0, 45.0, 50.0));
        assert_eq!((found.crossings, found.cr3_writes, found.rep_iterations), (2.0, 1.0, 4.0));
    }

    #[test]
    fn a_difference_is_of_each_number() {
        let found = parse(TEXT).unwrap().beside(0, Some(1), 1).unwrap();
        assert_eq!((found.user, found.kernel, found.crossings, found.cr3_writes), (5.0, 35.0, 2.0, 0.0));
    }

    #[test]
    fn what_was_not_counted_is_not_there() {
        let series = parse(TEXT).unwrap();
        assert_eq!(series.beside(2, None, 1), None);
        assert_eq!(series.beside(0, Some(2), 1), None);
        assert!(parse("region 1 2\n").is_none() && parse("else\n").is_none());
        assert!(parse("series\n").unwrap().beside(0, None, 1).is_none());
    }

    #[test]
    fn places_have_their_parts() {
        let text = "region 10 30 0 0 0 0 0\nat ffffffff80001000 30 0f05\nat 401000 10 c3\nseries\nseries\n";
        let series = parse(text).unwrap();
        let found: Vec<_> = series.places(0).collect();
        let kernel = Place { address: 0xffff_ffff_8000_1000, code: vec![0x0f, 0x05], count: 30 };
        let program = Place { address: 0x40_1000, code: vec![0xc3], count: 10 };
        assert_eq!(found, [(&kernel, 0.75), (&program, 0.25)]);
        assert_eq!((series.places(1).count(), series.places(9).count()), (0, 0));
        assert!(parse("at here 3 c3\n").is_none() && parse("at 401000 3 cé\n").is_none());
    }

    #[test]
    fn a_machine_has_a_total() {
        assert_eq!(parse("total 3 4 0 0 5 0 0\n").unwrap().total().unwrap().device_writes, 5.0);
        assert_eq!(parse(TEXT).unwrap().total(), None);
    }

    #[test]
    fn symbols_are_found_by_their_whole_name() {
        let symbols = "ffffffff80001000 T capos_trap_stubs_not\n                 U other\nffffffff80002000 T capos_trap_stubs\n";
        assert_eq!(address(symbols, "capos_trap_stubs").as_deref(), Some("ffffffff80002000"));
        assert_eq!(address(symbols, "nothing"), None);
    }
}
