//! What one device may reach: buffers that its driver names by tokens, and rings.

use super::Refused;
use super::function::{Function, State};
use super::memory::{Memory, Notes};
use super::proof::Proof;
use super::queue::Queue;
use super::translation::Translation;
use super::windows::backend;
use crate::cap::leases;
use alloc::boxed::Box;
use alloc::vec::Vec;
use capos_abi::ExceptionCode;
use capos_dma::nvme::Buffers;
use capos_dma::pool::{InsertError, Removal};
use capos_dma::{Addresses, Pool, Slot, Space};
use capos_ledger::{Backend, Item};
use kernel_hal::account::Account;
use kernel_hal::lease::Lease;
use kernel_hal::mem::Frames;
use kernel_hal::sync::{OutOfMemory, Ref};

/// Buffers that a pool has at most, if its device has as many addresses.
const SLOTS: usize = 1024;
/// Bits of addresses that an IOMMU translates for a device, at most: every one has that many.
const DOMAIN_BITS: u32 = 39;
/// Largest buffer there can be: 2 MiB.
const SHIFT_MAX: u8 = 21;

/// Everything that a device may reach in one generation.
pub(crate) struct Dma {
    pub pool: Pool,
    /// The buffers' memory, by their slots; what was removed is there until the device is through with it.
    pub(super) memory: Vec<Option<Held>>,
    pub translation: Translation,
    pub proof: Option<Proof>,
    pub queues: Vec<Option<Queue>>,
    pub space: Space,
    /// Who pays for rings.
    pub account: Ref<Account>,
    _notes: Notes,
}

/// Memory that has a token, or had one.
pub(super) struct Held {
    token: u64,
    memory: Memory,
    /// By what it is here, if it was attached and can be taken away.
    lease: Option<Lease>,
}

/// Memory on its way to the device. What is not taken is its owner's to drop, with nothing locked.
pub(crate) struct Offer {
    memory: Memory,
    lease: Option<Lease>,
}

impl Offer {
    /// Memory of its own.
    fn new(memory: Memory) -> Offer {
        Offer { memory, lease: None }
    }

    /// Memory that others have, too, and may take away.
    pub fn attached(memory: Memory, lease: Option<Lease>) -> Offer {
        Offer { memory, lease }
    }
}

/// All of it, by its slots.
pub(super) struct Named<'a>(pub &'a [Option<Held>]);

impl Buffers for Named<'_> {
    fn read64(&self, slot: u16, offset: u64) -> u64 {
        let held = self.0.get(usize::from(slot)).and_then(Option::as_ref);
        held.and_then(|held| held.memory.word(offset as usize)).unwrap_or(0)
    }
}

/// `length` of something, made by `each`.
fn filled<T>(length: usize, each: impl Fn() -> T) -> Result<Vec<T>, Refused> {
    let mut list = Vec::new();
    list.try_reserve_exact(length).map_err(|_| ExceptionCode::OutOfMemory)?;
    list.resize_with(length, each);
    Ok(list)
}

/// The same as a slice of its own: there is room for no more, so nothing is moved.
pub(super) fn boxed<T>(length: usize, each: impl Fn() -> T) -> Result<Box<[T]>, Refused> {
    filled(length, each).map(Vec::into_boxed_slice)
}

impl Dma {
    fn new(space: Space, way: Backend, account: &Ref<Account>) -> Result<Dma, Refused> {
        let addresses = if way == Backend::Direct { Addresses::Iova } else { Addresses::Physical };
        let numbers = 1usize.checked_shl(space.bits.saturating_sub(space.shift)).unwrap_or(usize::MAX);
        // As many slots as there can be with some numbers more than slots, so that tokens do not come back at once.
        let slots = SLOTS.min((numbers / 8).max(1)).next_power_of_two();
        let notes = Notes::of(slots * (size_of::<Slot>() + size_of::<Option<Held>>()), account)?;
        let pool = Pool::new(space, addresses, boxed(slots, Slot::default)?);
        let pool = pool.map_err(|_| ExceptionCode::InvalidArgument)?;
        let memory = filled(slots, || None)?;
        let (queues, account, translation) = (Vec::new(), account.clone(), Translation::Nothing);
        Ok(Dma { pool, memory, translation, proof: None, queues, space, account, _notes: notes })
    }

