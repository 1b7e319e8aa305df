//! A submission in its queue, read word by word.

use super::KernelRing;
use crate::entry::{SQE_WORDS, sqe_from_words};
use crate::sync::{Block, Ordering};
use capos_abi::ring::{SQE_SIZE, header};
use capos_abi::{Op, Sqe};
use core::marker::PhantomData;

/// The bits of a submission's first word that belong to the method.
const METHOD: u64 = 0xffff_0000;
/// And to the number of capabilities that go along.
const CAPS_SEND: u64 = 0xff << 32;
/// And to the number of capabilities that there is room for.
const CAPS_RECV: u64 = 0xff << 40;
/// What is no multiple of a word.
const IN_WORD: u64 = 7;

/// The first word of a submission: operation, flags, method and numbers of capabilities.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kind(u64);

impl Kind {
    /// That of a plain NOP.
    pub const NOP: Kind = Kind(0);

    /// Whether that is `op` without flags and without capabilities.
    #[inline(always)]
    pub fn is(self, op: Op) -> bool {
        self.0 & !METHOD == op as u64
    }

    /// The same where there may be room for capabilities that come.
    #[inline(always)]
    pub fn is_with_room(self, op: Op) -> bool {
        self.0 & !(METHOD | CAPS_RECV) == op as u64
    }

    /// The same where capabilities may go along, too.
    #[inline]
    pub fn is_with_caps(self, op: Op) -> bool {
        self.0 & !(METHOD | CAPS_SEND | CAPS_RECV) == op as u64
    }

    /// The same without some of its flags.
    pub const fn without_flags(self, flags: u8) -> Kind {
        Kind(self.0 & !((flags as u64) << 8))
    }

    /// [`Sqe::op`].
    #[inline(always)]
    pub const fn op(self) -> u8 {
        self.0 as u8
    }

    /// [`Sqe::flags`].
    #[inline(always)]
    pub const fn flags(self) -> u8 {
        (self.0 >> 8) as u8
    }

    /// [`Sqe::method`].
    #[inline(always)]
    pub const fn method(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// [`Sqe::caps_send`].
    #[inline(always)]
    pub const fn caps_send(self) -> u8 {
        (self.0 >> 32) as u8
    }

    /// [`Sqe::caps_recv`].
    #[inline(always)]
    pub const fn caps_recv(self) -> u8 {
        (self.0 >> 40) as u8
    }

    /// [`Sqe::reserved0`].
    #[inline(always)]
    pub const fn reserved(self) -> u16 {
        (self.0 >> 48) as u16
    }
}

/// Where bytes lie in the arena: a word of a submission.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span(u64);

impl Span {
    /// No bytes.
    pub const NONE: Span = Span(0);

    /// `len` bytes at `off`.
    #[inline(always)]
    pub const fn new(off: u32, len: u32) -> Self {
        Span(off as u64 | (len as u64) << 32)
    }

    /// Where they begin.
    #[inline(always)]
    pub const fn off(self) -> u32 {
        self.0 as u32
    }

    /// How many.
    #[inline(always)]
    pub const fn len(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Whether there are none.
    #[inline(always)]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Where they end. Cannot wrap: both are 32 bits wide and the sum is 64.
    #[inline(always)]
    const fn end(self) -> u64 {
        self.off() as u64 + self.len() as u64
    }
}

/// A submission that waits in its queue. User code may write to it at any time: whoever reads a word twice may find two values.
pub struct Queued<'r> {
    entry: Block,
    ring: PhantomData<&'r KernelRing>,
}

impl Queued<'_> {
    /// Its kind.
    #[inline(always)]
    pub fn kind(&self) -> Kind {
        Kind(self.word::<0>())
    }

    /// What its completion is to say.
    #[inline(always)]
    pub fn user_data(&self) -> u64 {
        self.word::<1>()
    }

    /// [`Sqe::cap`].
    #[inline(always)]
    pub fn cap(&self) -> u64 {
        self.word::<2>()
    }

    /// [`Sqe::interface`].
    #[inline(always)]
    pub fn interface(&self) -> u64 {
        self.word::<3>()
    }

    /// The outgoing message of a call or an answer.
    #[inline(always)]
    pub fn message(&self) -> Span {
        Span(self.word::<4>())
    }

    /// The buffer for what comes back.
    #[inline(always)]
    pub fn answer(&self) -> Span {
        Span(self.word::<5>())
    }

    /// [`Sqe::caps_off`] in the lower half, [`Sqe::reserved1`] in the upper.
    #[inline(always)]
    pub fn caps(&self) -> u64 {
        self.word::<6>()
    }

    /// [`Sqe::aux`].
    #[inline(always)]
    pub fn aux(&self) -> u64 {
        self.word::<7>()
    }

    /// A private copy of the whole, each word read once.
    #[inline(always)]
    pub fn read(&self) -> Sqe {
        sqe_from_words([
            self.word::<0>(),
            self.word::<1>(),
            self.word::<2>(),
            self.word::<3>(),
            self.word::<4>(),
            self.word::<5>(),
            self.word::<6>(),
            self.word::<7>(),
        ])
    }

    #[inline(always)]
    fn word<const N: usize>(&self) -> u64 {
        const { assert!(N < SQE_WORDS) };
        // SAFETY: `entry` is an entry of a queue that lives as long as the ring, and has so many words.
        unsafe { self.entry.load_u64(N * 8) }
    }
}

impl KernelRing {
    /// Submission `index` (free running).
    #[inline(always)]
    pub fn queued(&self, index: u32) -> Queued<'_> {
        let offset = self.shape.sq_off() + (index & self.sq_mask) as usize * SQE_SIZE;
        // SAFETY: the slot is masked, so the entry lies inside the queue; queue and entries are 8-byte aligned.
        Queued { entry: unsafe { self.block.part(offset) }, ring: PhantomData }
    }

    /// What kind of submission `head` is, if it waits and no other does.
    #[inline(always)]
    pub fn lone(&self, head: u32) -> Option<Kind> {
        // Acquire: the entry was written before the tail.
        let alone = self.load_header(header::SQ_TAIL, Ordering::Acquire) == head.wrapping_add(1);
        alone.then(|| self.queued(head).kind())
    }

    /// Whether there is no message, wherever that may be in the arena, and the answer's place lies inside; both begin at words.
    #[inline(always)]
    pub fn hold_answer(&self, message: Span, answer: Span) -> bool {
        let arena = self.arena_len as u64;
        // The message's length is the upper half of its word: within the arena, the whole word is an offset and the length zero.
        (message.0 | answer.0) & IN_WORD == 0 && message.0 <= arena && answer.end() <= arena
    }

    /// Whether both lie inside the arena and begin at words.
    #[inline(always)]
    pub fn hold(&self, message: Span, answer: Span) -> bool {
        let arena = self.arena_len as u64;
        if (message.0 | answer.0) & IN_WORD != 0 || message.end() > arena {
            return false;
        }
        answer.end() <= arena
    }
}
