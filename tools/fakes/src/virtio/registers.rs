//! The registers: modern (4.1.4.3 and following) and legacy (4.1.4.8), by number.

use capos_virtio::register::{Register, Width, Window};
use capos_virtio::{Interface, Layout};

use super::fault::RegisterFault;
use super::{Class, Device, Ring, Violation};

use Width::{Bits8, Bits16, Bits32};
use Window::{Common, Isr, Legacy};

impl<C: Class> Device<C> {
    /// A read of the driver's.
    pub fn read(&mut self, register: Register) -> u32 {
        let value = self.honest(register).unwrap_or_else(|| {
            self.violations.push(Violation::Access(register));
            u32::MAX
        });
        self.mischief.of_read(value)
    }

    fn honest(&mut self, register: Register) -> Option<u32> {
        match (self.interface, register.window, register.offset, register.width) {
            (Interface::Modern, Common, 0x00, Bits32) => Some(self.selected[0]),
            (Interface::Modern, Common, 0x04, Bits32) => Some(self.feature_word()),
            (Interface::Modern, Common, 0x10, Bits16) => Some(self.config_vector.into()),
            (Interface::Modern, Common, 0x12, Bits16) => Some(self.queues.len() as u32),
            (Interface::Modern, Common, 0x14, Bits8) => Some(self.status_read().into()),
            (Interface::Modern, Common, 0x15, Bits8) => Some(self.generation_read().into()),
            (Interface::Modern, Common, 0x16, Bits16) => Some(self.queue_select.into()),
            (Interface::Modern, Common, 0x18, Bits16) => Some(self.queue_size().into()),
            (Interface::Modern, Common, 0x1a, Bits16) => Some(self.queue_vector().into()),
            (Interface::Modern, Common, 0x1c, Bits16) => Some(self.queue_enabled().into()),
            (Interface::Modern, Common, 0x1e, Bits16) => Some(self.queue_select.into()),
            (Interface::Modern, Isr, 0, Bits8) => Some(self.isr_read().into()),
            (Interface::Modern, Window::Device, offset, width) => self.config_read(offset, width),
            (Interface::Legacy, Legacy, 0, Bits32) => Some(self.feature_word()),
            (Interface::Legacy, Legacy, 8, Bits32) => Some(self.queue_page_read()),
            (Interface::Legacy, Legacy, 12, Bits16) => Some(self.queue_size().into()),
            (Interface::Legacy, Legacy, 14, Bits16) => Some(self.queue_select.into()),
            (Interface::Legacy, Legacy, 18, Bits8) => Some(self.status_read().into()),
            (Interface::Legacy, Legacy, 19, Bits8) => Some(self.isr_read().into()),
            (Interface::Legacy, Legacy, 20, Bits16) if self.vectors > 0 => Some(self.config_vector.into()),
            (Interface::Legacy, Legacy, 22, Bits16) if self.vectors > 0 => Some(self.queue_vector().into()),
            (Interface::Legacy, Legacy, offset, width) => {
                let begin = if self.vectors > 0 { 24 } else { 20 };
                self.config_read(offset.checked_sub(begin)?, width)
            }
            _ => None,
        }
    }

