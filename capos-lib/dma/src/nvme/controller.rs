//! A controller's registers (3.1), and what the kernel has to know of its state.

use crate::class::{AttachError, Bell, GuardError, Named, Register, Registers, Ring, Step, Verdict, named};
use crate::pool::PAGE;
use crate::window::{Access, Table, TableError, Widths};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Queues that a controller has here at most, the admin queue among them.
pub const MOST_QUEUES: usize = 16;

/// Namespaces whose sector size is known at most.
const MOST_NAMESPACES: usize = 16;

const CONFIGURATION: Register = Register { bar: 0, offset: 0x14, width: 4 };
const STATUS: Register = Register { bar: 0, offset: 0x1c, width: 4 };
const ADMIN_SIZES: Register = Register { bar: 0, offset: 0x24, width: 4 };
const ADMIN_SUBMISSIONS: u64 = 0x28;
const ADMIN_COMPLETIONS: u64 = 0x30;
const DOORBELLS: u64 = 0x1000;

/// Capabilities: it has the NVM command set.
const NVM_COMMANDS: u64 = 1 << 37;

/// Bits of the configuration that are the driver's: enable, and the notification of a shutdown.
const ENABLE: u64 = 1;
const DRIVERS: u64 = ENABLE | 3 << 14;

/// The others: entries of 16 and 64 bytes, pages of 4096, the NVM command set, round robin. All that is known here about commands depends on them.
const FIXED: u64 = 4 << 20 | 6 << 16;

/// A queue that a driver may create: its ring, and what it has created.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made {
    pub(super) ring: Ring,
    pub(super) completions: bool,
    pub(super) submissions: bool,
}

/// A namespace, and the binary logarithm of its sectors' bytes.
#[derive(Clone, Copy, Debug)]
struct Namespace {
    id: u32,
    shift: u32,
}

/// A controller and what is known of its state.
#[derive(Clone, Debug)]
pub struct Controller {
    stride: u64,
    most: u32,
    quiesce: [Step; 2],
    enabled: bool,
    queues: Box<[Option<Made>]>,
    namespaces: Box<[Option<Namespace>]>,
}

/// Why there is no such controller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ControllerError {
    /// Pages of 4096 bytes are too small for the device.
    PageSize,
    /// Its commands are not those of NVM.
    CommandSet,
    /// No memory for what is to be known of it.
    OutOfMemory,
}

/// Room for so many, of which none is there.
fn room<T: Clone>(count: usize) -> Result<Box<[Option<T>]>, ControllerError> {
    let mut list = Vec::new();
    list.try_reserve_exact(count).map_err(|_| ControllerError::OutOfMemory)?;
    list.resize(count, None);
    Ok(list.into_boxed_slice())
}

impl Controller {
    /// From the capabilities register, which lies at 0 (3.1.1).
    pub fn new(capabilities: u64) -> Result<Controller, ControllerError> {
        if capabilities >> 48 & 15 != 0 {
            return Err(ControllerError::PageSize);
        }
        if capabilities & NVM_COMMANDS == 0 {
            return Err(ControllerError::CommandSet);
        }
        // The longest time from one state to the other, in units of 500 ms.
        let limit = (capabilities >> 24 & 255).max(1) * 500_000_000;
        Ok(Controller {
            stride: 4 << (capabilities >> 32 & 15),
            most: (capabilities & 0xffff) as u32 + 1,
            quiesce: [
                Step::Clear(CONFIGURATION, ENABLE),
                Step::Await { register: STATUS, mask: 1, value: 0, limit },
            ],
            enabled: false,
            queues: room(MOST_QUEUES)?,
            namespaces: room(MOST_NAMESPACES)?,
        })
    }

    /// Where the controller is told how far completions were read.
    pub fn completion_bell(&self, queue: u16) -> Register {
        Register { bar: 0, offset: DOORBELLS + (2 * u64::from(queue) + 1) * self.stride, width: 4 }
    }

