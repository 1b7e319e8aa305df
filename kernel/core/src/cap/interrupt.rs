//! `Interrupt`: one interrupt line, or one message of a device.

use super::binding::Binding;
use super::notification::Heard;
use super::{Call, Outcome};
use crate::device::{storm, wire};
use crate::ipc::ops::{OpId, Ticket, Waiting};
use crate::task::thread::Thread;
use capos_abi::{ExceptionCode, TransportError};
use capos_mem::Resource;
use capos_pci::Address;
use capos_schema::interrupt::WaitResults;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use kernel_hal::account::Account;
use kernel_hal::irq;
use kernel_hal::order::LockRank;
use kernel_hal::sync::{Lock, OutOfMemory, Ref};
use kernel_hal::{IRQ_PLACES, IrqError, IrqLine, MessageEntry, PciLine};

struct State {
    count: u64,
    /// Fired since the last wait was answered.
    pending: bool,
    waiter: Option<Ticket>,
    /// Whom its firing signals, beside who waits.
    bound: Option<Ref<Binding>>,
}

/// A line that was claimed.
pub(crate) struct Line {
    line: IrqLine,
    /// Others may have it, too: it is a function that is told to signal or not, instead of the line. By which number.
    shared: Option<u64>,
    state: Lock<State>,
    /// How often in a row it told what somebody had not yet taken note of.
    unheard: AtomicU32,
    /// The process that listened to it last; 0 for none.
    listener: AtomicU64,
    /// The device that it belongs to was reset or given up: it is nobody's any more. Set with the state locked.
    cut: AtomicBool,
}

/// The lines that are claimed, by their places; what the interrupt handler looks at. Each place has a lock of its own, so that an interrupt
/// waits for nothing that is done about another line.
static LINES: [Lock<Option<Ref<Line>>>; IRQ_PLACES] = [const { Lock::new(LockRank::Own, None) }; IRQ_PLACES];

fn place(line: IrqLine) -> Option<&'static Lock<Option<Ref<Line>>>> {
    LINES.get(usize::from(line.place))
}

/// What an interrupt was for. Whoever gives the line back or unbinds it meanwhile leaves the last references here, and with those may go
/// a signaller, an event and their memory: that is for when the interrupt has been dealt with.
#[must_use]
pub(crate) struct Served {
    line: Ref<Line>,
    _bound: Option<Ref<Binding>>,
    /// It tells more than anybody takes note of.
    storms: bool,
}

impl Served {
    /// What is left to do, which may take locks that all processors have in common.
    pub fn end(self) {
        if self.storms {
            storm::begin(self.line.line);
        }
    }
}

/// Line `line` fired. The machine has masked it. By now it may be somebody else's, who hears nothing then: it is another claim.
pub(crate) fn fired(line: IrqLine) -> Option<Served> {
    let found = place(line).and_then(|place| place.lock().as_ref().filter(|it| it.line == line).cloned());
    let line = found?;
    let (bound, storms) = line.fire();
    Some(Served { line, _bound: bound, storms })
}

/// Who listened last to the line of that number, which nobody shares; 0 for nobody.
pub(crate) fn listener(number: u32) -> u64 {
    let listener = |place: &Lock<Option<Ref<Line>>>| {
        place
            .lock()
            .as_ref()
            .filter(|line| line.number() == number)
            .map(|line| line.listener.load(Ordering::Relaxed))
    };
    LINES.iter().find_map(listener).unwrap_or(0)
}

/// Messages in a row of which nobody takes note before the line is not heard for a while: a device that tells more than its driver can take in
/// is not to use up the processor.
const UNHEARD_MAX: u32 = 64;

impl Line {
    fn new(line: IrqLine, shared: Option<u64>) -> Self {
        let state = State { count: 0, pending: false, waiter: None, bound: None };
        let state = Lock::new(LockRank::Meeting, state);
        let (unheard, listener, cut) = (AtomicU32::new(0), AtomicU64::new(0), AtomicBool::new(false));
        Line { line, shared, state, unheard, listener, cut }
    }

    /// One that nobody else has.
    fn own(line: IrqLine) -> Result<Ref<Line>, ClaimError> {
        Ok(Ref::try_new(Line::new(line, None)).inspect_err(|_| irq::release(line))?)
    }

