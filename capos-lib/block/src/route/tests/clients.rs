//! Queues of clients.

use crate::route::{Clients, SessionId};
use crate::{Completion, Operation, Request, WORDS};
use std::collections::{BTreeMap, VecDeque};
use std::vec::Vec;

#[derive(Default)]
pub struct Queues {
    pub asked: BTreeMap<SessionId, VecDeque<[u64; WORDS]>>,
    pub answers: Vec<(SessionId, Completion)>,
}

impl Queues {
    pub fn ask(&mut self, id: SessionId, request: Request) {
        self.asked.entry(id).or_default().push_back(request.encode());
    }
}

impl Clients for Queues {
    fn fetch(&mut self, session: SessionId, out: &mut [[u64; WORDS]]) -> usize {
        let Some(queue) = self.asked.get_mut(&session) else { return 0 };
        let count = queue.len().min(out.len());
        out.iter_mut().zip(queue.drain(..count)).for_each(|(place, entry)| *place = entry);
        count
    }

    fn answer(&mut self, session: SessionId, completion: Completion) {
        self.answers.push((session, completion));
    }
}

pub fn request(id: u32, operation: Operation, first: u64, sectors: u32) -> Request {
    Request { id, operation, durable: false, buffer: 0, offset: 0, first, sectors }
}
