//! Revocation: what goes, what stays, and what becomes of calls that are under way.

use crate::Setup;
use crate::calls::{call, received};
use crate::submissions::code;
use probe::bare::{Bare, INBOX_CAPS, NEVER, Notes, answer, recv};
use probe::{Limits, echo, factory};
use rt::abi::ring::cqe_flags;
use rt::abi::{Op, Sqe, TransferSlot};
use rt::generated::ProcessHandleClient;
use rt::schema::process_handle::{self, ExitReason};
use rt::schema::{Empty, memory_object, timer, virtual_memory};
use rt::serve::{Event, Receiver};
use rt::{CallError, Cap, CapId, Env, ExceptionCode, TransportError, block_on};

const REVOKED: i32 = TransportError::Revoked.code();
const GONE: i32 = TransportError::InvalidCap.code();

pub fn all(bare: &mut Bare<'_>, notes: &Notes, timer: CapId) {
    let right = bare.endpoint(4);
    let facet = bare.mint(right, 1);
    derived(bare, notes, (right, facet));
    moved_and_released(bare, notes, (right, facet));
    calls(bare, notes, (right, facet));
    waits(bare, notes, (right, facet), timer);
    minted(bare, notes);
    many(bare, notes, (right, facet));
    mapped(bare, notes, (right, facet));
    refused(bare, notes);
    bare.release(facet);
    bare.release(right);
}

fn revoke(bare: &mut Bare<'_>, cap: CapId) -> i32 {
    code(&bare.run(&Sqe { op: Op::Revoke as u8, cap: cap.raw(), ..Sqe::default() }))
}

/// Sends a capability to ourselves; gives the id under which it arrived.
fn send(bare: &mut Bare<'_>, (right, facet): (CapId, CapId), slot: TransferSlot) -> CapId {
    let sqe = bare.call((facet, echo::INTERFACE), 0, &Empty, &[slot], 0);
    let sent = bare.start(&sqe);
    let arrival = bare.run(&recv(right, 1));
    let id = CapId::from_raw(bare.ring.arena(INBOX_CAPS));
    bare.run(&answer(right, arrival.token, 0));
    let sent = bare.wait(sent);
    if arrival.caps == 1 && sent.result == 0 { id } else { CapId::NULL }
}

fn object(bare: &mut Bare<'_>) -> CapId {
    let params = virtual_memory::CreateObjectParams { size: 4096 };
    let target = (CapId::SELF_MEMORY, virtual_memory::INTERFACE_ID);
    let call = bare.call(target, virtual_memory::CREATE_OBJECT, &params, &[], 1);
    bare.taken(&call)
}

fn read_only(bare: &mut Bare<'_>, object: CapId) -> CapId {
    let target = (object, memory_object::INTERFACE_ID);
    let call = bare.call(target, memory_object::READ_ONLY, &Empty, &[], 1);
    bare.taken(&call)
}

/// 0 when a memory object answers.
fn uses(bare: &mut Bare<'_>, object: CapId) -> i32 {
    let call = bare.call((object, memory_object::INTERFACE_ID), memory_object::INFO, &Empty, &[], 0);
    code(&bare.run(&call)).min(0)
}

fn derived(bare: &mut Bare<'_>, notes: &Notes, path: (CapId, CapId)) {
    let (whole, other) = (object(bare), object(bare));
    let copy = send(bare, path, TransferSlot::copy(whole));
    let facet = read_only(bare, copy);
    let last = send(bare, path, TransferSlot::copy(facet));
    let aside = send(bare, path, TransferSlot::copy(other));
    let before = [whole, copy, facet, last, other, aside].map(|id| uses(bare, id));
    notes.note("all are there before", before.iter().sum::<i32>(), 0);
    notes.note("V1 who revokes in the middle", revoke(bare, copy), 0);
    notes.note("V1 keeps what he has", uses(bare, copy), 0);
    notes.note("V2 a facet goes", uses(bare, facet), GONE);
    notes.note("V2 a copy of a facet goes", uses(bare, last), GONE);
    notes.note("V1 a revocation", revoke(bare, whole), 0);
    notes.note("V2 a copy goes", uses(bare, copy), GONE);
    notes.note("V1 the original stays", uses(bare, whole), 0);
    notes.note("V1 nothing else goes", uses(bare, aside).min(uses(bare, other)), 0);
    notes.note("V1 once more, without anything to take", revoke(bare, whole), 0);
    let again = send(bare, path, TransferSlot::copy(whole));
    notes.note("V1 it can be given again", uses(bare, again), 0);
    notes.note("V2 a thing of its own is not derived", revoke(bare, CapId::SELF_MEMORY), 0);
    notes.note("V2 and stays", uses(bare, whole), 0);
    for id in [again, aside, other, whole] {
        bare.release(id);
    }
}

