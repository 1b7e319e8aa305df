//! What devices write rightly although it has no mark: what virtio devices were told before the canary began, which is their used rings and
//! the buffers of drivers that know nothing of marks, and what IOMMUs report. Devices say themselves where that is; behind an IOMMU the
//! lab walks the tables, as it would.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Monitor;
use super::ram::Ram;

/// Where q35 has Intel's IOMMU, and AMD's.
const INTEL: u64 = 0xfed9_0000;
const AMD: u64 = 0xfed8_0000;
const PAGE: u64 = 4096;
const FRAME: u64 = 0x000f_ffff_ffff_f000;
/// Of one buffer at most.
const PAGES_MAX: usize = 1024;
/// Of tables at most.
const LEVELS: u64 = 6;
/// Entries of a queue of commands of one page.
const COMMANDS: u64 = 256;

/// A queue of a virtio device: the addresses that it has for its descriptors and its rings, and how many entries these have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Queue {
    descriptors: u64,
    pub available: u64,
    pub used: u64,
    pub entries: u64,
}

/// Pages that devices may write now.
pub fn written(monitor: &mut dyn Monitor, ram: &Ram) -> Result<BTreeSet<u64>, String> {
    let unit = Unit::find(monitor)?;
    let mut pages = unit.written(ram);
    for queue in queues(monitor)? {
        pages.extend(unit.pages(ram, queue.used, 6 + 8 * queue.entries));
        for (address, length) in queue.buffers(&unit, ram) {
            pages.extend(unit.pages(ram, address, length));
        }
    }
    Ok(pages)
}

impl Queue {
    /// What its descriptors let the device write, those that it is through with included (virtio 1.2, 2.7.5).
    pub fn buffers(self, unit: &Unit, ram: &Ram) -> Vec<(u64, u64)> {
        const WRITE: u64 = 2;
        let of = |table: u64| {
            (0..self.entries).filter_map(move |entry| {
                let (address, rest) =
                    (ram.word_at(table + 16 * entry)?, ram.word_at(table + 16 * entry + 8)?);
                (rest >> 32 & WRITE != 0).then_some((address, rest & 0xffff_ffff))
            })
        };
        unit.places(ram, self.descriptors).into_iter().flat_map(of).collect()
    }
}

/// The queues of all virtio devices.
pub(super) fn queues(monitor: &mut dyn Monitor) -> Result<Vec<Queue>, String> {
    let devices = monitor.ask("x-query-virtio", json!({}))?;
    let paths = devices.as_array().into_iter().flatten().filter_map(|device| device.get("path"));
    let mut found = Vec::new();
    for path in paths {
        // It refuses queues that it does not have, the first after the last among them.
        for queue in 0.. {
            let wanted = json!({ "path": path, "queue": queue });
            let Ok(status) = monitor.ask("x-query-virtio-queue-status", wanted) else { break };
            let number = |name: &str| status.get(name).and_then(Value::as_u64).unwrap_or(0);
            let [descriptors, available, used, entries] =
                ["vring-desc", "vring-avail", "vring-used", "vring-num"].map(number);
            if used != 0 {
                found.push(Queue { descriptors, available, used, entries });
            }
        }
    }
    Ok(found)
}

/// The IOMMU, with what its registers say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unit {
    None,
    /// Root table and queue of commands (VT-d 11.4.5, 11.4.9.6).
    Intel {
        root: u64,
        queue: u64,
    },
    /// Table of devices, commands and events (48882, 3.4.1).
    Amd {
        devices: u64,
        commands: u64,
        events: u64,
    },
}

impl Unit {
    pub fn find(monitor: &mut dyn Monitor) -> Result<Unit, String> {
        let tree = monitor.line("info qtree")?;
        if tree.contains("dev: intel-iommu") {
            return Ok(Unit::Intel {
                root: register(monitor, INTEL + 0x20)?,
                queue: register(monitor, INTEL + 0x90)?,
            });
        }
        if tree.contains("dev: amd-iommu") {
            let [devices, commands, events] = [0, 8, 16].map(|at| register(monitor, AMD + at));
            return Ok(Unit::Amd { devices: devices?, commands: commands?, events: events? });
        }
        Ok(Unit::None)
    }

