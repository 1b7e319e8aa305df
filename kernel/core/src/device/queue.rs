//! Queues of a device: what its driver writes, and what the device reads.

use super::buffers::{Dma, Named};
use super::commands::Commands;
use super::function::{Function, State};
use super::in_place::InPlace;
use super::memory::Memory;
use super::placed::{Placed, Way};
use super::ring::{Ring, has_events};
use super::translation::Translation;
use super::windows::{Reach, Window};
use super::{Refused, history};
use capos_abi::{ExceptionCode, PAGE_SIZE};
use capos_dma::class::{AttachError, Bell, Class, Registers as _};
use capos_dma::edu::{COMMAND, Engine};
use capos_dma::pool::Pool;
use capos_ledger::{Event, Item, Phase};
use kernel_hal::account::Account;
use kernel_hal::mem::Frames;
use kernel_hal::sync::Ref;

/// Queues of one device at most.
const QUEUES_MAX: u16 = 64;

/// One queue.
pub(crate) enum Queue {
    /// A ring of the kernel's for the device, and one that its driver writes.
    Ring(Ring),
    /// The same of commands.
    Commands(Commands),
    /// The same of descriptors that the device writes back.
    InPlace(InPlace),
    /// Registers, and one descriptor that its driver writes.
    Engine(Engine, Memory),
}

/// What kind of queues a device has.
#[derive(Clone, Copy)]
enum Kind {
    Ring { events: bool },
    Commands,
    InPlace,
    Engine,
}

impl Kind {
    /// Those of a device of that class.
    fn of(class: &Class) -> Result<Kind, Refused> {
        match class {
            Class::Modern(_) | Class::Legacy(_) => Ok(Kind::Ring { events: has_events(class) }),
            Class::Edu => Ok(Kind::Engine),
            Class::Nvme(_) => Ok(Kind::Commands),
            Class::E1000e(_) => Ok(Kind::InPlace),
            Class::Plain => Err(ExceptionCode::Unsupported),
        }
    }
}

/// What a driver is told of its queue.
pub(crate) struct Shape {
    pub entries: u32,
    pub submission: usize,
    pub completion: usize,
    /// How the driver tells the device of new descriptors; `None` when the kernel does.
    pub bell: Option<Bell>,
    /// Where the device finds it, if that is for the driver to say.
    pub token: u64,
}

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Done {
    pub published: u32,
    pub completed: u32,
    pub more: bool,
    /// The device did something that it can do through the IOMMU only.
    pub proof: bool,
}

/// Whose fault it was that not all was done.
pub(crate) enum Fault {
    /// The driver's, and the descriptor.
    Driver(u64),
    /// The device's.
    Device,
    /// The driver's: the device reads its ring itself.
    NotNeeded,
}

impl Queue {
    /// Number `index`, for so many descriptors; nothing of it is the device's yet.
    fn new(kind: Kind, index: u16, entries: u16, way: Way, account: &Ref<Account>) -> Result<Queue, Refused> {
        match kind {
            Kind::Ring { events } => Ring::new(entries, events, way, account).map(Queue::Ring),
            Kind::Commands => Commands::new(index, entries, way, account).map(Queue::Commands),
            Kind::InPlace => InPlace::new(index, entries, way, account).map(Queue::InPlace),
            Kind::Engine if entries == 1 => {
                Ok(Queue::Engine(Engine::default(), Memory::new(1, u64::BITS, account)?))
            }
            Kind::Engine => Err(ExceptionCode::InvalidArgument),
        }
    }

    /// Tells the device where it is.
    fn attach(
        &mut self,
        class: &mut Class,
        windows: &[Window],
        index: u16,
        memory: (&mut Pool, &mut Translation),
    ) -> Result<(), Refused> {
        match self {
            Queue::Ring(ring) => ring.attach(class, windows, index, memory),
            Queue::Commands(commands) => commands.attach(class, windows, index, memory),
            Queue::InPlace(ring) => ring.attach(class, windows, index, memory),
            Queue::Engine(..) if index == 0 => Ok(()),
            Queue::Engine(..) => Err(ExceptionCode::NotFound),
        }
    }

    /// Pages that it takes.
    pub fn pages(&self) -> usize {
        match self {
            Queue::Ring(ring) => ring.pages(),
            Queue::Commands(commands) => commands.pages(),
            Queue::InPlace(ring) => ring.pages(),
            Queue::Engine(_, shadow) => shadow.pages(),
        }
    }

