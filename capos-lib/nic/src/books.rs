//! What a session has asked, and how far that is: the core of every network driver beside the device's own.

use crate::{Card, Completion, Operation, Request, Status, WORDS};
use alloc::collections::{TryReserveError, VecDeque};
use alloc::vec::Vec;
use capos_pending::{Pending, Tag};

/// Memory of the client.
#[derive(Debug)]
struct Buffer<B> {
    bytes: u64,
    /// What the device knows it by, in this life.
    token: Option<u64>,
    /// Requests under way with it.
    uses: u16,
    keep: B,
}

/// Why memory is not let go of, or not taken up: the client's fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BufferError {
    /// There are as many as there may be.
    NoRoom,
    /// There is none by that number.
    NotFound,
    /// Requests are under way with it.
    InUse,
}

/// What the device is to be asked next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ask {
    /// By which it tells that it is over.
    pub tag: Tag,
    /// Where it finds the frame, or the room for one.
    pub token: u64,
    /// What was asked.
    pub request: Request,
}

/// What the device says that it has filled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Filled {
    /// It found the checksum right.
    pub is_checked: bool,
    /// The frame goes on in the next one that it tells of.
    pub goes_on: bool,
    /// Where the frame begins.
    pub skip: u16,
    /// Bytes of it.
    pub length: u32,
}

/// The device told of what it was not asked: its fault, or its driver's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stray;

/// What is under way.
#[derive(Debug)]
struct Flight {
    request: Request,
    /// The device has it.
    is_given: bool,
}

/// One session.
#[derive(Debug)]
pub struct Books<B> {
    card: Card,
    pending: Pending<Flight>,
    buffers: Vec<Option<Buffer<B>>>,
    most_buffers: usize,
    /// What the device is still to be asked, oldest first: receives, and sends.
    receives: VecDeque<Tag>,
    sends: VecDeque<Tag>,
}

impl<B> Books<B> {
    /// For so many requests under way, and so many buffers.
    ///
    /// # Errors
    /// There is no memory.
    pub fn new(card: Card, depth: u16, most_buffers: usize) -> Result<Self, TryReserveError> {
        let pending = Pending::new(depth)?;
        let (mut receives, mut sends, mut buffers) = (VecDeque::new(), VecDeque::new(), Vec::new());
        receives.try_reserve_exact(depth.into())?;
        sends.try_reserve_exact(depth.into())?;
        buffers.try_reserve_exact(most_buffers)?;
        Ok(Books { card, pending, buffers, most_buffers, receives, sends })
    }

    /// Requests that may still come.
    #[inline]
    pub fn room(&self) -> usize {
        self.pending.room()
    }

    /// From now on requests may name this memory, by that number.
    ///
    /// # Errors
    /// [`BufferError::NoRoom`].
    pub fn attach(&mut self, bytes: u64, token: Option<u64>, keep: B) -> Result<u16, BufferError> {
        let buffer = Buffer { bytes, token, uses: 0, keep };
        let free = self.buffers.iter().position(Option::is_none).unwrap_or(self.buffers.len());
        let number = u16::try_from(free).map_err(|_| BufferError::NoRoom)?;
        match self.buffers.get_mut(free) {
            Some(place) => *place = Some(buffer),
            None if free < self.most_buffers => self.buffers.push(Some(buffer)),
            None => return Err(BufferError::NoRoom),
        }
        Ok(number)
    }

    /// They may no longer: gives what it was kept by.
    ///
    /// # Errors
    /// [`BufferError::NotFound`], and [`BufferError::InUse`]: an armed buffer comes back when it is filled.
    pub fn detach(&mut self, number: u16) -> Result<B, BufferError> {
        let place = self.buffers.get_mut(usize::from(number)).ok_or(BufferError::NotFound)?;
        match place {
            None => Err(BufferError::NotFound),
            Some(buffer) if buffer.uses > 0 => Err(BufferError::InUse),
            Some(_) => place.take().map(|buffer| buffer.keep).ok_or(BufferError::NotFound),
        }
    }

    /// All memory, and what the device knows it by in this life: to be told to a device that was reset.
    pub fn buffers(&mut self) -> impl Iterator<Item = (&mut B, &mut Option<u64>)> {
        self.buffers.iter_mut().flatten().map(|buffer| (&mut buffer.keep, &mut buffer.token))
    }

    /// The memory of that number.
    pub fn buffer(&self, number: u16) -> Option<&B> {
        Some(&self.buffers.get(usize::from(number))?.as_ref()?.keep)
    }

    /// The memory of what is armed by that tag, and where in it that begins.
    #[inline]
    pub fn armed(&self, tag: Tag) -> Option<(&B, u64)> {
        let request = self.given(tag, Operation::Receive).ok()?;
        Some((self.buffer(request.buffer)?, request.offset.into()))
    }