    /// Pages that the unit itself writes: where its commands say that they are done, and its events.
    fn written(&self, ram: &Ram) -> BTreeSet<u64> {
        let commands = |base: u64| {
            let words = move |n: u64| {
                Some((ram.word((base & FRAME) + 16 * n)?, ram.word((base & FRAME) + 16 * n + 8)?))
            };
            (0..COMMANDS).filter_map(words)
        };
        match *self {
            Unit::None => BTreeSet::new(),
            // A wait that writes: type 5, bit 5 (6.5.2.8).
            Unit::Intel { queue, .. } => commands(queue)
                .filter(|(low, _)| low & 0x2f == 0x25)
                .filter_map(|(_, high)| ram.page(high & !3))
                .collect(),
            // COMPLETION_WAIT is 1, and writes with bit 0 (2.4.1).
            Unit::Amd { commands: base, events, .. } => commands(base)
                .filter(|(low, _)| low >> 60 == 1 && low & 1 == 1)
                .filter_map(|(low, _)| ram.page(low & FRAME | low & 0xff8))
                .chain(ram.page(events & FRAME))
                .collect(),
        }
    }

    /// Pages of so many bytes.
    fn pages(&self, ram: &Ram, address: u64, length: u64) -> BTreeSet<u64> {
        let first = address & !(PAGE - 1);
        let pages = (first..address.saturating_add(length)).step_by(PAGE as usize).take(PAGES_MAX);
        pages.flat_map(|page| self.places(ram, page)).map(|place| place / PAGE).collect()
    }

    /// Whether an address leads somewhere by the tables of any function. Without a unit nobody can say.
    pub fn leads(&self, ram: &Ram, address: u64) -> Option<bool> {
        let leads = || self.roots(ram).into_iter().any(|root| root.walk(ram, address).is_some());
        (*self != Unit::None).then(leads)
    }

    /// Where in the file of RAM an address leads that devices use: by the tables of whichever function has it. Without any, it is where it says.
    pub fn places(&self, ram: &Ram, address: u64) -> Vec<u64> {
        let walked: BTreeSet<u64> =
            self.roots(ram).into_iter().filter_map(|root| root.walk(ram, address)).collect();
        match walked.is_empty() {
            true => ram.place(address).into_iter().collect(),
            false => walked.into_iter().collect(),
        }
    }

    /// Tables of the functions of the first bus that have some.
    fn roots(&self, ram: &Ram) -> Vec<Root> {
        let functions = 0..256;
        match *self {
            Unit::None => Vec::new(),
            Unit::Intel { root, .. } => {
                let contexts =
                    ram.word(root & FRAME).filter(|entry| entry & 1 == 1).map(|entry| entry & FRAME);
                let of = |contexts| {
                    functions.clone().filter_map(move |function| Root::intel(ram, contexts + 16 * function))
                };
                contexts.into_iter().flat_map(of).collect()
            }
            Unit::Amd { devices, .. } => {
                functions.filter_map(|function| Root::amd(ram, (devices & FRAME) + 32 * function)).collect()
            }
        }
    }
}

/// What a function reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Root {
    table: u64,
    levels: u64,
    amd: bool,
}

impl Root {
    /// A context entry (9.3).
    fn intel(ram: &Ram, entry: u64) -> Option<Root> {
        let (low, high) = (ram.word(entry)?, ram.word(entry + 8)?);
        (low & 1 == 1).then_some(Root { table: low & FRAME, levels: (high & 7) + 2, amd: false })
    }

    /// An entry of the device table (2.2.2.1).
    fn amd(ram: &Ram, entry: u64) -> Option<Root> {
        let low = ram.word(entry)?;
        (low & 3 == 3 && low >> 9 & 7 != 0).then_some(Root {
            table: low & FRAME,
            levels: low >> 9 & 7,
            amd: true,
        })
    }

    fn walk(self, ram: &Ram, address: u64) -> Option<u64> {
        let (mut table, mut level) = (self.table, self.levels);
        while (1..=LEVELS).contains(&level) {
            let shift = 12 + 9 * (level - 1);
            let entry = ram.word(table + 8 * (address >> shift & 511))?;
            let (present, next) = match self.amd {
                true => (entry & 1 == 1, entry >> 9 & 7),
                false => (entry & 3 != 0, if entry & 1 << 7 != 0 { 0 } else { level - 1 }),
            };
            if !present || next >= level {
                return None;
            }
            if next == 0 {
                let within = (1u64 << shift) - 1;
                return ram.place(entry & FRAME & !within | address & within);
            }
            (table, level) = (entry & FRAME, next);
        }
        None
    }
}

