//! From the log of a disk that a machine had, what [`states`](crate::states) goes through.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use capos_store::BLOCK;
use nbd::log::Record;

use crate::image::{Block, Image};
use crate::record::{Event, Fault};

/// What is read of blocks that were not wanted any more.
const TRIMMED: u8 = 0xdd;

/// A disk that a machine had.
pub struct Recording {
    /// What was on it before.
    pub base: Image,
    /// What happened.
    pub events: Vec<Event>,
    /// What was on it at the end.
    pub end: Image,
}

/// Reads a log, and breaks what it says if asked; `mark` says what it means that something happened elsewhere.
///
/// # Errors
/// When it cannot be read, or is no log of a disk.
pub fn read_log(
    from: &mut impl Read,
    fault: Fault,
    mark: impl Fn(&[u8]) -> Option<Event>,
) -> io::Result<Recording> {
    let Some(Record::Size(size)) = Record::read(from)? else {
        return Err(io::Error::other("this is no log of a disk"));
    };
    let image = Image::new(size as usize / BLOCK);
    let mut number = 1;
    while let Some(Record::Write(offset, bytes, _)) = Record::read(from)? {
        changed(&image, offset, &bytes).for_each(|(block, bytes)| image.set(block, bytes));
        number += 1;
    }
    let base = image.clone();
    let mut log = Log {
        image,
        events: Vec::new(),
        open: BTreeMap::new(),
        unsafe_writes: BTreeSet::new(),
        fault,
        flushes: 0,
    };
    while let Some(record) = Record::read(from)? {
        number += 1;
        log.take(number, record, &mark);
    }
    Ok(Recording { base, events: log.events, end: log.image })
}

/// A request that is not answered.
enum Open {
    /// Of these writes, that are durable when it is.
    Durable(Vec<usize>),
    /// Of these, that are not.
    Cached(Vec<usize>),
}

struct Log {
    image: Image,
    events: Vec<Event>,
    /// By the numbers of records.
    open: BTreeMap<u64, Open>,
    /// Writes that were answered and are not durable.
    unsafe_writes: BTreeSet<usize>,
    fault: Fault,
    flushes: u32,
}

impl Log {
    fn take(&mut self, number: u64, record: Record, mark: impl Fn(&[u8]) -> Option<Event>) {
        match record {
            Record::Write(offset, bytes, durable) => {
                let writes = self.write(offset, &bytes);
                let is_durable = durable && !self.forgets();
                self.open
                    .insert(number, if is_durable { Open::Durable(writes) } else { Open::Cached(writes) });
            }
            Record::Trim(offset, length) => {
                let writes = self.write(offset, &vec![TRIMMED; length as usize]);
                self.open.insert(number, Open::Cached(writes));
            }
            // What is answered only after this was asked is not what it is about.
            Record::Flush => {
                if self.forgets() {
                    return;
                }
                let covered = self.unsafe_writes.iter().copied().collect();
                self.open.insert(number, Open::Durable(covered));
            }
            Record::Done(number) => self.done(number),
            Record::Mark(what) => self.events.extend(mark(&what)),
            Record::Size(_) | Record::Begun => {}
        }
    }

    /// Whether what is to be made durable is not.
    fn forgets(&mut self) -> bool {
        self.flushes += 1;
        self.fault.forgets(self.flushes)
    }

    /// The numbers of the events that it is.
    fn write(&mut self, offset: u64, bytes: &[u8]) -> Vec<usize> {
        let first = self.events.len();
        for (number, block) in changed(&self.image, offset, bytes) {
            self.image.set(number, block.clone());
            self.events.push(Event::Write(number, block));
        }
        (first..self.events.len()).collect()
    }

    fn done(&mut self, number: u64) {
        match self.open.remove(&number) {
            Some(Open::Cached(writes)) => self.unsafe_writes.extend(writes),
            Some(Open::Durable(writes)) => {
                self.unsafe_writes.retain(|write| !writes.contains(write));
                self.events.push(Event::Durable(writes));
            }
            None => {}
        }
    }
}

