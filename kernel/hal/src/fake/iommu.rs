//! An IOMMU that writes down what it is told, if a test wants one.

use super::mem::Frames;
use crate::account::Account;
use crate::sync::Ref;
use crate::types::{DmaFault, IommuError, IommuInfo, IommuInterrupts, IommuKind, IommuState};
use alloc::vec::Vec;
use capos_abi::PAGE_SIZE;
use capos_iommu::{Interrupt, Message};
use std::collections::VecDeque;
use std::sync::Mutex;

/// Who a function is to the unit that its messages go through: here they go through none.
#[derive(Clone, Copy)]
pub(super) enum Origin {}

impl Origin {
    pub fn set(&self, _interrupt: Interrupt) {
        match *self {}
    }

    pub fn has(&self, _interrupt: Interrupt) -> bool {
        match *self {}
    }

    pub fn message(&self, _vector: u8) -> Message {
        match *self {}
    }

    pub fn clear(&self, _vector: u8) {
        match *self {}
    }
}

/// A page that a function reaches: function, address as the function gives it, the frames' label, which page of them, whether it may write.
type Page = (u32, u64, u64, usize, bool);

struct Unit {
    present: bool,
    answers: bool,
    attached: Vec<u32>,
    /// Those that reach what others have.
    misled: Vec<u32>,
    pages: Vec<Page>,
    faults: VecDeque<DmaFault>,
    count: u64,
    lost: u64,
    last: u16,
}

static UNIT: Mutex<Unit> = Mutex::new(Unit {
    present: false,
    answers: true,
    attached: Vec::new(),
    misled: Vec::new(),
    pages: Vec::new(),
    faults: VecDeque::new(),
    count: 0,
    lost: 0,
    last: 0,
});

fn with<R>(work: impl FnOnce(&mut Unit) -> R) -> R {
    super::heap::unfailing(|| work(&mut UNIT.lock().expect("nobody panics with it")))
}

pub(super) fn reset() {
    with(|unit| {
        *unit = Unit {
            present: false,
            answers: true,
            attached: Vec::new(),
            misled: Vec::new(),
            pages: Vec::new(),
            faults: VecDeque::new(),
            count: 0,
            lost: 0,
            last: 0,
        }
    });
}

/// From now on there is one.
pub fn install() {
    with(|unit| unit.present = true);
}

/// From now on it does not do what it is told.
pub fn fall_silent() {
    with(|unit| unit.answers = false);
}

/// It kept a device from something.
pub fn report(fault: DmaFault) {
    with(|unit| {
        unit.count += 1;
        unit.last = fault.what.source;
        unit.faults.push_back(fault);
    });
}

/// It kept a device from something, and could not say so.
pub fn lose() {
    with(|unit| unit.lost += 1);
}

/// What `function` reaches at `iova`: the frames' label, which page of them, and whether it may write.
pub fn reaches(function: u32, iova: u64) -> Option<(u64, usize, bool)> {
    with(|unit| {
        let attached = unit.attached.contains(&function);
        let found = unit.pages.iter().find(|page| attached && (page.0, page.1) == (function, iova))?;
        Some((found.2, found.3, found.4))
    })
}

/// Whether it keeps devices to what they were given.
pub fn state() -> IommuState {
    if with(|unit| unit.present) { IommuState::On } else { IommuState::Absent }
}

/// Unit number `index`.
pub fn info(index: usize) -> Option<IommuInfo> {
    with(|unit| {
        (unit.present && index == 0).then_some(IommuInfo {
            kind: IommuKind::Intel,
            unusable: None,
            interrupts: IommuInterrupts::Proven,
            bits: 39,
            answers: unit.answers,
            faults: unit.count,
            lost: unit.lost,
            last: unit.last,
        })
    })
}

/// Whether an IOMMU serves a function.
pub fn serves(_function: u32) -> bool {
    state() == IommuState::On
}

/// Whether a function reaches memory, by the unit itself.
pub fn is_attached(function: u32) -> bool {
    with(|unit| unit.attached.contains(&function))
}

/// Whether two functions are one to it: here each is itself.
pub fn are_one(one: u32, other: u32) -> bool {
    one == other
}

/// Lets a function reach memory or not, whoever has a domain for it.
pub fn set_attached(function: u32, attached: bool) {
    with(|unit| {
        unit.attached.retain(|other| *other != function);
        if attached {
            unit.attached.push(function);
        }
    });
}

/// Has a function reach what another domain has, instead of its own.
pub fn mislead(function: u32) {
    with(|unit| unit.misled.push(function));
}

/// Has a function find at `iova` a page of which its domain knows nothing.
pub fn show(function: u32, iova: u64) {
    with(|unit| unit.pages.push((function, iova, 0, 0, true)));
}

/// Has a function find nothing at `iova` any more, whatever its domain has there.
pub fn hide(function: u32, iova: u64) {
    with(|unit| unit.pages.retain(|page| (page.0, page.1) != (function, iova)));
}

