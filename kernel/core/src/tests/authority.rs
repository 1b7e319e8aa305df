//! Processes that do at random what processes do with capabilities, through their rings, against a list of who holds what.
//!
//! Whatever is copied, moved, attenuated, released, revoked, killed and spawned in whatever order: authority never comes from nowhere,
//! never gets lost and never doubles. The model knows nothing of trees.

use super::audit;
use super::{CAPS, User, World, call_sqe, error, recv_sqe, return_sqe};
use crate::cap::Object;
use crate::ipc::endpoint::Endpoint;
use crate::task::create::Limits;
use crate::task::end;
use crate::task::process::Status;
use capos_abi::ring::cqe_flags;
use capos_abi::{CapId, Cqe, Op, Sqe, TransferSlot, TransportError};
use capos_authority::{Entered, Model};
use capos_mem::Resource;
use capos_mutate::Rng;
use capos_schema::{Empty, memory_object, virtual_memory};
use std::vec::Vec;

const PROCESSES: usize = 4;
const SLOTS: usize = 24;
/// Its three own, its endpoint's receive right, and a facet of every process's endpoint.
const OWN: usize = 4 + PROCESSES;
const STEPS: usize = 20_000;

struct Choices(Rng);

impl Choices {
    fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound as u32) as usize
    }
}

struct Player {
    user: User,
    right: CapId,
    /// A way to each of the others.
    facets: Vec<CapId>,
}

struct Game<'w> {
    world: &'w World,
    choices: Choices,
    players: Vec<Player>,
    /// Whether it may be written.
    model: Model<bool>,
    seen: Vec<CapId>,
}

impl<'w> Game<'w> {
    fn new(world: &'w World, seed: u64) -> Self {
        let mut game = Game {
            world,
            choices: Choices(Rng::new(seed)),
            players: Vec::new(),
            model: Model::new(),
            seen: Vec::from([CapId::NULL]),
        };
        for _ in 0..PROCESSES {
            let player = game.spawn();
            game.players.push(player);
        }
        for process in 0..PROCESSES {
            game.connect(process);
        }
        game
    }

    fn spawn(&self) -> Player {
        let limits = Limits { cap_slots: SLOTS as u32, ..super::LIMITS };
        let user = User::of(&self.world.process_with("player", &limits));
        let right = Endpoint::create(4, &user.process().account).unwrap_or_else(|_| panic!("memory"));
        let right = user.hold(Object::Endpoint(right));
        Player { user, right, facets: Vec::new() }
    }

    /// Gives a process a way to every process, and everybody else a new way to it.
    fn connect(&mut self, process: usize) {
        let ways: Vec<CapId> = (0..PROCESSES).map(|to| self.way(process, to)).collect();
        self.players[process].facets = ways;
        for from in (0..PROCESSES).filter(|from| *from != process) {
            let Some(old) = self.players[from].facets.get(process).copied() else { continue };
            drop(self.players[from].user.process().release(old));
            let new = self.way(from, process);
            self.players[from].facets[process] = new;
        }
    }

    fn way(&self, from: usize, to: usize) -> CapId {
        let Object::Endpoint(right) = self.players[to].user.object(self.players[to].right) else { panic!() };
        let facet = Endpoint::mint(&right.endpoint, from as u64, 7).unwrap_or_else(|_| panic!("memory"));
        self.players[from].user.hold(Object::Client(facet))
    }

    fn held_by(&self, process: usize) -> usize {
        self.model.of(process as u32).count()
    }

    fn is_full(&self, process: usize, more: usize) -> bool {
        self.held_by(process) + more > SLOTS - OWN
    }

    fn note(&mut self, id: CapId, entered: Option<Entered>) {
        assert_eq!(entered, Some(Entered::Well), "an id names two things");
        self.seen.push(id);
    }

    fn pick(&mut self, process: usize) -> CapId {
        let own: Vec<CapId> = self.model.of(process as u32).map(|(id, _)| id).collect();
        if own.is_empty() || self.choices.below(10) == 0 {
            let recent = &self.seen[self.seen.len().saturating_sub(60)..];
            let id = recent[self.choices.below(recent.len())];
            // What is not a player's capital is not the game's to touch.
            let infrastructure = self.players[process].facets.contains(&id)
                || id == self.players[process].right
                || id.index() < CapId::FIRST_GRANT && id.generation() == 1;
            return if infrastructure { CapId::NULL } else { id };
        }
        own[self.choices.below(own.len())]
    }

