//! A process that spreads what it was given as fast as it can, in its own table: until nothing of it is left, or for ever.

use probe::bare::{Bare, INBOX_CAPS, answer, recv};
use probe::echo;
use probe::mutate::Rng;
use rt::CapId;
use rt::abi::{Op, RingShape, Sqe, TransferSlot};
use rt::schema::Empty;

/// Granted to it: the right to receive, a facet of the same endpoint, and what is to be spread.
const RIGHT: CapId = CapId::granted(0);
const FACET: CapId = CapId::granted(1);
const GIVEN: CapId = CapId::granted(2);

/// Most that it has at a time.
const MOST: usize = 48;

/// What it ends with when all is gone.
pub const BEREFT: i64 = 42;

/// Spreads until nothing is left.
pub fn spread(seed: u64) -> i64 {
    on_bare_ring(move |bare| {
        let mut hoard = Hoard { bare, held: [CapId::NULL; MOST], count: 0, rng: Rng::new(seed) };
        hoard.keep(GIVEN);
        while hoard.count > 0 {
            hoard.copy_one();
        }
    })
}

/// Spreads a little and takes it back, over and over.
pub fn take_back(seed: u64) -> i64 {
    on_bare_ring(move |bare| {
        let mut hoard = Hoard { bare, held: [CapId::NULL; MOST], count: 0, rng: Rng::new(seed) };
        while hoard.revoke(GIVEN) {
            hoard.count = 0;
            hoard.keep(GIVEN);
            (0..MOST).for_each(|_| hoard.copy_one());
        }
    })
}

fn on_bare_ring(work: impl FnOnce(Bare<'_>) + Send + 'static) -> i64 {
    let done = rt::raw::spawn(RingShape::DEFAULT, 10, move |ring| work(Bare::new(ring)));
    if done.and_then(rt::threads::JoinHandle::join).is_ok() { BEREFT } else { 1 }
}

struct Hoard<'r> {
    bare: Bare<'r>,
    held: [CapId; MOST],
    count: usize,
    rng: Rng,
}

impl Hoard<'_> {
    fn keep(&mut self, id: CapId) {
        if let Some(place) = self.held.get_mut(self.count) {
            *place = id;
            self.count += 1;
        }
    }

    /// Forgets number `n`.
    fn forget(&mut self, n: usize) {
        self.count -= 1;
        self.held.swap(n, self.count);
    }

    /// Sends itself a copy of something that it has; gives something else up when there are too many.
    fn copy_one(&mut self) {
        let n = self.rng.below(self.count as u32) as usize;
        let Some(id) = self.held.get(n).copied() else { return };
        if self.count == MOST {
            self.bare.release(id);
            return self.forget(n);
        }
        let sqe = self.bare.call((FACET, echo::INTERFACE), 0, &Empty, &[TransferSlot::copy(id)], 0);
        let sent = self.bare.start(&sqe);
        let arrival = self.bare.start(&recv(RIGHT, 1));
        self.bare.flush();
        match self.bare.poll(arrival) {
            Some(came) if came.result >= 0 && came.caps == 1 => {
                let copy = CapId::from_raw(self.bare.ring.arena(INBOX_CAPS));
                self.bare.run(&answer(RIGHT, came.token, 0));
                self.bare.wait(sent);
                self.keep(copy);
            }
            _ => {
                // The call has ended with its transfer: what it named has gone, or is going.
                self.bare.run(&Sqe { op: Op::Cancel as u8, aux: arrival, ..Sqe::default() });
                self.bare.wait(arrival);
                self.bare.wait(sent);
                self.forget(n);
            }
        }
    }

    /// Whether there was something to revoke from.
    fn revoke(&mut self, id: CapId) -> bool {
        self.bare.run(&Sqe { op: Op::Revoke as u8, cap: id.raw(), ..Sqe::default() }).result == 0
    }
}
