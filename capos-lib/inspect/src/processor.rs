//! Processors.

use crate::bytes::{Reader, Writer};
use crate::page::Record;

/// One processor. 56 bytes: number and four that are zero, then the counters in the order of the fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Processor {
    /// From 0 on.
    pub number: u32,
    /// Time without anything to do, nanoseconds since boot, up to now.
    pub idle_ns: u64,
    /// From one thread to another.
    pub switches: u64,
    /// Of devices and timers.
    pub interrupts: u64,
    /// System calls.
    pub syscalls: u64,
    /// Interrupts from other processors.
    pub kicks: u64,
    /// Of those, the ones that made it forget translations.
    pub shootdowns: u64,
}

impl Record for Processor {
    const LEN: usize = 56;

    fn put(&self, to: &mut Writer<'_>) {
        to.half(self.number);
        to.half(0);
        let counters =
            [self.idle_ns, self.switches, self.interrupts, self.syscalls, self.kicks, self.shootdowns];
        counters.into_iter().for_each(|counter| to.word(counter));
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        let (number, _) = (from.half()?, from.half()?);
        Some(Processor {
            number,
            idle_ns: from.word()?,
            switches: from.word()?,
            interrupts: from.word()?,
            syscalls: from.word()?,
            kicks: from.word()?,
            shootdowns: from.word()?,
        })
    }
}