    /// Takes the memory, and gives its token. What is not taken is the caller's to drop.
    fn insert(&mut self, offer: &mut Option<Offer>) -> Result<u64, Refused> {
        let token = self.enter(&offer.as_ref().ok_or(ExceptionCode::InvalidArgument)?.memory)?;
        let slot = self.pool.locate(token, 1).map(|located| located.slot);
        if let Some(place) = slot.ok().and_then(|slot| self.memory.get_mut(usize::from(slot))) {
            *place = offer.take().map(|Offer { memory, lease }| Held { token, memory, lease });
        }
        Ok(token)
    }

    /// Gives it a token, by which the device finds it.
    fn enter(&mut self, memory: &Memory) -> Result<u64, Refused> {
        let token = self.token_for(memory.pages(), memory.physical())?;
        self.translation.show(token, memory).inspect_err(|_| {
            let _ = self.pool.remove(token);
        })?;
        Ok(token)
    }

    /// A token for so many pages at `physical`.
    pub(super) fn token_for(&mut self, pages: usize, physical: u64) -> Result<u64, Refused> {
        self.pool.insert(pages as u64, physical).map_err(|error| match error {
            InsertError::BadLength => ExceptionCode::InvalidArgument,
            InsertError::OutOfReach => ExceptionCode::OutOfMemory,
            InsertError::Full => ExceptionCode::BudgetExhausted,
        })
    }

    /// The memory behind a token.
    fn find(&self, token: u64) -> Option<&Memory> {
        let slot = self.pool.locate(token, 1).ok()?.slot;
        self.memory.get(usize::from(slot))?.as_ref().map(|held| &held.memory)
    }

    /// Takes the memory of a slot, which the device does not find any more. An IOMMU that does not say so keeps the frames for ever, whoever
    /// else lets go of them.
    fn take(&mut self, slot: u16) -> Option<Held> {
        let held = self.memory.get_mut(usize::from(slot))?.take()?;
        let _ = self.translation.hide(held.token, &held.memory);
        Some(held)
    }

    /// The token of what is here by such a lease.
    fn leased(&self, number: u64) -> Option<u64> {
        let by = |held: &&Held| held.lease.as_ref().is_some_and(|lease| lease.number() == number);
        self.memory.iter().flatten().find(by).map(|held| held.token)
    }

    /// How many buffers have a token.
    pub fn named(&self) -> usize {
        let named = self.pool.buffers().filter(|it| it.token.is_some());
        named.filter(|it| self.memory.get(usize::from(it.slot)).is_some_and(Option::is_some)).count()
    }

    /// Whether each buffer, each ring and the memory for the proof are where the device is to find them.
    pub fn shows_all(&self) -> bool {
        let translation = &self.translation;
        self.memory.iter().flatten().all(|held| translation.shows(held.token, &held.memory))
            && self.queues.iter().flatten().all(|queue| queue.is_shown(translation))
            && self.proof.iter().all(|proof| proof.is_shown(translation))
    }

    /// Pages that the device finds by an IOMMU, as the ledger has it.
    pub fn shown_pages(&self) -> usize {
        let memory: usize = self.memory.iter().flatten().map(|held| held.memory.pages()).sum();
        let rings: usize = self.queues.iter().flatten().map(Queue::shown_pages).sum();
        memory + rings + usize::from(self.proof.is_some())
    }

    /// Memory of which nobody but the kernel and the device gets anything, unless pages from some page on, to be read.
    pub fn closed(&self) -> impl Iterator<Item = (&Memory, usize)> {
        let rings = self.queues.iter().flatten().flat_map(Queue::closed);
        rings.chain(self.proof.iter().flat_map(Proof::closed))
    }

    /// What the device is through with since it was removed. One at a time, to be dropped with nothing locked.
    fn reclaim(&mut self) -> Option<Held> {
        self.pool.reclaim().and_then(|slot| self.take(slot))
    }

