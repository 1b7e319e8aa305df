//! Capabilities go from hand to hand at random; a plain list says where they are and what they were made from.

use crate::Setup;
use crate::seats::Seat;
use alloc::vec::Vec;
use capos_inspect::{Capability, Kind, Origin, Slot};
use probe::mutate::Rng;
use rt::abi::TransferSlot;
use rt::threads::{memory, process_id};
use rt::{CallError, Cap, CapId};

/// Children.
const SEATS: usize = 3;
/// Number of the place that is our own.
const ME: usize = SEATS;
/// Steps between two looks.
const EVERY: u64 = 5;
/// Most that one place holds.
const ROOM: usize = 20;

/// What came of it.
#[derive(Default)]
pub struct Tally {
    pub steps: u64,
    pub looks: u64,
    pub compared: u64,
    pub wrong: u64,
}

/// One capability, and those that are gone, since others were made from them.
struct Piece {
    place: usize,
    id: CapId,
    parent: Option<usize>,
    /// The first that was made of the same memory.
    memory: usize,
    alive: bool,
}

struct Game<'s> {
    setup: &'s Setup,
    rng: Rng,
    seats: Vec<Seat>,
    pieces: Vec<Piece>,
    tally: Tally,
}

/// Plays so many steps.
pub fn play(setup: &Setup, steps: u64, seed: u64) -> Result<Tally, CallError> {
    let seats = (0..SEATS).map(|_| Seat::new(setup, "hand")).collect::<Result<Vec<_>, _>>()?;
    let tally = Tally::default();
    let mut game = Game { setup, rng: Rng::new(seed), seats, pieces: Vec::new(), tally };
    for step in 1..=steps {
        game.step()?;
        if step % EVERY == 0 {
            game.look()?;
        }
    }
    for piece in 0..game.pieces.len() {
        if game.is_at(piece, ME) {
            game.release(piece)?;
        }
    }
    game.seats.drain(..).try_for_each(Seat::end)?;
    game.tally.steps = steps;
    setup.report.check("L1 L3 the game", game.tally.wrong == 0, format_args!("{} wrong", game.tally.wrong));
    Ok(game.tally)
}

