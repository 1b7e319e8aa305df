//! Threads.

use crate::bytes::{Reader, Writer};
use crate::page::Record;

/// What a thread is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Activity {
    /// Waits for a processor.
    Ready,
    /// Has one.
    Runs,
    /// Waits for completions.
    Waits,
    /// Has used up its share, and waits for the next period.
    OutOfTime,
    /// Has ended.
    Ended,
    /// Is stopped by who debugs it, or soon will be.
    Stopped,
    /// Something that this version does not know.
    Other(u8),
}

impl Activity {
    fn number(self) -> u8 {
        match self {
            Activity::Ready => 0,
            Activity::Runs => 1,
            Activity::Waits => 2,
            Activity::OutOfTime => 3,
            Activity::Ended => 4,
            Activity::Stopped => 5,
            Activity::Other(number) => number,
        }
    }

    pub(crate) fn from_number(number: u8) -> Activity {
        match number {
            0 => Activity::Ready,
            1 => Activity::Runs,
            2 => Activity::Waits,
            3 => Activity::OutOfTime,
            4 => Activity::Ended,
            5 => Activity::Stopped,
            other => Activity::Other(other),
        }
    }
}

/// One thread. 40 bytes: three words, four single bytes (activity, priority, own priority, zero), three numbers of four bytes.
///
/// How much time it used is not among them: time is charged to processes, and a server's may be its client's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Thread {
    /// Whose.
    pub process: u64,
    /// No other thread ever has it.
    pub id: u64,
    /// The endpoint where it has called and not been answered, the first of them; 0: none.
    pub called: u64,
    /// What it is doing.
    pub activity: Activity,
    /// What it runs at.
    pub priority: u8,
    /// What it was made with: less when somebody more urgent waits for it.
    pub own_priority: u8,
    /// Where it runs, or ran last.
    pub processor: u32,
    /// Submissions taken that are not complete.
    pub in_flight: u32,
    /// How many there may be.
    pub entries: u32,
}

impl Record for Thread {
    const LEN: usize = 40;

    fn put(&self, to: &mut Writer<'_>) {
        [self.process, self.id, self.called].into_iter().for_each(|word| to.word(word));
        to.bytes(&[self.activity.number(), self.priority, self.own_priority, 0]);
        [self.processor, self.in_flight, self.entries].into_iter().for_each(|half| to.half(half));
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        let (process, id, called) = (from.word()?, from.word()?, from.word()?);
        let [activity, priority, own_priority, _] = from.array()?;
        Some(Thread {
            process,
            id,
            called,
            activity: Activity::from_number(activity),
            priority,
            own_priority,
            processor: from.half()?,
            in_flight: from.half()?,
            entries: from.half()?,
        })
    }
}
