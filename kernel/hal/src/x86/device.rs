//! Registers of devices: the kernel's own way to them, and pages of them to be mapped into user space.

use super::mem::Frames;
use super::paging::PAGE;
use super::paging::mmio::{self, Window};
use crate::order::LockRank;
use crate::sync::{Lock, Ref};
use crate::types::{MemError, OutOfRange, PagesError, WINDOW_MAX, Width};
use alloc::vec::Vec;
use x86_64::instructions::port::Port;

/// Windows are for ever, so a range that is claimed again gets the one that it had.
static WINDOWS: Lock<Vec<Known>> = Lock::new(LockRank::List, Vec::new());

struct Known {
    base: u64,
    length: u64,
    window: Window,
}

/// The registers that one base address register of a device shows.
#[derive(Clone, Copy)]
pub struct Registers {
    way: Way,
    base: u64,
    length: u64,
}

#[derive(Clone, Copy)]
enum Way {
    Memory(Window),
    Ports,
}

impl Registers {
    /// Those at physical address `base`, where a device answers.
    pub fn in_memory(base: u64, length: u64) -> Result<Registers, MemError> {
        let mut windows = WINDOWS.lock();
        let known = windows.iter().find(|known| (known.base, known.length) == (base, length));
        let window = match known.map(|known| known.window) {
            Some(window) => window,
            None => {
                windows.try_reserve(1).map_err(|_| MemError::OutOfMemory)?;
                let window = mmio::map(base, length.min(WINDOW_MAX) as usize);
                if window.is_empty() {
                    return Err(MemError::OutOfMemory);
                }
                windows.push(Known { base, length, window });
                window
            }
        };
        Ok(Registers { way: Way::Memory(window), base, length })
    }

    /// Those at I/O ports from `base` on, where a device answers.
    pub fn at_ports(base: u16, length: u16) -> Registers {
        Registers { way: Way::Ports, base: u64::from(base), length: u64::from(length) }
    }

    /// Bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    fn check(&self, offset: u64, width: Width) -> Result<usize, OutOfRange> {
        let end = offset.checked_add(width.bytes()).ok_or(OutOfRange)?;
        let inside = end <= self.length.min(WINDOW_MAX) && offset.is_multiple_of(width.bytes());
        usize::try_from(offset).ok().filter(|_| inside).ok_or(OutOfRange)
    }

    fn port(&self, at: usize) -> Result<u16, OutOfRange> {
        u16::try_from(self.base + at as u64).map_err(|_| OutOfRange)
    }

    /// What a register says.
    pub fn read(&self, offset: u64, width: Width) -> Result<u64, OutOfRange> {
        let at = self.check(offset, width)?;
        match self.way {
            Way::Memory(window) => Ok(match width {
                Width::One => u64::from(window.read8(at)),
                Width::Two => u64::from(window.read16(at)),
                Width::Four => u64::from(window.read32(at)),
                Width::Eight => window.read64(at),
            }),
            Way::Ports => read_port(self.port(at)?, width),
        }
    }

    /// Tells a register something.
    #[expect(clippy::cast_possible_truncation, reason = "a register takes as many bytes as it has")]
    pub fn write(&self, offset: u64, width: Width, value: u64) -> Result<(), OutOfRange> {
        let at = self.check(offset, width)?;
        match self.way {
            Way::Memory(window) => match width {
                Width::One => window.write8(at, value as u8),
                Width::Two => window.write16(at, value as u16),
                Width::Four => window.write32(at, value as u32),
                Width::Eight => window.write64(at, value),
            },
            Way::Ports => write_port(self.port(at)?, width, value)?,
        }
        Ok(())
    }

    /// The pages from byte `offset` on, to be mapped. All of each page must be the device's: a range that begins or ends within a page
    /// shares it with something else.
    pub fn pages(&self, offset: u64, pages: usize) -> Result<Ref<Frames>, PagesError> {
        let end = (pages as u64).checked_mul(PAGE).and_then(|length| offset.checked_add(length));
        let whole = self.base.is_multiple_of(PAGE) && offset.is_multiple_of(PAGE) && pages > 0;
        if matches!(self.way, Way::Ports) || !whole || end.is_none_or(|end| end > self.length) {
            return Err(PagesError::Range);
        }
        Frames::of_device(self.base + offset, pages).map_err(PagesError::Memory)
    }
}

/// There are no ports of eight bytes.
fn read_port(port: u16, width: Width) -> Result<u64, OutOfRange> {
    // SAFETY: ports of a device that the ledger has; which of them give power over memory its policy knows, and asks here for no others.
    unsafe {
        match width {
            Width::One => Ok(u64::from(Port::<u8>::new(port).read())),
            Width::Two => Ok(u64::from(Port::<u16>::new(port).read())),
            Width::Four => Ok(u64::from(Port::<u32>::new(port).read())),
            Width::Eight => Err(OutOfRange),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a register takes as many bytes as it has")]
fn write_port(port: u16, width: Width, value: u64) -> Result<(), OutOfRange> {
    // SAFETY: as for reading.
    unsafe {
        match width {
            Width::One => Port::new(port).write(value as u8),
            Width::Two => Port::new(port).write(value as u16),
            Width::Four => Port::new(port).write(value as u32),
            Width::Eight => return Err(OutOfRange),
        }
    }
    Ok(())
}
