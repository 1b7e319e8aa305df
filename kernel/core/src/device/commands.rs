//! A queue of commands, and one of completions: NVMe's. As with a virtqueue the driver writes one, the device reads another, and both see what the
//! device writes; where drivers name addresses there is one for all.

use super::Refused;
use super::buffers::{Named, boxed};
use super::memory::{Memory, Notes};
use super::placed::{Placed, Way};
use super::queue::{Done, Fault, Shape};
use super::translation::Translation;
use super::windows::{Reach, Window};
use capos_abi::{ExceptionCode, PAGE_SIZE};
use capos_dma::class::{Class, Registers as _};
use capos_dma::nvme::{self, Command, Layout};
use capos_dma::pool::Pool;
use kernel_hal::account::Account;
use kernel_hal::mem::Frames;
use kernel_hal::sync::Ref;

/// Commands that one call translates at most: each may have a list of 128 pointers.
const BATCH: u16 = 16;

/// One.
pub(crate) struct Commands {
    layout: Layout,
    /// What the device has: commands and lists; completions and answers.
    placed: Placed,
    /// What its driver has, and how that becomes the real one; nothing when it has the real one.
    copied: Option<Copied>,
}

struct Copied {
    policy: nvme::Queue,
    /// Commands, and how far the driver has come, as it writes them.
    shadow: Memory,
    _notes: Notes,
}

impl Copied {
    fn new(index: u16, layout: Layout, base: u64, account: &Ref<Account>) -> Result<Copied, Refused> {
        let entries = usize::from(layout.size());
        let notes = Notes::of(entries * size_of::<Command>(), account)?;
        let shadow = Memory::new(layout.shadow_bytes() as usize / PAGE_SIZE, u64::BITS, account)?;
        let commands = boxed(entries, Command::default)?;
        let policy = nvme::Queue::new(index, layout, base, commands).ok_or(ExceptionCode::InvalidArgument)?;
        Ok(Copied { policy, shadow, _notes: notes })
    }
}

impl Commands {
    /// Queue number `index`, of so many entries. Nothing of it is the device's yet.
    pub fn new(index: u16, entries: u16, way: Way, account: &Ref<Account>) -> Result<Commands, Refused> {
        let layout = Layout::new(entries).ok_or(ExceptionCode::InvalidArgument)?;
        let placed = Placed::new(layout.bytes() as usize / PAGE_SIZE, way, account)?;
        let copied =
            (!way.direct).then(|| Copied::new(index, layout, placed.address(), account)).transpose()?;
        Ok(Commands { layout, placed, copied })
    }

    /// Tells the device where it is, or has it ready for the command that creates it.
    pub fn attach(
        &mut self,
        class: &mut Class,
        windows: &[Window],
        index: u16,
        memory: (&mut Pool, &mut Translation),
    ) -> Result<(), Refused> {
        let shape = (self.layout.size(), Some(self.layout.completions()));
        self.placed.attach(class, windows, index, shape, memory)
    }

    /// What its driver writes.
    pub fn submission(&self) -> (Ref<Frames>, usize) {
        match &self.copied {
            Some(copied) => (copied.shadow.frames().clone(), copied.shadow.pages()),
            None => (self.placed.real.frames().clone(), self.completions_page()),
        }
    }

    /// What the device writes: the memory, and the first page and how many pages of it that is.
    pub fn completion(&self) -> (Ref<Frames>, usize, usize) {
        let first = self.completions_page();
        (self.placed.real.frames().clone(), first, self.placed.real.pages() - first)
    }

    /// What the device has of it, and the first page that its driver may read.
    pub fn placed(&self) -> (&Placed, usize) {
        (&self.placed, self.completions_page())
    }

    fn completions_page(&self) -> usize {
        self.layout.completions() as usize / PAGE_SIZE
    }

    /// Pages that it takes.
    pub fn pages(&self) -> usize {
        self.placed.pages() + self.copied.as_ref().map_or(0, |copied| copied.shadow.pages())
    }

    /// What its driver is told.
    pub fn shape(&self) -> Shape {
        let ((_, submission), (.., completion)) = (self.submission(), self.completion());
        let is_direct = self.copied.is_none();
        Shape {
            entries: u32::from(self.layout.size()),
            submission: submission * PAGE_SIZE,
            completion: completion * PAGE_SIZE,
            bell: is_direct.then_some(self.placed.bell),
            token: if is_direct { self.placed.address() } else { 0 },
        }
    }

    /// Takes note of what the device is through with, translates what is new, and tells the device of both.
    pub(super) fn publish(
        &mut self,
        class: Option<&mut Class>,
        windows: &[Window],
        pool: &mut Pool,
        buffers: &Named<'_>,
    ) -> (Done, Option<Fault>) {
        let Commands { copied: Some(Copied { policy, shadow, .. }), placed, .. } = self else {
            return (Done::default(), Some(Fault::NotNeeded));
        };
        let Some(Class::Nvme(controller)) = class else {
            return (Done::default(), Some(Fault::NotNeeded));
        };
        let Ok(completed) = policy.collect(&placed.real, pool, controller) else {
            return (Done::default(), Some(Fault::Device));
        };
        let mut done = Done { completed: completed.into(), ..Done::default() };
        // It has read and written what it finds only by the IOMMU.
        done.proof = completed > 0 && placed.is_proof();
        match policy.consumed(shadow) {
            Ok(None) => {}
            Ok(Some(read)) => {
                Reach(windows).write(controller.completion_bell(policy.id()), read.into());
            }
            Err(_) => return (done, Some(Fault::Driver(0))),
        }
        let (published, fault) = match policy.publish(shadow, &placed.real, buffers, pool, controller, BATCH)
        {
            Ok(published) => (published, None),
            Err(refusal) => (refusal.before, Some(Fault::Driver(u64::from(refusal.entry)))),
        };
        if let Some(tail) = published.bell {
            Reach(windows).write(placed.bell.register, tail.into());
        }
        (done.published, done.more) = (published.count.into(), published.more);
        (done, fault)
    }
}