    /// A write of the driver's, or of the kernel's.
    pub fn write(&mut self, register: Register, value: u32) {
        let (low, byte) = (value as u16, value as u8);
        match (self.interface, register.window, register.offset, register.width) {
            (Interface::Modern, Common, 0x00, Bits32) => self.selected[0] = value,
            (Interface::Modern, Common, 0x08, Bits32) => self.selected[1] = value,
            (Interface::Modern, Common, 0x0c, Bits32) => self.accept(self.selected[1], value),
            (Interface::Modern, Common, 0x10, Bits16) => self.config_vector = self.vector(low),
            (Interface::Modern, Common, 0x14, Bits8) => self.status_write(byte),
            (Interface::Modern, Common, 0x16, Bits16) => self.queue_select = low,
            (Interface::Modern, Common, 0x18, Bits16) => self.queue_resize(low),
            (Interface::Modern, Common, 0x1a, Bits16) => self.queue_set_vector(low),
            (Interface::Modern, Common, 0x1c, Bits16) if low == 1 => self.queue_enable(),
            (Interface::Modern, Common, offset @ 0x20..=0x34, Bits32) if offset % 4 == 0 => {
                self.queue_address(offset - 0x20, value);
            }
            (Interface::Legacy, Legacy, 4, Bits32) => self.accept(0, value),
            (Interface::Legacy, Legacy, 8, Bits32) => self.queue_page(value),
            (Interface::Legacy, Legacy, 14, Bits16) => self.queue_select = low,
            (Interface::Legacy, Legacy, 16, Bits16) => self.notify(low),
            (Interface::Legacy, Legacy, 18, Bits8) => self.status_write(byte),
            (Interface::Legacy, Legacy, 20, Bits16) if self.vectors > 0 => {
                self.config_vector = self.vector(low)
            }
            (Interface::Legacy, Legacy, 22, Bits16) if self.vectors > 0 => self.queue_set_vector(low),
            _ => self.violations.push(Violation::Access(register)),
        }
    }
}

/// What is behind the registers.
impl<C: Class> Device<C> {
    fn feature_word(&mut self) -> u32 {
        let flips = if self.mischief.is(RegisterFault::OffersChange) { self.status_reads } else { 0 };
        let word = match (self.interface, self.selected[0]) {
            (Interface::Legacy, _) | (_, 0) => self.offered() as u32,
            (_, 1) => (self.offered() >> 32) as u32,
            _ => 0,
        };
        self.status_reads += 1;
        word ^ (flips << 29)
    }

    fn accept(&mut self, word: u32, value: u32) {
        let bits = u64::from(value).checked_shl(word * 32).unwrap_or(0);
        let late = self.status & (8 | 4) != 0 || self.status & 2 == 0;
        if bits & !self.offered() != 0 || late {
            self.violations.push(Violation::Features(bits));
        }
        let mask = 0xffff_ffffu64.checked_shl(word * 32).unwrap_or(0);
        self.accepted = self.accepted & !mask | bits;
    }

    fn status_read(&mut self) -> u8 {
        self.status_reads += 1;
        match self.mischief.register {
            Some(RegisterFault::ResetTakes(reads)) if self.status_reads <= reads && self.status == 0 => 1,
            Some(RegisterFault::StatusLost) => self.status & !4,
            _ => self.status,
        }
    }

    /// Steps forward only, and in order (3.1.1); FEATURES_OK is the device's to refuse.
    fn status_write(&mut self, new: u8) {
        if new == 0 {
            return self.reset();
        }
        // A driver that gives up sets its bit to what it wrote before, whatever the device made of that.
        let given_up = if new & 128 != 0 { 127 } else { 0 };
        let (old, added) = (self.status & !64, new & !self.status & !given_up);
        let needs = |bit: u8| match (bit, self.interface) {
            (1 | 128, _) => 0,
            (2, _) => 1,
            (8, Interface::Modern) => 3,
            (4, Interface::Modern) => 11,
            (4, Interface::Legacy) => 3,
            _ => 255,
        };
        if old & !new != 0 || added.count_ones() != 1 || new & needs(added) != needs(added) {
            self.violations.push(Violation::Status(old, new));
        }
        self.status |= new;
        if added == 8
            && (self.accepted & !self.offered() != 0 || self.mischief.is(RegisterFault::RefusesFeatures))
        {
            self.status &= !8;
        }
        if added == 4 {
            self.class.begin(self.accepted);
        }
        if added == 4 && self.mischief.is(RegisterFault::NeedsReset) {
            self.ask_for_reset();
        }
    }

    fn generation_read(&mut self) -> u8 {
        if self.mischief.is(RegisterFault::ConfigFlaps) {
            self.generation = self.generation.wrapping_add(1);
        }
        self.generation
    }

    fn isr_read(&mut self) -> u8 {
        std::mem::take(&mut self.isr)
    }

