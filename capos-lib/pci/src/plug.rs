//! Functions that come while the machine runs: where they may answer is what firmware gave the bridge that leads to them (PCI-to-PCI Bridge
//! 1.2, 3.2.5).

use crate::address::{Address, FUNCTIONS};
use crate::bar::Space;
use crate::config::{COMMAND, Config, command};
use crate::fault::Fault;
use crate::function::Function;
use core::ops::RangeInclusive;

const MEMORY: u16 = 0x20;
const PREFETCHABLE: u16 = 0x24;
const PREFETCHABLE_HIGH: u16 = 0x28;
const LIMIT_HIGH: u16 = 0x2c;
/// In the low bits of the prefetchable window: its upper halves are there.
const IS_WIDE: u32 = 1;
const BELOW_4_GIB: u64 = u32::MAX as u64;

/// Memory that a bridge lets through to the buses behind it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Windows {
    /// Anything, below 4 GiB.
    pub memory: Option<RangeInclusive<u64>>,
    /// What is read without side effects.
    pub prefetchable: Option<RangeInclusive<u64>>,
}

impl Windows {
    /// Those of the bridge at `at`; none while it lets nothing through.
    pub fn read(config: &impl Config, at: Address) -> Windows {
        if config.read16(at, COMMAND) & command::MEMORY == 0 {
            return Windows::default();
        }
        let word = config.read32(at, PREFETCHABLE);
        let wide = word & 0xf == IS_WIDE;
        let high = |register| if wide { u64::from(config.read32(at, register)) << 32 } else { 0 };
        let memory = window(config.read32(at, MEMORY), 0, 0);
        // What both let through is one address all the same, and no two functions are to answer there.
        let apart = |it: &RangeInclusive<u64>| memory.as_ref().is_none_or(|memory| apart(memory, it));
        let prefetchable = window(word, high(PREFETCHABLE_HIGH), high(LIMIT_HIGH)).filter(apart);
        Windows { memory, prefetchable }
    }

    /// All there are.
    pub fn each(&self) -> impl Iterator<Item = &RangeInclusive<u64>> {
        self.memory.iter().chain(&self.prefetchable)
    }

    /// Takes `size` bytes, aligned to that, from a window where a register of that kind may be.
    fn take(&mut self, size: u64, space: Space) -> Option<u64> {
        let Space::Memory { wide, prefetchable } = space else { return None };
        let near = |window: &&mut RangeInclusive<u64>| wide || *window.end() <= BELOW_4_GIB;
        let prefetchable = self.prefetchable.as_mut().filter(|_| prefetchable).filter(near);
        prefetchable.into_iter().chain(self.memory.as_mut()).find_map(|window| take(window, size))
    }
}

/// The upper 12 bits of 32, each of which counts a mebibyte, of its begin and of its end.
fn window(word: u32, high: u64, limit_high: u64) -> Option<RangeInclusive<u64>> {
    let first = high | u64::from(word & 0xfff0) << 16;
    let last = limit_high | u64::from(word & 0xfff0_0000) | 0xf_ffff;
    (first != 0 && first < last).then_some(first..=last)
}

fn apart(one: &RangeInclusive<u64>, other: &RangeInclusive<u64>) -> bool {
    one.end() < other.start() || other.end() < one.start()
}

fn take(window: &mut RangeInclusive<u64>, size: u64) -> Option<u64> {
    let first = window.start().checked_next_multiple_of(size)?;
    let next = first.checked_add(size)?;
    (next.checked_sub(1)? <= *window.end()).then(|| {
        *window = next..=*window.end();
        first
    })
}

/// Reads the functions of the device behind a port (there is one: PCI Express 5.0, 7.3.1), gives each a place within `windows`, takes from it what it can do
/// by itself, and has `visit` see it. One that does not fit has a fault. What answers at ports gets none: nothing has to.
pub fn arrive(config: &impl Config, bus: u8, windows: &Windows, mut visit: impl FnMut(Function)) {
    let mut windows = windows.clone();
    let first = Address::device_of(bus, 0);
    let mut functions = [const { None }; FUNCTIONS as usize];
    for (place, number) in functions.iter_mut().zip(0..) {
        *place = Function::read(config, first.sibling(number));
        if number == 0 && !place.as_ref().is_some_and(|function| function.header.is_multifunction()) {
            break;
        }
    }
    // The largest first: then nothing is lost to alignment.
    for shift in (0..u64::BITS).rev() {
        for function in functions.iter_mut().flatten() {
            place(function, 1 << shift, &mut windows);
        }
    }
    for mut function in functions.into_iter().flatten() {
        function.restore_bars(config);
        let written = Function::read(config, function.address).map(|now| now.bars);
        if written.is_none_or(|bars| bars != function.bars) {
            function.fault = function.fault.or(Some(Fault::Deaf));
        }
        function.quiet(config);
        visit(function);
    }
}

fn place(function: &mut Function, size: u64, windows: &mut Windows) {
    for bar in function.bars.iter_mut().flatten().filter(|bar| bar.size == size && bar.is_memory()) {
        match windows.take(size, bar.space) {
            Some(base) => bar.base = base,
            None => {
                bar.base = 0;
                function.fault = function.fault.or(Some(Fault::NoRoom(bar.index)));
            }
        }
    }
}
