//! One function that somebody has, or had.

use super::buffers::Dma;
use super::quiet::Quieting;
use super::windows::Window;
use super::{Refused, class, demand, history, refusal, teardown, vectors};
use crate::cap::interrupt::Line;
use alloc::vec::Vec;
use capos_abi::ExceptionCode;
use capos_dma::class::Class;
use capos_ledger::{Backend, Event, Phase, Record, Trust};
use capos_pci::{Shown, change_command, command};
use core::sync::atomic::{AtomicU32, Ordering};
use kernel_hal::device::Registers;
use kernel_hal::lease::Lease;
use kernel_hal::order::LockRank;
use kernel_hal::sync::{Guard, Lock, OutOfMemory, Ref};
use kernel_hal::{iommu, pci};

/// Registers that are mapped in some process.
pub(crate) struct Mapping {
    pub process: u64,
    /// What they hang by.
    pub lease: Ref<Lease>,
    pub bar: u8,
    /// Where they begin there.
    pub offset: u64,
    pub pages: usize,
    /// Whether they may be written.
    pub writable: bool,
}

/// What is known of a function, and what came from it.
pub(crate) struct State {
    pub record: Record,
    /// The process that drives it: it did something with the claim last. 0 for none.
    pub driver: u64,
    /// Its class as its owner's manager named it; `None` while nobody has it.
    pub class: Option<Class>,
    pub windows: Vec<Window>,
    /// Its table of messages.
    pub messages: Option<Registers>,
    pub mappings: Vec<Mapping>,
    pub lines: Vec<Ref<Line>>,
    pub dma: Option<Dma>,
    /// What the device may still write, though it was taken back: until it is quiet.
    pub kept: Option<Dma>,
    pub quieting: Quieting,
}

/// What was found of a function that somebody claims.
struct Looked {
    windows: Vec<Window>,
    messages: Option<Registers>,
    class: Class,
}

/// Functions that were ever known. One that goes is forgotten, so what is in its place later counts anew.
static ARRIVALS: AtomicU32 = AtomicU32::new(1);

/// One function.
pub(crate) struct Function {
    pub pci: capos_pci::Function,
    /// Which of all that came. What is in its place later is another one.
    pub arrival: u32,
    /// What its drivers see of its configuration space.
    pub shown: Shown,
    state: Lock<State>,
}

impl Function {
    /// One that nobody has.
    pub fn new(pci: capos_pci::Function) -> Self {
        let trust = if iommu::serves(pci.address.number()) { Trust::Unproven } else { Trust::Nothing };
        let state = State {
            driver: 0,
            record: Record::new(trust, demand::drivers_may_name_addresses()),
            class: None,
            windows: Vec::new(),
            messages: None,
            mappings: Vec::new(),
            lines: Vec::new(),
            dma: None,
            kept: None,
            quieting: Quieting::new(),
        };
        let shown = Shown::of(&pci, &pci::Access);
        let arrival = ARRIVALS.fetch_add(1, Ordering::Relaxed);
        Function { pci, arrival, shown, state: Lock::new(LockRank::Function, state) }
    }

    /// bus << 8 | device << 3 | function.
    pub fn address(&self) -> u32 {
        self.pci.address.number()
    }

