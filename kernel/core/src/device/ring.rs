//! A virtqueue. Its driver writes one, the device reads another, and both see what the device writes; behind an IOMMU that was seen to translate
//! there is one for all.

use super::Refused;
use super::buffers::boxed;
use super::memory::{Memory, Notes};
use super::placed::{Placed, Way};
use super::queue::{Done, Fault, Shape};
use super::translation::Translation;
use super::windows::{Reach, Window};
use capos_abi::{ExceptionCode, PAGE_SIZE};
use capos_dma::class::{self, Class, Registers as _};
use capos_dma::pool::Pool;
use capos_dma::virtq::{self, Descriptor, Layout};
use kernel_hal::account::Account;
use kernel_hal::mem::Frames;
use kernel_hal::sync::Ref;

/// Descriptors that one call translates at most: bounds what other threads and interrupts wait.
const BATCH: u16 = 64;

/// One.
pub(crate) struct Ring {
    layout: Layout,
    /// What the device has: descriptors, available ring and used ring.
    placed: Placed,
    /// What its driver has, and how that becomes the real one; nothing when it has the real one.
    copied: Option<Copied>,
}

struct Copied {
    policy: virtq::Queue,
    /// Descriptors and the available ring, as the driver writes them.
    shadow: Memory,
    _notes: Notes,
}

/// Whether the driver and its device agreed upon being told of single entries.
pub(super) fn has_events(class: &Class) -> bool {
    let features = match class {
        Class::Modern(it) => it.control.features,
        Class::Legacy(it) => it.control.features,
        Class::Nvme(_) | Class::E1000e(_) | Class::Edu | Class::Plain => 0,
    };
    features & class::virtio::EVENT_INDEX != 0
}

impl Copied {
    fn new(layout: Layout, events: bool, account: &Ref<Account>) -> Result<Copied, Refused> {
        let entries = usize::from(layout.size());
        let notes = Notes::of(entries * size_of::<Descriptor>(), account)?;
        let shadow = Memory::new(driver_pages(layout), u64::BITS, account)?;
        let descriptors = boxed(entries, Descriptor::default)?;
        let policy = virtq::Queue::new(layout, events, descriptors).ok_or(ExceptionCode::InvalidArgument)?;
        Ok(Copied { policy, shadow, _notes: notes })
    }
}

impl Ring {
    /// Nothing of it is the device's yet.
    pub fn new(entries: u16, events: bool, way: Way, account: &Ref<Account>) -> Result<Ring, Refused> {
        let layout = Layout::new(entries).ok_or(ExceptionCode::InvalidArgument)?;
        let placed = Placed::new(layout.bytes() as usize / PAGE_SIZE, way, account)?;
        let copied = (!way.direct).then(|| Copied::new(layout, events, account)).transpose()?;
        Ok(Ring { layout, placed, copied })
    }

    /// Tells the device where it is.
    pub fn attach(
        &mut self,
        class: &mut Class,
        windows: &[Window],
        index: u16,
        memory: (&mut Pool, &mut Translation),
    ) -> Result<(), Refused> {
        let shape = (self.layout.size(), None);
        self.placed.attach(class, windows, index, shape, memory)
    }

    /// What its driver writes.
    pub fn submission(&self) -> (Ref<Frames>, usize) {
        let memory = self.copied.as_ref().map_or(&self.placed.real, |copied| &copied.shadow);
        (memory.frames().clone(), driver_pages(self.layout))
    }

    /// What the device writes: the memory, and the first page and how many pages of it that is.
    pub fn completion(&self) -> (Ref<Frames>, usize, usize) {
        let first = driver_pages(self.layout);
        (self.placed.real.frames().clone(), first, self.placed.real.pages() - first)
    }

    /// What the device has of it, and the first page that its driver may read.
    pub fn placed(&self) -> (&Placed, usize) {
        (&self.placed, driver_pages(self.layout))
    }

    /// Pages that it takes.
    pub fn pages(&self) -> usize {
        let shadow = self.copied.as_ref().map_or(0, |copied| copied.shadow.pages());
        self.placed.pages() + shadow
    }

    /// What its driver is told.
    pub fn shape(&self) -> Shape {
        let (.., completion) = self.completion();
        Shape {
            entries: u32::from(self.layout.size()),
            submission: driver_pages(self.layout) * PAGE_SIZE,
            completion: completion * PAGE_SIZE,
            bell: self.copied.is_none().then_some(self.placed.bell),
            token: 0,
        }
    }

    /// Takes note of what the device is through with, translates what is new, and tells the device.
    #[inline]
    pub fn publish(&mut self, windows: &[Window], pool: &mut Pool) -> (Done, Option<Fault>) {
        let Ring { copied: Some(Copied { policy, shadow, .. }), placed, .. } = self else {
            return (Done::default(), Some(Fault::NotNeeded));
        };
        let real = &placed.real;
        let Ok(completed) = policy.collect(real, pool) else {
            return (Done::default(), Some(Fault::Device));
        };
        let (published, fault) = match policy.publish(&*shadow, real, pool, BATCH) {
            Ok(published) => (published, None),
            Err(refusal) => (refusal.before, Some(Fault::Driver(u64::from(refusal.descriptor)))),
        };
        if published.bell {
            Reach(windows).write(placed.bell.register, placed.bell.value);
        }
        let done = Done {
            published: u32::from(published.count),
            completed: u32::from(completed),
            more: published.more,
            // It has read and written what it finds only by the IOMMU.
            proof: completed > 0 && placed.is_proof(),
        };
        (done, fault)
    }
}

/// Pages of the part that the driver writes.
fn driver_pages(layout: Layout) -> usize {
    layout.used() as usize / PAGE_SIZE
}
