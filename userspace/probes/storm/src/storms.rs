//! What there is to do much of. Each is done by a thread of the lowest priority, which says in the end how much it was.

use crate::Setup;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use probe::bare::{Bare, MESSAGE, REPLY, recv};
use probe::{Limits, echo, factory};
use rt::abi::ring::sqe_flags;
use rt::abi::{CapId, Op, PAGE_SIZE, RingShape, Sqe};
use rt::threads::{JoinHandle, memory};
use rt::{CallError, raw, sys, threads};

/// Says how much was done.
type Tell = Box<dyn FnOnce(u64) + Send>;
/// Starts one.
pub type Storm = fn(&Arc<Setup>, Box<dyn FnOnce(u64) + Send>) -> Result<JoinHandle, CallError>;

/// All of them.
pub const WHAT: [(&str, Storm); 8] = [
    ("calm", calm),
    ("alarms", alarms),
    ("misfits", |_, tell| calls(tell, fail_all)),
    ("close", |_, tell| calls(tell, |bare, right, _| give_up(bare, right))),
    ("received", |_, tell| calls(tell, receive_and_give_up)),
    ("revoke", |_, tell| calls(tell, revoke)),
    ("load", load),
    ("audit", audit),
];

const LOWEST: u8 = 1;
/// As many as a ring and an endpoint take.
const MANY: u64 = 1000;
const DEPTH: u32 = 1024;
const SHAPE: RingShape = RingShape { sq_entries: 1024, cq_entries: 4096, arena_pages: 8 };
/// How long the first thread needs to get to its naps.
const SOON_NS: u64 = 20_000_000;
/// Pages that a program of two asks for: 64 MiB.
const PAGES: u64 = 16_384;
/// Capabilities that are gone over.
const FACETS: usize = 1500;

/// Nothing, for some naps: what napping takes by itself.
fn calm(_: &Arc<Setup>, tell: Tell) -> Result<JoinHandle, CallError> {
    threads::spawn(LOWEST, move || {
        (0..1_000_000u64).for_each(|turn| {
            core::hint::black_box(turn);
        });
        tell(1);
    })
}

/// A thousand deadlines at the same moment.
fn alarms(setup: &Arc<Setup>, tell: Tell) -> Result<JoinHandle, CallError> {
    let at = setup.audit.timer().now_blocking()? + SOON_NS;
    raw::spawn(SHAPE, LOWEST, move |ring| {
        let bare = &mut Bare::new(ring);
        let right = bare.endpoint(DEPTH);
        let wait = Sqe { flags: sqe_flags::DEADLINE, aux: at, ..recv(right, 0) };
        submit(bare, &wait, MANY);
        let timed_out = ended(bare, MANY);
        bare.release(right);
        tell(timed_out);
    })
}

/// A thousand calls of its own endpoint, and then `what` is done to the right to receive there and to the facet.
fn calls(tell: Tell, what: fn(&mut Bare<'_>, CapId, CapId)) -> Result<JoinHandle, CallError> {
    raw::spawn(SHAPE, LOWEST, move |ring| {
        let bare = &mut Bare::new(ring);
        let right = bare.endpoint(DEPTH);
        let facet = bare.mint(right, 1);
        let interface = echo::INTERFACE;
        let call = Sqe {
            op: Op::Call as u8,
            cap: facet.raw(),
            interface,
            msg_off: MESSAGE,
            msg_len: 8,
            ..Sqe::default()
        };
        submit(bare, &Sqe { reply_off: REPLY, ..call }, MANY);
        what(bare, right, facet);
        let failed = ended(bare, MANY);
        bare.release(facet);
        bare.release(right);
        tell(failed);
    })
}

fn submit(bare: &mut Bare<'_>, sqe: &Sqe, many: u64) {
    bare.submit_all((0..many).map(|_| Sqe { user_data: u64::MAX, ..*sqe }));
    bare.ring.enter(0, 0);
}

/// How many have ended with an error, of so many that must.
fn ended(bare: &mut Bare<'_>, many: u64) -> u64 {
    let (mut seen, mut failed) = (0, 0);
    while seen < many {
        bare.ring.enter(1, sys::FOREVER);
        bare.take_all(|cqe| {
            let counts = cqe.user_data == u64::MAX;
            seen += u64::from(counts);
            failed += u64::from(counts && cqe.result < 0);
        });
    }
    failed
}

/// None fits.
fn fail_all(bare: &mut Bare<'_>, right: CapId, _: CapId) {
    bare.submit(&Sqe { msg_len: 4, ..recv(right, 0) });
}

fn give_up(bare: &mut Bare<'_>, right: CapId) {
    bare.submit(&Sqe { op: Op::Release as u8, cap: right.raw(), ..Sqe::default() });
}

fn receive_and_give_up(bare: &mut Bare<'_>, right: CapId, _: CapId) {
    bare.submit_all((0..MANY).map(|_| recv(right, 0)));
    bare.ring.enter(0, 0);
    give_up(bare, right);
}

/// What was minted goes with what was made of it.
fn revoke(bare: &mut Bare<'_>, right: CapId, _: CapId) {
    bare.submit(&Sqe { op: Op::Revoke as u8, cap: right.raw(), ..Sqe::default() });
}

/// A program of two pages that wants 64 MiB.
fn load(setup: &Arc<Setup>, tell: Tell) -> Result<JoinHandle, CallError> {
    let setup = setup.clone();
    threads::spawn(LOWEST, move || {
        let page = PAGE_SIZE as u64;
        let made = memory().create_object_blocking(2 * page).and_then(|binary| {
            binary.write_blocking(0, &headers())?;
            let limits = Limits { memory_pages: PAGES as u32 + 200, ..Limits::SMALL };
            setup.nursery.spawner().create_blocking(&binary, limits.params(page + 16, "hungry"))
        });
        tell(u64::from(made.is_ok()));
    })
}

/// Of an ELF file: one instruction, and much to be cleared (System V ABI, chapters 4 and 5).
fn headers() -> Vec<u8> {
    let (code, data) = (0x40_0000_u64, 0x80_0000_u64);
    let mut file = Vec::with_capacity(176);
    file.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    file.extend([2u16, 62].into_iter().flat_map(u16::to_le_bytes));
    file.extend(1u32.to_le_bytes());
    file.extend([code, 64, 0].into_iter().flat_map(u64::to_le_bytes));
    file.extend(0u32.to_le_bytes());
    file.extend([64u16, 56, 2, 64, 0, 0].into_iter().flat_map(u16::to_le_bytes));
    for (flags, at, size) in [(5u32, code, 16), (6, data, PAGES * PAGE_SIZE as u64)] {
        file.extend([1, flags].into_iter().flat_map(u32::to_le_bytes));
        file.extend([0x1000, at, at, 16, size, 0x1000].into_iter().flat_map(u64::to_le_bytes));
    }
    file
}

/// Who derives from whom, among many.
fn audit(setup: &Arc<Setup>, tell: Tell) -> Result<JoinHandle, CallError> {
    let setup = setup.clone();
    threads::spawn(LOWEST, move || {
        let done = factory().create_blocking(1).and_then(|right| {
            let mut facets = Vec::new();
            for badge in 0..FACETS as u64 {
                facets.push(right.mint_blocking(badge, echo::INTERFACE)?);
            }
            setup.audit.system().derivation_blocking()
        });
        tell(done.map_or(0, |found| u64::from(found.held > FACETS as u64)));
    })
}
