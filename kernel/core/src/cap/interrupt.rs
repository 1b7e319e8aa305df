//! `Interrupt`: one interrupt line.

use super::binding::Binding;
use super::{Call, Outcome};
use crate::ipc::ops::{OpId, Ticket, Waiting};
use crate::task::thread::Thread;
use capos_abi::{ExceptionCode, TransportError};
use capos_schema::interrupt::WaitResults;
use kernel_hal::irq;
use kernel_hal::order::LockRank;
use kernel_hal::sync::{Lock, OutOfMemory, Ref};
use kernel_hal::{IRQ_PLACES, IrqError, IrqLine};

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
    state: Lock<State>,
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
    _line: Ref<Line>,
    _bound: Option<Ref<Binding>>,
}

/// Line `line` fired. The machine has masked it. By now it may be somebody else's, who hears nothing then: it is another claim.
pub(crate) fn fired(line: IrqLine) -> Option<Served> {
    let found = place(line).and_then(|place| place.lock().as_ref().filter(|it| it.line == line).cloned());
    let line = found?;
    let bound = line.fire();
    Some(Served { _line: line, _bound: bound })
}

impl Line {
    /// Tells who waits, and whom it is bound to, which it gives.
    fn fire(&self) -> Option<Ref<Binding>> {
        let mut state = self.state.lock();
        state.count += 1;
        let (waiter, count) = (state.waiter.take(), state.count);
        state.pending = waiter.is_none();
        let bound = state.bound.clone();
        drop(state);
        if let Some(bound) = &bound {
            bound.signal();
        }
        if waiter.is_some_and(|ticket| !ticket.reply(&WaitResults { count })) {
            // Who waited is dead: it is for the next who asks.
            self.state.lock().pending = true;
        }
        bound
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
}

impl Drop for Holder {
    /// First nobody finds the line any more, then it is given back: who claims its place next finds that empty.
    fn drop(&mut self) {
        let gone = place(self.line.line).and_then(|place| place.lock().take());
        irq::release(self.line.line);
        let (waiter, bound) = {
            let mut state = self.line.state.lock();
            (state.waiter.take(), state.bound.take())
        };
        drop((gone, bound));
        if let Some(waiter) = waiter {
            waiter.fail(TransportError::Canceled);
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
    OutOfMemory,
}

impl From<OutOfMemory> for ClaimError {
    fn from(_: OutOfMemory) -> Self {
        ClaimError::OutOfMemory
    }
}

impl Interrupt {
    /// Claims an ISA line.
    pub fn isa(number: u8) -> Result<Self, ClaimError> {
        let line = irq::claim_isa(number).map_err(ClaimError::Line)?;
        let state =
            Lock::new(LockRank::Meeting, State { count: 0, pending: false, waiter: None, bound: None });
        let entry = Ref::try_new(Line { line, state }).inspect_err(|_| irq::release(line))?;
        // It is masked: nothing fires before there is a holder. Without room for that its own drop gives the line back.
        let holder = Ref::try_new(Holder { line: entry.clone() })?;
        if let Some(place) = place(line) {
            *place.lock() = Some(entry);
        }
        Ok(Interrupt { holder })
    }

    /// The line's number.
    pub fn number(&self) -> u32 {
        self.holder.line.line.gsi
    }

    pub(super) fn wait(&self, call: &mut Call<'_>) -> Outcome {
        let line = &self.holder.line;
        let mut state = line.state.lock();
        if state.waiter.is_some() {
            return Outcome::exception(ExceptionCode::WrongState);
        }
        if state.pending {
            state.pending = false;
            return call.reply(&WaitResults { count: state.count });
        }
        let outcome = call.defer(Waiting::Line(line.clone()), |ticket| {
            state.waiter = Some(ticket);
            Ok(())
        });
        drop(state);
        if outcome == Outcome::PENDING {
            irq::unmask(line.line);
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
        call.consume(slot);
        let before = self.holder.line.state.lock().bound.replace(binding);
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

    pub(super) fn acknowledge(&self, _call: &mut Call<'_>) -> Outcome {
        self.holder.line.state.lock().pending = false;
        irq::unmask(self.holder.line.line);
        Outcome::EMPTY
    }

    pub(super) fn mask(&self, _call: &mut Call<'_>) -> Outcome {
        let line = &self.holder.line;
        irq::mask(line.line);
        let waiter = line.state.lock().waiter.take();
        if let Some(waiter) = waiter {
            waiter.fail(TransportError::Canceled);
        }
        Outcome::EMPTY
    }
}