    /// Whether the device was told of any ring.
    pub fn has_queues(&self) -> bool {
        !self.queues.is_empty()
    }

    /// Buffers, their pages and those of rings, and how many of the buffers the device has.
    pub fn usage(&self) -> (u32, u32, u32) {
        let (mut buffers, mut pinned) = (0, 0);
        for buffer in self.pool.buffers() {
            buffers += 1;
            pinned += u32::from(buffer.pins > 0);
        }
        let memory: usize = self.memory.iter().flatten().map(|held| held.memory.pages()).sum();
        let rings: usize = self.queues.iter().flatten().map(Queue::pages).sum();
        (buffers, (memory + rings + self.proof_pages()) as u32, pinned)
    }
}

impl State {
    /// Buffers, pages and pinned buffers; nothing without a pool.
    pub fn usage(&self) -> (u32, u32, u32) {
        self.dma.as_ref().map_or((0, 0, 0), Dma::usage)
    }

    pub(super) fn dma(&mut self) -> Result<&mut Dma, Refused> {
        self.dma.as_mut().ok_or(ExceptionCode::WrongState)
    }

    /// What the device is given for `span` bytes at a token, which stay until it is reset.
    pub(super) fn pin_for_good(&mut self, token: u64, span: u64) -> Result<u64, Refused> {
        let pinned = self.dma()?.pool.pin(token, span);
        pinned.map(|located| located.address).map_err(|_| ExceptionCode::InvalidArgument)
    }
}

impl Function {
    /// Makes the pool, which there is one of.
    pub fn pool(&self, generation: u32, bits: u8, shift: u8, account: &Ref<Account>) -> Result<(), Refused> {
        if bits > 64 || shift > SHIFT_MAX {
            return Err(ExceptionCode::InvalidArgument);
        }
        // What a device drops of an address is not its driver's to say.
        let (bits, way) = {
            let state = self.of(generation)?;
            let class = state.class.as_ref().ok_or(ExceptionCode::Disconnected)?;
            if state.dma.is_some() {
                return Err(ExceptionCode::Exists);
            }
            if !class.may_have_dma(backend(state.backend())) {
                return Err(ExceptionCode::Unsupported);
            }
            (u32::from(bits).min(class.address_bits()), state.backend())
        };
        // Beyond what every IOMMU has there are no tokens.
        let bits = if way == Backend::Direct { bits.min(DOMAIN_BITS) } else { bits };
        let space = Space { bits, shift: u32::from(shift), floor: 0 };
        let mut dma = Dma::new(space, way, account)?;
        dma.translation = Translation::new(way, self.address(), bits.min(DOMAIN_BITS), account)?;
        let mut made = Some(dma);
        let entered = self.enter_pool(generation, &mut made);
        // What was not taken goes with nothing locked.
        drop(made);
        entered
    }

    fn enter_pool(&self, generation: u32, dma: &mut Option<Dma>) -> Result<(), Refused> {
        let mut state = self.of(generation)?;
        if state.dma.is_some() {
            return Err(ExceptionCode::Exists);
        }
        state.dma = dma.take();
        Ok(())
    }

    /// Memory for a buffer of so many pages.
    fn allocate(&self, generation: u32, pages: u32, account: &Ref<Account>) -> Result<Offer, Refused> {
        let (bits, shift) = {
            let mut state = self.of(generation)?;
            let Space { bits, shift, .. } = state.dma()?.space;
            (bits, shift)
        };
        let pages = usize::try_from(pages).map_err(|_| ExceptionCode::InvalidArgument)?;
        if pages == 0 || pages > 1 << shift.saturating_sub(12) {
            return Err(ExceptionCode::InvalidArgument);
        }
        // Clearing it takes its time, for which nobody waits.
        Memory::new(pages, bits, account).map(Offer::new)
    }