    fn config_read(&mut self, offset: u32, width: Width) -> Option<u32> {
        let config = self.class.config();
        if std::mem::replace(&mut self.config, config.clone()) != config {
            self.generation = self.generation.wrapping_add(1);
        }
        let bytes = match width {
            Bits8 => 1,
            Bits16 => 2,
            Bits32 => 4,
        };
        let field = config.get(offset as usize..)?.get(..bytes)?;
        let value = field.iter().rev().fold(0, |all, byte| all << 8 | u32::from(*byte));
        // Without a count to tell it by, the values themselves do not keep still.
        let flaps = self.mischief.is(RegisterFault::ConfigFlaps) && self.interface == Interface::Legacy;
        self.status_reads += u32::from(flaps);
        Some(if flaps { value ^ self.status_reads } else { value })
    }

    fn vector(&self, wanted: u16) -> u16 {
        let has = wanted < self.vectors && !self.mischief.is(RegisterFault::NoVector);
        if has { wanted } else { 0xffff }
    }

    fn queue_size(&self) -> u16 {
        let size = self.queues.get(usize::from(self.queue_select)).map_or(0, |queue| queue.size);
        match self.mischief.register {
            Some(RegisterFault::NoQueue) => 0,
            Some(RegisterFault::QueueSize(size)) => size,
            _ => size,
        }
    }

    fn queue_resize(&mut self, size: u16) {
        let at = usize::from(self.queue_select);
        let most = self.class.queues().get(at).copied().unwrap_or(0);
        match self.queues.get_mut(at) {
            Some(queue) if size.is_power_of_two() && size <= most && queue.ring.is_none() => {
                queue.size = size
            }
            _ => self.violations.push(Violation::Attach(self.queue_select)),
        }
    }

    fn queue_vector(&self) -> u16 {
        self.queues.get(usize::from(self.queue_select)).map_or(0xffff, |queue| queue.vector)
    }

    fn queue_set_vector(&mut self, vector: u16) {
        let vector = self.vector(vector);
        if let Some(queue) = self.queues.get_mut(usize::from(self.queue_select)) {
            queue.vector = vector;
        }
    }

    fn queue_enabled(&self) -> bool {
        self.queues.get(usize::from(self.queue_select)).is_some_and(|queue| queue.ring.is_some())
    }

    /// Half an address.
    fn queue_address(&mut self, offset: u32, value: u32) {
        let queue = self.queues.get_mut(usize::from(self.queue_select));
        let Some(address) = queue.and_then(|queue| queue.addresses.get_mut(offset as usize / 8)) else {
            return;
        };
        let shift = offset % 8 * 8;
        *address = *address & !(0xffff_ffff << shift) | u64::from(value) << shift;
    }

    fn queue_enable(&mut self) {
        // Behind FEATURES_OK, before DRIVER_OK.
        let allowed = self.status & (8 | 4) == 8;
        self.queue_begin(allowed);
    }

    fn queue_page_read(&self) -> u32 {
        self.queues.get(usize::from(self.queue_select)).map_or(0, |queue| (queue.addresses[0] >> 12) as u32)
    }

    fn queue_page(&mut self, page: u32) {
        let at = usize::from(self.queue_select);
        let size = self.queues.get(at).map_or(0, |queue| queue.size);
        let (base, allowed) = (u64::from(page) << 12, self.status & (2 | 4) == 2);
        if let (Some(layout), Some(queue)) = (Layout::new(size), self.queues.get_mut(at)) {
            queue.addresses = [0, layout.available(), layout.used()].map(|offset| base + u64::from(offset));
        }
        self.queue_begin(allowed);
    }

    fn queue_begin(&mut self, allowed: bool) {
        let event_index = self.accepted & 1 << 29 != 0;
        let queue = self.queues.get_mut(usize::from(self.queue_select)).filter(|_| allowed);
        let ring = queue.and_then(|queue| {
            let layout = Layout::new(queue.size)?;
            let aligned = queue.addresses.iter().zip([16, 2, 4]).all(|(address, align)| address % align == 0);
            let fresh = aligned && queue.ring.is_none();
            fresh.then(|| queue.ring.insert(Ring::new(layout, queue.addresses, event_index)))
        });
        match ring {
            Some(ring) if self.polls => ring.hush(&self.bus),
            Some(_) => {}
            None => self.violations.push(Violation::Attach(self.queue_select)),
        }
    }
}
