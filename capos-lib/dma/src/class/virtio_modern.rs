//! virtio 1 over PCI (1.2, 4.1): windows are where the function's capabilities say.

use super::virtio::{ACCESS_PLATFORM, Control};
use super::{AttachError, Bell, GuardError, Named, Register, Registers, Ring, Step, Verdict, named};
use crate::virtq::Layout;
use crate::window::{Access, Table, TableError, Widths};

/// A part of a window, as a capability says (4.1.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Region {
    /// The BAR.
    pub bar: u8,
    /// Where it begins.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

/// A device and what is known of its state.
#[derive(Clone, Debug)]
pub struct Modern {
    common: Region,
    notify: Region,
    multiplier: u32,
    isr: Region,
    device: Option<Region>,
    quiesce: [Step; 2],
    /// What was agreed upon.
    pub control: Control,
}

/// Offsets within the common configuration (4.1.4.3).
mod common {
    pub const DEVICE_FEATURE_SELECT: u64 = 0x00;
    pub const DEVICE_FEATURE: u64 = 0x04;
    pub const DRIVER_FEATURE_SELECT: u64 = 0x08;
    pub const DRIVER_FEATURE: u64 = 0x0c;
    pub const NUM_QUEUES: u64 = 0x12;
    pub const DEVICE_STATUS: u64 = 0x14;
    pub const QUEUE_SELECT: u64 = 0x16;
    pub const QUEUE_SIZE: u64 = 0x18;
    pub const QUEUE_ENABLE: u64 = 0x1c;
    pub const QUEUE_NOTIFY_OFF: u64 = 0x1e;
    pub const QUEUE_DESC: u64 = 0x20;
    pub const QUEUE_DRIVER: u64 = 0x28;
    pub const QUEUE_DEVICE: u64 = 0x30;
    /// Bytes without what version 1.2 added.
    pub const LENGTH: u64 = 0x38;
}

/// The registers of the common configuration. Where queues lie is the kernel's, and what it wrote there is not for drivers' eyes.
const COMMON: [Named; 16] = [
    (common::DEVICE_FEATURE_SELECT, 4, Widths::FOUR, Access::ReadWrite),
    (common::DEVICE_FEATURE, 4, Widths::FOUR, Access::ReadOnly),
    (common::DRIVER_FEATURE_SELECT, 4, Widths::FOUR, Access::Guarded),
    (common::DRIVER_FEATURE, 4, Widths::FOUR, Access::Guarded),
    (0x10, 2, Widths::TWO, Access::ReadWrite), // config_msix_vector: an index into a table of the kernel's
    (common::NUM_QUEUES, 2, Widths::TWO, Access::ReadOnly),
    (common::DEVICE_STATUS, 1, Widths::ONE, Access::Guarded),
    (0x15, 1, Widths::ONE, Access::ReadOnly), // config_generation
    (common::QUEUE_SELECT, 2, Widths::TWO, Access::ReadWrite),
    (common::QUEUE_SIZE, 2, Widths::TWO, Access::ReadOnly),
    (0x1a, 2, Widths::TWO, Access::ReadWrite), // queue_msix_vector
    (common::QUEUE_ENABLE, 2, Widths::TWO, Access::ReadOnly),
    (common::QUEUE_NOTIFY_OFF, 2, Widths::TWO, Access::ReadOnly),
    (common::QUEUE_DESC, 8, Widths::ANY, Access::Forbidden),
    (common::QUEUE_DRIVER, 8, Widths::ANY, Access::Forbidden),
    (common::QUEUE_DEVICE, 8, Widths::ANY, Access::Forbidden),
];

/// A device that takes longer to reset than this does not answer any more.
pub(super) const RESET_LIMIT: u64 = 1_000_000_000;

impl Modern {
    /// From the function's capabilities, unless the common configuration is too small to be one. `multiplier` is that of the notification capability.
    pub fn new(
        common: Region,
        notify: Region,
        multiplier: u32,
        isr: Region,
        device: Option<Region>,
    ) -> Option<Modern> {
        if common.length < common::LENGTH {
            return None;
        }
        let register =
            Register { bar: common.bar, offset: common.offset.checked_add(common::DEVICE_STATUS)?, width: 1 };
        // 4.1.4.3.2: the device is reset when it says so.
        let quiesce =
            [Step::Write(register, 0), Step::Await { register, mask: 0xff, value: 0, limit: RESET_LIMIT }];
        Some(Modern { common, notify, multiplier, isr, device, quiesce, control: Control::default() })
    }

