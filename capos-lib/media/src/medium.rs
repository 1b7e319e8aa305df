//! The medium: pages of it that were read lately, and looks at it, each of which may only do so much.

use crate::error::{Damage, Error};
use crate::source::Source;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::string::ToString;
use alloc::vec;
use core::cell::{Cell, RefCell};
use core::fmt::Display;
use hadris_io::r#async::{Read, Seek};
use hadris_io::{ErrorKind, Result as IoResult, SeekFrom};

/// Bytes of a page.
pub(crate) const PAGE: u64 = 4096;
/// Pages that are kept.
const PAGES: usize = 64;
/// Bytes that one look has read at most: the largest directory that may be, and the fragments of its chain.
const BYTES_MAX: u64 = 64 << 20;
/// Steps of one look: the largest directory of FAT in clusters of one sector takes three for each, one of ISO 9660 two for each record.
const STEPS_MAX: u64 = 1 << 16;

/// A source, and some of what it gave.
pub(crate) struct Medium<S> {
    source: S,
    recent: RefCell<VecDeque<(u64, Rc<[u8]>)>>,
    hidden: Cell<(u64, u64)>,
}

impl<S: Source> Medium<S> {
    pub(crate) fn new(source: S) -> Self {
        Medium { source, recent: RefCell::new(VecDeque::with_capacity(PAGES)), hidden: Cell::default() }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.source.bytes()
    }

    /// Bytes of a file, which are read once and not kept.
    pub(crate) async fn read(&self, at: u64, into: &mut [u8]) -> Result<(), Error> {
        let end = at.checked_add(into.len() as u64).filter(|end| *end <= self.bytes());
        end.ok_or(Damage::Beyond)?;
        Ok(self.source.read(at, into).await?)
    }

    /// From now on the formats' readers find zeros there, which is within a page.
    pub(crate) fn hide(&self, at: u64, length: u64) {
        self.hidden.set((at, length));
    }

    fn cover(&self, start: u64, page: &mut [u8]) {
        let (at, length) = self.hidden.get();
        let from = at.saturating_sub(start) as usize;
        let hidden = page.iter_mut().skip(from).take(length as usize);
        if at >= start {
            hidden.for_each(|byte| *byte = 0);
        }
    }

    fn recent(&self, number: u64) -> Option<Rc<[u8]>> {
        let mut recent = self.recent.borrow_mut();
        let place = recent.iter().position(|(kept, _)| *kept == number)?;
        let found = recent.remove(place)?;
        let page = Rc::clone(&found.1);
        recent.push_front(found);
        Some(page)
    }

    fn keep(&self, number: u64, page: &Rc<[u8]>) {
        let mut recent = self.recent.borrow_mut();
        recent.truncate(PAGES - 1);
        recent.push_front((number, Rc::clone(page)));
    }
}

/// One look, and how much it may still do.
pub(crate) struct Look {
    steps: Cell<u64>,
    bytes: Cell<u64>,
    failed: Cell<Option<Error>>,
}

impl Look {
    pub(crate) fn new() -> Look {
        Look { steps: Cell::new(STEPS_MAX), bytes: Cell::new(BYTES_MAX), failed: Cell::default() }
    }

    /// Why something that reads did not come to its end: what reading itself said, else what the format's reader says.
    pub(crate) fn why(&self, said: impl Display) -> Error {
        self.failed.take().unwrap_or_else(|| Damage::Format(said.to_string()).into())
    }

    fn spend(&self, of: &Cell<u64>, count: u64) -> IoResult<()> {
        match of.get().checked_sub(count) {
            Some(left) => {
                of.set(left);
                Ok(())
            }
            None => Err(self.fail(Damage::TooMuch.into())),
        }
    }

    fn fail(&self, why: Error) -> hadris_io::Error {
        self.failed.set(Some(why));
        hadris_io::Error::from_kind(ErrorKind::Other)
    }
}

/// A position in the medium, for the format's reader.
pub(crate) struct Reader<'a, S> {
    medium: &'a Medium<S>,
    look: &'a Look,
    at: u64,
}

impl<'a, S: Source> Reader<'a, S> {
    pub(crate) fn new(medium: &'a Medium<S>, look: &'a Look) -> Self {
        Reader { medium, look, at: 0 }
    }

    async fn page(&self, number: u64) -> IoResult<Rc<[u8]>> {
        if let Some(page) = self.medium.recent(number) {
            return Ok(page);
        }
        let start = number.saturating_mul(PAGE);
        let length = self.medium.bytes().saturating_sub(start).min(PAGE);
        self.look.spend(&self.look.bytes, length)?;
        let mut page = vec![0; length as usize];
        self.fetch(start, &mut page).await?;
        self.medium.cover(start, &mut page);
        let page = Rc::from(page);
        self.medium.keep(number, &page);
        Ok(page)
    }

    async fn fetch(&self, at: u64, into: &mut [u8]) -> IoResult<()> {
        self.medium.source.read(at, into).await.map_err(|error| self.look.fail(error.into()))
    }

    async fn some(&mut self, into: &mut [u8]) -> IoResult<usize> {
        self.look.spend(&self.look.steps, 1)?;
        let left = self.medium.bytes().saturating_sub(self.at);
        if left == 0 && !into.is_empty() {
            return Err(self.look.fail(Damage::Beyond.into()));
        }
        let count = left.min(into.len() as u64);
        let into = into.get_mut(..count as usize).unwrap_or_default();
        let count = if count >= PAGE {
            self.look.spend(&self.look.bytes, count)?;
            self.fetch(self.at, into).await?;
            into.len()
        } else {
            let page = self.page(self.at / PAGE).await?;
            let here = page.get((self.at % PAGE) as usize..).unwrap_or_default();
            into.iter_mut().zip(here).map(|(to, from)| *to = *from).count()
        };
        self.at = self.at.saturating_add(count as u64);
        Ok(count)
    }
}

impl<S: Source> Read for Reader<'_, S> {
    type Error = ErrorKind;

    async fn read(&mut self, into: &mut [u8]) -> IoResult<usize> {
        self.some(into).await
    }
}

impl<S: Source> Seek for Reader<'_, S> {
    type Error = ErrorKind;

    async fn seek(&mut self, to: SeekFrom) -> IoResult<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(back) => self.medium.bytes().checked_add_signed(back),
            SeekFrom::Current(on) => self.at.checked_add_signed(on),
        };
        self.at = at.ok_or_else(|| self.look.fail(Damage::Beyond.into()))?;
        Ok(self.at)
    }
}
