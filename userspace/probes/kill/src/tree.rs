//! Processes that make processes: each has two children, ends one after the other and makes another. Who loses its parent ends: a thread
//! of it waits in a call that the parent never receives.

use crate::{ALONE, NOT_SET_UP};
use core::mem::ManuallyDrop;
use probe::child::Child;
use probe::mutate::Rng;
use probe::{Limits, Nursery, echo, factory, number};
use rt::generated::{
    BootPackageClient, LogSinkClient, ProcessHandleClient, ProcessSpawnerClient, TimerClient,
};
use rt::{CallError, Cap, Client, Env, EnvError, threads};

/// Levels below the first.
pub const DEPTH: u64 = 2;
/// Pages of a leaf with its heap, and of everything that its parents add.
const LEAF_PAGES: u32 = 300;

/// What a process with `depth` levels below it may use.
pub fn limits(depth: u64) -> Limits {
    // Two children and one that is being made.
    let all = (0..depth).fold(1, |below, _| 3 * below + 1);
    Limits {
        memory_pages: LEAF_PAGES * all,
        cap_slots: 32 * all,
        threads: 2 * all,
        calls_in_flight: 128 * all,
        endpoint_entries: 8 * all,
        log_bytes: 1024 * all,
        priority: 5,
        cpu_percent: 0,
        dma_pages: 0,
        vectors: 0,
    }
}

pub fn run(mut env: Env) -> i64 {
    if let Ok(parent) = env.cap("parent") {
        let waits = threads::spawn(5, move || {
            // Never answered.
            let _ = echo::call::<1>(&parent, 0, &[]);
            rt::sys::exit(ALONE);
        });
        if waits.is_err() {
            return NOT_SET_UP;
        }
    }
    let depth = number(&env, "depth", 0);
    let rng = Rng::new(number(&env, "seed", 1));
    let Ok((nursery, timer)) = setup(&mut env) else { return NOT_SET_UP };
    match grow(&nursery, &timer, depth, rng) {
        Ok(()) => ALONE,
        Err(_) => NOT_SET_UP,
    }
}

fn setup(env: &mut Env) -> Result<(Nursery, TimerClient), EnvError> {
    Ok((Nursery::new(env)?, env.client("timer")?))
}

fn grow(nursery: &Nursery, timer: &TimerClient, depth: u64, mut rng: Rng) -> Result<(), CallError> {
    let line = factory().create_blocking(6)?;
    let facet = line.mint_blocking(1, echo::INTERFACE)?;
    let mut children: [Option<ProcessHandleClient>; 2] = [None, None];
    loop {
        let until = timer.now_blocking()? + u64::from(rng.below(200_000));
        timer.sleep_until_blocking(until)?;
        if depth == 0 {
            continue;
        }
        let at = usize::from(rng.chance(1, 2));
        let Some(place) = children.get_mut(at) else { continue };
        match place.take() {
            Some(child) => {
                child.kill_blocking()?;
                // Its own children end a little later, and then its budget is ours again.
                child.wait_blocking()?;
            }
            // Not yet, while those of the last one are still there.
            None => *place = child(nursery, timer, &facet, depth - 1, rng.draw() >> 1).ok(),
        }
    }
}

/// Our own log, for last words.
pub fn with_log(child: Child) -> Result<Child, CallError> {
    match rt::log::sink() {
        Some(log) => child.lend("log", &*ManuallyDrop::new(LogSinkClient::from(Cap::from_id(log)))),
        None => Ok(child),
    }
}

fn child(
    nursery: &Nursery,
    timer: &TimerClient,
    parent: &Cap,
    depth: u64,
    seed: u64,
) -> Result<ProcessHandleClient, CallError> {
    let program = nursery.program("probe-kill")?;
    let args = [alloc::format!("--depth={depth}"), alloc::format!("--seed={seed}")];
    let child = nursery.child(&program, &limits(depth), "tree")?.arg("--role=tree");
    let child =
        args.iter().fold(child, |child, arg| child.arg(arg)).give("parent", echo::INTERFACE, parent)?;
    let child = child.lend("timer", timer)?;
    let child = with_log(child)?;
    let child = child.give("boot", BootPackageClient::ID, nursery.boot().cap())?;
    let child = child.give("spawner", ProcessSpawnerClient::ID, nursery.spawner().cap())?;
    // Some are never started.
    if seed.is_multiple_of(4) { Ok(child.unstarted()) } else { child.start() }
}
