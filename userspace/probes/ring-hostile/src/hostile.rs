//! The hostile process: its first thread reports, all others do harm.

use crate::batch;
use crate::stats::{KINDS, Stats};
use crate::to_control;
use alloc::vec::Vec;
use probe::mutate::{Knowledge, Rng};
use probe::{echo, number};
use rt::abi::RingShape;
use rt::generated::{EndpointFactoryClient, ThreadControlClient, VirtualMemoryClient};
use rt::schema::{INTERFACES, thread_control, virtual_memory};
use rt::{CallError, Cap, CapId, Client, Env, TransportError, raw, sys};

/// Time between two reports.
const PAUSE_NS: u64 = 20_000_000;
/// Reports without progress after which a new process is better.
const PATIENCE: u32 = 25;

/// Methods that may end a thread or the process.
const DEADLY: [(CapId, u16); 5] = [
    (CapId::SELF_THREADS, thread_control::CREATE),
    (CapId::SELF_THREADS, thread_control::EXIT),
    (CapId::SELF_MEMORY, virtual_memory::COMMIT),
    (CapId::SELF_MEMORY, virtual_memory::PROTECT),
    (CapId::SELF_MEMORY, virtual_memory::UNMAP),
];

static STATS: Stats = Stats::new();

/// Exit codes: 0 told to end, 2 badly started, 3 no progress any more, 4 cannot report any more.
pub fn run(mut env: Env) -> i64 {
    let (threads, seed) = (number(&env, "threads", 3), number(&env, "seed", 1));
    let secret = number(&env, "secret", 0);
    let mut own: Vec<(CapId, u64)> = alloc::vec![
        (CapId::SELF_MEMORY, VirtualMemoryClient::ID),
        (CapId::SELF_THREADS, ThreadControlClient::ID),
        (CapId::SELF_ENDPOINTS, EndpointFactoryClient::ID),
    ];
    own.extend(env.granted().map(|granted| (granted.id, granted.interface)));
    let own: &'static [(CapId, u64)] = own.leak();
    let Ok(control) = env.cap("control") else { return 2 };
    for thread in 0..threads {
        let kept = control.id();
        let rng = Rng::new(seed.wrapping_mul(1000).wrapping_add(thread));
        if raw::spawn(shape(thread), 8, move |ring| thread_body(ring, own, kept, rng)).is_err() {
            return 2;
        }
    }
    report(&control, secret)
}

/// Small, default and large rings.
fn shape(thread: u64) -> RingShape {
    match thread % 3 {
        0 => RingShape::DEFAULT,
        1 => RingShape { sq_entries: 8, cq_entries: 16, arena_pages: 1 },
        _ => RingShape { sq_entries: 64, cq_entries: 512, arena_pages: 64 },
    }
}

fn thread_body(ring: &raw::RawRing, own: &[(CapId, u64)], kept: CapId, mut rng: Rng) {
    let mut interfaces = [0; 32];
    for (place, (_, id)) in interfaces.iter_mut().zip(INTERFACES) {
        *place = *id;
    }
    let interfaces = interfaces.get(..INTERFACES.len().min(32)).unwrap_or_default();
    let mut knowledge = Knowledge::new(ring.shape().arena_len() as u32, interfaces, own, kept);
    knowledge.deadly = &DEADLY;
    batch::run(ring, &mut knowledge, &mut rng, &STATS);
}

/// Reports until told to end. `secret` goes along, so that nothing the other threads send passes for a report.
fn report(control: &Cap, secret: u64) -> i64 {
    let mut message = [0; KINDS + 3];
    let mut idle = 0;
    loop {
        // A sleep that needs no capability: those may be gone.
        sys::cap_enter(u64::from(u32::MAX), PAUSE_NS);
        let counts: [u64; KINDS + 2] = STATS.take();
        idle = if counts.first() == Some(&0) { idle + 1 } else { 0 };
        for (sum, count) in message.iter_mut().skip(1).zip(counts) {
            *sum += count;
        }
        message[0] = secret;
        match echo::call::<1>(control, to_control::PROGRESS, &message) {
            Ok([0]) if idle > PATIENCE => return 3,
            Ok([0]) => message = [0; KINDS + 3],
            Ok(_) => return 0,
            // Our other threads have filled the queue: next time.
            Err(CallError::Transport(TransportError::QueueFull)) if idle <= PATIENCE => {}
            Err(_) => return 4,
        }
    }
}
