//! A virtqueue. Its driver writes one, the device reads another, and both see what the device writes; behind an IOMMU that was seen to translate
//! there is one for all.

use super::Refused;
use super::buffers::boxed;
use super::memory::{Memory, Notes};
use super::queue::{Done, Fault, Shape};
use super::translation::Translation;
use super::windows::{Reach, Window};
use capos_abi::{ExceptionCode, PAGE_SIZE};
use capos_dma::class::{self, Bell, Class, Register, Registers as _};
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
    real: Memory,
    bell: Bell,
    /// What its driver has, and how that becomes the real one; nothing when it has the real one.
    copied: Option<Copied>,
    /// Where the device is told that the real one is, if it is to be seen whether it finds it by the IOMMU.
    decoy: Option<Memory>,
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
        Class::Nvme(_) | Class::Edu | Class::Plain => 0,
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

/// What a ring is to be like.
#[derive(Clone, Copy)]
pub(crate) struct Wish {
    pub entries: u16,
    pub events: bool,
    /// Bits of the device's addresses.
    pub bits: u32,
    /// It is not known yet whether the IOMMU translates.
    pub unproven: bool,
    /// The driver's is the device's.
    pub direct: bool,
}

impl Ring {
    /// Nothing of it is the device's yet.
    pub fn new(wish: Wish, account: &Ref<Account>) -> Result<Ring, Refused> {
        let Wish { entries, events, bits, unproven, direct } = wish;
        let layout = Layout::new(entries).ok_or(ExceptionCode::InvalidArgument)?;
        let pages = layout.bytes() as usize / PAGE_SIZE;
        let real = Memory::new(pages, bits, account)?;
        let decoy = unproven.then(|| Memory::new(pages, bits, account)).transpose()?;
        let copied = (!direct).then(|| Copied::new(layout, events, account)).transpose()?;
        // There is none before the device was told of the ring.
        let bell = Bell { register: Register { bar: u8::MAX, offset: 0, width: 1 }, value: 0 };
        Ok(Ring { layout, real, bell, copied, decoy })
    }

    /// Tells the device where it is.
    pub fn attach(
        &mut self,
        class: &mut Class,
        windows: &[Window],
        index: u16,
        (pool, translation): (&mut Pool, &mut Translation),
    ) -> Result<(), Refused> {
        let base = self.place(pool, translation)?;
        let translated = self.decoy.is_some() || self.copied.is_none();
        let ring = class::Ring { size: self.layout.size(), base, completions: 0, translated };
        match class.attach(&mut Reach(windows), index, ring) {
            Ok(bell) => {
                self.bell = bell;
                Ok(())
            }
            Err(error) => {
                self.displace(base, pool, translation);
                Err(super::queue::refused(error))
            }
        }
    }

    /// Where the device finds it.
    fn place(&self, pool: &mut Pool, translation: &mut Translation) -> Result<u64, Refused> {
        if let Some(decoy) = &self.decoy {
            translation.show_instead(decoy, &self.real)?;
            return Ok(decoy.physical());
        }
        if self.copied.is_some() {
            translation.show(0, &self.real)?;
            return Ok(self.real.physical());
        }
        // It has a token as buffers have: a driver that names it there spoils nothing but its own.
        let token = pool.insert(self.real.pages() as u64, self.real.physical());
        let token = token.map_err(|_| ExceptionCode::InvalidArgument)?;
        translation.show(token, &self.real).inspect_err(|_| {
            let _ = pool.remove(token);
        })?;
        Ok(token)
    }

    /// The device was not told of it after all.
    fn displace(&self, base: u64, pool: &mut Pool, translation: &mut Translation) {
        match &self.decoy {
            Some(decoy) => translation.hide_instead(decoy),
            // If the IOMMU does not say so it keeps the frames for ever.
            None => drop(translation.hide(base, &self.real)),
        }
        if self.copied.is_none() {
            let _ = pool.remove(base);
        }
    }

    /// What its driver writes.
    pub fn submission(&self) -> (Ref<Frames>, usize) {
        let memory = self.copied.as_ref().map_or(&self.real, |copied| &copied.shadow);
        (memory.frames().clone(), driver_pages(self.layout))
    }

    /// What the device writes: the memory, and the first page and how many pages of it that is.
    pub fn completion(&self) -> (Ref<Frames>, usize, usize) {
        let first = driver_pages(self.layout);
        (self.real.frames().clone(), first, self.real.pages() - first)
    }

    /// Memory of it that its driver does not get, but for pages from some page on, to be read: what the device writes.
    pub fn closed(&self) -> impl Iterator<Item = (&Memory, usize)> {
        let real = self.copied.as_ref().map(|_| (&self.real, driver_pages(self.layout)));
        real.into_iter().chain(self.decoy.as_ref().map(|decoy| (decoy, decoy.pages())))
    }

    /// Pages that it takes.
    pub fn pages(&self) -> usize {
        let shadow = self.copied.as_ref().map_or(0, |copied| copied.shadow.pages());
        self.real.pages() + shadow + self.decoy.as_ref().map_or(0, Memory::pages)
    }

    /// Of these, what the device finds by an IOMMU, where there is one.
    pub fn shown_pages(&self) -> usize {
        self.real.pages()
    }

    /// What its driver is told.
    pub fn shape(&self) -> Shape {
        let (.., completion) = self.completion();
        Shape {
            entries: u32::from(self.layout.size()),
            submission: driver_pages(self.layout) * PAGE_SIZE,
            completion: completion * PAGE_SIZE,
            bell: self.copied.is_none().then_some(self.bell),
        }
    }

    /// Takes note of what the device is through with, translates what is new, and tells the device.
    #[inline]
    pub fn publish(&mut self, windows: &[Window], pool: &mut Pool) -> (Done, Option<Fault>) {
        let Ring { copied: Some(Copied { policy, shadow, .. }), real, bell, decoy, .. } = self else {
            return (Done::default(), Some(Fault::NotNeeded));
        };
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
        let done = Done {
            published: u32::from(published.count),
            completed: u32::from(completed),
            more: published.more,
            // It has read and written what it finds only by the IOMMU.
            proof: completed > 0 && decoy.is_some(),
        };
        (done, fault)
    }
}

/// Pages of the part that the driver writes.
fn driver_pages(layout: Layout) -> usize {
    layout.used() as usize / PAGE_SIZE
}
