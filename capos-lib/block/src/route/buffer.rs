//! Memory that clients have attached. It stays until nothing is under way with it, whoever let go of it.

use super::{NoRoom, NotFound, Router, SessionId};
use alloc::vec::Vec;

/// Memory of a client.
#[derive(Debug)]
pub struct Buffer<B> {
    owner: SessionId,
    /// Requests may name it.
    is_open: bool,
    uses: u16,
    pub bytes: u64,
    /// What the disk knows it by, in this life.
    pub handle: Option<u64>,
    keep: B,
}

/// Memory that nobody uses any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Released<B> {
    /// What it was kept by.
    pub keep: B,
    /// What the disk still knows it by.
    pub handle: Option<u64>,
}

/// Of all clients, by the numbers that they know.
#[derive(Debug)]
pub struct Buffers<B> {
    places: Vec<Option<Buffer<B>>>,
    /// How many nobody uses any more.
    over: usize,
}

impl<B> Buffers<B> {
    pub fn new() -> Self {
        Buffers { places: Vec::new(), over: 0 }
    }

    /// That of a client, if it is there and its own.
    #[inline]
    pub fn of(&self, owner: SessionId, number: u16) -> Option<&Buffer<B>> {
        let buffer = self.places.get(usize::from(number))?.as_ref()?;
        (buffer.owner == owner && buffer.is_open).then_some(buffer)
    }

    #[inline]
    pub fn handle(&self, number: u16) -> Option<u64> {
        self.places.get(usize::from(number))?.as_ref()?.handle
    }

    #[inline]
    pub fn begin(&mut self, number: u16) {
        if let Some(buffer) = self.place(number) {
            buffer.uses += 1;
        }
    }

    #[inline]
    pub fn end(&mut self, number: u16) {
        if let Some(buffer) = self.place(number) {
            buffer.uses -= 1;
            let is_over = !buffer.is_open && buffer.uses == 0;
            self.over += usize::from(is_over);
        }
    }

    #[inline]
    fn place(&mut self, number: u16) -> Option<&mut Buffer<B>> {
        self.places.get_mut(usize::from(number))?.as_mut()
    }

    fn attach(&mut self, owner: SessionId, bytes: u64, keep: B, most: usize) -> Result<u16, NoRoom> {
        let own = self.places.iter().flatten().filter(|buffer| buffer.owner == owner && buffer.is_open);
        if own.count() >= most {
            return Err(NoRoom);
        }
        let free = self.places.iter().position(Option::is_none).unwrap_or(self.places.len());
        let number = u16::try_from(free).map_err(|_| NoRoom)?;
        let buffer = Buffer { owner, is_open: true, uses: 0, bytes, handle: None, keep };
        match self.places.get_mut(free) {
            Some(place) => *place = Some(buffer),
            None => {
                self.places.try_reserve(1).map_err(|_| NoRoom)?;
                self.places.push(Some(buffer));
            }
        }
        Ok(number)
    }

    pub fn close(&mut self, owner: SessionId) {
        let own = self.places.iter_mut().flatten().filter(|buffer| buffer.owner == owner && buffer.is_open);
        for buffer in own {
            buffer.is_open = false;
            self.over += usize::from(buffer.uses == 0);
        }
    }

    pub fn forget_handles(&mut self) {
        self.places.iter_mut().flatten().for_each(|buffer| buffer.handle = None);
    }

    #[inline]
    fn take(&mut self) -> Option<Buffer<B>> {
        if self.over == 0 { None } else { self.take_over() }
    }

    #[cold]
    fn take_over(&mut self) -> Option<Buffer<B>> {
        let is_over = |buffer: &mut Buffer<B>| !buffer.is_open && buffer.uses == 0;
        let buffer = self.places.iter_mut().find_map(|place| place.take_if(is_over))?;
        self.over -= 1;
        Some(buffer)
    }
}

impl<B> Router<B> {
    /// From now on requests of this client may name this memory, by that number; the disk does not know it yet. It may have `most` at a time.
    ///
    /// # Errors
    /// There are as many as there may be.
    pub fn attach(&mut self, session: SessionId, bytes: u64, keep: B, most: usize) -> Result<u16, NoRoom> {
        self.session(session).ok_or(NoRoom)?;
        self.buffers.attach(session, bytes, keep, most)
    }

    /// They may no longer; see [`released`](Self::released).
    ///
    /// # Errors
    /// There is none by that number, or it is another's.
    pub fn detach(&mut self, session: SessionId, number: u16) -> Result<(), NotFound> {
        self.buffers.of(session, number).ok_or(NotFound)?;
        let buffer = self.buffers.place(number).ok_or(NotFound)?;
        buffer.is_open = false;
        let is_over = buffer.uses == 0;
        self.buffers.over += usize::from(is_over);
        Ok(())
    }

    /// Memory that nobody uses any more: for the disk to forget, and to be let go of.
    #[inline]
    pub fn released(&mut self) -> Option<Released<B>> {
        let Buffer { keep, handle, .. } = self.buffers.take()?;
        Some(Released { keep, handle })
    }

    /// All memory that may be used, and what the disk knows it by in this life: to be told to a disk that has come back.
    pub fn buffers(&mut self) -> impl Iterator<Item = (u16, &mut B, &mut Option<u64>)> {
        let places = self.buffers.places.iter_mut().zip(0..);
        places.filter_map(|(place, number)| {
            let Buffer { keep, handle, .. } = place.as_mut()?;
            Some((number, keep, handle))
        })
    }

    /// The one of that number.
    pub fn buffer(&mut self, number: u16) -> Option<(&mut B, &mut Option<u64>)> {
        let Buffer { keep, handle, .. } = self.buffers.place(number)?;
        Some((keep, handle))
    }
}