    /// Tells who waits, and whom it is bound to, which it gives; and whether it has told too much.
    pub fn fire(&self) -> (Option<Ref<Binding>>, bool) {
        let mut state = self.state.lock();
        state.count += 1;
        let (waiter, count) = (state.waiter.take(), state.count);
        let known = state.pending;
        state.pending = waiter.is_none();
        let bound = state.bound.clone();
        drop(state);
        let known = match &bound {
            Some(bound) => bound.signal() != Heard::News,
            None => known && waiter.is_none(),
        };
        let storms = self.note(known);
        if waiter.is_some_and(|ticket| !ticket.reply(&WaitResults { count })) {
            // Who waited is dead: it is for the next who asks.
            self.state.lock().pending = true;
        }
        (bound, storms)
    }

    /// Another firing that told nothing new, or one that did. True when there were too many.
    fn note(&self, known: bool) -> bool {
        let unheard = if known { self.unheard.load(Ordering::Relaxed) + 1 } else { 0 };
        let storms = unheard > UNHEARD_MAX;
        self.unheard.store(if storms { 0 } else { unheard }, Ordering::Relaxed);
        storms
    }

    /// The number that it was claimed by.
    pub fn number(&self) -> u32 {
        self.line.gsi
    }

    /// Whether it is the line of a function, which others may have, too.
    pub fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// Whether nobody hears of it any more.
    pub fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    /// Nobody hears of it any more, and who waits learns it. It is given back.
    pub fn cut(&self) {
        let gone = self.release();
        let (waiter, bound) = {
            let mut state = self.state.lock();
            self.cut.store(true, Ordering::Relaxed);
            (state.waiter.take(), state.bound.take())
        };
        drop((gone, bound));
        if let Some(waiter) = waiter {
            waiter.fail(TransportError::Canceled);
        }
    }

    /// Gives it back, and what the interrupt handler had of it.
    fn release(&self) -> Option<Ref<Line>> {
        if let Some(number) = self.shared {
            wire::leave(number);
            return None;
        }
        let gone = place(self.line).and_then(|place| place.lock().take_if(|line| line.line == self.line));
        irq::release(self.line);
        gone
    }

    fn note_listener(&self, call: &Call<'_>) {
        self.listener.store(call.process().id, Ordering::Relaxed);
    }

    /// It is to be heard, or not.
    fn set_heard(&self, heard: bool) {
        match (self.shared, heard) {
            (Some(number), _) => wire::listen(number, heard),
            (None, true) => irq::unmask(self.line),
            (None, false) => irq::mask(self.line),
        }
    }

    /// Whether that wait is the one that waits here.
    pub fn holds(&self, thread: &Ref<Thread>, id: OpId) -> bool {
        self.state.lock().waiter.as_ref().is_some_and(|waiter| waiter.is(thread, id))
    }

    /// Takes back the ticket of a wait that is cancelled. Another one may have taken its place already.
    pub fn withdraw(&self, thread: &Ref<Thread>, id: OpId) -> Option<Ticket> {
        self.state.lock().waiter.take_if(|waiter| waiter.is(thread, id))
    }
}

/// The right to a line; the last holder gives it back.
pub(crate) struct Holder {
    line: Ref<Line>,
    /// Who pays for the vector; nobody for lines that no device of the ledger has.
    account: Option<Ref<Account>>,
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.line.cut();
        if let Some(account) = &self.account {
            account.refund(Resource::Vectors, 1);
        }
    }
}

/// One interrupt line.
#[derive(Clone)]
pub(crate) struct Interrupt {
    holder: Ref<Holder>,
}

/// Why a line was not given out.
pub(crate) enum ClaimError {
    Line(IrqError),
    /// The function can not be kept from signalling.
    Unsupported,
    BudgetExhausted,
    OutOfMemory,
}

impl ClaimError {
    /// What the caller is told.
    pub fn code(self) -> ExceptionCode {
        match self {
            ClaimError::Line(IrqError::NotFound) => ExceptionCode::NotFound,
            ClaimError::Line(IrqError::Taken) => ExceptionCode::Exists,
            ClaimError::Unsupported => ExceptionCode::Unsupported,
            ClaimError::BudgetExhausted => ExceptionCode::BudgetExhausted,
            ClaimError::OutOfMemory | ClaimError::Line(IrqError::NoMemory) => ExceptionCode::OutOfMemory,
        }
    }
}

impl From<OutOfMemory> for ClaimError {
    fn from(_: OutOfMemory) -> Self {
        ClaimError::OutOfMemory
    }
}

const DISCONNECTED: Outcome = Outcome::exception(ExceptionCode::Disconnected);