    pub(crate) fn table(&self, bar: u8, length: u64) -> Result<Table, TableError> {
        // Whole pages, so that they can be mapped where they are the driver's.
        let doorbells = (2 * MOST_QUEUES as u64 * self.stride).next_multiple_of(PAGE);
        let doorbells = doorbells.min(length.saturating_sub(DOORBELLS));
        // Where queue 0 lies is for the driver to say where it names addresses: a page of it stays, and the IOMMU knows the rest.
        let address = Access::AddressToken { span: PAGE };
        let ranges: [Named; 9] = [
            (0x00, 8, Widths::FOUR_OR_EIGHT, Access::ReadOnly), // CAP
            (0x08, 4, Widths::FOUR, Access::ReadOnly),          // VS
            (0x0c, 8, Widths::FOUR, Access::ReadWrite),         // INTMS, INTMC
            (CONFIGURATION.offset, 4, Widths::FOUR, Access::Guarded),
            (STATUS.offset, 4, Widths::FOUR, Access::ReadOnly),
            (ADMIN_SIZES.offset, 4, Widths::FOUR, Access::ReadOnly),
            (ADMIN_SUBMISSIONS, 8, Widths::EIGHT, address),
            (ADMIN_COMPLETIONS, 8, Widths::EIGHT, address),
            (DOORBELLS, doorbells, Widths::FOUR, Access::Doorbell),
        ];
        named(length, if bar == 0 { &ranges } else { &[] })
    }

    pub(crate) fn guard(&mut self, offset: u64, value: u64) -> Result<Verdict, GuardError> {
        if offset != CONFIGURATION.offset {
            return Err(GuardError::NotGuarded);
        }
        let enable = value & ENABLE != 0;
        if !enable && self.enabled {
            return Ok(Verdict::Reset);
        }
        if enable && self.queue(0).is_none() {
            return Err(GuardError::NotNow);
        }
        self.enabled = enable;
        Ok(Verdict::Write(value & DRIVERS | FIXED))
    }

    pub(crate) fn quiesce(&self) -> &[Step] {
        &self.quiesce
    }

    pub(crate) fn was_reset(&mut self) {
        self.enabled = false;
        self.queues.fill(None);
        self.namespaces.fill(None);
    }

    /// The admin queue is told to the device; the others the driver creates by commands, in the ring that they get here.
    pub(crate) fn attach(
        &mut self,
        registers: &mut impl Registers,
        queue: u16,
        ring: Ring,
    ) -> Result<Bell, AttachError> {
        if !ring.base.is_multiple_of(PAGE) || !ring.completions.is_multiple_of(PAGE) {
            return Err(AttachError::OutOfReach);
        }
        if u32::from(ring.size) > self.most || ring.size < 2 {
            return Err(AttachError::BadSize(u16::try_from(self.most).unwrap_or(u16::MAX)));
        }
        let place = self.queues.get_mut(usize::from(queue)).ok_or(AttachError::NoSuchQueue)?;
        if place.is_some() {
            return Err(AttachError::Attached);
        }
        *place = Some(Made { ring, completions: false, submissions: false });
        if queue == 0 {
            // 3.1.8: sizes count from zero. Nobody has enabled the controller before it has this queue.
            let size = u64::from(ring.size - 1);
            registers.write(ADMIN_SIZES, size << 16 | size);
            for (offset, base) in [(ADMIN_SUBMISSIONS, ring.base), (ADMIN_COMPLETIONS, ring.completions)] {
                registers.write(Register { bar: 0, offset, width: 4 }, base & 0xffff_ffff);
                registers.write(Register { bar: 0, offset: offset + 4, width: 4 }, base >> 32);
            }
        }
        let offset = DOORBELLS + 2 * u64::from(queue) * self.stride;
        Ok(Bell { register: Register { bar: 0, offset, width: 4 }, value: 0 })
    }

    /// An attached queue.
    pub(super) fn queue(&mut self, id: u16) -> Option<&mut Made> {
        self.queues.get_mut(usize::from(id))?.as_mut()
    }

    /// Binary logarithm of a namespace's sector size, if it may be used.
    pub(super) fn sector_shift(&self, namespace: u32) -> Option<u32> {
        self.namespaces.iter().flatten().find(|it| it.id == namespace).map(|it| it.shift)
    }

    /// The device said this about a namespace: none when its sectors are none that we can use.
    pub(super) fn identified(&mut self, id: u32, shift: Option<u32>) {
        // All namespaces together are none.
        let shift = shift.filter(|_| id != 0 && id != u32::MAX);
        let place = self.namespaces.iter().position(|it| it.is_some_and(|it| it.id == id));
        let place = place.or_else(|| self.namespaces.iter().position(Option::is_none));
        if let Some(place) = place.and_then(|it| self.namespaces.get_mut(it)) {
            *place = shift.map(|shift| Namespace { id, shift });
        }
    }
}