    /// What is known of it.
    pub fn lock(&self) -> Guard<'_, State> {
        self.state.lock()
    }

    /// The same for who holds something of generation `generation`.
    pub fn of(&self, generation: u32) -> Result<Guard<'_, State>, Refused> {
        let state = self.state.lock();
        state.record.check(generation).map_err(refusal)?;
        Ok(state)
    }

    /// Something happened to it.
    pub fn note(&self, event: Event, state: &State, detail: u64) {
        history::add(event, self.address(), state.record.generation(), detail);
    }

    /// Lets the function answer, if it does not, and forbids all that it does by itself.
    fn open(&self) {
        let answers = command::MEMORY | command::IO;
        change_command(&pci::Access, self.pci.address, command::BUS_MASTER, answers | command::NO_LINE);
    }

    fn claim(&self, owner: u64, policy: &str) -> Result<u32, Refused> {
        let mut state = self.state.lock();
        state.record.claim(owner).map_err(refusal)?;
        self.open();
        let looked = self.look(policy, &mut state.record).inspect_err(|_| state.record.give_up(true))?;
        (state.windows, state.messages, state.class) = (looked.windows, looked.messages, Some(looked.class));
        vectors::prepare(self, &state);
        state.quieting.begin();
        // Whether it is through is asked when it is to start.
        let _ = state.go_on();
        self.note(Event::Claimed, &state, owner);
        Ok(state.record.generation())
    }

    /// What it is, and whether it may be somebody's.
    fn look(&self, policy: &str, record: &mut Record) -> Result<Looked, Refused> {
        let class = class::of(&self.pci, policy)?;
        let windows = Window::all(&self.pci, &class)?;
        if !class::obeys_iommu(&class, &windows) {
            record.bypass();
        }
        demand::may_be_claimed(&class, record)?;
        let messages = if class.has_message_table() { vectors::table(&self.pci)? } else { None };
        Ok(Looked { windows, messages, class })
    }

    /// It may reach memory from now on, if it is through its reset.
    pub fn start(&self, generation: u32) -> Result<(), Refused> {
        let mut state = self.of(generation)?;
        if state.record.phase() == Phase::Running {
            return Ok(());
        }
        let class = state.class.as_ref().ok_or(ExceptionCode::Disconnected)?;
        demand::may_start(class, &state.record)?;
        self.settle_some(&mut state)?;
        state.record.start().map_err(refusal)?;
        change_command(&pci::Access, self.pci.address, 0, command::BUS_MASTER);
        self.note(Event::Started, &state, 0);
        // What the device had before its reset, which it is through with now.
        let kept = state.kept.take();
        drop(state);
        drop(kept);
        Ok(())
    }

    /// Looks whether the device has become quiet; gives back what was kept for it.
    fn settle_some(&self, state: &mut Guard<'_, State>) -> Result<(), Refused> {
        if !state.record.is_quiet() {
            if !state.go_on()? {
                return Err(ExceptionCode::WrongState);
            }
            state.record.settled();
            self.note(Event::Settled, state, 0);
        }
        Ok(())
    }

    /// The same for one that nobody has any more. True when it is free.
    pub fn settle(&self) -> Result<bool, Refused> {
        let mut state = self.state.lock();
        let phase = state.record.phase();
        if phase != Phase::Draining {
            return Ok(phase == Phase::Free);
        }
        let settled = match self.settle_some(&mut state) {
            Ok(()) => true,
            Err(ExceptionCode::WrongState) => false,
            Err(refused) => return Err(refused),
        };
        let kept = if settled { state.kept.take() } else { None };
        drop(state);
        drop(kept);
        Ok(settled)
    }

    /// Takes everything back and makes it quiet; it stays whose it is. The new generation.
    pub fn reset(&self, generation: u32) -> Result<u32, Refused> {
        let mut state = self.of(generation)?;
        let taken = teardown::quiesce(self, &mut state);
        let generation = state.record.reset().map_err(refusal)?;
        if taken.is_quiet() {
            state.record.settled();
        }
        vectors::prepare(self, &state);
        self.note(Event::Reset, &state, 0);
        drop(state);
        taken.give_back();
        Ok(generation)
    }

    /// It is no longer there, or is about to go: everything is taken back, and whoever has it has nothing any more.
    pub fn vanish(&self) {
        let mut state = self.state.lock();
        if state.record.phase() == Phase::Gone {
            return;
        }
        let taken = teardown::quiesce(self, &mut state);
        state.driver = 0;
        state.record.vanish();
        self.note(Event::Gone, &state, 0);
        drop(state);
        taken.give_back_gone();
    }

    /// Whether something is kept for the device. Looks once more whether it still has to be.
    pub fn is_kept(&self) -> bool {
        let mut state = self.state.lock();
        let kept = if state.kept.is_some() && state.go_on() == Ok(true) { state.kept.take() } else { None };
        let is_kept = state.kept.is_some();
        drop(state);
        drop(kept);
        is_kept
    }

    /// It can not write any more: what was kept for it is not.
    pub fn forget(&self) {
        let kept = self.state.lock().kept.take();
        drop(kept);
    }

    /// Its owner has given it up, or has ended.
    fn give_up(&self) {
        let mut state = self.state.lock();
        state.driver = 0;
        if state.record.phase() == Phase::Gone {
            state.record.give_up(true);
            return;
        }
        self.note(Event::GivenUp, &state, 0);
        let taken = teardown::quiesce(self, &mut state);
        // Nobody can claim it while what came from it is being taken back.
        state.record.give_up(false);
        drop(state);
        let quiet = taken.is_quiet();
        taken.give_back();
        let mut state = self.state.lock();
        if quiet {
            state.record.settled();
        } else {
            self.note(Event::NotQuiet, &state, 0);
        }
    }
}

impl State {
    /// Goes on making the device quiet. True when it is.
    pub fn go_on(&mut self) -> Result<bool, Refused> {
        let State { class, windows, quieting, .. } = self;
        let Some(class) = class else { return Ok(true) };
        let was_through = quieting.is_through(class);
        let quiet = quieting.go_on(class, windows)?;
        // Once: what its driver tells it afterwards counts.
        if quiet && !was_through {
            class.was_reset();
        }
        Ok(quiet)
    }

    /// How descriptors become what the device reads.
    pub fn backend(&self) -> Backend {
        self.record.backend()
    }

    /// The window behind base address register `bar`.
    pub fn window(&self, bar: u8) -> Option<&Window> {
        self.windows.iter().find(|window| window.bar == bar)
    }
}

/// That somebody has a function. What all copies of the capability share; with the last of them it is given up.
pub(crate) struct Claim {
    function: Ref<Function>,
}

impl Claim {
    /// Takes it. `owner` is what the manager calls who gets it, `policy` names its class.
    pub fn take(function: &Ref<Function>, owner: u64, policy: &str) -> Result<Ref<Claim>, Refused> {
        function.claim(owner, policy)?;
        let claim = Claim { function: function.clone() };
        // Without memory for it its own drop gives the function back.
        Ref::try_new(claim).map_err(|OutOfMemory| ExceptionCode::OutOfMemory)
    }

    /// What was claimed.
    pub fn function(&self) -> &Ref<Function> {
        &self.function
    }

    /// The generation that counts.
    pub fn generation(&self) -> u32 {
        self.function.lock().record.generation()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.function.give_up();
    }
}