/// Hands over what it kept devices from and nobody has read, the oldest first.
pub fn take_faults(work: &mut dyn FnMut(DmaFault)) {
    let faults = with(|unit| core::mem::take(&mut unit.faults));
    faults.into_iter().for_each(work);
}

struct Mapping {
    iova: u64,
    frames: Ref<Frames>,
}

/// What one function reaches while it is attached: nothing but what is mapped here.
pub struct Domain {
    function: u32,
    end: u64,
    mappings: Vec<Mapping>,
    attached: bool,
}

impl Domain {
    /// Nothing yet, for the function at `function` and addresses of `bits` bits.
    pub fn new(function: u32, bits: u32, _account: &Ref<Account>) -> Result<Domain, IommuError> {
        if !serves(function) {
            return Err(IommuError::Absent);
        }
        Ok(Domain { function, end: 1 << bits.min(39), mappings: Vec::new(), attached: false })
    }

    fn told(&self) -> Result<(), IommuError> {
        if with(|unit| unit.answers) { Ok(()) } else { Err(IommuError::Unresponsive) }
    }

    /// Has all of `frames` be at `iova` and after.
    pub fn map(&mut self, iova: u64, frames: &Ref<Frames>, writable: bool) -> Result<(), IommuError> {
        let length = |frames: &Frames| (frames.pages() * PAGE_SIZE) as u64;
        let end = iova.checked_add(length(frames)).filter(|end| *end <= self.end);
        let end = end.filter(|_| iova.is_multiple_of(PAGE_SIZE as u64)).ok_or(IommuError::InvalidArgument)?;
        if frames.is_device() || (writable && frames.is_read_only()) {
            return Err(IommuError::InvalidArgument);
        }
        if self.mappings.iter().any(|it| it.iova < end && iova < it.iova + length(&it.frames)) {
            return Err(IommuError::Exists);
        }
        self.mappings.try_reserve(1).map_err(|_| IommuError::OutOfMemory)?;
        self.mappings.push(Mapping { iova, frames: frames.clone() });
        let page = |n: usize| (self.function, iova + (n * PAGE_SIZE) as u64, frames.label(), n, writable);
        with(|unit| unit.pages.extend((0..frames.pages()).map(page)));
        Ok(())
    }

    /// Takes out what was mapped at `iova`, all of it.
    pub fn unmap(&mut self, iova: u64) -> Result<Ref<Frames>, IommuError> {
        let found = self.mappings.iter().position(|it| it.iova == iova).ok_or(IommuError::NotFound)?;
        let mapping = self.mappings.swap_remove(found);
        let label = mapping.frames.label();
        if self.attached && self.told().is_err() {
            core::mem::forget(mapping);
            return Err(IommuError::Unresponsive);
        }
        let end = iova + (mapping.frames.pages() * PAGE_SIZE) as u64;
        let is_it = |page: &Page| page.0 == self.function && page.2 == label && (iova..end).contains(&page.1);
        with(|unit| unit.pages.retain(|page| !is_it(page)));
        Ok(mapping.frames)
    }

    /// The function reaches what is mapped from now on.
    pub fn attach(&mut self) -> Result<(), IommuError> {
        if self.attached {
            return Ok(());
        }
        if with(|unit| unit.attached.contains(&self.function)) {
            return Err(IommuError::Taken);
        }
        self.told()?;
        self.attached = true;
        with(|unit| unit.attached.push(self.function));
        Ok(())
    }

    /// The function reaches nothing from now on.
    pub fn detach(&mut self) -> Result<(), IommuError> {
        if self.attached {
            self.told()?;
            self.attached = false;
            with(|unit| unit.attached.retain(|other| *other != self.function));
        }
        Ok(())
    }

    /// Whether the unit's own tables say that the function reaches what is mapped here.
    pub fn is_in_place(&self) -> bool {
        let is_it = |other: &u32| *other == self.function;
        with(|unit| self.attached && unit.attached.iter().any(is_it) && !unit.misled.iter().any(is_it))
    }

    /// How many pages are mapped.
    pub fn pages(&self) -> u64 {
        with(|unit| unit.pages.iter().filter(|page| page.0 == self.function).count() as u64)
    }

    /// Whether page `page` of `frames` is at `iova`.
    pub fn shows(&self, iova: u64, frames: &Frames, page: usize) -> bool {
        let label = frames.label();
        with(|unit| {
            unit.pages.iter().any(|it| (it.0, it.1, it.2, it.3) == (self.function, iova, label, page))
        })
    }
}

impl Drop for Domain {
    fn drop(&mut self) {
        if self.detach().is_err() {
            core::mem::forget(core::mem::take(&mut self.mappings));
            return;
        }
        with(|unit| unit.pages.retain(|page| page.0 != self.function));
    }
}