    /// Of these, what the device finds by an IOMMU.
    pub fn shown_pages(&self) -> usize {
        self.placed().map_or(0, |(placed, _)| placed.real.pages())
    }

    /// Whether the device finds them.
    pub fn is_shown(&self, translation: &Translation) -> bool {
        self.placed().is_none_or(|(placed, _)| placed.is_shown(translation))
    }

    /// What the device has of it, and the first page that its driver may read.
    fn placed(&self) -> Option<(&Placed, usize)> {
        match self {
            Queue::Ring(ring) => Some(ring.placed()),
            Queue::Commands(commands) => Some(commands.placed()),
            Queue::InPlace(ring) => Some(ring.placed()),
            Queue::Engine(..) => None,
        }
    }

    /// Memory of it that its driver does not get, but for pages from some page on, to be read.
    pub fn closed(&self) -> impl Iterator<Item = (&Memory, usize)> {
        self.placed().into_iter().flat_map(|(placed, first)| placed.closed(first))
    }

    fn shape(&self) -> Shape {
        match self {
            Queue::Ring(ring) => ring.shape(),
            Queue::Commands(commands) => commands.shape(),
            Queue::InPlace(ring) => ring.shape(),
            Queue::Engine(_, shadow) => Shape {
                entries: 1,
                submission: shadow.pages() * PAGE_SIZE,
                completion: 0,
                bell: None,
                token: 0,
            },
        }
    }

    fn submission(&self) -> (Ref<Frames>, usize) {
        match self {
            Queue::Ring(ring) => ring.submission(),
            Queue::Commands(commands) => commands.submission(),
            Queue::InPlace(ring) => ring.submission(),
            Queue::Engine(_, shadow) => (shadow.frames().clone(), shadow.pages()),
        }
    }
}

/// Takes note of the end of a transfer, or begins one.
fn transfer(
    engine: &mut Engine,
    shadow: &Memory,
    windows: &[Window],
    pool: &mut Pool,
) -> (Done, Option<Fault>) {
    let mut registers = Reach(windows);
    let idle = engine.collect(registers.read(COMMAND), pool);
    if !idle {
        return (Done { more: true, ..Done::default() }, None);
    }
    match engine.publish(shadow, pool) {
        Ok(writes) => {
            writes.into_iter().for_each(|(register, value)| registers.write(register, value));
            (Done { published: 1, ..Done::default() }, None)
        }
        Err(_) => (Done::default(), Some(Fault::Driver(0))),
    }
}

pub(super) fn refused(error: AttachError) -> Refused {
    match error {
        AttachError::NotNow => ExceptionCode::WrongState,
        AttachError::NoSuchQueue => ExceptionCode::NotFound,
        AttachError::BadSize(_) => ExceptionCode::InvalidArgument,
        AttachError::Attached => ExceptionCode::Exists,
        AttachError::PastIommu => ExceptionCode::Denied,
        AttachError::OutOfReach => ExceptionCode::OutOfMemory,
        AttachError::BadBell => ExceptionCode::DeviceFault,
        AttachError::NoQueues => ExceptionCode::Unsupported,
    }
}

impl State {
    fn queue(&self, index: u16) -> Result<&Queue, Refused> {
        let dma = self.dma.as_ref().ok_or(ExceptionCode::WrongState)?;
        dma.queues.get(usize::from(index)).and_then(Option::as_ref).ok_or(ExceptionCode::NotFound)
    }

    /// With the pool that its descriptors name, and the registers.
    #[inline]
    fn publish(&mut self, index: u16) -> Result<(Done, Option<Fault>), Refused> {
        let State { dma, windows, class, .. } = self;
        let Dma { queues, pool, memory, .. } = dma.as_mut().ok_or(ExceptionCode::WrongState)?;
        let queue = queues.get_mut(usize::from(index)).and_then(Option::as_mut);
        Ok(match queue.ok_or(ExceptionCode::NotFound)? {
            Queue::Ring(ring) => ring.publish(windows, pool),
            Queue::Commands(commands) => commands.publish(class.as_mut(), windows, pool, &Named(memory)),
            Queue::InPlace(ring) => ring.publish(windows, pool),
            Queue::Engine(engine, shadow) => transfer(engine, shadow, windows, pool),
        })
    }

