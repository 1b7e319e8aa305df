//! Queues of clients.

use crate::route::{Clients, SessionId};
use crate::{Completion, Operation, Request, WORDS};
use std::collections::{BTreeMap, VecDeque};
use std::vec::Vec;

#[derive(Default)]
pub struct Queues {
    pub asked: BTreeMap<SessionId, VecDeque<[u64; WORDS]>>,
    pub answers: Vec<(SessionId, Completion)>,
    /// Who was asked for one, and how many it had under way.
    pub popped: Vec<(SessionId, u32)>,
}

impl Queues {
    pub fn ask(&mut self, id: SessionId, request: Request) {
        self.asked.entry(id).or_default().push_back(request.encode());
    }
}

impl Clients for Queues {
    fn pop(&mut self, session: SessionId, under_way: u32) -> Option<[u64; WORDS]> {
        let entry = self.asked.get_mut(&session)?.pop_front()?;
        self.popped.push((session, under_way));
        Some(entry)
    }

    fn answer(&mut self, session: SessionId, completion: Completion) {
        self.answers.push((session, completion));
    }
}

pub fn request(id: u32, operation: Operation, first: u64, sectors: u32) -> Request {
    Request { id, operation, durable: false, buffer: 0, offset: 0, first, sectors }
}
