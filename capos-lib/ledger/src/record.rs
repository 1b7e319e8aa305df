//! One function: who has it, and what it may do.
//!
//! ```text
//!          claim            start
//!   Free ---------> Claimed ------> Running      quiet: it was seen to do nothing of its own since its last reset
//!    ^                |  ^             |
//!    |    give_up     |  '---- reset --'
//!    '----(quiet)-----+---(not quiet)--> Draining --settle--> Free
//! ```
//! From anywhere it may be gone. Each claim and each reset is a generation; what came from an older one is stale.

use crate::books::Books;

/// Where a function is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Nobody has it, and it is quiet.
    Free,
    /// Somebody has it; it may not reach memory.
    Claimed,
    /// Somebody has it, and it may.
    Running,
    /// Nobody has it, and it was not seen to be quiet.
    Draining,
    /// It is no longer there.
    Gone,
}

/// Whether an IOMMU keeps it within what it was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trust {
    /// There is none that could.
    Nothing,
    /// There is one, which was not yet seen to translate for this function.
    Unproven,
    /// It was seen.
    Proven,
}

/// How what a driver writes becomes what the device reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backend {
    /// The kernel translates descriptors to physical addresses. An IOMMU that there is shows the device nothing else.
    Bounce,
    /// The kernel translates descriptors to addresses that an IOMMU is to translate.
    Unproven,
    /// The device reads the driver's own rings, through an IOMMU.
    Direct,
}

/// Why something is not done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Somebody has it.
    Taken,
    /// It was not seen to be quiet yet.
    NotQuiet,
    /// It is no longer there.
    Gone,
    /// Nobody has it.
    NotClaimed,
    /// It belongs to an older generation.
    Stale,
}

/// What the ledger has about one function.
#[derive(Clone, Debug)]
pub struct Record {
    phase: Phase,
    quiet: bool,
    generation: u32,
    owner: u64,
    trust: Trust,
    /// Whether its driver may name addresses once the IOMMU was seen to translate.
    may_be_direct: bool,
    /// Who has it goes on without the IOMMU: so said its driver, or the device. It says nothing about who has it next.
    goes_without: bool,
    backend: Backend,
    /// What came from it, in this generation.
    pub books: Books,
}

impl Record {
    /// A function that nobody has. `trust` says whether there is an IOMMU for it, `may_be_direct` whether its driver may name addresses once that
    /// was seen to translate: else the kernel goes on with it, and the IOMMU shows the device nothing else.
    pub const fn new(trust: Trust, may_be_direct: bool) -> Self {
        Record {
            phase: Phase::Free,
            // As the firmware left it, it may do anything once it may reach memory.
            quiet: false,
            generation: 0,
            owner: 0,
            trust,
            may_be_direct,
            goes_without: false,
            backend: Backend::Bounce,
            books: Books::new(),
        }
    }

    /// Where it is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Which claim or reset this is: from 1.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Who has it; 0 for nobody.
    pub fn owner(&self) -> u64 {
        self.owner
    }

    /// How descriptors are translated in this generation.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Whether it was seen to do nothing of its own since its last reset.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// `owner` has it from now on. It has to be made quiet before it may do anything: see [`Record::settled`].
    pub fn claim(&mut self, owner: u64) -> Result<(), Refusal> {
        match self.phase {
            Phase::Free => {
                self.phase = Phase::Claimed;
                self.owner = owner;
                self.begin_generation();
                Ok(())
            }
            Phase::Claimed | Phase::Running => Err(Refusal::Taken),
            Phase::Draining => Err(Refusal::NotQuiet),
            Phase::Gone => Err(Refusal::Gone),
        }
    }

    fn begin_generation(&mut self) {
        // After four thousand million resets an old capability might fit again: at one reset each millisecond that is fifty days of
        // nothing else, and who holds it is the driver that has the device.
        self.generation = self.generation.wrapping_add(1).max(1);
        self.quiet = false;
        self.books = Books::new();
        self.backend = match self.trust() {
            Trust::Unproven => Backend::Unproven,
            Trust::Proven if self.may_be_direct => Backend::Direct,
            Trust::Nothing | Trust::Proven => Backend::Bounce,
        };
    }

    /// Whether what came from generation `generation` still counts.
    pub fn check(&self, generation: u32) -> Result<(), Refusal> {
        match self.phase {
            Phase::Gone => Err(Refusal::Gone),
            Phase::Claimed | Phase::Running if self.generation == generation => Ok(()),
            _ => Err(Refusal::Stale),
        }
    }

    /// It may reach memory from now on.
    pub fn start(&mut self) -> Result<(), Refusal> {
        match self.phase {
            Phase::Running => Ok(()),
            Phase::Claimed if self.quiet => {
                self.phase = Phase::Running;
                Ok(())
            }
            Phase::Claimed => Err(Refusal::NotQuiet),
            Phase::Gone => Err(Refusal::Gone),
            Phase::Free | Phase::Draining => Err(Refusal::NotClaimed),
        }
    }

    /// Everything that came from it was taken back; it stays whose it is.
    pub fn reset(&mut self) -> Result<u32, Refusal> {
        match self.phase {
            Phase::Claimed | Phase::Running => {
                self.phase = Phase::Claimed;
                self.begin_generation();
                Ok(self.generation)
            }
            Phase::Gone => Err(Refusal::Gone),
            Phase::Free | Phase::Draining => Err(Refusal::NotClaimed),
        }
    }

    /// Everything that came from it was taken back, and nobody has it any more.
    pub fn give_up(&mut self, quiet: bool) {
        self.owner = 0;
        self.goes_without = false;
        if self.phase != Phase::Gone {
            self.begin_generation();
            self.quiet = quiet;
            self.phase = if quiet { Phase::Free } else { Phase::Draining };
        }
    }

    /// It was seen to do nothing of its own.
    pub fn settled(&mut self) {
        self.quiet = true;
        if self.phase == Phase::Draining {
            self.phase = Phase::Free;
        }
    }

    /// It is no longer there. Who has it keeps a capability for nothing.
    pub fn vanish(&mut self) {
        self.begin_generation();
        self.quiet = true;
        self.phase = Phase::Gone;
    }

    /// The kernel has seen a write of the device come through the IOMMU.
    pub fn proven(&mut self) {
        if self.trust() == Trust::Unproven {
            self.trust = Trust::Proven;
        }
    }

    /// The IOMMU is no longer what it was thought to be: from the next generation on the kernel translates, whoever has the function.
    pub fn lose_iommu(&mut self) {
        self.trust = Trust::Nothing;
    }

    /// Its driver says that the IOMMU does not translate for it: from the next generation on the kernel does, until it is given up.
    pub fn distrust(&mut self) {
        self.goes_without = true;
    }

    /// Its addresses do not go through the IOMMU, as it says itself. Before anything came from it, and until it is given up.
    pub fn bypass(&mut self) {
        self.distrust();
        self.backend = Backend::Bounce;
    }

    /// Whether an IOMMU keeps it to what it was given, as far as that was looked at.
    pub fn is_held(&self) -> bool {
        self.backend != Backend::Bounce || self.trust() == Trust::Proven
    }

    /// Whether an IOMMU was seen to translate for it, as far as who has it goes by that.
    pub fn trust(&self) -> Trust {
        if self.goes_without { Trust::Nothing } else { self.trust }
    }
}
