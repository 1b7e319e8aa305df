//! Two honest processes: a server, and a witness that calls it, looks at the clock, and keeps an eye on its own memory.

use crate::{to_control, to_server};
use alloc::vec::Vec;
use probe::mutate::Rng;
use probe::{echo, number};
use rt::abi::PAGE_SIZE;
use rt::generated::TimerClient;
use rt::region::Region;
use rt::schema::virtual_memory::Protection;
use rt::serve::{Event, run_blocking};
use rt::{CallError, Cap, Env, ExceptionCode, Request, TransportError, sys};

/// Badge of the witness; strangers have others.
pub const WITNESS: u64 = 1;
/// Most words of one call.
const WORDS: usize = 32;
/// Pages that the witness guards.
const GUARDED: u64 = 64 * PAGE_SIZE as u64;
/// Rounds between two reports.
const ROUNDS: u64 = 50;
/// Rest between two reports.
const PAUSE_NS: u64 = 10_000_000;

/// What the server makes of a word: wrong bits anywhere change everything.
pub fn image(word: u64) -> u64 {
    (word ^ (word >> 29)).wrapping_mul(0xd6e8_feb8_6659_fd93).rotate_left(17)
}

/// The server.
pub fn serve(mut env: Env) -> i64 {
    let Ok(endpoint) = env.cap("serve") else { return 2 };
    let mut strangers = 0;
    run_blocking(&endpoint, |event| {
        let Event::Call(request) = event else { return };
        strangers += u64::from(request.context().badge() != WITNESS);
        answer(request, strangers);
    });
    0
}

fn answer(request: Request, strangers: u64) {
    match request.method() {
        to_server::IMAGES => {
            let images: Vec<u64> = request
                .bytes()
                .as_chunks::<8>()
                .0
                .iter()
                .map(|word| image(u64::from_le_bytes(*word)))
                .collect();
            echo::answer(request, &images);
        }
        to_server::STRANGERS => echo::answer(request, &[strangers]),
        _ => request.fail(ExceptionCode::Unsupported.into()),
    }
}

struct Witness {
    server: Cap,
    timer: TimerClient,
    guarded: Region,
    rng: Rng,
    last_ns: u64,
    rounds: u64,
    wrong: u64,
    failed: u64,
    damaged: u64,
}

/// The witness.
pub fn run(mut env: Env) -> i64 {
    let seed = number(&env, "seed", 1);
    let (Ok(server), Ok(timer), Ok(control)) = (env.cap("server"), env.client("timer"), env.cap("control"))
    else {
        return 2;
    };
    let Ok(guarded) = Region::reserve(GUARDED) else { return 2 };
    if guarded.commit(0, GUARDED, Protection::ReadWrite).is_err() {
        return 2;
    }
    let rng = Rng::new(seed);
    let mut witness =
        Witness { server, timer, guarded, rng, last_ns: 0, rounds: 0, wrong: 0, failed: 0, damaged: 0 };
    witness.paint();
    loop {
        for _ in 0..ROUNDS {
            witness.round();
        }
        witness.look();
        let Witness { rounds, wrong, failed, damaged, .. } = witness;
        match echo::call::<1>(&control, to_control::WITNESSED, &[rounds, wrong, failed, damaged]) {
            Ok([0]) => {}
            Err(CallError::Transport(TransportError::QueueFull)) => {}
            Ok(_) => return 0,
            Err(_) => return 4,
        }
        sys::cap_enter(1, PAUSE_NS);
    }
}

impl Witness {
    fn paint(&self) {
        for offset in (0..GUARDED).step_by(8) {
            self.guarded.store(offset, image(offset));
        }
    }

    /// Compares the guarded memory with what was painted.
    fn look(&mut self) {
        let damaged =
            (0..GUARDED).step_by(8).filter(|offset| self.guarded.load(*offset) != Some(image(*offset)));
        self.damaged += damaged.count() as u64;
    }

    /// One call of the server and one of the clock.
    fn round(&mut self) {
        self.rounds += 1;
        let count = 1 + self.rng.below(WORDS as u32) as usize;
        let words: [u64; WORDS] = core::array::from_fn(|_| self.rng.draw());
        let words = words.get(..count).unwrap_or_default();
        match echo::call::<WORDS>(&self.server, to_server::IMAGES, words) {
            Ok(answer) => {
                let right = words.iter().zip(answer).all(|(word, answer)| image(*word) == answer);
                let rest = answer.get(count..).is_some_and(|rest| rest.iter().all(|word| *word == 0));
                self.wrong += u64::from(!right || !rest);
            }
            // The strangers have filled the queue, as they may.
            Err(CallError::Transport(TransportError::QueueFull)) => self.rounds -= 1,
            Err(_) => self.failed += 1,
        }
        match self.timer.now_blocking() {
            Ok(now) => {
                self.wrong += u64::from(now < self.last_ns);
                self.last_ns = now;
            }
            Err(_) => self.failed += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::image;

    #[test]
    fn every_bit_matters() {
        for bit in 0..64 {
            assert_ne!(image(1 << bit), image(0));
        }
    }
}