    pub(super) fn table(&self, bar: u8, length: u64) -> Result<Table, TableError> {
        let mut table = named(length, &[])?;
        let mut add = |region: &Region, first: u64, length: u64, widths: Widths, access: Access| {
            let first = region.offset.checked_add(first).ok_or(TableError::OutOfWindow)?;
            table.add(crate::window::Range { first, length, widths, access })
        };
        if self.common.bar == bar {
            for (first, length, widths, access) in COMMON {
                add(&self.common, first, length, widths, access)?;
            }
        }
        for (region, widths, access) in [
            (Some(&self.notify), Widths::TWO, Access::Doorbell),
            (Some(&self.isr), Widths::ONE, Access::ReadOnly),
            (self.device.as_ref(), Widths::ANY, Access::ReadWrite),
        ] {
            if let Some(region) = region.filter(|it| it.bar == bar) {
                add(region, 0, region.length, widths, access)?;
            }
        }
        Ok(table)
    }

    pub(super) fn guard(&mut self, bar: u8, offset: u64, value: u64) -> Result<Verdict, GuardError> {
        match offset.checked_sub(self.common.offset).filter(|_| bar == self.common.bar) {
            Some(common::DRIVER_FEATURE_SELECT) => Ok(self.control.write_select(value)),
            Some(common::DRIVER_FEATURE) => self.control.write_features(value),
            Some(common::DEVICE_STATUS) => self.control.write_status(value),
            _ => Err(GuardError::NotGuarded),
        }
    }

    /// Features from 32 on are in the second word (4.1.4.3).
    pub(super) fn offers_access_platform(&self, registers: &mut impl Registers) -> bool {
        registers.write(self.common(common::DEVICE_FEATURE_SELECT, 4), 1);
        registers.read(self.common(common::DEVICE_FEATURE, 4)) << 32 & ACCESS_PLATFORM != 0
    }

    pub(super) fn quiesce(&self) -> &[Step] {
        &self.quiesce
    }

    /// 4.1.5.1.3.
    pub(super) fn attach(
        &mut self,
        registers: &mut impl Registers,
        queue: u16,
        ring: Ring,
    ) -> Result<Bell, AttachError> {
        if !self.control.is_ready() {
            return Err(AttachError::NotNow);
        }
        if u64::from(queue) >= registers.read(self.common(common::NUM_QUEUES, 2)) {
            return Err(AttachError::NoSuchQueue);
        }
        registers.write(self.common(common::QUEUE_SELECT, 2), queue.into());
        let most = registers.read(self.common(common::QUEUE_SIZE, 2)) as u16;
        if most == 0 {
            return Err(AttachError::NoSuchQueue);
        }
        let layout =
            Layout::new(ring.size).filter(|_| ring.size <= most).ok_or(AttachError::BadSize(most))?;
        if registers.read(self.common(common::QUEUE_ENABLE, 2)) != 0 {
            return Err(AttachError::Attached);
        }
        let bell = self.bell(registers.read(self.common(common::QUEUE_NOTIFY_OFF, 2)) as u16, queue)?;
        registers.write(self.common(common::QUEUE_SIZE, 2), ring.size.into());
        for (register, part) in [
            (common::QUEUE_DESC, layout.descriptor(0)),
            (common::QUEUE_DRIVER, layout.available()),
            (common::QUEUE_DEVICE, layout.used()),
        ] {
            let address = ring.base.checked_add(part.into()).ok_or(AttachError::OutOfReach)?;
            // Halves: registers are at most four bytes wide (4.1.3.1).
            registers.write(self.common(register, 4), address & 0xffff_ffff);
            registers.write(self.common(register + 4, 4), address >> 32);
        }
        registers.write(self.common(common::QUEUE_ENABLE, 2), 1);
        Ok(bell)
    }

    /// 4.1.4.4: where the device is told of a queue.
    fn bell(&self, notify_off: u16, queue: u16) -> Result<Bell, AttachError> {
        let at = u64::from(notify_off) * u64::from(self.multiplier);
        if at.checked_add(2).is_none_or(|end| end > self.notify.length) || !at.is_multiple_of(2) {
            return Err(AttachError::BadBell);
        }
        let offset = self.notify.offset.checked_add(at).ok_or(AttachError::BadBell)?;
        Ok(Bell { register: Register { bar: self.notify.bar, offset, width: 2 }, value: queue.into() })
    }

    fn common(&self, offset: u64, width: u8) -> Register {
        Register { bar: self.common.bar, offset: self.common.offset.wrapping_add(offset), width }
    }
}
