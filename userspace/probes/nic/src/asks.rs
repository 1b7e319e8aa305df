//! What this end asks, and what comes of it.

use crate::frames::{HEADER, Mac, ask};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use probe::Fields;
use probe::mutate::Rng;

/// How many are asked at a time.
const AT_ONCE: usize = 64;

/// Bytes of the shortest frame, without its checksum.
const SHORTEST: usize = 60;

/// Asks by their numbers.
pub struct Asks {
    own: Mac,
    longest: usize,
    rng: Rng,
    next: u64,
    last: u64,
    /// What was said in those that are not answered.
    open: BTreeMap<u64, Vec<u8>>,
    /// Those of them that are to be asked now, and the one that was asked last.
    due: VecDeque<u64>,
    asked: Option<u64>,
    answered: u64,
    again: u64,
    /// Answers to what nobody asked, or not like that.
    wrong: u64,
    /// Answers to what was answered before: of what was asked again both may come.
    twice: u64,
    /// Frames of other kinds.
    pub others: u64,
}

impl Asks {
    /// So many, of all lengths.
    pub fn new(own: Mac, mtu: u16, seed: u64, count: u64) -> Asks {
        Asks {
            own,
            longest: HEADER + usize::from(mtu),
            rng: Rng::new(seed),
            next: 0,
            last: count,
            open: BTreeMap::new(),
            due: VecDeque::new(),
            asked: None,
            answered: 0,
            again: 0,
            wrong: 0,
            twice: 0,
            others: 0,
        }
    }

    /// Whose they are.
    pub fn mac(&self) -> Mac {
        self.own
    }

    /// Whether all are answered.
    pub fn is_over(&self) -> bool {
        self.next == self.last && self.open.is_empty()
    }

    /// The next frame that asks.
    pub fn next(&mut self) -> Option<Vec<u8>> {
        if self.due.is_empty() && self.open.len() < AT_ONCE && self.next < self.last {
            let said = self.say();
            self.open.insert(self.next, said);
            self.due.push_back(self.next);
            self.next += 1;
        }
        let number = self.due.pop_front()?;
        self.asked = Some(number);
        Some(ask(self.own, self.open.get(&number)?))
    }

    /// A number, and bytes of any length that fits.
    fn say(&mut self) -> Vec<u8> {
        let shortest = SHORTEST - HEADER;
        let most = (self.longest - SHORTEST + 1) as u32;
        let length = match self.next {
            // The shortest and the longest are among them.
            0 => shortest,
            1 => self.longest - HEADER,
            _ => shortest + self.rng.below(most) as usize,
        };
        let mut said = self.next.to_be_bytes().to_vec();
        said.resize_with(length, || self.rng.draw() as u8);
        said
    }

    /// There was no room for the one that was asked last.
    pub fn put_back(&mut self) {
        self.due.extend(self.asked.take());
    }

    /// All that are not answered are asked again.
    pub fn ask_again(&mut self) {
        self.again += self.open.len() as u64;
        self.due = self.open.keys().copied().collect();
    }

    /// Compares an answer with what was asked.
    pub fn look(&mut self, frame: &[u8]) {
        let said = frame.get(HEADER..).unwrap_or_default();
        let number = said.first_chunk().map(|number| u64::from_be_bytes(*number));
        let Some(number) = number.filter(|number| *number < self.next) else { return self.wrong += 1 };
        match self.open.get(&number) {
            None => self.twice += 1,
            Some(asked) if asked[..] == *said && frame.starts_with(&self.own.0) => {
                self.open.remove(&number);
                self.due.retain(|due| *due != number);
                self.answered += 1;
            }
            Some(_) => self.wrong += 1,
        }
    }

    /// What came of it.
    pub fn tell(&self, fields: Fields) -> Fields {
        let fields = fields.value("asked", self.next).value("heard", self.answered);
        let fields = fields.value("again", self.again).value("twice", self.twice);
        fields.value("wrong", self.wrong).value("others", self.others)
    }
}
