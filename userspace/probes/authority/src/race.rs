//! Revocation while others spread what is revoked, and while who revokes is killed.

use crate::Setup;
use crate::spread::BEREFT;
use alloc::format;
use alloc::vec::Vec;
use probe::mutate::Rng;
use probe::{Limits, echo, factory};
use rt::CallError;
use rt::Client;
use rt::generated::{EndpointClient, MemoryObjectClient, ProcessHandleClient};
use rt::schema::process_handle::ExitReason;
use rt::threads::memory;

/// Slots of a child when nothing is left of what it was given: its own three, the right to receive and the facet.
const BARE_SLOTS: u64 = 5;
const SLOTS: u32 = 64;
/// Processes that spread.
const SPREADERS: u64 = 2;
/// Longest that they do.
const LONGEST_NS: u32 = 3_000_000;

/// What has been seen.
#[derive(Clone, Copy, Default)]
pub struct Seen {
    pub rounds: u64,
    /// Revocations that were killed in the middle, or between two.
    pub killed: u64,
    /// Spreaders that found themselves without anything.
    pub bereft: u64,
    /// Slots that were still taken when the revocation was over.
    pub left: u64,
    /// Disagreements of trees, tables and budgets.
    pub wrong: u64,
}

fn child(
    setup: &Setup,
    role: &str,
    seed: u64,
    given: &MemoryObjectClient,
) -> Result<ProcessHandleClient, CallError> {
    let endpoint = factory().create_blocking(4)?;
    let facet = endpoint.mint_blocking(1, echo::INTERFACE)?;
    let program = setup.nursery.program("probe-authority")?;
    let limits = Limits { cap_slots: SLOTS, ..Limits::threads(2) };
    let child = setup.nursery.child(&program, &limits, role)?;
    child
        .arg(&format!("--role={role}"))
        .arg(&format!("--seed={seed}"))
        .give("right", EndpointClient::ID, endpoint)?
        .give("facet", echo::INTERFACE, facet)?
        .lend("given", given)?
        .start()
}

/// Plays so many rounds.
pub fn run(setup: &Setup, seed: u64, rounds: u64) -> Result<Seen, CallError> {
    let (mut rng, mut seen) = (Rng::new(seed), Seen::default());
    for _ in 0..rounds {
        round(setup, &mut rng, &mut seen)?;
        seen.rounds += 1;
    }
    Ok(seen)
}

fn round(setup: &Setup, rng: &mut Rng, seen: &mut Seen) -> Result<(), CallError> {
    let object = memory().create_object_blocking(4096)?;
    let spreaders: Vec<ProcessHandleClient> =
        (0..SPREADERS).map(|_| child(setup, "spread", rng.draw() >> 1, &object)).collect::<Result<_, _>>()?;
    let revoker = child(setup, "take-back", rng.draw() >> 1, &object)?;
    setup.audit.pause(u64::from(rng.below(LONGEST_NS)));
    // At some instruction of its revocations. What it had goes, and what was made of that derives from ours.
    revoker.kill_blocking()?;
    seen.killed += 1;
    seen.wrong += setup.audit.system().derivation_blocking()?.wrong;
    setup.audit.pause(u64::from(rng.below(LONGEST_NS)) / 4);
    object.cap().revoke_blocking()?;
    for spreader in &spreaders {
        let id = spreader.info_blocking()?.id;
        // Who has ended is no more in the list.
        let books = setup.audit.system().process_blocking(id);
        let slots = books.ok().filter(|books| books.id == id).map_or(0, |books| u64::from(books.slots));
        seen.left += slots.saturating_sub(BARE_SLOTS);
    }
    for spreader in spreaders {
        let end = spreader.wait_blocking()?;
        seen.bereft += u64::from(end.reason == ExitReason::Exited && end.code == BEREFT);
    }
    seen.wrong += setup.audit.system().derivation_blocking()?.wrong;
    Ok(())
}
