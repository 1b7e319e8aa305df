//! The available and the used ring: what goes to the device, and what comes back. Whose chains these are is somebody else's business.

use super::Memory;
use crate::DeviceFault;
use crate::layout::{Layout, NO_NOTIFY, USED_ENTRY};
use core::sync::atomic::Ordering;

/// Both rings, in fresh memory.
#[derive(Debug)]
pub(crate) struct Rings<M> {
    pub(crate) memory: M,
    pub(crate) layout: Layout,
    /// What the layout says of entries, since every chain asks.
    mask: u16,
    available: u32,
    used: u32,
    event_index: bool,
    /// The device is not to interrupt.
    quiet: bool,
    /// Our own count of chains added; the shared word is for the device.
    added: u16,
    /// How many of these the device may see.
    shown: u16,
    /// How many of these it was told of.
    told: u16,
    /// Used entries that were taken.
    taken: u16,
    /// The used index as last seen and found possible.
    seen: u16,
    fault: Option<DeviceFault>,
}

impl<M: Memory> Rings<M> {
    /// Over the zeroed memory of a ring that the device has not seen yet. `event_index` says whether EVENT_IDX was negotiated.
    pub(crate) fn new(memory: M, layout: Layout, event_index: bool) -> Self {
        memory.write16(layout.available(), 0);
        memory.write16(layout.available_index(), 0);
        memory.write16(layout.used_event(), 0);
        let (mask, available, used) = (layout.size() - 1, layout.available_entry(0), layout.used_entry(0));
        let [added, shown, told, taken, seen] = [0; 5];
        Rings {
            memory,
            layout,
            mask,
            available,
            used,
            event_index,
            quiet: false,
            added,
            shown,
            told,
            taken,
            seen,
            fault: None,
        }
    }

    /// Chains that the device has, or will see next.
    #[inline]
    pub(crate) const fn in_flight(&self) -> u16 {
        self.added.wrapping_sub(self.taken)
    }

    /// Adds a chain, by its first descriptor. There are never more of them than descriptors.
    #[inline]
    pub(crate) fn add(&mut self, head: u16) {
        self.memory.write16(self.available + u32::from(self.added & self.mask) * 2, head);
        self.added = self.added.wrapping_add(1);
    }

    /// Shows the device what was added. False when there is nothing new.
    #[inline]
    pub(crate) fn show(&mut self) -> bool {
        if self.shown == self.added {
            return false;
        }
        self.shown = self.added;
        // Release: descriptors and entries come before the index (2.7.13.1).
        self.memory.fence(Ordering::Release);
        self.memory.write16(self.layout.available_index(), self.added);
        true
    }

    /// Whether something was added that the device may not see yet.
    #[inline]
    pub(crate) const fn has_news(&self) -> bool {
        self.shown != self.added
    }

    /// See [`super::Queue::kick`].
    pub(crate) fn kick(&mut self) -> bool {
        let (old, new) = (core::mem::replace(&mut self.told, self.shown), self.shown);
        // Between writing our index and reading its wish (2.7.13.4.1).
        self.memory.fence(Ordering::SeqCst);
        if self.event_index {
            let event = self.memory.read16(self.layout.available_event());
            return new.wrapping_sub(event).wrapping_sub(1) < new.wrapping_sub(old);
        }
        new != old && self.memory.read16(self.layout.used()) & NO_NOTIFY == 0
    }

    /// Whether the device is to interrupt for what it gives back (2.7.7). It knows when more is shown to it; that it interrupts nevertheless is its right.
    #[inline]
    pub(crate) fn set_quiet(&mut self, quiet: bool) {
        if self.quiet != quiet {
            self.change_quiet(quiet);
        }
    }

    #[cold]
    fn change_quiet(&mut self, quiet: bool) {
        self.quiet = quiet;
        match self.event_index {
            // An entry that the device is past of is as good as none. Else it is asked for before sleeping.
            true if quiet => self.memory.write16(self.layout.used_event(), self.taken.wrapping_sub(1)),
            true => {}
            false => self.memory.write16(self.layout.available(), quiet.into()),
        }
    }

    /// See [`super::Queue::may_sleep`].
    pub(crate) fn may_sleep(&mut self) -> Result<bool, DeviceFault> {
        if self.event_index && !self.quiet {
            self.memory.write16(self.layout.used_event(), self.taken);
        }
        self.memory.fence(Ordering::SeqCst);
        Ok(!self.look()?)
    }

    /// The next used entry, whatever is in it: id and length.
    #[inline]
    pub(crate) fn take(&mut self) -> Result<Option<(u32, u32)>, DeviceFault> {
        if !self.look()? {
            return Ok(None);
        }
        let entry = self.used + u32::from(self.taken & self.mask) * USED_ENTRY;
        let [id, length] = self.memory.read32_pair(entry);
        self.taken = self.taken.wrapping_add(1);
        Ok(Some((id, length)))
    }

    /// A faulty device stays one: nothing is taken any more.
    #[cold]
    pub(crate) fn fail(&mut self, fault: DeviceFault) -> DeviceFault {
        self.seen = self.taken;
        *self.fault.get_or_insert(fault)
    }

    /// Whether there is an entry to take.
    #[inline]
    pub(crate) fn look(&mut self) -> Result<bool, DeviceFault> {
        if self.seen == self.taken {
            if let Some(fault) = self.fault {
                return Err(fault);
            }
            let index = self.memory.read16(self.layout.used_index());
            let moved = index.wrapping_sub(self.seen);
            // Not more than it was shown and has not given back.
            if moved > self.shown.wrapping_sub(self.seen) {
                return Err(self.fail(DeviceFault::Index(moved)));
            }
            self.seen = index;
            // Acquire: the entries, and what the device wrote into the buffers, come behind the index (2.7.14).
            self.memory.fence(Ordering::Acquire);
        }
        Ok(self.seen != self.taken)
    }
}