impl Interrupt {
    /// Claims an ISA line.
    pub fn isa(number: u8) -> Result<Self, ClaimError> {
        Self::of(irq::claim_isa(number).map_err(ClaimError::Line).and_then(Line::own)?, None)
    }

    /// Claims a message of a device, at the expense of `account`.
    pub fn message(entry: MessageEntry, account: &Ref<Account>) -> Result<Self, ClaimError> {
        Self::paid(account, || irq::claim_message(entry).map_err(ClaimError::Line).and_then(Line::own))
    }

    /// Claims the line of a function, at the expense of `account`.
    pub fn line_of(line: PciLine, function: Address, account: &Ref<Account>) -> Result<Self, ClaimError> {
        let make = |line: IrqLine, number: u64| Ref::try_new(Line::new(line, Some(number)));
        Self::paid(account, || wire::join(line, function, make))
    }

    fn paid(
        account: &Ref<Account>,
        claim: impl FnOnce() -> Result<Ref<Line>, ClaimError>,
    ) -> Result<Self, ClaimError> {
        account.charge(Resource::Vectors, 1).map_err(|_| ClaimError::BudgetExhausted)?;
        let line = claim().inspect_err(|_| account.refund(Resource::Vectors, 1))?;
        Self::of(line, Some(account.clone()))
    }

    /// What was claimed and, if somebody is, who was charged for it. It is masked: nothing fires before there is a holder.
    fn of(line: Ref<Line>, account: Option<Ref<Account>>) -> Result<Self, ClaimError> {
        // Without room for it its own drop gives the line back.
        let holder = Ref::try_new(Holder { line: line.clone(), account })?;
        if line.shared.is_none()
            && let Some(place) = place(line.line)
        {
            *place.lock() = Some(line);
        }
        Ok(Interrupt { holder })
    }

    /// What it stands for.
    pub fn line(&self) -> &Ref<Line> {
        &self.holder.line
    }

    /// The line's number.
    pub fn number(&self) -> u32 {
        self.holder.line.line.gsi
    }

    pub(super) fn wait(&self, call: &mut Call<'_>) -> Outcome {
        let line = &self.holder.line;
        let mut state = line.state.lock();
        if line.is_cut() {
            return DISCONNECTED;
        }
        if state.waiter.is_some() {
            return Outcome::exception(ExceptionCode::WrongState);
        }
        if state.pending {
            state.pending = false;
            line.note_listener(call);
            return call.reply(&WaitResults { count: state.count });
        }
        let outcome = call.defer(Waiting::Line(line.clone()), |ticket| {
            state.waiter = Some(ticket);
            Ok(())
        });
        drop(state);
        if outcome == Outcome::PENDING {
            line.note_listener(call);
            line.set_heard(true);
        }
        outcome
    }

    pub(super) fn bind(&self, call: &mut Call<'_>) -> Outcome {
        let (binding, slot) = match Binding::of(call) {
            Ok(bound) => bound,
            Err(outcome) => return outcome,
        };
        let Ok(binding) = Ref::try_new(binding) else {
            return Outcome::exception(ExceptionCode::OutOfMemory);
        };
        let before = {
            let mut state = self.holder.line.state.lock();
            if self.holder.line.is_cut() {
                return DISCONNECTED;
            }
            state.bound.replace(binding)
        };
        call.consume(slot);
        drop(before);
        Outcome::EMPTY
    }

    pub(super) fn unbind(&self, _call: &mut Call<'_>) -> Outcome {
        let before = self.holder.line.state.lock().bound.take();
        drop(before);
        Outcome::EMPTY
    }

    /// Process number `id` has been deprived of the line: what it bound to it is bound no more.
    pub fn unbind_for(&self, id: u64) {
        let gone = self.holder.line.state.lock().bound.take_if(|binding| binding.is_of(id));
        drop(gone);
    }

    pub(super) fn acknowledge(&self, call: &mut Call<'_>) -> Outcome {
        let line = &self.holder.line;
        let mut state = line.state.lock();
        if line.is_cut() {
            return DISCONNECTED;
        }
        state.pending = false;
        drop(state);
        line.note_listener(call);
        line.set_heard(true);
        Outcome::EMPTY
    }

    pub(super) fn mask(&self, _call: &mut Call<'_>) -> Outcome {
        let line = &self.holder.line;
        line.set_heard(false);
        let waiter = line.state.lock().waiter.take();
        if let Some(waiter) = waiter {
            waiter.fail(TransportError::Canceled);
        }
        Outcome::EMPTY
    }
}