    /// Takes up a request. What is none is over at once.
    ///
    /// # Errors
    /// The completion, for its author.
    #[inline]
    pub fn take(&mut self, entry: &[u64; WORDS]) -> Result<(), Completion> {
        let request = Request::decode(entry).map_err(|(id, status)| Completion::of(id, status))?;
        let refuse = |status| Completion::of(request.id, status);
        self.card.check(&request).map_err(refuse)?;
        let buffer = self.buffers.get_mut(usize::from(request.buffer)).and_then(Option::as_mut);
        let end = u64::from(request.offset) + u64::from(request.length);
        let buffer = buffer.filter(|buffer| end <= buffer.bytes).ok_or(refuse(Status::Invalid))?;
        // Whoever asks for more than there is room for broke the rules of the queue before.
        let flight = Flight { request, is_given: false };
        let tag = self.pending.insert(flight).map_err(|_| refuse(Status::Invalid))?;
        buffer.uses = buffer.uses.saturating_add(1);
        match request.operation {
            Operation::Receive => self.receives.push_back(tag),
            Operation::Send => self.sends.push_back(tag),
        }
        Ok(())
    }

    /// What the device is to be asked next of this kind; [`asked`](Self::asked) when it was. Without a device that knows the memory, nothing.
    #[inline]
    pub fn next(&self, operation: Operation) -> Option<Ask> {
        let waiting = match operation {
            Operation::Receive => &self.receives,
            Operation::Send => &self.sends,
        };
        let tag = *waiting.front()?;
        let request = self.pending.get(tag)?.request;
        let buffer = self.buffers.get(usize::from(request.buffer))?.as_ref()?;
        Some(Ask { tag, token: buffer.token?.wrapping_add(request.offset.into()), request })
    }

    /// It was asked that.
    #[inline]
    pub fn asked(&mut self, operation: Operation) {
        let waiting = match operation {
            Operation::Receive => &mut self.receives,
            Operation::Send => &mut self.sends,
        };
        if let Some(flight) = waiting.pop_front().and_then(|tag| self.pending.get_mut(tag)) {
            flight.is_given = true;
        }
    }

    /// What the device has by that tag, if it is of that kind.
    #[inline]
    fn given(&self, tag: Tag, operation: Operation) -> Result<&Request, Stray> {
        let is_that = |flight: &&Flight| flight.is_given && flight.request.operation == operation;
        Ok(&self.pending.get(tag).filter(is_that).ok_or(Stray)?.request)
    }

    /// The device has read a frame.
    ///
    /// # Errors
    /// It was not asked to.
    #[inline]
    pub fn sent(&mut self, tag: Tag) -> Result<Completion, Stray> {
        self.given(tag, Operation::Send)?;
        self.over(tag, Status::Done).ok_or(Stray)
    }

    /// The device has filled a buffer.
    ///
    /// # Errors
    /// It was not asked to, or there is not so much room.
    #[inline]
    pub fn filled(&mut self, tag: Tag, filled: &Filled) -> Result<Completion, Stray> {
        let Filled { is_checked, goes_on, skip, length } = *filled;
        let room = self.given(tag, Operation::Receive)?.length;
        if u32::from(skip).saturating_add(length) > room {
            return Err(Stray);
        }
        let Completion { id, status, .. } = self.over(tag, Status::Done).ok_or(Stray)?;
        Ok(Completion { id, status, is_checked, goes_on, skip, length })
    }

    #[inline]
    fn over(&mut self, tag: Tag, status: Status) -> Option<Completion> {
        let Flight { request, .. } = self.pending.remove(tag)?;
        if let Some(Some(buffer)) = self.buffers.get_mut(usize::from(request.buffer)) {
            buffer.uses = buffer.uses.saturating_sub(1);
        }
        Some(Completion::of(request.id, status))
    }

    /// There is no device any more, until the memory is known again: nothing is asked of it. Each of the frames that it had is lost, one by one; what was armed is to be armed
    /// again.
    pub fn down(&mut self) -> impl Iterator<Item = Completion> + use<'_, B> {
        self.buffers.iter_mut().flatten().for_each(|buffer| buffer.token = None);
        self.receives.clear();
        for flight in
            self.pending.values_mut().filter(|flight| flight.request.operation == Operation::Receive)
        {
            flight.is_given = false;
        }
        let armed = self.pending.iter().filter(|(_, flight)| flight.request.operation == Operation::Receive);
        self.receives.extend(armed.map(|(tag, _)| tag));
        core::iter::from_fn(move || {
            let (tag, _) = self.pending.iter().find(|(_, flight)| flight.is_given)?;
            self.over(tag, Status::Lost)
        })
    }
}
