//! What a client asked for and was not answered: what is asked again when who serves it died, and another one came.
//!
//! Completions name requests by ids, which come again after 65,536 others; so one that comes twice, or for nothing, is nobody's.
//!
//! It is counted, too, what the device may have in its cache: writes that are done and that no flush covers. If it had no power meanwhile
//! ([`Asked::power_lost`]) nobody knows what became of them, and no flush may say that they are durable. Each flush that was to cover some of them ends
//! with [`Status::Lost`], and so does each that is asked for before one was answered so that covers all of them. Then it is known, and later ones are as ever.

use crate::{Completion, Operation, Pending, Request, Status, Tag};
use alloc::collections::TryReserveError;

/// One request.
#[derive(Debug)]
enum Place {
    /// Nobody answered yet.
    Waits(Waiting),
    Over(Completion),
    /// Nor does anybody wait any more for the one with this id.
    Abandoned(u32),
}

/// One that was not answered.
#[derive(Debug)]
struct Waiting {
    request: Request,
    /// How many writes were done when it was asked.
    covers: u64,
    /// A flush of what is lost.
    is_vain: bool,
}

/// All of a client's.
#[derive(Debug)]
pub struct Asked {
    places: Pending<Place>,
    stamp: u16,
    /// Whether what is written may be lost with the power.
    cache: bool,
    /// Writes that are done and not durable by themselves, ever; how many of them are flushed, or known to be lost.
    written: u64,
    settled: u64,
    /// So many of them may be lost, and nobody was told; 0 when there is nothing to tell.
    lost: u64,
}

impl Asked {
    /// Room for so many at a time, of a device with a cache or without. What somebody else wrote before may be in the cache, too, and this client may depend on
    /// it: a program that was started again on what the one before it wrote. So there is something that no flush covers from the beginning.
    ///
    /// # Errors
    /// There is no memory.
    pub fn new(capacity: u16, cache: bool) -> Result<Asked, TryReserveError> {
        let places = Pending::new(capacity)?;
        Ok(Asked { places, stamp: 0, cache, written: u64::from(cache), settled: 0, lost: 0 })
    }

    /// Takes a request up, whatever its id; gives the one that it has from now on. `None` when there is no room.
    #[inline]
    pub fn ask(&mut self, request: &Request) -> Option<(Tag, u32)> {
        let is_vain = self.lost > 0 && request.operation == Operation::Flush;
        let waiting = Waiting { request: *request, covers: self.written, is_vain };
        let tag = self.places.insert(Place::Waits(waiting)).ok()?;
        self.stamp = self.stamp.wrapping_add(1);
        let id = u32::from(self.stamp) << 16 | u32::from(tag);
        if let Some(Place::Waits(kept)) = self.places.get_mut(tag) {
            kept.request.id = id;
        }
        Some((tag, id))
    }

    /// One is answered; gives its tag, and how it ended, if somebody waits for it.
    #[inline]
    pub fn done(&mut self, completion: Completion) -> Option<(Tag, Completion)> {
        let tag = completion.id as Tag;
        let place = self.places.get_mut(tag)?;
        match place {
            Place::Waits(waiting) if waiting.request.id == completion.id => {
                let Waiting { request, covers, is_vain } = *waiting;
                let is_done = completion.status == Status::Done;
                let status = if is_done && is_vain { Status::Lost } else { completion.status };
                let completion = Completion { status, ..completion };
                *place = Place::Over(completion);
                if status == Status::Lost && covers >= self.lost {
                    self.lost = 0;
                }
                if self.cache && is_done {
                    self.count(&request, covers);
                }
                return Some((tag, completion));
            }
            Place::Abandoned(id) if *id == completion.id => drop(self.places.remove(tag)),
            _ => {}
        }
        None
    }

    /// What a request that is done says of the cache. It is no matter whether discarded sectors come back.
    #[inline]
    fn count(&mut self, request: &Request, covers: u64) {
        match request.operation {
            Operation::Write | Operation::Zero if !request.durable => self.written += 1,
            Operation::Flush => self.settled = self.settled.max(covers),
            _ => {}
        }
    }

    /// The device had no power since the last completion that came from it.
    pub fn power_lost(&mut self) {
        let (settled, written) = (self.settled, self.written);
        if settled == written {
            return;
        }
        (self.settled, self.lost) = (written, written);
        for place in self.places.values_mut() {
            if let Place::Waits(flush) = place
                && flush.request.operation == Operation::Flush
                && flush.covers > settled
            {
                flush.is_vain = true;
            }
        }
    }

    /// How it ended, when it has.
    #[inline]
    pub fn outcome(&self, tag: Tag) -> Option<Completion> {
        match self.places.get(tag) {
            Some(Place::Over(completion)) => Some(*completion),
            _ => None,
        }
    }

