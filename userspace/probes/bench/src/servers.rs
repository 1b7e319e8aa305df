//! The other processes of the measurements.

use crate::primitives;
use probe::bare::{Bare, INBOX_CAPS, answer_recv, recv};
use probe::echo;
use rt::abi::{Cqe, Op, RingShape, Sqe};
use rt::schema::system_info::CpuResults;
use rt::schema::{Decode, Encode};
use rt::serve::{Event, run_blocking};
use rt::{CapId, Env, ExceptionCode, Request};

/// Nothing in, nothing out.
pub const NOTHING: u16 = 0;
/// A typed message of 64 bytes in, another out.
pub const TYPED: u16 = 1;
/// The same bytes back.
pub const BYTES: u16 = 2;

/// What came with a call before is given back.
pub const CLEAN: u16 = 3;

/// Calls that the batch server takes at once.
pub const BATCH: u32 = 16;

/// A typed message of exactly 64 bytes: the root and seven numbers.
pub fn typed(idle_ns: u64) -> CpuResults {
    CpuResults { idle_ns, apic_id: 1, switches: 2, interrupts: 3, syscalls: 4, ipis: 5, shootdowns: 6 }
}

/// Answers calls one by one, through the runtime.
pub fn serve(mut env: Env) -> i64 {
    let Ok(endpoint) = env.cap("serve") else { return 2 };
    run_blocking(&endpoint, |event| {
        if let Event::Call(request) = event {
            answer(request);
        }
    });
    0
}

fn answer(request: Request) {
    match request.method() {
        NOTHING => request.reply(|_| Ok(0), &[]),
        TYPED => match CpuResults::decode(request.bytes()).map(|results| results.idle_ns) {
            Ok(next) => request.reply(|out| typed(next + 1).encode(out), &[]),
            Err(error) => request.fail(error.into()),
        },
        // The answer is encoded over the request: the bytes are there already.
        BYTES => {
            let len = request.bytes().len();
            request.reply(|_| Ok(len), &[]);
        }
        _ => request.fail(ExceptionCode::Unsupported.into()),
    }
}

/// Answers calls one by one with nothing, by hand: one submission and one `cap_enter` each.
pub fn serve_bare() -> i64 {
    let served = rt::raw::spawn(RingShape::DEFAULT, 10, |ring| {
        let mut bare = Bare::new(ring);
        let right = CapId::granted(0);
        bare.submit(&Sqe { user_data: NEXT, ..recv(right, 0) });
        bare.ring.enter(0, 0);
        bare.prepare(&Sqe { user_data: NEXT, ..answer_recv(right, 0, 0) });
        while bare.ring.enter(1, rt::sys::FOREVER) >= 0 {
            let Some(cqe) = bare.pop().filter(|cqe| cqe.user_data == NEXT && cqe.result == 0) else { return };
            bare.again_for(cqe.token);
        }
    });
    i64::from(served.and_then(rt::threads::JoinHandle::join).is_err())
}

/// `user_data` of a receive.
const NEXT: u64 = 7;

/// Answers calls one by one with nothing, by hand, and keeps the capability that came with one until it is asked to give it back.
pub fn keep() -> i64 {
    let served = rt::raw::spawn(RingShape::DEFAULT, 10, |ring| {
        let mut bare = Bare::new(ring);
        let right = CapId::granted(0);
        let next = Sqe { user_data: NEXT, caps_recv: 1, ..answer_recv(right, 0, 0) };
        bare.submit(&Sqe { user_data: NEXT, ..recv(right, 1) });
        bare.ring.enter(0, 0);
        bare.prepare(&next);
        let mut kept = None;
        while bare.ring.enter(1, rt::sys::FOREVER) >= 0 {
            let Some(cqe) = bare.pop().filter(|cqe| cqe.user_data == NEXT && cqe.result == 0) else { return };
            if cqe.caps == 1 {
                kept = Some(CapId::from_raw(bare.ring.arena(INBOX_CAPS)));
            }
            if cqe.method == CLEAN {
                if let Some(id) = kept.take() {
                    bare.release(id);
                }
                bare.prepare(&next);
            }
            bare.again_for(cqe.token);
        }
    });
    i64::from(served.and_then(rt::threads::JoinHandle::join).is_err())
}

/// Answers typed calls as they come, several in one `cap_enter`, by hand.
pub fn serve_batches() -> i64 {
    let served = rt::raw::spawn(RingShape::DEFAULT, 10, |ring| batches(&mut Bare::new(ring)));
    i64::from(served.and_then(rt::threads::JoinHandle::join).is_err())
}

fn batches(bare: &mut Bare<'_>) {
    let right = CapId::granted(0);
    let place = |n: u64| 0x200 * n as u32;
    let receive = |n: u64| Sqe { user_data: n, msg_off: place(n), msg_len: 0x200, ..recv(right, 0) };
    for n in 0..u64::from(BATCH) {
        bare.submit(&receive(n));
    }
    while bare.ring.enter(1, rt::sys::FOREVER) >= 0 {
        while let Some(cqe) = bare.pop() {
            bare.submit(&typed_answer(bare, &cqe, place(cqe.user_data)));
        }
    }
}

fn typed_answer(bare: &Bare<'_>, cqe: &Cqe, place: u32) -> Sqe {
    let buffer = bare.ring.arena_bytes::<64>(place);
    let next = CpuResults::decode(&buffer).map_or(0, |results| results.idle_ns + 1);
    let len = store(bare, place, next);
    Sqe {
        op: Op::ReturnRecv as u8,
        user_data: cqe.user_data,
        cap: cqe.token,
        interface: CapId::granted(0).raw(),
        msg_off: place,
        msg_len: len,
        reply_off: place,
        reply_len: 0x200,
        ..Sqe::default()
    }
}

/// Encodes a typed message into the arena; gives its length.
pub fn store(bare: &Bare<'_>, place: u32, next: u64) -> u32 {
    let mut buffer = [0; 64];
    let len = typed(next).encode(&mut buffer).unwrap_or(0);
    bare.ring.set_arena_bytes(place, &buffer);
    len as u32
}

/// Gives the processor back as soon as it gets it.
pub fn yield_forever() -> i64 {
    loop {
        rt::threads::yield_now();
    }
}

/// The same by hand.
pub fn yield_by_hand() -> i64 {
    let yielding =
        rt::raw::spawn(RingShape::DEFAULT, 10, |ring| primitives::yield_by_hand(&mut Bare::new(ring)));
    i64::from(yielding.and_then(rt::threads::JoinHandle::join).is_err())
}

/// The interface that the servers speak.
pub const INTERFACE: u64 = echo::INTERFACE;
