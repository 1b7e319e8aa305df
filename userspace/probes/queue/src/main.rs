//! Shared queues between two processes: a whole stream each way, peers that are killed at any point, and a peer that scribbles over the memory
//! that both see. Nothing may come torn, twice or out of order; nobody may wait for somebody who is gone; nothing may be left behind.
#![cfg_attr(capos, no_std, no_main)]

mod peer;

use kit::queue::{End, Receiver, Sender};
use probe::{Audit, Fields, Limits, Nursery, Report, factory, number, options};
use rt::generated::{EndpointClient, ProcessHandleClient, SharedQueueClient};
use rt::schema::process_handle::ExitReason;
use rt::{CallError, Client, Env, EnvError};

rt::main!(run);

/// Words of an entry: 64 bytes.
pub const WORDS: usize = 8;
/// Entries of a queue.
pub const ENTRIES: u32 = 32;
/// Entries of a whole stream.
pub const STREAM: u64 = 100_000;

/// One entry.
pub type Entry = [u64; WORDS];

/// Number `n` of the stream: every word tells, so that one which is torn, twice or out of order shows.
pub fn entry(n: u64) -> Entry {
    core::array::from_fn(|word| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ word as u64)
}

struct Setup {
    report: Report,
    nursery: Nursery,
    audit: Audit,
    kills: u64,
    seed: u64,
}

fn run(mut env: Env) -> i64 {
    match options::text(&env, "role") {
        Some("peer") => peer::run(env, false),
        Some("hostile") => peer::run(env, true),
        _ => match setup(&mut env) {
            Ok(setup) => {
                let done = all(&setup);
                if let Err(error) = &done {
                    setup.report.check("queue", false, error);
                }
                setup.report.finish(u8::from(done.is_err()))
            }
            Err(_) => 2,
        },
    }
}

fn setup(env: &mut Env) -> Result<Setup, EnvError> {
    Ok(Setup {
        report: Report::new(env)?,
        nursery: Nursery::new(env)?,
        audit: Audit::new(env)?,
        kills: number(env, "kills", 20),
        seed: number(env, "seed", 1),
    })
}

fn all(setup: &Setup) -> Result<(), CallError> {
    // Once to warm up.
    kill(setup, 0)?;
    let before = setup.audit.counts()?;
    let streams = streams(setup)?;
    for n in 0..setup.kills {
        kill(setup, n)?;
    }
    let (faults, ends) = hostile(setup)?;
    let fields = Fields::new().value("sent", streams.0).value("received", streams.1);
    let fields = fields.value("kills", 2 * setup.kills).value("faults", faults).value("ends", ends);
    setup.report.event("queue.done", fields);
    setup.audit.report(&setup.report, before);
    Ok(())
}

/// The other process, and where it takes the call.
fn peer(setup: &Setup, role: &str, seed: u64) -> Result<(ProcessHandleClient, SharedQueueClient), CallError> {
    let endpoint = factory().create_blocking(4)?;
    let facet = endpoint.mint_blocking(1, SharedQueueClient::ID)?;
    let program = setup.nursery.program("probe-queue")?;
    let child = setup.nursery.child(&program, &Limits::SMALL, "peer")?.arg(role);
    let mut text = [0; 32];
    let child = child.arg(seed_argument(seed, &mut text));
    let child = child.give("serve", EndpointClient::ID, endpoint)?;
    Ok((child.start()?, SharedQueueClient::from(facet)))
}

/// `--seed=` and digits.
fn seed_argument(seed: u64, text: &mut [u8; 32]) -> &str {
    let digits = b"0123456789";
    let (prefix, rest) = text.split_at_mut(7);
    prefix.copy_from_slice(b"--seed=");
    let mut left = seed;
    for place in rest.iter_mut().take(20).rev() {
        *place = digits.get((left % 10) as usize).copied().unwrap_or(b'0');
        left /= 10;
    }
    core::str::from_utf8(text.get(..27).unwrap_or_default()).unwrap_or("")
}

