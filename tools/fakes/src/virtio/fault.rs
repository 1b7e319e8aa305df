//! Ways to be faulty.

use capos_mutate::Rng;

/// Of registers; from the beginning on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RegisterFault {
    /// Nothing answers: all reads are ones.
    Gone,
    /// A reset ends when the status was read so often.
    ResetTakes(u32),
    /// Offered features are other ones each time that somebody looks.
    OffersChange,
    /// No VERSION_1.
    Ancient,
    /// FEATURES_OK does not stay.
    RefusesFeatures,
    /// There is no queue.
    NoQueue,
    /// Queues say to have this size.
    QueueSize(u16),
    /// There is no room for vectors.
    NoVector,
    /// The configuration changes with each read.
    ConfigFlaps,
    /// DRIVER_OK makes it ask for a reset.
    NeedsReset,
    /// DRIVER_OK does not stay.
    StatusLost,
}

/// Of a completion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RingFault {
    /// Names this instead of the chain.
    Id(u32),
    /// Gives the chain back twice.
    Twice,
    /// Gives it back only after the ones behind it.
    Reordered,
    /// Gives it back so many turns later.
    Late(u32),
    /// Never gives it back.
    Never,
    /// Claims so many more bytes than there is room for.
    TooLong(u32),
    /// Writes nothing and says so.
    Empty,
    /// Moves the index by so much, instead of by one.
    Jump(u16),
    /// Does all right and does not interrupt.
    Mute,
}

/// When to be faulty, and how.
#[derive(Clone, Debug, Default)]
pub struct Mischief {
    /// Of registers.
    pub register: Option<RegisterFault>,
    /// Of the completion of that number, counted from 0 over all resets.
    pub ring: Vec<(u32, RingFault)>,
    /// Of anything at any time.
    pub random: Option<Random>,
    completions: u32,
}

/// Faults at random: one of each `rarity` completions and register reads.
#[derive(Clone, Debug)]
pub struct Random {
    rng: Rng,
    rarity: u32,
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
    pub fn ring(script: &[(u32, RingFault)]) -> Mischief {
        Mischief { ring: script.to_vec(), ..Mischief::default() }
    }

    /// At random.
    pub fn seeded(seed: u64, rarity: u32) -> Mischief {
        Mischief { random: Some(Random { rng: Rng::new(seed), rarity }), ..Mischief::default() }
    }

    /// What to do with the next completion.
    pub(crate) fn of_completion(&mut self) -> Option<RingFault> {
        let number = self.completions;
        self.completions += 1;
        let scripted = self.ring.iter().find(|(at, _)| *at == number).map(|(_, fault)| *fault);
        scripted.or_else(|| self.random.as_mut()?.ring_fault())
    }

    /// What a register reads as, instead.
    pub(crate) fn of_read(&mut self, value: u32) -> u32 {
        if self.is(RegisterFault::Gone) {
            return u32::MAX;
        }
        let random = self.random.as_mut().and_then(|random| random.now().then(|| random.rng.edge() as u32));
        random.unwrap_or(value)
    }

    pub(crate) fn is(&self, fault: RegisterFault) -> bool {
        self.register == Some(fault)
    }
}

impl Random {
    fn now(&mut self) -> bool {
        self.rng.chance(1, self.rarity)
    }

    fn ring_fault(&mut self) -> Option<RingFault> {
        if !self.now() {
            return None;
        }
        let (any, small) = (self.rng.edge() as u32, self.rng.below(8));
        let faults = [
            RingFault::Id(any),
            RingFault::Id(small),
            RingFault::Twice,
            RingFault::Reordered,
            RingFault::Late(small),
            RingFault::Never,
            RingFault::TooLong(any),
            RingFault::Empty,
            RingFault::Jump(any as u16),
            RingFault::Jump(small as u16),
            RingFault::Mute,
        ];
        self.rng.pick(&faults)
    }
}