fn moved_and_released(bare: &mut Bare<'_>, notes: &Notes, path: (CapId, CapId)) {
    let whole = object(bare);
    let copy = send(bare, path, TransferSlot::copy(whole));
    let moved = send(bare, path, TransferSlot::moved(copy));
    let last = send(bare, path, TransferSlot::copy(moved));
    let second = send(bare, path, TransferSlot::copy(moved));
    bare.release(moved);
    notes.note("V3 what was made of it outlives a release", uses(bare, last).min(uses(bare, second)), 0);
    notes.note("V3 and still derives from the first", revoke(bare, whole), 0);
    notes.note("V3 one goes", uses(bare, last), GONE);
    notes.note("V3 the other goes", uses(bare, second), GONE);
    bare.release(whole);
}

fn calls(bare: &mut Bare<'_>, notes: &Notes, path: (CapId, CapId)) {
    let (right, facet) = path;
    let queued = send(bare, path, TransferSlot::copy(facet));
    let sqe = call(bare, queued, &[1]);
    let number = bare.start(&sqe);
    bare.flush();
    notes.note("V4 a revocation under a queued call", revoke(bare, facet), 0);
    notes.note("V4 the call ends", code(&bare.wait(number)), REVOKED);
    notes.note("V4 and the next finds nothing", code(&bare.run(&sqe)), GONE);

    let copy = send(bare, path, TransferSlot::copy(facet));
    let (theirs, ours) = (call(bare, copy, &[2]), call(bare, facet, &[3]));
    let number = bare.start(&theirs);
    let arrival = received(bare, right);
    let other = bare.start(&ours);
    let kept = received(bare, right);
    notes.note("V4 a revocation under a received call", revoke(bare, facet), 0);
    notes.note("V4 that call ends, too", code(&bare.wait(number)), REVOKED);
    let late = code(&bare.run(&answer(right, arrival.token, 0)));
    notes.note("V4 and cannot be answered", late, TransportError::StaleToken.code());
    notes.note("V4 one through the original goes on", code(&bare.run(&answer(right, kept.token, 0))), 0);
    notes.note("V4 and is answered", code(&bare.wait(other)), 0);
}

fn waits(bare: &mut Bare<'_>, notes: &Notes, path: (CapId, CapId), timer: CapId) {
    let copy = send(bare, path, TransferSlot::copy(timer));
    let params = timer::SleepUntilParams { ns: u64::MAX };
    let sleep = bare.call((copy, timer::INTERFACE_ID), timer::SLEEP_UNTIL, &params, &[], 0);
    let number = bare.start(&sleep);
    bare.flush();
    notes.note("V4 a sleep goes on", bare.poll(number).map_or(NEVER, |cqe| cqe.result), NEVER);
    notes.note("V4 until its clock is revoked", revoke(bare, timer), 0);
    notes.note("V4 and ends", code(&bare.wait(number)), REVOKED);
}

fn minted(bare: &mut Bare<'_>, notes: &Notes) {
    let right = bare.endpoint(2);
    let facet = bare.mint(right, 9);
    notes.note("V2 a right to receive is revoked", revoke(bare, right), 0);
    let sqe = call(bare, facet, &[]);
    notes.note("V2 what was minted of it goes", code(&bare.run(&sqe)), GONE);
    let again = bare.mint(right, 9);
    notes.note("V1 the right itself stays", i32::from(again != CapId::NULL), 1);
    bare.release(again);
    bare.release(right);
}

/// Copies that one slice of a revocation does not take.
const MANY: usize = 40;