    fn make(&mut self) {
        let process = self.choices.below(PROCESSES);
        let params = virtual_memory::CreateObjectParams { size: 4096 };
        let made = self.players[process].user.call_for_cap(
            CapId::SELF_MEMORY,
            virtual_memory::INTERFACE_ID,
            virtual_memory::CREATE_OBJECT,
            &params,
        );
        assert_eq!(made.is_err(), self.is_full(process, 1));
        if let Ok(id) = made {
            let entered = self.model.make((process as u32, id), true);
            self.note(id, Some(entered));
        }
    }

    fn attenuate(&mut self) {
        let process = self.choices.below(PROCESSES);
        let id = self.pick(process);
        let user = &self.players[process].user;
        let facet = user.call_for_cap(id, memory_object::INTERFACE_ID, memory_object::READ_ONLY, &Empty);
        let holder = process as u32;
        let held = self.model.get((holder, id)).is_some();
        assert_eq!(facet.is_ok(), held && !self.is_full(process, 1));
        if let Ok(facet) = facet {
            let entered = self.model.derive((holder, id), (holder, facet), false);
            self.note(facet, entered);
        }
    }

    fn release(&mut self) {
        let process = self.choices.below(PROCESSES);
        let id = self.pick(process);
        let sqe = Sqe { op: Op::Release as u8, cap: id.raw(), ..Sqe::default() };
        let released = self.players[process].user.one(sqe).result == 0;
        assert_eq!(released, self.model.release((process as u32, id)).is_some());
    }

    /// Whether the list may leave a process.
    fn allowed(&self, from: usize, list: &[TransferSlot]) -> bool {
        list.iter().enumerate().all(|(n, slot)| {
            let again =
                |other: &TransferSlot| other.id() == slot.id() && (other.0 >> 56 == 1 || slot.0 >> 56 == 1);
            self.model.get((from as u32, slot.id())).is_some() && !list[..n].iter().any(again)
        })
    }

    /// A call with capabilities, or an answer with them.
    fn send(&mut self) {
        let from = self.choices.below(PROCESSES);
        let to = (from + 1 + self.choices.below(PROCESSES - 1)) % PROCESSES;
        let back = self.choices.below(3) == 0;
        let list: Vec<TransferSlot> = (0..self.choices.below(4))
            .map(|_| match (self.pick(from), self.choices.below(5)) {
                (id, 0 | 1) => TransferSlot::moved(id),
                (id, _) => TransferSlot::copy(id),
            })
            .collect();
        let (allowed, room) = (self.allowed(from, &list), !self.is_full(to, list.len()));
        let arrived = if back { self.answer(from, to, &list) } else { self.call(from, to, &list) };
        assert_eq!(arrived.is_some(), allowed && room, "{list:?}");
        for (slot, id) in list.iter().zip(arrived.unwrap_or_default()) {
            let (source, place) = ((from as u32, slot.id()), (to as u32, id));
            let entered = if slot.0 >> 56 == 1 {
                self.model.moved(source, place)
            } else {
                let writable = self.model.get(source).expect("it is there").what;
                self.model.derive(source, place, writable)
            };
            self.note(id, entered);
        }
    }

    fn lay_out(user: &User, list: &[TransferSlot]) {
        for (n, slot) in (0..).zip(list) {
            user.set_word(CAPS + 8 * n, slot.0);
        }
    }

    fn read(user: &User, count: u8) -> Vec<CapId> {
        (0..u32::from(count)).map(|n| CapId::from_raw(user.word(CAPS + 8 * n))).collect()
    }

    /// `from` calls `to` with the list; the ids there.
    fn call(&self, from: usize, to: usize, list: &[TransferSlot]) -> Option<Vec<CapId>> {
        let (caller, server) = (&self.players[from], &self.players[to]);
        Self::lay_out(&caller.user, list);
        caller.user.submit(Sqe { caps_send: list.len() as u8, ..call_sqe(caller.facets[to], 7, 0, 0) });
        caller.user.poll();
        let Some(arrival) = Self::receive(server) else {
            // The call has ended with an error; the receive waits on.
            self.stop(server);
            caller.user.poll();
            assert!(error(&caller.user.pop()).is_some());
            return None;
        };
        let ids = Self::read(&server.user, arrival.caps);
        server.user.submit(return_sqe(server.right, arrival.token, 0));
        server.user.poll();
        caller.user.poll();
        self.drain(from);
        self.drain(to);
        Some(ids)
    }

