//! What a crash can leave of a volume, systematically.
//!
//! A [`Recorder`] is a disk that notes every write and flush of a run. From that follow the states in which the machine could have
//! stopped: what was flushed is there, and of what was written since any part, in any order, some of it torn. Each is mounted with the
//! code that ships, checked, and compared with a [`Model`] of what was done: it is the model's state after some operation, not before
//! the last one that was synced.

mod campaign;
mod dump;
mod image;
mod judge;
mod log;
mod model;
mod op;
mod record;
mod replay;
mod run;
mod states;
mod story;
mod workload;

pub use campaign::{Campaign, Found, Summary, campaign};
pub use dump::{Dump, Node};
pub use image::Image;
pub use judge::{Bad, judge};
pub use log::{Recording, read_log};
pub use model::Model;
pub use op::{Expect, Op};
pub use record::{Event, Fault, Recorder};
pub use replay::{Choice, Replayed, kept, replay};
pub use run::{Run, run};
pub use states::{State, states};
pub use story::{Said, Story};
pub use workload::{Random, base, pairs, random, singles, some_pairs};

use core::pin::pin;
use core::task::{Context, Poll, Waker};

/// Runs a future that waits for nothing: the disks here answer at once.
///
/// # Panics
/// When it waits.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..1000 {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
    }
    panic!("a disk in memory does not have anybody wait");
}

#[cfg(test)]
mod failing;
#[cfg(test)]
mod tests;