fn many(bare: &mut Bare<'_>, notes: &Notes, path: (CapId, CapId)) {
    let whole = object(bare);
    let copies = [(); MANY].map(|()| send(bare, path, TransferSlot::copy(whole)));
    let there = copies.iter().filter(|id| uses(bare, **id) == 0).count();
    notes.note("all copies are there before", there as i64, MANY as i64);
    let revocation = bare.start(&Sqe { op: Op::Revoke as u8, cap: whole.raw(), ..Sqe::default() });
    // Whatever follows in the queue waits until all are gone, the one that was made last as well.
    let uses_of = |bare: &mut Bare<'_>, id: CapId| {
        let call = bare.call((id, memory_object::INTERFACE_ID), memory_object::INFO, &Empty, &[], 0);
        bare.start(&call)
    };
    let ends = [copies[0], copies[MANY - 1]].map(|id| uses_of(bare, id));
    let own = uses_of(bare, whole);
    notes.note("V5 a revocation in several steps", code(&bare.wait(revocation)), 0);
    for number in ends {
        notes.note("V5 what is submitted behind it finds nothing", code(&bare.wait(number)), GONE);
    }
    notes.note("V5 but the original", code(&bare.wait(own)).min(0), 0);
    let left = copies.iter().filter(|id| uses(bare, **id) != GONE).count();
    notes.note("V5 none is left", left as i64, 0);
    let again = send(bare, path, TransferSlot::copy(whole));
    notes.note("V5 and when it is over copies can be made", uses(bare, again), 0);
    bare.release(again);
    bare.release(whole);
}

const PAGE: u64 = 4096;
const MEMORY: (CapId, u64) = (CapId::SELF_MEMORY, virtual_memory::INTERFACE_ID);

/// Maps a page; gives its address, or 0.
fn map(bare: &mut Bare<'_>, object: TransferSlot) -> u64 {
    let params =
        virtual_memory::MapParams { offset: 0, size: PAGE, protection: virtual_memory::Protection::Read };
    let cqe = bare.run(&bare.call(MEMORY, virtual_memory::MAP, &params, &[object], 0));
    bare.decode::<virtual_memory::MapResults>(&cqe).map_or(0, |results| results.address)
}

/// 0 when a page is backed, or what `protect` says instead.
fn backed(bare: &mut Bare<'_>, address: u64) -> i32 {
    let protection = virtual_memory::Protection::None;
    let params = virtual_memory::ProtectParams { address, size: PAGE, protection };
    let cqe = bare.run(&bare.call(MEMORY, virtual_memory::PROTECT, &params, &[], 0));
    if cqe.flags & cqe_flags::EXCEPTION == 0 { code(&cqe).min(0) } else { i32::from(cqe.method) }
}

fn mapped(bare: &mut Bare<'_>, notes: &Notes, path: (CapId, CapId)) {
    let whole = object(bare);
    let (copy, moved) =
        (send(bare, path, TransferSlot::copy(whole)), send(bare, path, TransferSlot::copy(whole)));
    let facet = read_only(bare, whole);
    let own = map(bare, TransferSlot::copy(whole));
    let lost = [TransferSlot::copy(copy), TransferSlot::moved(moved), TransferSlot::copy(facet)]
        .map(|slot| map(bare, slot));
    bare.release(facet);
    let there = lost.iter().chain([&own]).filter(|address| **address != 0).count();
    notes.note("all is mapped before", there as i64, 4);
    notes.note("V7 a revocation of what is mapped", revoke(bare, whole), 0);
    let unbacked = i32::from(ExceptionCode::NotFound.code());
    let names = ["V7 through a copy", "V7 through a move into the call", "V7 through a facet given up"];
    for (name, address) in names.into_iter().zip(lost) {
        notes.note(name, backed(bare, address), unbacked);
    }
    notes.note("V7 the revoker's own stays", backed(bare, own), 0);
    notes.note(
        "V7 nothing is mapped through it again",
        i64::from(map(bare, TransferSlot::copy(copy)) != 0),
        0,
    );
    for address in lost.into_iter().chain([own]) {
        let params = virtual_memory::UnmapParams { address, size: PAGE };
        let cqe = bare.run(&bare.call(MEMORY, virtual_memory::UNMAP, &params, &[], 0));
        notes.note("V7 the place was reserved", i64::from(code(&cqe) == 0 && cqe.flags == 0), 1);
    }
    bare.release(whole);
}