    /// The next call. That a facet of somebody who has ended is gone is no news here.
    fn receive(server: &Player) -> Option<Cqe> {
        loop {
            server.user.submit(recv_sqe(server.right));
            server.user.poll();
            let cqe = server.user.ring.pop()?;
            if cqe.flags & cqe_flags::UNREFERENCED == 0 {
                return Some(cqe);
            }
        }
    }

    /// `from` answers a call of `to` with the list; the ids there.
    fn answer(&self, from: usize, to: usize, list: &[TransferSlot]) -> Option<Vec<CapId>> {
        let (caller, server) = (&self.players[to], &self.players[from]);
        caller.user.submit(Sqe { caps_recv: 4, ..call_sqe(caller.facets[from], 7, 0, 0) });
        caller.user.poll();
        let token = Self::receive(server).expect("it was called").token;
        Self::lay_out(&server.user, list);
        let sqe = Sqe { caps_off: CAPS, caps_send: list.len() as u8, ..return_sqe(server.right, token, 0) };
        if server.user.one(sqe).result < 0 {
            // The call waits on: another answer ends it.
            server.user.one(return_sqe(server.right, token, 0));
            caller.user.poll();
            self.drain(to);
            return None;
        }
        caller.user.poll();
        let cqe = caller.user.pop();
        let ids = Self::read(&caller.user, cqe.caps);
        self.drain(to);
        (cqe.result >= 0).then_some(ids)
    }

    fn stop(&self, server: &Player) {
        server.user.submit(Sqe { op: Op::Cancel as u8, aux: 2, user_data: 8, ..Sqe::default() });
        server.user.poll();
        while server.user.ring.pop().is_some() {}
    }

    fn drain(&self, process: usize) {
        while self.players[process].user.ring.pop().is_some() {}
    }

    fn revoke(&mut self) {
        let process = self.choices.below(PROCESSES);
        let id = self.pick(process);
        let user = &self.players[process].user;
        user.submit(Sqe { op: Op::Revoke as u8, cap: id.raw(), ..Sqe::default() });
        let cqe = loop {
            user.poll();
            if let Some(cqe) = user.ring.pop() {
                break cqe;
            }
        };
        match self.model.revoke((process as u32, id)) {
            None => assert_eq!(error(&cqe), Some(TransportError::InvalidCap)),
            Some(_) => assert_eq!(cqe.result, 0),
        }
    }

    /// A process is killed, and another one gets its place.
    fn replace(&mut self) {
        let process = self.choices.below(PROCESSES);
        end::end_process(self.players[process].user.process(), Status::Killed);
        for cpu in 0..kernel_hal::cpu::count() {
            kernel_hal::fake::cpu::become_cpu(cpu);
            (crate::trap::HANDLERS.kick)();
        }
        self.model.end(process as u32);
        self.players[process] = self.spawn();
        self.connect(process);
    }

    /// Tables and model hold the same, capability by capability.
    fn compare(&self) {
        for (process, player) in self.players.iter().enumerate() {
            let table = player.user.process().table.lock();
            let mut found = 0;
            for (id, entry) in table.iter() {
                let Object::MemoryObject(object) = &entry.object else { continue };
                let held = self.model.get((process as u32, id)).expect("authority from nowhere");
                assert_eq!(object.writable(), held.what);
                found += 1;
            }
            assert_eq!(found, self.held_by(process), "authority was lost");
            assert_eq!(player.user.process().account.used(Resource::CapSlots), table.len() as u64);
        }
    }
}

fn play(seed: u64) {
    let world = World::new();
    audit::from_now_on(false);
    let mut game = Game::new(&world, seed);
    for step in 0..STEPS {
        match game.choices.below(1000) {
            0..150 => game.make(),
            150..600 => game.send(),
            600..720 => game.attenuate(),
            720..880 => game.release(),
            880..998 => game.revoke(),
            _ => game.replace(),
        }
        game.compare();
        if step % 1000 == 0 {
            audit::nodes_are_in_order();
        }
    }
    audit::nodes_are_in_order();
}

#[test]
fn authority_is_neither_made_nor_lost_nor_doubled() {
    (1..=4).for_each(play);
}
