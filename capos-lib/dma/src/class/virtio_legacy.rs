//! virtio 0.9 (1.2, 4.1.4.10): registers in I/O ports, queues by page number, and sizes that the device dictates.

use super::virtio::Control;
use super::virtio_modern::RESET_LIMIT;
use super::{AttachError, Bell, GuardError, Register, Registers, Ring, Step, Verdict, named};
use crate::pool::PAGE;
use crate::window::{Access, Table, TableError, Widths};

/// A device and what is known of its state.
#[derive(Clone, Debug)]
pub struct Legacy {
    msix: bool,
    /// What was agreed upon.
    pub control: Control,
}

const DRIVER_FEATURES: u64 = 0x04;
const QUEUE_ADDRESS: Register = register(0x08, 4);
const QUEUE_SIZE: Register = register(0x0c, 2);
const QUEUE_SELECT: Register = register(0x0e, 2);
const QUEUE_NOTIFY: Register = register(0x10, 2);
const STATUS: Register = register(0x12, 1);

/// The registers of vectors, which are there with MSI-X; without, and else behind them, are the device's own.
const VECTORS: u64 = 0x14;

/// All that the interface has is in the first window.
const BAR: u8 = 0;

/// The device is reset when it says so; queues are gone then.
pub(super) const QUIESCE: [Step; 2] =
    [Step::Write(STATUS, 0), Step::Await { register: STATUS, mask: 0xff, value: 0, limit: RESET_LIMIT }];

const fn register(offset: u64, width: u8) -> Register {
    Register { bar: BAR, offset, width }
}

impl Legacy {
    /// `msix`: whether the function has MSI-X switched on, as it stays from now on. Two registers come with it, and the others move.
    pub fn new(msix: bool) -> Legacy {
        Legacy { msix, control: Control::default() }
    }

    pub(super) fn table(&self, bar: u8, length: u64) -> Result<Table, TableError> {
        if bar != BAR {
            return named(length, &[]);
        }
        let device = if self.msix { VECTORS + 4 } else { VECTORS };
        named(
            length,
            &[
                (0x00, 4, Widths::FOUR, Access::ReadOnly), // device features
                (DRIVER_FEATURES, 4, Widths::FOUR, Access::Guarded),
                (QUEUE_ADDRESS.offset, 4, Widths::ANY, Access::Forbidden),
                (QUEUE_SIZE.offset, 2, Widths::TWO, Access::ReadOnly),
                (QUEUE_SELECT.offset, 2, Widths::TWO, Access::ReadWrite),
                (QUEUE_NOTIFY.offset, 2, Widths::TWO, Access::Doorbell),
                (STATUS.offset, 1, Widths::ONE, Access::Guarded),
                (0x13, 1, Widths::ONE, Access::ReadOnly), // interrupt status
                (VECTORS, device - VECTORS, Widths::TWO, Access::ReadWrite), // of the configuration, of the queue
                (device, length.saturating_sub(device), Widths::ANY, Access::ReadWrite),
            ],
        )
    }

    pub(super) fn guard(&mut self, offset: u64, value: u64) -> Result<Verdict, GuardError> {
        match offset {
            DRIVER_FEATURES => self.control.write_features(value),
            _ if offset == STATUS.offset => self.control.write_status(value),
            _ => Err(GuardError::NotGuarded),
        }
    }

    /// 4.1.5.1.3.1.
    pub(super) fn attach(
        &mut self,
        registers: &mut impl Registers,
        queue: u16,
        ring: Ring,
    ) -> Result<Bell, AttachError> {
        registers.write(QUEUE_SELECT, queue.into());
        let size = registers.read(QUEUE_SIZE) as u16;
        if size == 0 {
            return Err(AttachError::NoSuchQueue);
        }
        if ring.size != size {
            return Err(AttachError::BadSize(size));
        }
        if registers.read(QUEUE_ADDRESS) != 0 {
            return Err(AttachError::Attached);
        }
        let page =
            u32::try_from(ring.base / PAGE).ok().filter(|page| *page > 0 && ring.base.is_multiple_of(PAGE));
        let page = page.ok_or(AttachError::OutOfReach)?;
        self.control.freeze();
        registers.write(QUEUE_ADDRESS, page.into());
        Ok(Bell { register: QUEUE_NOTIFY, value: queue.into() })
    }
}