/// Eight bytes of a device: `00000000fed90020: 0x0000000001234000`.
fn register(monitor: &mut dyn Monitor, address: u64) -> Result<u64, String> {
    let text = monitor.line(&format!("xp /1gx {address:#x}"))?;
    let number = text.split_once(": 0x").and_then(|(_, digits)| u64::from_str_radix(digits.trim(), 16).ok());
    number.ok_or_else(|| format!("no register at {address:#x}: {text}"))
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs::{self, File};

    use super::*;

    /// RAM of one MiB that holds these words.
    fn ram(name: &str, words: &[(u64, u64)]) -> Ram {
        let path = std::env::temp_dir().join(format!("capos-devices-test-{}-{name}", std::process::id()));
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        fs::remove_file(path).unwrap();
        file.set_len(1 << 20).unwrap();
        let mut ram = Ram::over(file).unwrap();
        ram.learn("0000000000000000-00000000000fffff (prio 0, ram): ram").unwrap();
        words.iter().for_each(|(at, word)| ram.write_at(&word.to_le_bytes(), *at).unwrap());
        ram
    }

    /// Function 5 reaches 0x9000 at 0x40_0000_1000, and 2 MiB at 0x4000_0000.
    pub fn intel(name: &str) -> Ram {
        ram(
            name,
            &[
                (0x1000, 0x2001),
                (0x2050, 0x3001),
                (0x2058, 2),
                (0x3000, 0x4003),
                (0x4000 + 8 * 256, 0x5003),
                (0x4000 + 8, 0x7003),
                (0x5000, 0x6003),
                (0x6008, 0x9003),
                (0x7000, 0x83),
            ],
        )
    }

    #[test]
    fn tables_of_intels_unit_are_walked() {
        let ram = intel("intel");
        let unit = Unit::Intel { root: 0x1000, queue: 0x8000 };
        assert_eq!(unit.places(&ram, 0x40_0000_1008), [0x9008]);
        assert_eq!(unit.places(&ram, 0x4000_7123), [0x7123]);
        assert_eq!(unit.places(&ram, 0x8000), [0x8000], "of no function: a device that goes past it");
        assert!(unit.places(&ram, 0x40_0000_2000).is_empty());
        let leads = [0x40_0000_1008, 0x40_0000_2000, 0x8000].map(|address| unit.leads(&ram, address));
        assert_eq!(leads, [Some(true), Some(false), Some(false)]);
        assert_eq!(Unit::None.leads(&ram, 0x8000), None);
    }

    #[test]
    fn tables_of_amds_unit_are_walked_and_levels_may_be_left_out() {
        // Function 5: four levels, of which the third is left out.
        let words = [
            (0x1000 + 32 * 5, 0x2003 | 4 << 9),
            (0x2000, 0x3001 | 2 << 9),
            (0x3008, 0x4001 | 1 << 9),
            (0x4010, 0x9001),
            (0x3010, 0x4001 | 2 << 9),
        ];
        let unit = Unit::Amd { devices: 0x1000 | 0x1ff, commands: 0x8000, events: 0xa000 };
        let ram = ram("amd", &words);
        assert_eq!(unit.places(&ram, 0x20_2010), [0x9010]);
        assert!(unit.places(&ram, 0x40_2010).is_empty(), "levels only become less");
    }

    #[test]
    fn units_write_where_their_commands_say() {
        let ram = ram("writes", &[(0x8000, 0x25), (0x8008, 0xb000), (0x8010, 0x5), (0x8018, 0xc000)]);
        assert_eq!(Unit::Intel { root: 0, queue: 0x8000 }.written(&ram), [0xb].into());
        ram.write_at(&(0x1_u64 << 60 | 0xd001).to_le_bytes(), 0x8000).unwrap();
        let unit = Unit::Amd { devices: 0, commands: 0x8000, events: 8 << 56 | 0xe000 };
        assert_eq!(unit.written(&ram), [0xd, 0xe].into());
    }
}