fn refused(bare: &mut Bare<'_>, notes: &Notes) {
    let whole = object(bare);
    let sqe = Sqe { op: Op::Revoke as u8, cap: whole.raw(), ..Sqe::default() };
    let mut with = |sqe: Sqe| code(&bare.run(&sqe));
    let bad = TransportError::InvalidArgument.code();
    notes.note("V6 a flag", with(Sqe { flags: 1, ..sqe }), bad);
    notes.note("V6 a word with a top byte", with(Sqe { cap: sqe.cap | 1 << 56, ..sqe }), GONE);
    notes.note("V6 another generation", with(Sqe { cap: sqe.cap + (1 << 24), ..sqe }), GONE);
    notes.note("V6 no capability", with(Sqe { cap: 0, ..sqe }), GONE);
    notes.note("V6 an empty slot", with(Sqe { cap: CapId::new(0xff_ffff, 1).raw(), ..sqe }), GONE);
    bare.release(whole);
    notes.note("V6 a stale id", revoke(bare, whole), GONE);
}

/// What the process ends with whose call was revoked.
const AS_IT_SHOULD: i64 = 42;

/// A process with a copy of a facet: calls once.
pub fn call_once(mut env: Env) -> i64 {
    let Ok(server) = env.cap("server") else { return 2 };
    match echo::call::<1>(&server, 0, &[5]) {
        Err(CallError::Transport(TransportError::Revoked)) => AS_IT_SHOULD,
        Err(_) => 1,
        Ok(_) => 0,
    }
}

fn client(setup: &Setup, facet: &Cap) -> Result<ProcessHandleClient, CallError> {
    let program = setup.nursery.program("probe-ipc")?;
    let child = setup.nursery.child(&program, &Limits::SMALL, "lent")?.arg("--role=lent");
    child.give("server", echo::INTERFACE, facet)?.start()
}

/// Two other processes with copies of a facet; a call of each is received. Gives how many clauses were checked.
pub fn between(setup: &Setup) -> Result<usize, CallError> {
    let report = &setup.report;
    let endpoint = factory().create_blocking(8)?;
    let facet = endpoint.mint_blocking(7, echo::INTERFACE)?;
    let clients = [client(setup, &facet)?, client(setup, &facet)?];
    let mut receiver = Receiver::new(endpoint.into_cap(), 1);
    block_on(async {
        let mut kept = alloc::vec::Vec::new();
        for _ in &clients {
            match receiver.next().await? {
                Event::Call(request) => kept.push(request),
                Event::Unreferenced(_) => report.check("V4 calls of two processes", false, "a facet went"),
            }
        }
        report.equal("V4 calls of two processes", kept.len(), 2);
        facet.revoke().await?;
        for (name, handle) in ["V4 the one's ends", "V4 the other's ends"].into_iter().zip(&clients) {
            let end = handle.wait().await?;
            report.equal(name, (end.reason, end.code), (ExitReason::Exited, AS_IT_SHOULD));
        }
        for request in kept {
            echo::answer(request, &[1]);
        }
        Ok(4 + watched(setup).await?)
    })
}

/// A child that is only watched. Gives how many clauses were checked.
async fn watched(setup: &Setup) -> Result<usize, CallError> {
    let report = &setup.report;
    let program = setup.nursery.program("probe-ipc")?;
    let handle = setup.nursery.child(&program, &Limits::SMALL, "watched")?.unstarted();
    let watch = handle.watch().await?;
    let kill = echo::call::<1>(watch.cap(), process_handle::KILL, &[]);
    report.fails("V9 it is no handle", kill, TransportError::WrongInterface);
    let info = watch.info().await?;
    report.equal("V9 it tells", (info.id, info.started, info.ended), (handle.info().await?.id, false, false));
    let second = handle.watch().await?;
    drop(handle);
    report.equal("V9 who was never started ends", watch.wait().await?.reason, ExitReason::Killed);
    report.equal("V2 and what watches is a facet", second.wait().await?.reason, ExitReason::Killed);
    Ok(4)
}
