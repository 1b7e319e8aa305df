//! The game: one random step after the other.

use crate::judge::{Judge, Thing, Wrong, refused, same};
use crate::seats::Seats;
use crate::words::{ASK, GIVE, MAKE, MOST, NARROW, PLAYERS, RELEASE, REVOKE, SEND, SHOW};
use crate::{Setup, words};
use alloc::vec::Vec;
use probe::echo;
use rt::abi::TransferSlot;
use rt::ipc::call_blocking;
use rt::{CallError, Cap, CapId, TransportError};

/// Steps from one look at everything to the next.
const LOOK: u64 = 100;
/// Looks from one look at all trees to the next.
const TREES: u64 = 20;

/// What has happened.
#[derive(Clone, Copy, Default)]
pub struct Tally {
    pub steps: u64,
    pub made: u64,
    pub arrived: u64,
    pub narrowed: u64,
    pub released: u64,
    /// Taken away by revocations.
    pub revoked: u64,
    pub replaced: u64,
    /// Steps that were refused, as they had to be.
    pub refused: u64,
    /// Capabilities of which holder and kernel said what they are.
    pub looked_at: u64,
}

/// Why a game ends early.
enum End {
    Call(CallError),
    Wrong(Wrong),
}

impl From<CallError> for End {
    fn from(error: CallError) -> Self {
        End::Call(error)
    }
}

impl From<Wrong> for End {
    fn from(wrong: Wrong) -> Self {
        End::Wrong(wrong)
    }
}

struct Game<'s> {
    setup: &'s Setup,
    judge: Judge,
    seats: Seats<'s>,
    tally: Tally,
    /// Of the newest thing.
    number: u64,
}

/// Plays so many steps.
pub fn play(setup: &Setup, seed: u64, steps: u64) -> Result<Tally, CallError> {
    let mut seats = Seats::new(setup)?;
    (0..PLAYERS).try_for_each(|place| seats.measure(place, 0))?;
    let mut game = Game { setup, judge: Judge::new(seed), seats, tally: Tally::default(), number: 0 };
    let played = (0..steps).try_for_each(|_| game.step()).and_then(|()| game.look_at_all());
    match played {
        Ok(()) => {}
        Err(End::Call(error)) => return Err(error),
        Err(End::Wrong(wrong)) => {
            let Wrong { what, found, wanted } = wrong;
            let at = game.tally.steps;
            let detail = format_args!("step {at}: found {found:#x}, not {wanted:#x}");
            setup.report.check(what, false, detail);
        }
    }
    let tally = game.tally;
    game.seats.leave()?;
    Ok(tally)
}