/// How the peer ended, when it did so by itself.
fn code(handle: &ProcessHandleClient) -> Result<i64, CallError> {
    let ended = handle.wait_blocking()?;
    Ok(if ended.reason == ExitReason::Exited { ended.code } else { i64::MIN })
}

/// A whole stream each way; gives what the peers counted.
fn streams(setup: &Setup) -> Result<(i64, i64), CallError> {
    let (handle, facet) = peer(setup, "--role=peer", 0)?;
    let sent = peer::produce(Sender::open_blocking(&facet, ENTRIES)?);
    setup.report.equal("everything was taken", sent, STREAM as i64);
    let counted = code(&handle)?;
    setup.report.equal("and arrived", counted, STREAM as i64);
    let (handle, facet) = peer(setup, "--role=peer", 0)?;
    let received = peer::consume(Receiver::open_blocking(&facet, ENTRIES)?);
    setup.report.equal("everything came", received, STREAM as i64);
    setup.report.equal("as it was sent", code(&handle)?, STREAM as i64);
    Ok((counted, received))
}

/// Kills the peer at some point, as producer and as consumer: what is left of the stream is in order, and then it is over.
fn kill(setup: &Setup, n: u64) -> Result<(), CallError> {
    let some = (setup.seed.wrapping_mul(0x9e37_79b9).wrapping_add(n * 7919) >> 3) % 600;
    let (handle, facet) = peer(setup, "--role=peer", 0)?;
    let mut receiver = Receiver::<WORDS>::open_blocking(&facet, ENTRIES)?;
    let mut next = 0;
    let mut batch = [[0; WORDS]; 5];
    let mut killed = false;
    let end = loop {
        if next >= some && !killed {
            killed = true;
            handle.kill_blocking()?;
        }
        match receiver.pop_all_blocking(&mut batch) {
            Ok(count) => {
                let ordered = batch.iter().take(count).zip(next..).all(|(found, n)| *found == entry(n));
                if !ordered {
                    setup.report.check("what a dead producer left is whole", false, next);
                }
                next += count as u64;
            }
            Err(end) => break end,
        }
    };
    report_end(setup, "a consumer hears of its producer's death", &end);
    let (handle, facet) = peer(setup, "--role=peer", 0)?;
    let mut sender = Sender::<WORDS>::open_blocking(&facet, ENTRIES)?;
    let mut next = 0;
    let end = loop {
        if next == some {
            handle.kill_blocking()?;
        }
        if let Err(end) = sender.push_all_blocking(&[entry(next)]) {
            break end;
        }
        next += 1;
    };
    report_end(setup, "a producer hears of its consumer's death", &end);
    Ok(())
}

/// Only what is wrong is worth a line.
fn report_end(setup: &Setup, name: &str, end: &End) {
    if *end != End::Gone {
        setup.report.check(name, false, end);
    }
}

/// A peer that writes over everything: faults and ends, and nothing else. Gives how many of each.
fn hostile(setup: &Setup) -> Result<(u64, u64), CallError> {
    let (mut faults, mut ends) = (0, 0);
    for n in 0..12 {
        let (handle, facet) = peer(setup, "--role=hostile", setup.seed * 31 + n)?;
        let end = if n % 2 == 0 {
            let mut sender = Sender::<WORDS>::open_blocking(&facet, ENTRIES)?;
            loop {
                if let Err(end) = sender.push_all_blocking(&[entry(1), entry(2), entry(3)]) {
                    break end;
                }
            }
        } else {
            let mut receiver = Receiver::<WORDS>::open_blocking(&facet, ENTRIES)?;
            let mut batch = [[0; WORDS]; 8];
            loop {
                if let Err(end) = receiver.pop_all_blocking(&mut batch) {
                    break end;
                }
            }
        };
        match end {
            End::Fault(_) => faults += 1,
            End::Gone => ends += 1,
            End::Call(error) => setup.report.check("a hostile peer", false, error),
        }
        handle.kill_blocking()?;
    }
    Ok((faults, ends))
}
