//! Loads a static program into a new address space, in steps: a file of a page may ask for gigabytes of zeroed memory.
//!
//! The file may belong to somebody who changes it while we look: its headers are parsed from a private copy, and what the segments
//! hold is the owner's own business. Segments that nobody can write are mapped from the file itself where its pages allow it, so
//! that all processes of one program share their code.

use alloc::vec::Vec;
use capos_abi::PAGE_SIZE;
use capos_elf::{Access, HEADER_MAX, Image, Segment, check_user};
use kernel_hal::account::Account;
use kernel_hal::mem::Frames;
use kernel_hal::sync::Ref;
use kernel_hal::vm::{AddressSpace, Work};
use kernel_hal::{MemError, Protection, VmError};

/// Why a program was not loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LoadError {
    /// It is not a program that could run here.
    Malformed,
    /// There was no memory for it.
    Memory(VmError),
}

impl From<VmError> for LoadError {
    fn from(error: VmError) -> Self {
        match error {
            VmError::OutOfMemory | VmError::BudgetExhausted => LoadError::Memory(error),
            _ => LoadError::Malformed,
        }
    }
}

impl From<MemError> for LoadError {
    fn from(error: MemError) -> Self {
        LoadError::from(VmError::from(error))
    }
}

const PAGE: u64 = PAGE_SIZE as u64;

/// How much one step may cost, in pages that are cleared.
const STEP: usize = 512;
/// What it costs to copy a page, in the same unit.
const COPY: usize = 4;
/// Pages that are mapped in one step: entries are much cheaper than what is behind them.
const MAP: usize = 16 * STEP;

/// A program on its way into an address space, step by step.
pub(crate) struct Loading {
    file: Ref<Frames>,
    /// As they were at the beginning, in the order of the file.
    segments: Vec<Segment>,
    /// Which of them is at hand.
    at: usize,
    stage: Stage,
}

/// How far the segment at hand is.
enum Stage {
    Untouched,
    /// Its memory is being taken and cleared.
    Taking(Work),
    /// It is being copied into that, so many bytes so far.
    Copying(Ref<Frames>, usize),
    /// It is being shown, so many pages so far: from which page on of what.
    Mapping(Ref<Frames>, usize, usize),
}

impl Loading {
    /// Begins with the first `size` bytes of `file`, of which nothing is anywhere yet, and answers the entry point.
    pub fn begin(file: &Ref<Frames>, size: u64) -> Result<(Self, u64), LoadError> {
        if size > (file.pages() * PAGE_SIZE) as u64 {
            return Err(LoadError::Malformed);
        }
        let mut headers = [0; HEADER_MAX];
        let len = usize::try_from(size).map_or(HEADER_MAX, |size| size.min(HEADER_MAX));
        let start = headers.get_mut(..len).ok_or(LoadError::Malformed)?;
        file.read(0, start).map_err(|_| LoadError::Malformed)?;
        let image = Image::parse(start, size).map_err(|_| LoadError::Malformed)?;
        check_user(&image).map_err(|_| LoadError::Malformed)?;
        let mut segments = Vec::new();
        let no_memory = |_| LoadError::Memory(VmError::OutOfMemory);
        segments.try_reserve_exact(image.segments().count()).map_err(no_memory)?;
        segments.extend(image.segments());
        Ok((Loading { file: file.clone(), segments, at: 0, stage: Stage::Untouched }, image.entry()))
    }

    /// One step. False when there is more; after an error whatever is in `space` is to be given up.
    pub fn step(&mut self, space: &Ref<AddressSpace>, account: &Ref<Account>) -> Result<bool, LoadError> {
        let mut left = STEP;
        while let Some(segment) = self.segments.get(self.at).copied() {
            if left == 0 {
                return Ok(false);
            }
            let stage = core::mem::replace(&mut self.stage, Stage::Untouched);
            match self.go_on(stage, &segment, space, account, &mut left)? {
                Some(stage) => self.stage = stage,
                None => self.at += 1,
            }
        }
        Ok(true)
    }