/// The blocks that a write changes, with what will be in them.
fn changed(image: &Image, offset: u64, bytes: &[u8]) -> impl Iterator<Item = (u64, Block)> {
    let size = BLOCK as u64;
    let (first, end) = (offset / size, (offset + bytes.len() as u64).div_ceil(size));
    (first..end).filter_map(move |number| {
        let mut block = *image.block(number)?;
        let (from, to) =
            ((number * size).max(offset), ((number + 1) * size).min(offset + bytes.len() as u64));
        let place = (from % size) as usize..(from % size + to - from) as usize;
        block[place].copy_from_slice(&bytes[(from - offset) as usize..(to - offset) as usize]);
        Some((number, Block::new(block)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = BLOCK;

    fn write(offset: usize, byte: u8, length: usize, durable: bool) -> Record {
        Record::Write(offset as u64, vec![byte; length], durable)
    }

    fn read(fault: Fault, records: &[Record]) -> Recording {
        let before = [Record::Size(4 * SIZE as u64), write(0, 9, SIZE, true), Record::Begun];
        let mut log = Vec::new();
        before.iter().chain(records).for_each(|record| record.write(&mut log).unwrap());
        // The last record may be there by half.
        log.extend([b'w', 1, 2, 3]);
        read_log(&mut log.as_slice(), fault, |what| Some(Event::Synced(what.len()))).unwrap()
    }

    /// Writes as block and first byte, what became durable, and marks as minus how long they are.
    fn events(recording: &Recording) -> Vec<Vec<i64>> {
        let short = |event: &Event| match event {
            Event::Write(number, block) => vec![*number as i64, block[0].into()],
            Event::Durable(writes) => std::iter::once(-1).chain(writes.iter().map(|at| *at as i64)).collect(),
            Event::Synced(length) => vec![-(*length as i64)],
            Event::Flush | Event::Begun(_) => unreachable!("logs do not say so"),
        };
        recording.events.iter().map(short).collect()
    }

    #[test]
    fn a_flush_makes_durable_what_was_answered_before_it_was_asked() {
        let records = [
            write(SIZE, 1, SIZE, false),     // 3, answered in time
            write(2 * SIZE, 2, SIZE, false), // 4, answered too late
            Record::Done(3),
            Record::Flush, // 6
            Record::Done(4),
            Record::Mark(b"four".to_vec()),
            write(3 * SIZE, 3, SIZE, true), // 9
            Record::Done(6),
            Record::Done(9),
            Record::Flush, // 12
            Record::Done(12),
        ];
        let recording = read(Fault::None, &records);
        let writes = [vec![1, 1], vec![2, 2]];
        let durable = [vec![-4], vec![3, 3], vec![-1, 0], vec![-1, 3], vec![-1, 1]];
        assert_eq!(events(&recording), [&writes[..], &durable].concat());
        assert_eq!(recording.base.block(0).unwrap()[..], [9; SIZE]);
        assert_eq!(recording.base.block(1).unwrap()[..], [0; SIZE]);
        assert_eq!(recording.end.block(3).unwrap()[..], [3; SIZE]);
        let forgotten = read(Fault::DropFlush(2), &records);
        assert_eq!(events(&forgotten), [&writes[..], &durable[..3], &[vec![-1, 1, 3]]].concat());
    }

    #[test]
    fn writes_change_blocks_in_part_and_several() {
        let records = [write(512, 5, SIZE, false), Record::Trim(2 * SIZE as u64, SIZE as u64)];
        let recording = read(Fault::None, &records);
        assert_eq!(events(&recording), [[0, 9], [1, 5], [2, TRIMMED.into()]]);
        let halves = |number| recording.end.block(number).map(|block| (block[511], block[512], block[4095]));
        assert_eq!((halves(0), halves(1)), (Some((9, 5, 5)), Some((5, 0, 0))));
    }

    #[test]
    fn what_is_no_log_is_refused() {
        let read = |bytes: &[u8]| read_log(&mut &*bytes, Fault::None, |_| None).is_err();
        assert!(read(b"") && read(&[b'f'; 17]) && read(&[b'x'; 17]));
    }
}
