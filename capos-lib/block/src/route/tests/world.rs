//! Clients that ask anything at any time, a disk that dies at any time: every word that a client was given is true.

use super::clients::Queues;
use super::model::{Disk, Stamp, Work};
use crate::route::{Facet, Router, SessionId};
use crate::{Completion, Geometry, Operation, Request, Status};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::vec;
use std::vec::Vec;

const DISK: Geometry = Geometry {
    sectors: 24,
    sector_shift: 9,
    most: 4,
    read_only: false,
    cache: true,
    discard: true,
    zero: true,
};
const BUDGET: u16 = 4;
const DEPTH: u16 = 7;
const CLIENTS: u16 = 3;

/// What a client knows of something that it asked.
struct Asked {
    session: SessionId,
    /// With sectors of the whole disk.
    request: Request,
    /// Not known when what it names was let go of before it was taken: another buffer may have got the number.
    is_sound: Option<bool>,
    /// Writes that were acknowledged before it was asked: sectors and stamps.
    before: Vec<(u64, Stamp)>,
    /// For each sector, how many stamps it had had when it was asked.
    seen: BTreeMap<u64, usize>,
}

struct Client {
    session: SessionId,
    facet: Facet,
    buffers: Vec<u16>,
}

struct World {
    router: Router<u64>,
    queues: Queues,
    disk: Disk,
    is_up: bool,
    life: u64,
    clients: Vec<Client>,
    /// By stamp, which is the request's id, too: never given twice.
    asked: BTreeMap<Stamp, Asked>,
    next: Stamp,
    acknowledged: Vec<(u64, Stamp)>,
    /// Memory that was taken up, and of that what was let go of.
    kept: BTreeSet<u64>,
    released: BTreeSet<u64>,
}

impl World {
    fn new() -> World {
        let mut world = World {
            router: Router::new(vec![DISK], DEPTH, CLIENTS).unwrap(),
            queues: Queues::default(),
            disk: Disk::default(),
            is_up: false,
            life: 0,
            clients: Vec::new(),
            asked: BTreeMap::new(),
            next: 1,
            acknowledged: Vec::new(),
            kept: BTreeSet::new(),
            released: BTreeSet::new(),
        };
        // All of it, one half, and what lies across.
        for part in [(0, 24), (0, 12), (8, 12)] {
            world.open(part);
        }
        world
    }

    fn open(&mut self, (first, sectors): (u64, u64)) {
        let facet = Facet::whole(0, &DISK).part(first, sectors).unwrap();
        let Ok(session) = self.router.open(&facet, BUDGET, 0) else { return };
        self.queues.asked.remove(&session);
        self.clients.push(Client { session, facet, buffers: Vec::new() });
        self.attach(self.clients.len() - 1);
    }

    fn attach(&mut self, client: usize) {
        let keep = self.kept.len() as u64;
        let Client { session, buffers, .. } = &mut self.clients[client];
        let Ok(number) = self.router.attach(*session, 2048, keep, 64) else { return };
        buffers.push(number);
        self.kept.insert(keep);
        self.tell_buffers();
    }

    /// The disk knows a buffer by who keeps it, and by its own life.
    fn tell_buffers(&mut self) {
        if self.is_up {
            let life = self.life;
            self.router.buffers().for_each(|(_, keep, handle)| *handle = Some(life << 32 | *keep));
        }
    }

    fn detach(&mut self, session: SessionId, buffer: u16) {
        self.router.detach(session, buffer).unwrap();
        let queue = self.queues.asked.entry(session).or_default();
        for id in queue.iter().map(|entry| entry[0] as u32) {
            let asked = self.asked.get_mut(&id).unwrap();
            if asked.request.buffer == buffer && asked.request.operation.has_data() {
                asked.is_sound = None;
            }
        }
    }

    fn ask(&mut self, client: usize, kind: u8, first: u64, sectors: u32) {
        let Client { session, facet, buffers } = &self.clients[client];
        let (id, session) = (self.next, *session);
        self.next += 1;
        let operation = Operation::ALL[usize::from(kind) % 5];
        let buffer = buffers.get(usize::from(kind >> 4) % (buffers.len() + 1)).copied().unwrap_or(500);
        let request = Request { id, operation, durable: kind & 8 != 0, buffer, offset: 0, first, sectors };
        self.queues.ask(session, request);
        let geometry = facet.geometry(&DISK);
        let room = if buffer == 500 { 0 } else { 2048 };
        let is_sound = Some(geometry.check(&request, room).is_ok());
        let request = Request { first: first.wrapping_add(facet.first()), ..request };
        let before = self.acknowledged.clone();
        let seen = self.disk.sectors.iter().map(|(sector, stamps)| (*sector, stamps.len())).collect();
        self.asked.insert(id, Asked { session, request, is_sound, before, seen });
    }

    fn take(&mut self) {
        while self.router.take(u64::MAX, &mut self.queues) {}
        for (_, completion) in std::mem::take(&mut self.queues.answers) {
            let asked = self.asked.remove(&completion.id).expect("it was asked and not answered");
            let is_fault = matches!(completion.status, Status::Device);
            assert!(asked.is_sound != Some(true) || is_fault, "{:?} is {:?}", asked.request, completion);
            assert_ne!(completion.status, Status::Done);
        }
    }

    fn send(&mut self, count: usize) {
        for _ in 0..count {
            let Some(ask) = self.router.ready() else { return };
            assert!(self.is_up);
            if ask.request.operation.has_data() {
                assert_eq!(ask.handle >> 32, self.life, "memory by the name of another life");
                assert!(!self.released.contains(&(ask.handle & 0xffff_ffff)));
            }
            self.disk.ask(ask);
            self.router.sent();
            assert!(self.disk.works.len() <= usize::from(DEPTH));
        }
    }