    /// The next stage of a segment; `None` when it is done.
    fn go_on(
        &self,
        stage: Stage,
        segment: &Segment,
        space: &Ref<AddressSpace>,
        account: &Ref<Account>,
        left: &mut usize,
    ) -> Result<Option<Stage>, LoadError> {
        let Span { address, pages, skip } = Span::of(segment)?;
        Ok(Some(match stage {
            Stage::Untouched if can_share(&self.file, segment) => {
                Stage::Mapping(self.file.clone(), index((segment.offset - skip as u64) / PAGE)?, 0)
            }
            Stage::Untouched => match Work::object(pages, account)? {
                Some(work) => Stage::Taking(work),
                None => {
                    *left = left.saturating_sub(pages);
                    Stage::Copying(Frames::zeroed(pages, account)?, 0)
                }
            },
            Stage::Taking(mut work) => {
                *left = 0;
                match work.step() {
                    None => Stage::Taking(work),
                    Some(taken) => Stage::Copying(taken?.ok_or(LoadError::Malformed)?, 0),
                }
            }
            Stage::Copying(frames, done) => {
                let done = self.copy(segment, &frames, skip, done, left)?;
                if done as u64 == segment.file_size {
                    Stage::Mapping(frames, 0, 0)
                } else {
                    Stage::Copying(frames, done)
                }
            }
            Stage::Mapping(frames, first, done) => {
                let (next, now) = (address + done as u64 * PAGE, (pages - done).min(MAP));
                let (writable, protection) = (segment.access.write, protection(segment.access));
                space.map_fixed(next, &frames, first + done, now, protection, writable)?;
                if done + now == pages {
                    return Ok(None);
                }
                *left = 0;
                Stage::Mapping(frames, first, done + now)
            }
        }))
    }

    /// Copies the next pages of a segment; how many bytes of it are there then.
    fn copy(
        &self,
        segment: &Segment,
        frames: &Frames,
        skip: usize,
        done: usize,
        left: &mut usize,
    ) -> Result<usize, LoadError> {
        let (offset, size) = (index(segment.offset)?, index(segment.file_size)?);
        let end = size.min(done + PAGE_SIZE * left.div_ceil(COPY));
        let mut buffer = [0; 1024];
        let mut done = done;
        *left = left.saturating_sub(COPY * (end - done).div_ceil(PAGE_SIZE));
        while done < end {
            let len = (end - done).min(buffer.len());
            let part = buffer.get_mut(..len).ok_or(LoadError::Malformed)?;
            self.file.read(offset + done, part).map_err(|_| LoadError::Malformed)?;
            frames.write(skip + done, part).map_err(|_| LoadError::Malformed)?;
            done += len;
        }
        Ok(done)
    }
}

/// Whether a segment can be mapped from the file's own pages: nobody can ever write them, and nothing has to be zeroed.
fn can_share(file: &Ref<Frames>, segment: &Segment) -> bool {
    file.is_read_only() && !segment.access.write && segment.file_size == segment.memory_size
}

/// The whole pages that a segment takes up.
struct Span {
    address: u64,
    pages: usize,
    /// Bytes of the first page before the segment.
    skip: usize,
}

impl Span {
    fn of(segment: &Segment) -> Result<Self, LoadError> {
        let skip = segment.address % PAGE;
        let end = segment.address.checked_add(segment.memory_size).ok_or(LoadError::Malformed)?;
        let address = segment.address - skip;
        Ok(Span { address, pages: index((end - address).div_ceil(PAGE))?, skip: index(skip)? })
    }
}

fn protection(access: Access) -> Protection {
    match (access.write, access.execute) {
        (true, _) => Protection::ReadWrite,
        (false, true) => Protection::ReadExecute,
        (false, false) => Protection::Read,
    }
}

fn index(value: u64) -> Result<usize, LoadError> {
    usize::try_from(value).map_err(|_| LoadError::Malformed)
}
