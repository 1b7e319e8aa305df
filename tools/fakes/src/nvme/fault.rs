//! Ways to be faulty.

use capos_mutate::Rng;

/// Of registers, or of what the device says of itself; from the beginning on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RegisterFault {
    /// Nothing answers: all reads are ones.
    Gone,
    /// The same, from its first completion on.
    GoneOnceAsked,
    /// It does not get ready.
    NeverReady,
    /// It is ready before it was enabled.
    AlwaysReady,
    /// It breaks down when it is enabled.
    FatalWhenEnabled,
    /// Its capabilities are these.
    Capabilities(u64),
}

/// Of a completion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CompletionFault {
    /// Names this instead of the command.
    Id(u16),
    /// Completes it twice.
    Twice,
    /// Completes it only after so many turns.
    Late(u32),
    /// Never completes it.
    Never,
    /// Writes it with the wrong phase: it is not there.
    Phase,
    /// Names another queue.
    Queue(u16),
    /// Says that it fetched so much further.
    Head(u16),
    /// Says that it failed, in these words.
    Status(u16),
    /// Does nothing more at all, and says so in its status.
    Fatal,
    /// Does all right and does not interrupt.
    Mute,
}

/// When to be faulty, and how.
#[derive(Clone, Debug, Default)]
pub struct Mischief {
    /// Of registers.
    pub register: Option<RegisterFault>,
    /// Of the completion of that number, counted from 0, of queues for requests.
    pub completions: Vec<(u32, CompletionFault)>,
    /// Of the same, of queue 0.
    pub admin: Vec<(u32, CompletionFault)>,
    /// Answers to Identify and logs are noise, here and there.
    pub nonsense: bool,
    /// One of so many completions, answers and registers is as it comes.
    pub random: Option<(Rng, u32)>,
    /// Bytes of answers to Identify that are others: about what (CNS), which byte, its value.
    pub answers: Vec<(u32, usize, u8)>,
    /// It gives nothing up.
    pub stubborn: bool,
    /// Completions so far: of queue 0, and of the others.
    pub counts: [u32; 2],
}

impl Mischief {
    /// None.
    pub fn none() -> Mischief {
        Mischief::default()
    }

    /// Of registers only.
    pub fn register(fault: RegisterFault) -> Mischief {
        Mischief { register: Some(fault), ..Mischief::default() }
    }

    /// Of the completions of these numbers.
    pub fn completions(script: &[(u32, CompletionFault)]) -> Mischief {
        Mischief { completions: script.to_vec(), ..Mischief::default() }
    }

    /// Of anything, at random.
    pub fn seeded(seed: u64, rarity: u32) -> Mischief {
        Mischief { random: Some((Rng::new(seed), rarity)), nonsense: true, ..Mischief::default() }
    }

    /// What to do with the next completion.
    pub(super) fn of_completion(&mut self, is_admin: bool) -> Option<CompletionFault> {
        let (script, count) = if is_admin {
            (&self.admin, &mut self.counts[0])
        } else {
            (&self.completions, &mut self.counts[1])
        };
        let number = *count;
        *count += 1;
        let scripted = script.iter().find(|(at, _)| *at == number).map(|(_, fault)| *fault);
        scripted.or_else(|| {
            let (rng, rarity) = self.random.as_mut()?;
            rng.chance(1, *rarity).then(|| any(rng))
        })
    }

    /// What a register reads as, instead.
    pub(super) fn of_read(&mut self, value: u64) -> u64 {
        let Some((rng, rarity)) = &mut self.random else { return value };
        if rng.chance(1, rarity.saturating_mul(4)) { rng.edge() } else { value }
    }

    /// What it says about itself, instead.
    pub(super) fn of_answer(&mut self, answer: &mut [u8]) {
        let Some((rng, rarity)) = self.random.as_mut().filter(|_| self.nonsense) else { return };
        if rng.chance(1, *rarity) {
            for _ in 0..=rng.below(8) {
                let end = if rng.chance(3, 4) { 600 } else { answer.len() as u32 };
                if let Some(byte) = answer.get_mut(rng.below(end) as usize) {
                    *byte = rng.edge() as u8;
                }
            }
        }
    }
}

fn any(rng: &mut Rng) -> CompletionFault {
    let (wild, small) = (rng.edge() as u16, rng.below(8));
    let faults = [
        CompletionFault::Id(wild),
        CompletionFault::Id(small as u16),
        CompletionFault::Twice,
        CompletionFault::Late(small),
        CompletionFault::Late(small),
        CompletionFault::Never,
        CompletionFault::Phase,
        CompletionFault::Queue(wild),
        CompletionFault::Head(wild),
        CompletionFault::Head(small as u16),
        CompletionFault::Status(wild & 0x7fff),
        CompletionFault::Status(0x281),
        CompletionFault::Fatal,
        CompletionFault::Mute,
    ];
    rng.pick(&faults).unwrap_or(CompletionFault::Never)
}
