//! A virtqueue: its driver writes one, the device reads another, and both see what the device writes.

use super::Refused;
use super::buffers::boxed;
use super::memory::{Memory, Notes};
use super::queue::{Done, Fault, Shape};
use super::windows::{Reach, Window};
use capos_abi::{ExceptionCode, PAGE_SIZE};
use capos_dma::class::{self, AttachError, Bell, Class, Register, Registers as _};
use capos_dma::pool::Pool;
use capos_dma::virtq::{self, Descriptor, Layout};
use kernel_hal::account::Account;
use kernel_hal::mem::Frames;
use kernel_hal::sync::Ref;

/// Descriptors that one call translates at most: bounds what other threads and interrupts wait.
const BATCH: u16 = 64;

/// One.
pub(crate) struct Ring {
    policy: virtq::Queue,
    layout: Layout,
    /// What its driver writes: descriptors and the available ring.
    shadow: Memory,
    /// What the device has: the same with addresses, and the used ring.
    real: Memory,
    bell: Bell,
    _notes: Notes,
}

/// Whether the driver and its device agreed upon being told of single entries.
pub(super) fn has_events(class: &Class) -> bool {
    let features = match class {
        Class::Modern(it) => it.control.features,
        Class::Legacy(it) => it.control.features,
        Class::Nvme(_) | Class::Edu | Class::Plain => 0,
    };
    features & class::virtio::EVENT_INDEX != 0
}

impl Ring {
    /// For so many descriptors, which a device of so many address bits is to read.
    pub fn new(entries: u16, events: bool, bits: u32, account: &Ref<Account>) -> Result<Ring, Refused> {
        let layout = Layout::new(entries).ok_or(ExceptionCode::InvalidArgument)?;
        let notes = Notes::of(usize::from(entries) * size_of::<Descriptor>(), account)?;
        let shadow = Memory::new(driver_pages(layout), u64::BITS, account)?;
        let real = Memory::new(layout.bytes() as usize / PAGE_SIZE, bits, account)?;
        let descriptors = boxed(usize::from(entries), Descriptor::default)?;
        let policy = virtq::Queue::new(layout, events, descriptors).ok_or(ExceptionCode::InvalidArgument)?;
        // There is none before the device was told of the ring.
        let bell = Bell { register: Register { bar: u8::MAX, offset: 0, width: 1 }, value: 0 };
        Ok(Ring { policy, layout, shadow, real, bell, _notes: notes })
    }

    /// Tells the device where it is.
    pub fn attach(&mut self, class: &mut Class, windows: &[Window], index: u16) -> Result<(), AttachError> {
        let ring = class::Ring { size: self.layout.size(), base: self.real.physical(), completions: 0 };
        self.bell = class.attach(&mut Reach(windows), index, ring)?;
        Ok(())
    }

    /// What its driver writes.
    pub fn shadow(&self) -> &Memory {
        &self.shadow
    }

    /// What the device writes: the memory, and the first page and how many pages of it that is.
    pub fn completion(&self) -> (Ref<Frames>, usize, usize) {
        let first = driver_pages(self.layout);
        (self.real.frames().clone(), first, self.real.pages() - first)
    }

    /// Pages that it takes.
    pub fn pages(&self) -> usize {
        self.shadow.pages() + self.real.pages()
    }

    /// What its driver is told.
    pub fn shape(&self) -> Shape {
        let (.., completion) = self.completion();
        Shape {
            entries: u32::from(self.layout.size()),
            submission: self.shadow.pages() * PAGE_SIZE,
            completion: completion * PAGE_SIZE,
        }
    }

    /// The device was reset.
    pub fn abandon(&mut self, pool: &mut Pool) {
        self.policy.abandon(pool);
    }

    /// Takes note of what the device is through with, translates what is new, and tells the device.
    #[inline]
    pub fn publish(&mut self, windows: &[Window], pool: &mut Pool) -> (Done, Option<Fault>) {
        let Ring { policy, shadow, real, bell, .. } = self;
        let Ok(completed) = policy.collect(&*real, pool) else {
            return (Done::default(), Some(Fault::Device));
        };
        let (published, fault) = match policy.publish(&*shadow, &*real, pool, BATCH) {
            Ok(published) => (published, None),
            Err(refusal) => (refusal.before, Some(Fault::Driver(u64::from(refusal.descriptor)))),
        };
        if published.bell {
            Reach(windows).write(bell.register, bell.value);
        }
        let (published, more) = (u32::from(published.count), published.more);
        (Done { published, completed: u32::from(completed), more }, fault)
    }
}

/// Pages of the part that the driver writes.
fn driver_pages(layout: Layout) -> usize {
    layout.used() as usize / PAGE_SIZE
}