    fn complete(&mut self, index: usize) {
        let Some(work) = self.disk.works.get(index).filter(|work| work.is_done()).cloned() else { return };
        if work.request.operation == Operation::Flush {
            self.disk.flush();
        }
        self.disk.works.remove(index);
        let completed = self.router.complete(work.tag, Status::Done, 3).expect("it was asked");
        let Some(completed) = completed else { return };
        let Completion { id, status, detail } = completed.completion;
        let asked = self.asked.remove(&id).expect("it was asked and not answered");
        assert_eq!((completed.session, status, detail), (asked.session, Status::Done, 3));
        assert_ne!(asked.is_sound, Some(false));
        self.is_true(&work, &asked);
    }

    /// What an acknowledgment says.
    fn is_true(&mut self, work: &Work, asked: &Asked) {
        let Request { operation, first, sectors, id, durable, .. } = asked.request;
        assert_eq!(
            (work.request.operation, work.request.first, work.request.sectors),
            (operation, first, sectors)
        );
        let all = first..first + u64::from(sectors);
        match operation {
            Operation::Read => {
                for (sector, stamp) in all.zip(&work.read) {
                    let none = Vec::new();
                    let stamps = self.disk.sectors.get(&sector).unwrap_or(&none);
                    let from = asked.seen.get(&sector).copied().unwrap_or(0).saturating_sub(1);
                    let allowed =
                        stamps[from..].contains(stamp) || (*stamp == 0 && !asked.seen.contains_key(&sector));
                    assert!(allowed, "sector {sector} read as {stamp} of {stamps:?} from {from}");
                }
            }
            Operation::Flush => {
                for (sector, stamp) in &asked.before {
                    assert!(self.disk.is_durable(*sector, *stamp), "{stamp} in {sector} was flushed");
                }
            }
            _ => {
                for sector in all {
                    assert!(self.disk.sectors[&sector].contains(&id));
                    assert!(!durable || self.disk.is_durable(sector, id));
                    self.acknowledged.push((sector, id));
                }
            }
        }
    }

    fn die(&mut self) {
        self.disk.die();
        self.is_up = false;
        self.router.down(&mut self.queues);
        self.take_answers_of_many_lives();
    }

    fn take_answers_of_many_lives(&mut self) {
        for (_, completion) in std::mem::take(&mut self.queues.answers) {
            assert_eq!(completion.status, Status::Device);
            self.asked.remove(&completion.id).expect("it was asked and not answered");
        }
    }

    fn rise(&mut self) {
        if !self.is_up {
            (self.life, self.is_up) = (self.life + 1, true);
            self.tell_buffers();
            self.router.up(&[DISK], &mut self.queues).unwrap();
            self.take_answers_of_many_lives();
        }
    }

    fn close(&mut self, client: usize) {
        let Client { session, .. } = self.clients.remove(client);
        self.router.close(session);
        self.queues.asked.remove(&session);
        self.asked.retain(|_, asked| asked.session != session);
    }

    fn release(&mut self) {
        while let Some(released) = self.router.released() {
            assert!(self.released.insert(released.keep), "let go of twice");
            let names =
                |work: &Work| work.request.operation.has_data() && work.handle & 0xffff_ffff == released.keep;
            assert!(!self.disk.works.iter().any(names), "the disk is at it");
        }
    }

    fn act(&mut self, (kind, what, first, sectors): (u8, u8, u64, u32)) {
        let client = usize::from(what) % self.clients.len().max(1);
        let index = usize::from(what) % self.disk.works.len().max(1);
        match kind % 32 {
            0..=9 if !self.clients.is_empty() => self.ask(client, what.wrapping_mul(37), first, sectors),
            10..=12 => self.take(),
            13..=16 => self.send(usize::from(what % 5)),
            17..=21 => self.disk.step(index, |request| request.id),
            22..=25 => {
                (0..6).for_each(|_| self.disk.step(index, |request| request.id));
                self.complete(index);
            }
            26 => self.die(),
            27 => self.rise(),
            28 if what < 64 && !self.clients.is_empty() => self.close(client),
            29 => self.open((first % 12, 12)),
            30 if !self.clients.is_empty() => match self.clients[client].buffers.pop() {
                Some(buffer) if what < 128 => self.detach(self.clients[client].session, buffer),
                Some(buffer) => self.clients[client].buffers.push(buffer),
                None => self.attach(client),
            },
            _ => self.stray(what.into()),
        }
        self.release();
    }

    /// The disk says that it did what it was not asked.
    fn stray(&mut self, tag: u16) {
        if self.disk.works.iter().all(|work| work.tag != tag) {
            assert!(self.router.complete(tag, Status::Done, 0).is_err());
        }
    }

    /// Everything comes to its end.
    fn settle(&mut self) {
        self.rise();
        for _ in 0..60 {
            self.take();
            self.send(100);
            for _ in 0..6 {
                (0..self.disk.works.len()).for_each(|index| self.disk.step(index, |request| request.id));
            }
            while !self.disk.works.is_empty() {
                self.complete(0);
            }
        }
        assert!(self.router.is_idle());
        assert!(self.asked.is_empty(), "never answered");
        (0..self.clients.len()).rev().for_each(|client| self.close(client));
        self.release();
        assert_eq!(self.released, self.kept, "all memory is let go of");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn every_word_is_true(acts in prop::collection::vec((any::<u8>(), any::<u8>(), 0u64..26, 0u32..6), 1..250)) {
        let mut world = World::new();
        world.rise();
        acts.into_iter().for_each(|act| world.act(act));
        world.settle();
    }
}
