//! What an instance did last, as it is kept for people who ask when it is gone.

use crate::words::{Reader, Writer};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Of this layout.
const VERSION: u64 = 1;

/// One thing that happened, as `ProcessHandle.trace` told it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Event {
    /// When, since boot; 0 where nobody knows.
    pub time_ns: u64,
    /// Which thread; 0 for none of the process's own.
    pub thread: u32,
    /// A `TraceKind`, as it is on the wire.
    pub kind: u8,
    /// Of a submission.
    pub operation: u8,
    /// Of a call.
    pub method: u16,
    /// What it was about.
    pub first: u64,
    /// And what else.
    pub second: u64,
}

impl Event {
    fn encode(&self, out: &mut Writer) {
        let head = u64::from(self.method) << 48
            | u64::from(self.operation) << 40
            | u64::from(self.kind) << 32
            | u64::from(self.thread);
        out.words(&[self.time_ns, head, self.first, self.second]);
    }

    fn decode([time_ns, head, first, second]: [u64; 4]) -> Event {
        Event {
            time_ns,
            thread: head as u32,
            kind: (head >> 32) as u8,
            operation: (head >> 40) as u8,
            method: (head >> 48) as u16,
            first,
            second,
        }
    }
}

/// The last events of an instance.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Last {
    /// Which instance.
    pub epoch: u32,
    /// Its process.
    pub process: u64,
    /// Earlier ones, which were not kept.
    pub lost: u64,
    /// The oldest first.
    pub events: VecDeque<Event>,
}

impl Last {
    /// So many are kept: the last twelve submissions of a thread, which the kernel finds in its ring, their completions, and what comes at an end
    /// are so many, and as many lines can be read at one glance.
    pub const MOST: usize = 32;

    /// One more; the oldest makes room for it.
    pub fn add(&mut self, event: Event) {
        if self.events.len() == Self::MOST {
            self.events.pop_front();
            self.lost = self.lost.saturating_add(1);
        }
        self.events.push_back(event);
    }

    /// The event that `cursor` means, counted from the first that ever was, or the oldest that is left; and its own number.
    pub fn at(&self, cursor: u64) -> Option<(u64, Event)> {
        let number = cursor.max(self.lost);
        let place = usize::try_from(number - self.lost).ok()?;
        self.events.get(place).map(|event| (number, *event))
    }

    /// For keeping.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        self.encode_to(&mut out);
        out.bytes
    }

    pub(crate) fn encode_to(&self, out: &mut Writer) {
        out.words(&[VERSION, u64::from(self.epoch), self.process, self.lost, self.events.len() as u64]);
        self.events.iter().for_each(|event| event.encode(out));
    }

    /// What was kept, if it is sound.
    pub fn decode(bytes: &[u8]) -> Option<Last> {
        Last::decode_from(&mut Reader::new(bytes))
    }

    pub(crate) fn decode_from(from: &mut Reader<'_>) -> Option<Last> {
        if from.word()? != VERSION {
            return None;
        }
        let (epoch, process, lost) = (from.number()?, from.word()?, from.word()?);
        let count = usize::try_from(from.word()?).ok().filter(|count| *count <= Self::MOST)?;
        let mut events = VecDeque::with_capacity(count);
        for _ in 0..count {
            events.push_back(Event::decode([from.word()?, from.word()?, from.word()?, from.word()?]));
        }
        // Numbers of events must not run over.
        lost.checked_add(count as u64)?;
        Some(Last { epoch, process, lost, events })
    }
}