    /// Tells the device of `queue`, its queue number `index` from now on, and takes it. What is not taken is the caller's to drop.
    fn attach(&mut self, index: u16, queue: &mut Option<Queue>) -> Result<(), Refused> {
        // One that is not through its reset is told of nothing.
        if matches!(queue, Some(Queue::Ring(_) | Queue::Commands(_) | Queue::InPlace(_))) && !self.go_on()? {
            return Err(ExceptionCode::WrongState);
        }
        let State { class, windows, dma, record, .. } = self;
        let (Some(class), Some(dma)) = (class, dma) else { return Err(ExceptionCode::WrongState) };
        let at = usize::from(index);
        if dma.queues.get(at).is_some_and(Option::is_some) {
            return Err(ExceptionCode::Exists);
        }
        let room = (at + 1).saturating_sub(dma.queues.len());
        dma.queues.try_reserve(room).map_err(|_| ExceptionCode::OutOfMemory)?;
        if let Some(queue) = queue {
            queue.attach(class, windows, index, (&mut dma.pool, &mut dma.translation))?;
        }
        while dma.queues.len() <= at {
            dma.queues.push(None);
        }
        if let Some(place) = dma.queues.get_mut(at) {
            core::mem::swap(place, queue);
        }
        let pages = dma.queues.get(at).and_then(Option::as_ref).map_or(0, Queue::pages);
        record.books.add(Item::Queues, 1);
        record.books.add(Item::DmaPages, pages as u32);
        Ok(())
    }
}

impl Function {
    /// Makes queue `index` of so many entries, and tells the device where it is.
    pub fn attach(&self, generation: u32, index: u16, entries: u16) -> Result<(), Refused> {
        if index >= QUEUES_MAX {
            return Err(ExceptionCode::NotFound);
        }
        let (way, account, kind) = {
            let mut state = self.of(generation)?;
            let kind = Kind::of(state.class.as_ref().ok_or(ExceptionCode::Disconnected)?)?;
            let dma = state.dma()?;
            let (unproven, direct) = (dma.translation.is_unproven(), dma.translation.is_direct());
            (Way { bits: dma.space.bits, unproven, direct }, dma.account.clone(), kind)
        };
        // Clearing it takes its time, for which nobody waits.
        let mut queue = Some(Queue::new(kind, index, entries, way, &account)?);
        let attached = self.of(generation)?.attach(index, &mut queue);
        // What was not taken goes with nothing locked.
        drop(queue);
        attached
    }

    /// What a queue is like.
    pub fn shape(&self, generation: u32, index: u16) -> Result<Shape, Refused> {
        self.of(generation)?.queue(index).map(Queue::shape)
    }

    /// Where its driver writes: the memory, and how many pages of it from the first on.
    pub fn submission(&self, generation: u32, index: u16) -> Result<(Ref<Frames>, usize), Refused> {
        self.of(generation)?.queue(index).map(Queue::submission)
    }

    /// What the device writes: the memory, and the first page and how many pages of it that is.
    pub fn completion(&self, generation: u32, index: u16) -> Result<(Ref<Frames>, usize, usize), Refused> {
        match self.of(generation)?.queue(index)? {
            Queue::Ring(ring) => Ok(ring.completion()),
            Queue::Commands(commands) => Ok(commands.completion()),
            Queue::InPlace(ring) => Ok(ring.completion()),
            Queue::Engine(..) => Err(ExceptionCode::NotFound),
        }
    }

    /// Takes note of what the device is through with, translates what is new, and tells the device.
    pub fn publish(&self, generation: u32, index: u16) -> Result<Done, Refused> {
        let mut state = self.of(generation)?;
        // Before it may reach memory it is told of none: what it was told of is kept for it once, until it is quiet.
        if state.record.phase() != Phase::Running {
            return Err(ExceptionCode::WrongState);
        }
        let (done, fault) = state.publish(index)?;
        if done.proof {
            self.proven(&mut state);
        }
        let gone = state.reclaim();
        drop(state);
        drop(gone);
        match fault {
            None => Ok(done),
            Some(fault) => Err(self.blame(&fault, generation, index)),
        }
    }

    #[cold]
    fn blame(&self, fault: &Fault, generation: u32, index: u16) -> Refused {
        let queue = u64::from(index) << 32;
        match fault {
            Fault::Driver(descriptor) => {
                history::add(Event::DescriptorRefused, self.address(), generation, queue | descriptor);
                ExceptionCode::InvalidArgument
            }
            Fault::Device => {
                history::add(Event::BadCompletion, self.address(), generation, queue);
                ExceptionCode::DeviceFault
            }
            Fault::NotNeeded => ExceptionCode::Unsupported,
        }
    }
}
