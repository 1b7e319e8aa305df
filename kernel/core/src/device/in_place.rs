//! A ring that its device writes back in place: the 82574L's. As with a virtqueue the driver writes one and the device reads another; what the device wrote, the kernel copies for the driver, as
//! addresses stand beside it. Where drivers name addresses there is one ring for all.

use super::Refused;
use super::buffers::boxed;
use super::memory::{Memory, Notes};
use super::placed::{Placed, Way};
use super::queue::{Done, Fault, Shape};
use super::translation::Translation;
use super::windows::{Reach, Window};
use capos_abi::{ExceptionCode, PAGE_SIZE};
use capos_dma::class::{Class, Registers as _};
use capos_dma::e1000e::{Direction, Entry, Layout, Queue, RECEIVE};
use capos_dma::pool::Pool;
use kernel_hal::account::Account;
use kernel_hal::mem::Frames;
use kernel_hal::sync::Ref;

/// Descriptors that one call translates at most: bounds what other threads and interrupts wait.
const BATCH: u16 = 64;

/// One.
pub(crate) struct InPlace {
    layout: Layout,
    /// What the device has, and behind it what it said.
    placed: Placed,
    /// What its driver has, and how that becomes the real one; nothing when it has the real one.
    copied: Option<Copied>,
}

struct Copied {
    policy: Queue,
    /// Descriptors, and how far the driver has come, as it writes them.
    shadow: Memory,
    _notes: Notes,
}

impl Copied {
    fn new(index: u16, layout: Layout, account: &Ref<Account>) -> Result<Copied, Refused> {
        let entries = usize::from(layout.size());
        let notes = Notes::of(entries * size_of::<Entry>(), account)?;
        let shadow = Memory::new(layout.shadow_bytes() as usize / PAGE_SIZE, u64::BITS, account)?;
        let direction = if index == RECEIVE { Direction::Receive } else { Direction::Send };
        let policy = Queue::new(layout, direction, boxed(entries, Entry::default)?);
        Ok(Copied { policy: policy.ok_or(ExceptionCode::InvalidArgument)?, shadow, _notes: notes })
    }
}

impl InPlace {
    /// Queue number `index`, of so many entries. Nothing of it is the device's yet.
    pub fn new(index: u16, entries: u16, way: Way, account: &Ref<Account>) -> Result<InPlace, Refused> {
        let layout = Layout::new(entries).ok_or(ExceptionCode::InvalidArgument)?;
        let placed = Placed::new(layout.bytes() as usize / PAGE_SIZE, way, account)?;
        let copied = (!way.direct).then(|| Copied::new(index, layout, account)).transpose()?;
        Ok(InPlace { layout, placed, copied })
    }

    /// Tells the device where it is.
    pub fn attach(
        &mut self,
        class: &mut Class,
        windows: &[Window],
        index: u16,
        memory: (&mut Pool, &mut Translation),
    ) -> Result<(), Refused> {
        self.placed.attach(class, windows, index, (self.layout.size(), None), memory)
    }

    /// What its driver writes.
    pub fn submission(&self) -> (Ref<Frames>, usize) {
        match &self.copied {
            Some(copied) => (copied.shadow.frames().clone(), copied.shadow.pages()),
            None => (self.placed.real.frames().clone(), self.answers_page()),
        }
    }

    /// What the device said: the memory, and the first page and how many pages of it that is.
    pub fn completion(&self) -> (Ref<Frames>, usize, usize) {
        let first = self.answers_page();
        (self.placed.real.frames().clone(), first, self.placed.real.pages() - first)
    }

    /// What the device has of it, and the first page that its driver may read.
    pub fn placed(&self) -> (&Placed, usize) {
        (&self.placed, self.answers_page())
    }

    fn answers_page(&self) -> usize {
        self.layout.answers() as usize / PAGE_SIZE
    }

    /// Pages that it takes.
    pub fn pages(&self) -> usize {
        self.placed.pages() + self.copied.as_ref().map_or(0, |copied| copied.shadow.pages())
    }

    /// What its driver is told.
    pub fn shape(&self) -> Shape {
        let ((_, submission), (.., completion)) = (self.submission(), self.completion());
        Shape {
            entries: u32::from(self.layout.size()),
            submission: submission * PAGE_SIZE,
            completion: completion * PAGE_SIZE,
            bell: self.copied.is_none().then_some(self.placed.bell),
            token: 0,
        }
    }

    /// Takes note of what the device is through with, translates what is new, and tells the device.
    pub fn publish(&mut self, windows: &[Window], pool: &mut Pool) -> (Done, Option<Fault>) {
        let InPlace { copied: Some(Copied { policy, shadow, .. }), placed, .. } = self else {
            return (Done::default(), Some(Fault::NotNeeded));
        };
        let completed = policy.collect(&placed.real, pool);
        let (published, fault) = match policy.publish(&*shadow, &placed.real, pool, BATCH) {
            Ok(published) => (published, None),
            Err(refusal) => (refusal.before, Some(Fault::Driver(u64::from(refusal.entry)))),
        };
        if let Some(tail) = published.bell {
            Reach(windows).write(placed.bell.register, tail.into());
        }
        let done = Done {
            published: published.count.into(),
            completed: completed.into(),
            more: published.more,
            // It has read and written what it finds only by the IOMMU.
            proof: completed > 0 && placed.is_proof(),
        };
        (done, fault)
    }
}