    /// Who asked knows how it ended, or does not want to know any more.
    #[inline]
    pub fn forget(&mut self, tag: Tag) {
        match self.places.get_mut(tag) {
            Some(place @ Place::Waits(_)) => {
                if let Place::Waits(Waiting { request, .. }) = *place {
                    *place = Place::Abandoned(request.id);
                }
            }
            Some(Place::Over(_)) => drop(self.places.remove(tag)),
            Some(Place::Abandoned(_)) | None => {}
        }
    }

    /// Who served is gone: what the next one is to be asked, in the order in which it was asked before. For what was abandoned nobody is.
    pub fn again(&mut self) -> impl Iterator<Item = &Request> {
        let abandoned = |(tag, place): (Tag, &Place)| matches!(place, Place::Abandoned(_)).then_some(tag);
        loop {
            let tag = self.places.iter().find_map(abandoned);
            let Some(tag) = tag else { break };
            self.places.remove(tag);
        }
        self.places.iter().filter_map(|(_, place)| match place {
            Place::Waits(waiting) => Some(&waiting.request),
            _ => None,
        })
    }
}

#[cfg(test)]
mod power;

#[cfg(test)]
mod tests {
    use super::Asked;
    use crate::{Completion, Operation, Request, Status, Tag};
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn request(first: u64) -> Request {
        let operation = Operation::Write;
        Request { id: 7, operation, durable: false, buffer: 3, offset: 0, first, sectors: 1 }
    }

    fn done(id: u32) -> Completion {
        Completion { id, status: Status::Done, detail: 0 }
    }

    /// One that was asked: what the list below knows of it.
    #[derive(Clone, Copy, PartialEq, Debug)]
    struct Known {
        tag: Tag,
        id: u32,
        first: u64,
        /// Answered, wanted no more.
        is: (bool, bool),
    }

    #[derive(Clone, Debug)]
    enum Step {
        Ask,
        Answer(usize),
        /// What was answered or abandoned before.
        Stray(usize),
        Forget(usize),
        Die,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => Just(Step::Ask),
            3 => (0usize..9).prop_map(Step::Answer),
            1 => (0usize..99).prop_map(Step::Stray),
            2 => (0usize..9).prop_map(Step::Forget),
            1 => Just(Step::Die),
        ]
    }

    proptest! {
        #[test]
        fn all_that_is_wanted_is_asked_until_it_is_answered_once(
            capacity in 1u16..7,
            steps in proptest::collection::vec(step(), 0..200),
        ) {
            let mut asked = Asked::new(capacity, true).unwrap();
            let mut model: Vec<Known> = Vec::new();
            let mut strays = Vec::from([0, 1, u32::MAX]);
            for (n, step) in (0u64..).zip(steps) {
                match step {
                    Step::Ask => match asked.ask(&request(n)) {
                        Some((tag, id)) => {
                            prop_assert!(model.iter().all(|known| known.tag != tag && known.id != id));
                            prop_assert_eq!(asked.outcome(tag), None);
                            model.push(Known { tag, id, first: n, is: (false, false) });
                        }
                        None => prop_assert_eq!(model.len(), usize::from(capacity)),
                    },
                    Step::Answer(at) => {
                        let waits = model.iter().position(|known| !known.is.0).filter(|_| at < model.len());
                        let Some(at) = waits else { continue };
                        let known = model[at];
                        let wanted = !known.is.1;
                        let over = wanted.then_some((known.tag, done(known.id)));
                        prop_assert_eq!(asked.done(done(known.id)), over);
                        strays.push(known.id);
                        if wanted {
                            prop_assert_eq!(asked.outcome(known.tag), Some(done(known.id)));
                            model[at].is.0 = true;
                        } else {
                            model.remove(at);
                        }
                    }
                    Step::Stray(at) => {
                        let id = strays[at % strays.len()];
                        prop_assert_eq!(asked.done(done(id)), None);
                    }
                    Step::Forget(at) => {
                        if at >= model.len() { continue }
                        asked.forget(model[at].tag);
                        if model[at].is.0 { model.remove(at); } else { model[at].is.1 = true; }
                    }
                    Step::Die => {
                        model.retain(|known| { if known.is.1 { strays.push(known.id); } !known.is.1 });
                        let again: Vec<(u32, u64)> = asked.again().map(|it| (it.id, it.first)).collect();
                        let waits = model.iter().filter(|known| !known.is.0);
                        prop_assert_eq!(again, waits.map(|known| (known.id, known.first)).collect::<Vec<_>>());
                    }
                }
            }
        }
    }
}