    /// Lets the device find it: the token.
    fn insert(&self, generation: u32, offer: &mut Option<Offer>) -> Result<u64, Refused> {
        let mut state = self.of(generation)?;
        // A revocation marks first and looks for it here afterwards: it is either refused or found.
        let lease = offer.as_ref().and_then(|offer| offer.lease.as_ref());
        if lease.is_some_and(leases::is_revoked) {
            return Err(ExceptionCode::Disconnected);
        }
        let pages = offer.as_ref().map_or(0, |offer| offer.memory.pages());
        let token = state.dma()?.insert(offer)?;
        state.record.books.add(Item::Buffers, 1);
        state.record.books.add(Item::DmaPages, pages as u32);
        Ok(token)
    }

    /// The memory of a buffer, and how many pages it has.
    pub fn buffer(&self, generation: u32, token: u64) -> Result<(Ref<Frames>, usize), Refused> {
        let mut state = self.of(generation)?;
        let memory = state.dma()?.find(token).ok_or(ExceptionCode::NotFound)?;
        Ok((memory.frames().clone(), memory.pages()))
    }

    /// Nobody has the buffer any more. In an older generation it went with everything else.
    pub fn free(&self, generation: u32, token: u64) {
        let taken = self.of(generation).ok().and_then(|mut state| state.free(token));
        drop(taken);
    }

    /// What is here by such a lease was revoked: as if it had been given up. Whether there was any.
    pub fn free_leased(&self, number: u64) -> bool {
        let mut state = self.lock();
        let Some(token) = state.dma.as_ref().and_then(|dma| dma.leased(number)) else { return false };
        let taken = state.free(token);
        drop(state);
        drop(taken);
        true
    }
}

impl State {
    /// Takes what the device is through with, once, to be dropped with nothing locked.
    pub(super) fn reclaim(&mut self) -> Option<Held> {
        let taken = self.dma.as_mut().and_then(Dma::reclaim);
        self.note_taken(taken)
    }

    /// The buffer has no token any more. Its memory, if the device is through with it.
    fn free(&mut self, token: u64) -> Option<Held> {
        let dma = self.dma.as_mut()?;
        let taken = match dma.pool.remove(token).ok()? {
            Removal::Done(slot) => dma.take(slot),
            Removal::Pinned(_) => None,
        };
        self.record.books.take(Item::Buffers, 1);
        self.note_taken(taken)
    }

    /// The device has that memory no more.
    fn note_taken(&mut self, taken: Option<Held>) -> Option<Held> {
        let pages = taken.as_ref().map_or(0, |held| held.memory.pages());
        self.record.books.take(Item::DmaPages, pages as u32);
        taken
    }
}

/// A buffer that somebody has; with the last capability for it it is nobody's.
pub(crate) struct Buffer {
    function: Ref<Function>,
    generation: u32,
    token: u64,
}

impl Buffer {
    /// Makes one of so many pages, at the expense of `account`.
    pub fn new(
        function: &Ref<Function>,
        generation: u32,
        pages: u32,
        account: &Ref<Account>,
    ) -> Result<Ref<Buffer>, Refused> {
        Self::of(function, generation, function.allocate(generation, pages, account)?)
    }

    /// Makes one of what is there.
    pub fn of(function: &Ref<Function>, generation: u32, offer: Offer) -> Result<Ref<Buffer>, Refused> {
        let mut offer = Some(offer);
        let token = function.insert(generation, &mut offer);
        // What was not taken goes with nothing locked.
        drop(offer);
        let token = token?;
        let buffer = Buffer { function: function.clone(), generation, token };
        // Without memory for it its own drop frees the buffer.
        Ref::try_new(buffer).map_err(|OutOfMemory| ExceptionCode::OutOfMemory)
    }

    /// Whose it is.
    pub fn function(&self) -> &Ref<Function> {
        &self.function
    }

    /// What its driver writes where an address belongs.
    pub fn token(&self) -> u64 {
        self.token
    }

    /// Its memory, and how many pages it has.
    pub fn memory(&self) -> Result<(Ref<Frames>, usize), Refused> {
        self.function.buffer(self.generation, self.token)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.function.free(self.generation, self.token);
    }
}
