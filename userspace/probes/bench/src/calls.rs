//! Calls to another process.

use crate::measure::{Bench, Cost, Region};
use crate::primitives::{bare_cost, bare_figure};
use crate::servers::{self, BATCH, BYTES, CLEAN, INTERFACE, NOTHING, TYPED, typed};
use probe::bare::{Bare, CAPS};
use probe::{Limits, factory};
use rt::abi::{Op, Sqe, TransferSlot};
use rt::generated::{EndpointClient, ProcessHandleClient};
use rt::ipc::call_blocking;
use rt::schema::system_info::CpuResults;
use rt::schema::{Decode, Encode};
use rt::{CallError, Cap, CapId, Client};

/// A server process and a facet of its endpoint.
pub fn server(bench: &Bench, role: &str) -> Result<(ProcessHandleClient, Cap), CallError> {
    let endpoint = factory().create_blocking(64)?;
    let facet = endpoint.mint_blocking(1, INTERFACE)?;
    let program = bench.nursery.program("probe-bench")?;
    let child = bench.nursery.child(&program, &Limits::threads(2), "server")?.arg(role);
    let handle = child.give("serve", EndpointClient::ID, endpoint)?.start()?;
    bench.audit.pause(2_000_000);
    Ok((handle, facet))
}

/// Calls of one sample.
const CALLS: u64 = 32;
/// Their `user_data`.
const CALL: u64 = 5;

/// `ipc.call_reply.0B`: nothing there and nothing back, on bare rings on both sides.
pub fn bare(bench: &Bench) -> Result<(), CallError> {
    let name = "ipc.call_reply.0B";
    if !bench.wants(name) {
        return Ok(());
    }
    let (handle, facet) = server(bench, "--role=bare")?;
    let cap = facet.id().raw();
    bare_figure(bench, name, CALLS, move |bare| {
        bare.prepare(&Sqe {
            op: Op::Call as u8,
            cap,
            interface: INTERFACE,
            user_data: CALL,
            ..Sqe::default()
        });
        let region = Region::start();
        for _ in 0..CALLS {
            if !call_again(bare) {
                return 0;
            }
        }
        region.stop()
    })?;
    handle.kill_blocking()
}

/// `ipc.call_reply.*` and `cap.transfer_copy`: the runtime on both sides, one call at a time.
pub fn single(bench: &Bench) -> Result<(), CallError> {
    let (handle, facet) = server(bench, "--role=server")?;
    let empty = || call_blocking(&facet, INTERFACE, NOTHING, |_| Ok(0), &[], 0, 0).map(|_| ());
    bench.figure("ipc.call_reply.0B_runtime", empty)?;
    bench.figure("ipc.call_reply.64B", || typed_call(&facet))?;
    let kilobyte = [0x5a; 1024];
    bench.figure("ipc.call_reply.1KiB", || {
        let encode = |out: &mut [u8]| {
            out.get_mut(..1024).ok_or(rt::schema::EncodeError::NoRoom)?.copy_from_slice(&kilobyte);
            Ok(1024)
        };
        call_blocking(&facet, INTERFACE, BYTES, encode, &[], 0, 1024).map(|_| ())
    })?;
    if bench.wants("cap.transfer_copy_runtime") {
        let slot = [TransferSlot::copy(facet.id())];
        let with =
            bench.median(|| call_blocking(&facet, INTERFACE, NOTHING, |_| Ok(0), &slot, 0, 0).map(|_| ()))?;
        // What the copy adds, its release by the receiver included.
        bench.tell_difference("cap.transfer_copy_runtime", with, bench.median(empty)?);
    }
    handle.kill_blocking()
}

/// `cap.transfer_copy`: a call that carries a copy against one that does not, on bare rings. The receiver gives back what it got between two
/// of them, which is not counted.
pub fn transfer(bench: &Bench) -> Result<(), CallError> {
    if !bench.wants("cap.transfer_copy") {
        return Ok(());
    }
    let (handle, facet) = server(bench, "--role=keeper")?;
    let (with, without) = (carrying(bench, facet.id(), 1)?, carrying(bench, facet.id(), 0)?);
    bench.tell_difference("cap.transfer_copy", with, without);
    handle.kill_blocking()
}

/// What a call costs that carries so many copies of its own facet: one or none.
fn carrying(bench: &Bench, facet: CapId, copies: u8) -> Result<Cost, CallError> {
    let call =
        Sqe { op: Op::Call as u8, cap: facet.raw(), interface: INTERFACE, user_data: CALL, ..Sqe::default() };
    let carrying = Sqe { method: NOTHING, caps_send: copies, caps_off: CAPS, ..call };
    let cleaning = Sqe { method: CLEAN, ..call };
    bare_cost(bench, 10, 1, move |bare| {
        bare.ring.set_arena(CAPS, TransferSlot::copy(facet).0);
        bare.prepare(&carrying);
        let region = Region::start();
        let called = call_again(bare);
        let cost = region.stop();
        bare.prepare(&cleaning);
        if called && call_again(bare) { cost } else { 0 }
    })
}

#[inline(always)]
fn call_again(bare: &mut Bare<'_>) -> bool {
    bare.again();
    bare.ring.enter(1, rt::sys::FOREVER);
    bare.pop().is_some_and(|cqe| cqe.user_data == CALL && cqe.outcome() == 0)
}

fn typed_call(facet: &Cap) -> Result<(), CallError> {
    let reply = call_blocking(facet, INTERFACE, TYPED, |out| typed(41).encode(out), &[], 0, 64)?;
    let results = CpuResults::decode(reply.bytes())?;
    if results.idle_ns == 42 { Ok(()) } else { Err(CallError::MissingCap) }
}

/// `ipc.call_reply.64B.batch16`: 16 typed calls in one `cap_enter`, each.
pub fn batched(bench: &Bench) -> Result<(), CallError> {
    let name = "ipc.call_reply.64B.batch16";
    if !bench.wants(name) {
        return Ok(());
    }
    let (handle, facet) = server(bench, "--role=batch")?;
    let id = facet.id();
    bare_figure(bench, name, u64::from(BATCH), move |bare| batch(bare, id))?;
    handle.kill_blocking()
}

fn batch(bare: &mut Bare<'_>, facet: CapId) -> u64 {
    let region = Region::start();
    for n in 0..BATCH {
        let place = 0x400 * n;
        let len = servers::store(bare, place, 41);
        bare.submit(&Sqe {
            op: Op::Call as u8,
            method: TYPED,
            user_data: u64::from(n),
            cap: facet.raw(),
            interface: INTERFACE,
            msg_off: place,
            msg_len: len,
            reply_off: place + 0x200,
            reply_len: 0x200,
            ..Sqe::default()
        });
    }
    bare.ring.enter(u64::from(BATCH), rt::sys::FOREVER);
    let mut right = 0;
    while let Some(cqe) = bare.pop() {
        // Word 0 is the root pointer, word 1 the small field, word 2 `idle_ns`.
        let next = bare.ring.arena(0x400 * cqe.user_data as u32 + 0x200 + 16);
        right += u32::from(cqe.result == 64 && next == 42);
    }
    if right == BATCH { region.stop() } else { 0 }
}