impl Game<'_> {
    fn is_at(&self, piece: usize, place: usize) -> bool {
        self.pieces.get(piece).is_some_and(|piece| piece.alive && piece.place == place)
    }

    fn held_at(&self, place: usize) -> usize {
        self.pieces.iter().filter(|piece| piece.alive && piece.place == place).count()
    }

    /// Some piece that is there.
    fn pick(&mut self) -> Option<usize> {
        let alive: Vec<usize> =
            (0..self.pieces.len()).filter(|n| self.pieces.get(*n).is_some_and(|it| it.alive)).collect();
        self.rng.pick(&alive)
    }

    fn step(&mut self) -> Result<(), CallError> {
        let Some(piece) = self.pick() else { return self.make() };
        match self.rng.below(20) {
            0..2 => self.make(),
            2..10 => self.pass(piece, false),
            10..14 => self.pass(piece, true),
            14..18 => self.release(piece),
            18 => self.revoke(piece),
            _ => self.replace(),
        }
    }

    fn make(&mut self) -> Result<(), CallError> {
        if self.held_at(ME) >= ROOM {
            return Ok(());
        }
        let id = memory().create_object_blocking(4096)?.into_cap().into_id();
        let memory = self.pieces.len();
        self.pieces.push(Piece { place: ME, id, parent: None, memory, alive: true });
        Ok(())
    }

    /// A copy goes somewhere, or the capability itself.
    fn pass(&mut self, piece: usize, moved: bool) -> Result<(), CallError> {
        let to = self.rng.below(SEATS as u32 + 1) as usize;
        let Some(&Piece { place: from, id, memory, .. }) = self.pieces.get(piece) else { return Ok(()) };
        if self.held_at(to) >= ROOM {
            return Ok(());
        }
        let arrived = match (self.seats.get(from), self.seats.get(to)) {
            (Some(giver), Some(taker)) => taker.give(TransferSlot::moved(giver.get(id, moved)?))?,
            (Some(giver), None) => giver.get(id, moved)?,
            (None, Some(taker)) if moved => taker.give(TransferSlot::moved(id))?,
            (None, Some(taker)) => taker.give(TransferSlot::copy(id))?,
            // To ourselves.
            (None, None) => return Ok(()),
        };
        match self.pieces.get_mut(piece) {
            Some(it) if moved => (it.place, it.id) = (to, arrived),
            _ => self.pieces.push(Piece { place: to, id: arrived, parent: Some(piece), memory, alive: true }),
        }
        Ok(())
    }

    fn release(&mut self, piece: usize) -> Result<(), CallError> {
        let Some(it) = self.pieces.get_mut(piece) else { return Ok(()) };
        it.alive = false;
        match self.seats.get(it.place) {
            Some(seat) => seat.drop(it.id),
            None => {
                drop(Cap::from_id(it.id));
                Ok(())
            }
        }
    }

    fn revoke(&mut self, root: usize) -> Result<(), CallError> {
        let Some(&Piece { place, id, .. }) = self.pieces.get(root) else { return Ok(()) };
        match self.seats.get(place) {
            Some(seat) => self.tally.wrong += u64::from(!seat.revoke(id)?),
            None => {
                let cap = Cap::from_id(id);
                cap.revoke_blocking()?;
                cap.into_id();
            }
        }
        for piece in 0..self.pieces.len() {
            let gone = self.above(piece).any(|above| above == root);
            if let Some(it) = self.pieces.get_mut(piece) {
                it.alive &= !gone;
            }
        }
        Ok(())
    }

    /// A child is killed, and another takes its place.
    fn replace(&mut self) -> Result<(), CallError> {
        let place = self.rng.below(SEATS as u32) as usize;
        let new = Seat::new(self.setup, "hand")?;
        if let Some(seat) = self.seats.get_mut(place) {
            core::mem::replace(seat, new).end()?;
        }
        self.pieces.iter_mut().filter(|piece| piece.place == place).for_each(|piece| piece.alive = false);
        Ok(())
    }

    /// What a piece was made from, then what that was, and so on.
    fn above(&self, piece: usize) -> impl Iterator<Item = usize> {
        let parent = |piece: usize| self.pieces.get(piece)?.parent;
        core::iter::successors(parent(piece), move |piece| parent(*piece))
    }

    /// Where a piece is.
    fn slot(&self, piece: &Piece) -> Slot {
        let process = self.seats.get(piece.place).map_or_else(process_id, |seat| seat.process);
        Slot { process, slot: piece.id.index() }
    }

    /// What has to be told of where a piece comes from: the next above that is there; if there is none, whether others hang by the same.
    fn origin(&self, piece: usize) -> Origin {
        let is_there = |n: &usize| self.pieces.get(*n).filter(|it| it.alive);
        if let Some(above) = self.above(piece).find_map(|n| is_there(&n)) {
            return Origin::From(self.slot(above));
        }
        let above: Vec<usize> = self.above(piece).collect();
        let is_related = |other: usize| {
            is_there(&other).is_some()
                && other != piece
                && self.above(other).any(|n| above.contains(&n))
                && self.above(other).all(|n| n != piece)
        };
        if (0..self.pieces.len()).any(is_related) { Origin::Gone } else { Origin::Root }
    }

    /// Whether everybody holds what they ought to, and nothing else.
    fn look(&mut self) -> Result<(), CallError> {
        // What is given up goes with the next system call.
        rt::threads::yield_now();
        let all: Vec<Capability> =
            self.setup.look.read(rt::schema::inspector::Listing::Capabilities, None)?;
        let mut numbers: Vec<(usize, u64)> = Vec::new();
        for (n, piece) in self.pieces.iter().enumerate().filter(|(_, piece)| piece.alive) {
            let at = self.slot(piece);
            let told = all.iter().find(|cap| cap.at == at);
            let right = told.is_some_and(|cap| {
                let known = numbers.iter().find(|(memory, _)| *memory == piece.memory);
                let same = known.is_none_or(|(_, number)| *number == cap.object);
                cap.kind == Kind::Memory && cap.origin == self.origin(n) && same
            });
            if let Some(cap) = told {
                numbers.push((piece.memory, cap.object));
            }
            if !right && self.tally.wrong == 0 {
                self.setup.report.check(
                    "L3 a piece",
                    false,
                    format_args!("{told:?}, from {:?}", self.origin(n)),
                );
            }
            self.tally.wrong += u64::from(!right);
            self.tally.compared += 1;
        }
        let strangers = numbers
            .iter()
            .any(|(memory, number)| numbers.iter().any(|(other, same)| memory != other && number == same));
        for (place, seat) in self.seats.iter().enumerate() {
            let held = all.iter().filter(|cap| cap.at.process == seat.process).count();
            self.tally.wrong += u64::from(held != seat.own + self.held_at(place));
        }
        self.tally.wrong += u64::from(strangers);
        self.tally.looks += 1;
        Ok(())
    }
}