impl Game<'_> {
    fn step(&mut self) -> Result<(), End> {
        match self.judge.rng.below(1000) {
            0..150 => self.make(),
            150..600 => self.send(),
            600..720 => self.narrow(),
            720..880 => self.release(),
            880..998 => self.revoke(),
            _ => self.replace(),
        }?;
        self.tally.steps += 1;
        if self.tally.steps.is_multiple_of(LOOK) { self.look_at_all() } else { Ok(()) }
    }

    /// Has a player do something; its answer.
    fn ask(&self, player: u32, method: u16, said: &[u64]) -> Result<Vec<u64>, CallError> {
        let Some(seat) = self.seats.all.get(player as usize) else { return Ok(Vec::new()) };
        let encode = |out: &mut [u8]| echo::put(out, said);
        let reply = call_blocking(&seat.way, echo::INTERFACE, method, encode, &[], 0, 1024)?;
        let words = reply.bytes().as_chunks::<8>().0;
        Ok(words.iter().map(|word| u64::from_le_bytes(*word)).collect())
    }

    fn pick(&mut self, player: u32) -> CapId {
        let seats = &self.seats;
        self.judge.pick(player, |id| seats.is_own(player, id))
    }

    fn has_room(&self, player: u32, more: u64) -> bool {
        self.judge.held_by(player) + more <= self.seats.room(player)
    }

    /// What a step must come to that makes one thing of what is `there`.
    fn outcome(&mut self, there: bool, room: bool) -> u64 {
        self.tally.refused += u64::from(!there || !room);
        match (there, room) {
            (false, _) => refused(TransportError::InvalidCap),
            (true, false) => refused(TransportError::BudgetExhausted),
            (true, true) => 0,
        }
    }

    fn make(&mut self) -> Result<(), End> {
        let player = self.judge.player();
        self.number += 1;
        let said = self.ask(player, MAKE, &[self.number])?;
        let room = self.has_room(player, 1);
        same("making something", first(&said), self.outcome(true, room))?;
        if room {
            let (id, thing) = (second(&said), Thing { number: self.number, writable: true });
            let entered = self.judge.model.make((player, id), thing);
            self.judge.entered(id, Some(entered))?;
            self.tally.made += 1;
        }
        Ok(())
    }

    fn narrow(&mut self) -> Result<(), End> {
        let player = self.judge.player();
        let id = self.pick(player);
        let said = self.ask(player, NARROW, &[id.raw()])?;
        let held = self.judge.model.get((player, id)).map(|held| held.what);
        let room = self.has_room(player, 1);
        same("making a facet", first(&said), self.outcome(held.is_some(), room))?;
        if let Some(whole) = held.filter(|_| room) {
            let facet = second(&said);
            let part = Thing { writable: false, ..whole };
            let entered = self.judge.model.derive((player, id), (player, facet), part);
            self.judge.entered(facet, entered)?;
            self.tally.narrowed += 1;
        }
        Ok(())
    }

    fn release(&mut self) -> Result<(), End> {
        let player = self.judge.player();
        let id = self.pick(player);
        let said = self.ask(player, RELEASE, &[id.raw()])?;
        let held = self.judge.model.release((player, id)).is_some();
        self.tally.released += u64::from(held);
        Ok(same("giving something up", first(&said), self.outcome(held, true))?)
    }

    fn revoke(&mut self) -> Result<(), End> {
        let player = self.judge.player();
        let id = self.pick(player);
        let said = self.ask(player, REVOKE, &[id.raw()])?;
        let gone = self.judge.model.revoke((player, id));
        self.tally.revoked += gone.unwrap_or(0) as u64;
        Ok(same("a revocation", first(&said), self.outcome(gone.is_some(), true))?)
    }

    fn slots(&mut self, player: u32) -> Vec<TransferSlot> {
        let seats = &self.seats;
        self.judge.slots(player, |id| seats.is_own(player, id))
    }

    /// Capabilities go with a call, or with an answer; or to oneself.
    fn send(&mut self) -> Result<(), End> {
        let (from, to) = (self.judge.player(), self.judge.player());
        let list = self.slots(from);
        let asked = from != to && self.judge.rng.chance(1, 3);
        let (does, method, other) = if asked { (to, ASK, from) } else { (from, SEND, to) };
        let words: Vec<u64> =
            core::iter::once(u64::from(other)).chain(list.iter().map(|slot| slot.0)).collect();
        let said = self.ask(does, method, &words)?;
        let there = self.judge.may_leave(from, &list);
        let room = self.has_room(to, list.len() as u64);
        if there && room {
            same("a transfer", first(&said), 0)?;
            self.judge.arrived(from, to, &list, said.get(1..).unwrap_or_default())?;
            self.tally.arrived += list.len() as u64;
            return Ok(());
        }
        self.tally.refused += 1;
        // Who asked has no room for the answer, or who is called has none.
        let full = if asked { TransportError::BudgetExhausted } else { TransportError::PeerBudgetExhausted };
        // With two reasons either may be said.
        if !room && first(&said) == refused(full) {
            return Ok(());
        }
        let wanted = if there { full } else { TransportError::InvalidCap };
        Ok(same("a transfer that cannot be", first(&said), refused(wanted))?)
    }

    /// A player is killed, and another one takes its place, who begins with what a third one gives.
    fn replace(&mut self) -> Result<(), End> {
        let (player, donor) = (self.judge.player(), self.judge.player());
        let list = if donor == player { Vec::new() } else { self.slots(donor) };
        let granted = self.gift(donor, &list)?;
        let given = granted.len();
        self.judge.model.end(player);
        self.seats.replace(player, granted)?;
        self.seats.measure(player, given as u64)?;
        let ids: Vec<u64> = (0..given as u32).map(|n| Seats::at_birth(n).raw()).collect();
        if given > 0 {
            self.judge.arrived(donor, player, &list, &ids)?;
        }
        self.tally.replaced += 1;
        Ok(())
    }

    /// What a player gives the judge, if it may give all of that.
    fn gift(&mut self, donor: u32, list: &[TransferSlot]) -> Result<Vec<Cap>, End> {
        let Some(seat) = self.seats.all.get(donor as usize) else { return Ok(Vec::new()) };
        let words: Vec<u64> = list.iter().map(|slot| slot.0).collect();
        let encode = |out: &mut [u8]| echo::put(out, &words);
        let reply = call_blocking(&seat.way, echo::INTERFACE, GIVE, encode, &[], MOST, 8)?;
        let granted: Vec<Cap> = (0..MOST).map_while(|n| reply.take_cap(n).ok()).collect();
        let wanted = if self.judge.may_leave(donor, list) { list.len() } else { 0 };
        same("a gift", granted.len() as u64, wanted as u64)?;
        Ok(granted)
    }

    /// Asks everybody what they hold, one by one, and the kernel how much that is.
    fn look_at_all(&mut self) -> Result<(), End> {
        for player in 0..PLAYERS {
            let held: Vec<(CapId, Thing)> =
                self.judge.model.of(player).map(|(id, held)| (id, held.what)).collect();
            let ids: Vec<u64> = held.iter().map(|(id, _)| id.raw()).collect();
            let said = self.ask(player, SHOW, &ids)?;
            let shown = said.as_chunks::<{ words::SHOWN }>().0;
            same("everything is shown", shown.len() as u64, held.len() as u64)?;
            for ((_, thing), [outcome, number, writable]) in held.iter().zip(shown) {
                same("nothing is lost", *outcome, 0)?;
                same("it is what it was", *number, thing.number)?;
                same("it allows what it did", *writable, u64::from(thing.writable))?;
            }
            same("nothing was made or doubled", self.seats.holds(player)?, held.len() as u64)?;
            self.tally.looked_at += held.len() as u64;
        }
        if self.tally.steps.is_multiple_of(LOOK * TREES) {
            same(
                "trees, tables and budgets agree",
                self.setup.audit.system().derivation_blocking()?.wrong,
                0,
            )?;
        }
        Ok(())
    }
}

fn first(said: &[u64]) -> u64 {
    said.first().copied().unwrap_or(u64::MAX)
}

fn second(said: &[u64]) -> CapId {
    CapId::from_raw(said.get(1).copied().unwrap_or(0))
}
