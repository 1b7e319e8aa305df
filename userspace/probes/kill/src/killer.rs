//! Who kills, and counts what is left.

use crate::ALONE;
use crate::Setup;
use crate::board::Count;
use crate::cast::{PARTS, Part, World};
use probe::mutate::Rng;
use probe::{Fields, number};
use rt::generated::ProcessHandleClient;
use rt::schema::process_handle::{ExitReason, WaitResults};
use rt::{CallError, Env};

/// Kills of one world; then everything is taken away, and nothing may be left.
const ROUND: u64 = 250;

/// What became of all who were killed.
#[derive(Default)]
struct Tally {
    kills: u64,
    /// That had left before, as they should.
    left: u64,
    /// That ended otherwise.
    wrong: u64,
    slowest_ns: u64,
    done: u64,
    disconnected: u64,
    refused: u64,
    mistakes: u64,
    /// Looks at the books of all processes, and how many were not in order.
    looks: u64,
    disorder: u64,
}

struct Killer<'s> {
    setup: &'s Setup,
    rng: Rng,
    life_ns: u32,
    /// Kills from one look at the books to the next; 0 for never.
    books: u64,
    tally: Tally,
}

pub fn all(setup: &Setup, env: &Env) -> Result<(), CallError> {
    let kills = number(env, "kills", 1000);
    let life_ns = number(env, "life", 1_000_000) as u32;
    let rng = Rng::new(number(env, "seed", 1));
    let mut killer = Killer { setup, rng, life_ns, books: number(env, "books", 0), tally: Tally::default() };
    // Twice to warm up: the heaps and tables then have the size that they need.
    for _ in 0..2 {
        killer.round(ROUND)?;
    }
    killer.tally = Tally::default();
    let before = setup.audit.counts()?;
    while killer.tally.kills < kills {
        killer.round(ROUND.min(kills - killer.tally.kills))?;
        setup.audit.compare(&setup.report, before)?;
    }
    let tally = &killer.tally;
    let fields = Fields::new()
        .value("kills", tally.kills)
        .value("left", tally.left)
        .value("wrong_ends", tally.wrong)
        .value("done", tally.done)
        .value("disconnected", tally.disconnected)
        .value("refused", tally.refused)
        .value("mistakes", tally.mistakes)
        .value("looks", tally.looks)
        .value("disorder", tally.disorder)
        .value("slowest_ns", tally.slowest_ns);
    setup.report.event("kill.done", fields);
    setup.audit.report(&setup.report, before);
    Ok(())
}

impl Killer<'_> {
    /// A world of its own, killed piece by piece and then as a whole.
    fn round(&mut self, kills: u64) -> Result<(), CallError> {
        let mut world = World::new(self.setup, || self.rng.draw() >> 1)?;
        let end = self.tally.kills + kills;
        let whole = u64::from(world.len());
        while self.tally.kills + whole < end {
            self.pause();
            let at = self.rng.below(world.len());
            let Some((part, handle)) = world.take(at) else { break };
            self.kill(&handle)?;
            self.look()?;
            self.again(&mut world, part)?;
        }
        while let Some((_, handle)) = world.take(0) {
            self.pause();
            self.kill(&handle)?;
        }
        for part in PARTS.into_iter().filter(|part| world.board.count(*part as u64, Count::Wrong) > 0) {
            let error = world.board.last_error(part as u64);
            self.setup.report.check("what members see", false, format_args!("{part:?}: {error}"));
        }
        for (count, sum) in [
            (Count::Good, &mut self.tally.done),
            (Count::Disconnected, &mut self.tally.disconnected),
            (Count::Refused, &mut self.tally.refused),
            (Count::Wrong, &mut self.tally.mistakes),
        ] {
            *sum += world.board.sum(count);
        }
        Ok(())
    }

    /// Mostly long enough for some work, sometimes so short that a victim has hardly begun.
    fn pause(&mut self) {
        let most = if self.rng.chance(1, 4) { self.life_ns / 16 } else { self.life_ns };
        self.setup.audit.pause(u64::from(self.rng.below(most.max(1))));
    }

    /// Somebody else takes the part. With its server goes the server's client.
    fn again(&mut self, world: &mut World, part: Part) -> Result<(), CallError> {
        let parts: &[Part] = match part {
            Part::Lonely | Part::Widow => {
                let peer = if part == Part::Lonely { Part::Widow } else { Part::Lonely };
                if let Some(handle) = world.take_part(peer) {
                    self.kill(&handle)?;
                }
                &[Part::Lonely, Part::Widow]
            }
            _ => &[part],
        };
        parts.iter().try_for_each(|part| world.start(self.setup, *part, self.rng.draw() >> 1))
    }

    fn kill(&mut self, handle: &ProcessHandleClient) -> Result<(), CallError> {
        let timer = self.setup.audit.timer();
        let began = timer.now_blocking()?;
        handle.kill_blocking()?;
        let took = timer.now_blocking()? - began;
        self.tally.slowest_ns = self.tally.slowest_ns.max(took);
        self.tally.kills += 1;
        match handle.wait_blocking()? {
            WaitResults { reason: ExitReason::Killed, .. } => {}
            WaitResults { reason: ExitReason::Exited, code: ALONE } => self.tally.left += 1,
            _ => self.tally.wrong += 1,
        }
        Ok(())
    }

    /// Whether everybody's books are in order in the middle of it all. For one processor: with more, others change them while we look.
    fn look(&mut self) -> Result<(), CallError> {
        if self.books > 0 && self.tally.kills.is_multiple_of(self.books) {
            self.tally.looks += 1;
            self.tally.disorder += self.setup.audit.disorder(&self.setup.report)?;
        }
        Ok(())
    }
}
