//! What one supervisor leaves to the next about a service, as bytes that init keeps unread.

use crate::machine::{Phase, Why};
use crate::policy::{Ending, Policy, Restarts};
use crate::words::{Reader, Writer};
use alloc::vec::Vec;

/// Of this layout. What another version wrote is not understood, and the service is treated as one that nobody knew.
const VERSION: u64 = 2;

/// What is left behind about a service.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Memory {
    pub(crate) phase: Phase,
    pub(crate) restarts: Restarts,
    pub(crate) times: u32,
    pub(crate) counted: u32,
    pub(crate) announced: u32,
    /// The instance that is to take over; 0 for none.
    pub(crate) successor: u32,
    /// An instance that is being killed, and why.
    pub(crate) condemned: Option<(u32, Why)>,
    pub(crate) last: Option<Ending>,
    pub(crate) escalated_ns: Option<u64>,
    pub(crate) trial_ns: Option<u64>,
}

impl Memory {
    /// For init to keep.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        let (phase, at) = match self.phase {
            Phase::Idle => (0, 0),
            Phase::Blocked => (1, 0),
            Phase::Backoff(at) => (2, at),
            Phase::Starting => (3, 0),
            Phase::Up => (4, 0),
            Phase::Ended => (5, 0),
            Phase::GivenUp => (6, 0),
        };
        let (last, code) = match self.last {
            None => (0, 0),
            Some(Ending::Exited(code)) => (1, code),
            Some(Ending::Killed) => (2, 0),
            Some(Ending::Faulted(code)) => (3, code),
            Some(Ending::NotStarted) => (4, 0),
        };
        let (condemned, why) = self.condemned.map_or((0, 0), |(epoch, why)| (epoch, number_of(why)));
        out.words(&[VERSION, phase, at, last, code.cast_unsigned()]);
        for number in [self.times, self.counted, self.announced, self.successor, condemned] {
            out.word(u64::from(number));
        }
        out.words(&[why, u64::from(self.escalated_ns.is_some()), self.escalated_ns.unwrap_or(0)]);
        out.words(&[u64::from(self.trial_ns.is_some()), self.trial_ns.unwrap_or(0)]);
        let Restarts { in_a_row, left_in_a_row, started_ns, .. } = self.restarts;
        out.words(&[u64::from(in_a_row), u64::from(left_in_a_row), started_ns]);
        out.words(self.restarts.remembered());
        out.bytes
    }

    /// What was kept, if it is sound.
    pub fn decode(bytes: &[u8]) -> Option<Memory> {
        let mut from = Reader::new(bytes);
        if from.word()? != VERSION {
            return None;
        }
        let (phase, at, last, code) = (from.word()?, from.word()?, from.word()?, from.word()?.cast_signed());
        let [times, counted, announced, successor, condemned] =
            [from.number()?, from.number()?, from.number()?, from.number()?, from.number()?];
        let (why, escalated, escalated_ns) = (from.word()?, from.word()?, from.word()?);
        let (tried, trial_ns) = (from.word()?, from.word()?);
        let (in_a_row, left_in_a_row, started_ns) = (from.number()?, from.number()?, from.word()?);
        let mut restarts = Restarts { in_a_row, left_in_a_row, started_ns, ..Restarts::default() };
        while let Some(failure) = from.word() {
            let place = restarts.failures.get_mut(usize::from(restarts.failed));
            *place? = failure;
            restarts.failed += 1;
        }
        debug_assert!(usize::from(restarts.failed) <= Policy::MOST);
        Some(Memory {
            phase: match phase {
                0 => Phase::Idle,
                1 => Phase::Blocked,
                2 => Phase::Backoff(at),
                3 => Phase::Starting,
                4 => Phase::Up,
                5 => Phase::Ended,
                6 => Phase::GivenUp,
                _ => return None,
            },
            restarts,
            times,
            counted,
            announced,
            successor,
            condemned: match condemned {
                0 => None,
                epoch => Some((epoch, why_of(why)?)),
            },
            last: match last {
                0 => None,
                1 => Some(Ending::Exited(code)),
                2 => Some(Ending::Killed),
                3 => Some(Ending::Faulted(code)),
                4 => Some(Ending::NotStarted),
                _ => return None,
            },
            escalated_ns: (escalated == 1).then_some(escalated_ns),
            trial_ns: (tried == 1).then_some(trial_ns),
        })
    }
}

const REASONS: [Why; 6] = [Why::Person, Why::Unready, Why::Silent, Why::Unwell, Why::Follow, Why::Group];

fn number_of(why: Why) -> u64 {
    REASONS.iter().take_while(|reason| **reason != why).count() as u64
}

fn why_of(number: u64) -> Option<Why> {
    REASONS.get(usize::try_from(number).ok()?).copied()
}
