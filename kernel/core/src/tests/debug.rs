//! Debugging: stops wherever a thread is, breakpoints, the end of either side, traces.

use super::ipc::make_endpoint;
use super::revocation::{give, gone, revoke};
use super::{REPLY, User, World, call_sqe, error, recv_sqe};
use crate::cap::Object;
use crate::cap::process_handle::ProcessHandle;
use crate::cap::timer::Timer;
use crate::ipc::ops::{Buffers, Ticket, Waiting};
use crate::task::debug::{self, Waiter};
use crate::task::thread::Run;
use crate::task::trace::Record;
use crate::trap::HANDLERS;
use capos_abi::{CapId, Cqe, ExceptionCode, Op, Sqe, TransferSlot, TransportError, layout, syscall};
use capos_mem::Resource;
use capos_schema::process_debug::{
    self as schema, BreakAction, BreakKind, ResumeAndWaitResults, StopCause, WaitResults,
};
use capos_schema::process_handle::{self, TraceKind, TraceParams, TraceResults};
use capos_schema::{Decode, Empty};
use kernel_hal::{Fault, fake, flags};
use std::vec::Vec;

const INTERFACE: u64 = schema::INTERFACE_ID;

/// Somebody who debugs, and somebody who is debugged.
pub(super) struct Pair {
    pub user: User,
    handle: CapId,
    pub debug: CapId,
    pub other: User,
}

impl Pair {
    pub fn new(world: &World) -> Pair {
        let user = world.start_at("debugger", 11);
        let other = world.start("debugged");
        user.run();
        let handle = ProcessHandle::new(other.process().clone()).expect("memory");
        let handle = user.hold(Object::ProcessHandle(handle));
        let debug = attach(&user, handle).expect("nobody else does");
        Pair { user, handle, debug, other }
    }

    fn call(&self, method: u16, params: &impl capos_schema::Encode) -> Cqe {
        self.user.call_raw(self.debug, INTERFACE, method, params, 0)
    }

    pub fn done(&self, method: u16, params: &impl capos_schema::Encode) {
        let cqe = self.call(method, params);
        assert_eq!((cqe.result, cqe.flags), (0, 0), "method {method}");
    }

    pub fn refused(&self, method: u16, params: &impl capos_schema::Encode) -> ExceptionCode {
        let cqe = self.call(method, params);
        assert_eq!((cqe.result, cqe.flags), (0, capos_abi::ring::cqe_flags::EXCEPTION));
        ExceptionCode::from_code(cqe.method)
    }

    pub fn stop(&self, thread: u64) {
        self.done(schema::STOP, &schema::StopParams { thread });
    }

    pub fn resume(&self, thread: u64) {
        self.done(schema::RESUME, &schema::ResumeParams { thread, ..Default::default() });
    }

    /// The next event, which must be there.
    pub fn event(&self) -> WaitResults {
        let cqe = self.user.one(call_sqe(self.debug, INTERFACE, schema::WAIT, 0));
        self.decode(&cqe)
    }

    /// What a `resumeAndWait` told.
    pub fn brief(&self, cqe: &Cqe) -> ResumeAndWaitResults {
        assert!(cqe.result > 0 && cqe.flags == 0, "{cqe:?}");
        ResumeAndWaitResults::decode(&self.user.get(REPLY, cqe.result as usize)).expect("an event")
    }

    pub fn decode(&self, cqe: &Cqe) -> WaitResults {
        assert!(cqe.result > 0 && cqe.flags == 0, "{cqe:?}");
        WaitResults::decode(&self.user.get(REPLY, cqe.result as usize)).expect("an event")
    }

    pub fn run_state(&self) -> Run {
        self.other.thread.state.lock().run
    }

    /// The debugger sleeps, so that the other one runs.
    pub fn sleep_in(&self, method: u16, params: &impl capos_schema::Encode) {
        let mut message = [0; 256];
        let len = params.encode(&mut message).expect("it fits");
        self.user.put(super::MSG, &message[..len]);
        self.user.submit(call_sqe(self.debug, INTERFACE, method, len as u32));
        self.user.enter(1, syscall::FOREVER);
    }
}

fn attach(user: &User, handle: CapId) -> Result<CapId, Cqe> {
    user.call_for_cap(handle, process_handle::INTERFACE_ID, process_handle::DEBUG, &Empty)
}

fn debug_fault(hit: u64) -> Fault {
    Fault { vector: Fault::DEBUG, error_code: 0, address: hit }
}

const UNDEFINED: Fault = Fault { vector: 6, error_code: 0, address: 0 };

#[test]
fn a_ready_thread_stops_and_goes_on() {
    let world = World::new();
    let pair = Pair::new(&world);
    pair.stop(pair.other.thread.id);
    assert_eq!(pair.run_state(), Run::Stopped);
    let event = pair.event();
    assert_eq!(
        (event.cause, event.thread, event.rip),
        (StopCause::Asked, pair.other.thread.id, layout::IMAGE_BASE)
    );
    pair.resume(pair.other.thread.id);
    assert_eq!(pair.run_state(), Run::Ready);
    pair.user.enter(1, syscall::FOREVER);
    pair.other.run();
}

#[test]
fn a_stop_is_told_once() {
    let world = World::new();
    let pair = Pair::new(&world);
    pair.stop(0);
    pair.stop(0);
    pair.event();
    pair.user.submit(call_sqe(pair.debug, INTERFACE, schema::WAIT, 0));
    pair.user.poll();
    pair.user.nothing();
    assert_eq!(pair.refused(schema::WAIT, &Empty), ExceptionCode::WrongState);
}

#[test]
fn who_waits_and_is_served_before_he_has_looked_takes_no_news_along() {
    let world = World::new();
    let pair = Pair::new(&world);
    pair.stop(0);
    let (waits, process) = (&pair.user.thread, pair.other.process());
    let id = waits.begin(Buffers::NONE, Waiting::Debug(process.clone())).expect("a slot");
    let ticket = Ticket { thread: waits.clone(), id };
    assert!(matches!(process.debug.put(Waiter { ticket, brief: false }), Ok(true)));
    // Before he looks his wait is over, and somebody else waits already.
    drop(process.debug.withdraw(waits, id));
    waits.end(id);
    assert_eq!(pair.event().cause, StopCause::Asked);
    debug::look_again(process);
    pair.user.nothing();
}

#[test]
fn a_thread_that_waits_stops_and_waits_on() {
    let world = World::new();
    let pair = Pair::new(&world);
    pair.sleep_in(schema::WAIT, &Empty);
    pair.other.enter(1, syscall::FOREVER);
    assert!(pair.other.is_blocked());
    // Somebody has to wake the debugger: it is told of the stop.
    crate::task::stop::ask(&pair.other.thread);
    pair.user.run();
    assert_eq!(pair.decode(&pair.user.pop()).cause, StopCause::Asked);
    pair.resume(0);
    assert!(pair.other.is_blocked());
}

#[test]
fn a_thread_that_rests_until_the_last_of_several_rests_on() {
    let world = World::new();
    let pair = Pair::new(&world);
    pair.sleep_in(schema::WAIT, &Empty);
    let right = make_endpoint(&pair.other, 1);
    pair.other.submit(Sqe::default());
    pair.other.submit(recv_sqe(right));
    pair.other.enter(2, syscall::FOREVER);
    assert!(pair.other.is_blocked());
    crate::task::stop::ask(&pair.other.thread);
    pair.user.run();
    pair.user.pop();
    pair.resume(0);
    assert!(pair.other.is_blocked(), "the receive pends");
}

#[test]
fn what_a_stopped_thread_waits_for_wakes_it_when_it_is_let_go() {
    let world = World::new();
    let pair = Pair::new(&world);
    pair.sleep_in(schema::WAIT, &Empty);
    let late = kernel_hal::time::now_ns() + 1_000_000;
    pair.other.enter(1, 1_000_000);
    crate::task::stop::ask(&pair.other.thread);
    pair.user.run();
    pair.user.pop();
    fake::time::advance(late + 1);
    (HANDLERS.timer)();
    assert_eq!(pair.run_state(), Run::Stopped);
    pair.resume(0);
    assert_eq!(pair.run_state(), Run::Ready);
    pair.user.run();
}

#[test]
fn a_running_thread_stops_when_its_processor_looks() {
    let world = World::with_cpus(2);
    let pair = Pair::new(&world);
    fake::cpu::become_cpu(1);
    (HANDLERS.kick)();
    assert_eq!(pair.run_state(), Run::Running(1));
    fake::cpu::take_kicks();
    fake::cpu::become_cpu(0);
    pair.stop(pair.other.thread.id);
    assert_eq!((pair.run_state(), fake::cpu::take_kicks()), (Run::Running(1), 0b10));
    fake::cpu::become_cpu(1);
    (HANDLERS.kick)();
    assert_eq!(pair.run_state(), Run::Stopped);
    fake::cpu::become_cpu(0);
    assert_eq!(pair.event().cause, StopCause::Asked);
}

#[test]
fn a_running_thread_that_goes_to_sleep_first_is_stopped_there() {
    let world = World::with_cpus(2);
    let pair = Pair::new(&world);
    fake::cpu::become_cpu(1);
    (HANDLERS.kick)();
    fake::cpu::become_cpu(0);
    pair.stop(pair.other.thread.id);
    pair.other.enter(1, syscall::FOREVER);
    assert_eq!(pair.run_state(), Run::Stopped);
    fake::cpu::become_cpu(0);
    pair.resume(0);
    assert!(pair.other.is_blocked());
}

#[test]
fn a_stop_that_is_taken_back_in_time_is_none() {
    let world = World::with_cpus(2);
    let pair = Pair::new(&world);
    fake::cpu::become_cpu(1);
    (HANDLERS.kick)();
    fake::cpu::become_cpu(0);
    pair.stop(pair.other.thread.id);
    pair.resume(0);
    fake::cpu::become_cpu(1);
    (HANDLERS.kick)();
    assert_eq!(pair.run_state(), Run::Running(1));
}

#[test]
fn a_stopped_process_can_be_killed() {
    let world = World::new();
    let pair = Pair::new(&world);
    pair.stop(0);
    let killed =
        pair.user.call::<Empty>(pair.handle, process_handle::INTERFACE_ID, process_handle::KILL, &Empty);
    assert!(killed.is_ok());
    assert_eq!(pair.run_state(), Run::Dead);
    assert_eq!(pair.event().cause, StopCause::Ended);
    assert_eq!(pair.refused(schema::THREAD, &schema::ThreadParams { cursor: 0 }), ExceptionCode::NotFound);
}

#[test]
fn when_the_debugger_goes_the_process_goes_on() {
    let world = World::new();
    let pair = Pair::new(&world);
    let one = attach(&pair.user, pair.handle).expect_err("one at a time");
    assert_eq!(ExceptionCode::from_code(one.method), ExceptionCode::WrongState);
    pair.stop(0);
    let breakpoint =
        schema::SetBreakpointParams { length: 1, hits: 1, address: 0x40_0000, ..Default::default() };
    pair.done(schema::SET_BREAKPOINT, &breakpoint);
    assert_eq!(pair.other.thread.context.extras().1, 1);
    drop(pair.user.process().release(pair.debug));
    assert_eq!(pair.run_state(), Run::Ready);
    assert_eq!(pair.other.thread.context.extras().1, 0);
    pair.user.enter(1, 1_000);
    pair.other.run();
    (HANDLERS.fault)(UNDEFINED);
    assert_eq!(pair.run_state(), Run::Dead);
    fake::time::advance(1_000_000);
    (HANDLERS.timer)();
    let own = attach(&pair.user, pair.handle).expect_err("it has ended");
    assert_eq!(ExceptionCode::from_code(own.method), ExceptionCode::WrongState);
}

#[test]
fn nobody_debugs_himself() {
    let world = World::new();
    let user = world.start("alone");
    let handle = ProcessHandle::new(user.process().clone()).expect("memory");
    let handle = user.hold(Object::ProcessHandle(handle));
    let refused = attach(&user, handle).expect_err("denied");
    assert_eq!(ExceptionCode::from_code(refused.method), ExceptionCode::Denied);
}

#[test]
fn a_fault_is_mended_and_gone_on_from() {
    let world = World::new();
    let pair = Pair::new(&world);
    pair.sleep_in(schema::WAIT, &Empty);
    pair.other.run();
    (HANDLERS.fault)(UNDEFINED);
    pair.user.run();
    let event = pair.decode(&pair.user.pop());
    assert_eq!((event.cause, event.vector), (StopCause::Fault, 6));
    let thread = event.thread;
    let back = schema::ResumeAndWaitParams { thread, redirect: true, rip: event.rip + 2, step: false };
    pair.sleep_in(schema::RESUME_AND_WAIT, &back);
    pair.other.run();
    assert_eq!(pair.other.thread.context.registers().rip, event.rip + 2);
    assert!(pair.other.process().exit.lock().crash.is_none());
}

#[test]
fn breakpoints_act_at_the_nth_hit() {
    let world = World::new();
    let pair = Pair::new(&world);
    let address = layout::IMAGE_BASE;
    let breakpoint =
        schema::SetBreakpointParams { slot: 2, length: 1, hits: 3, address, ..Default::default() };
    pair.done(schema::SET_BREAKPOINT, &breakpoint);
    assert_eq!(pair.other.thread.context.extras(), ([0, 0, address, 0], 1 << 4, false));
    pair.sleep_in(schema::WAIT, &Empty);
    for _ in 0..2 {
        pair.other.run();
        (HANDLERS.fault)(debug_fault(0b100));
        assert!(matches!(pair.run_state(), Run::Running(_)));
        assert_ne!(pair.other.thread.context.registers().rflags & flags::RESUME, 0);
    }
    (HANDLERS.fault)(debug_fault(0b100));
    pair.user.run();
    let event = pair.decode(&pair.user.pop());
    assert_eq!((event.cause, event.breakpoint), (StopCause::Breakpoint, 2));
    let length = schema::SetBreakpointParams { kind: BreakKind::Access, slot: 0, length: 8, ..breakpoint };
    pair.done(schema::SET_BREAKPOINT, &length);
    assert_eq!(pair.other.thread.context.extras().1, 1 << 4 | 1 | 0b1011 << 16);
}

#[test]
fn a_breakpoint_can_kill_or_fault() {
    for (action, vector) in [(BreakAction::Kill, None), (BreakAction::Fault, Some(13))] {
        let world = World::new();
        let pair = Pair::new(&world);
        let address = layout::IMAGE_BASE;
        let it = schema::SetBreakpointParams {
            length: 1,
            hits: 1,
            address,
            action,
            vector: 13,
            ..Default::default()
        };
        pair.done(schema::SET_BREAKPOINT, &it);
        pair.sleep_in(schema::WAIT, &Empty);
        pair.other.run();
        (HANDLERS.fault)(debug_fault(1));
        pair.user.run();
        assert_eq!(pair.decode(&pair.user.pop()).cause, StopCause::Ended);
        let crash = pair.other.process().exit.lock().crash;
        assert_eq!(crash.map(|crash| crash.fault.vector), vector);
    }
}

#[test]
fn a_hit_of_a_breakpoint_that_is_gone_is_none() {
    let world = World::new();
    let pair = Pair::new(&world);
    drop(pair.user.process().release(pair.debug));
    pair.user.submit(Sqe::default());
    pair.user.enter(2, syscall::FOREVER);
    pair.other.run();
    (HANDLERS.fault)(debug_fault(0b1000));
    assert!(matches!(pair.run_state(), Run::Running(_)));
    // A trap of its own doing ends it.
    (HANDLERS.fault)(debug_fault(Fault::STEP));
    assert_eq!(pair.run_state(), Run::Dead);
}

#[test]
fn a_step_ends_behind_its_instruction() {
    let world = World::new();
    let pair = Pair::new(&world);
    pair.stop(0);
    let thread = pair.event().thread;
    let step = schema::ResumeAndWaitParams { thread, step: true, ..Default::default() };
    pair.sleep_in(schema::RESUME_AND_WAIT, &step);
    pair.other.run();
    assert_ne!(pair.other.thread.context.registers().rflags & flags::STEP, 0);
    (HANDLERS.fault)(debug_fault(Fault::STEP));
    pair.user.run();
    let event = pair.brief(&pair.user.pop());
    assert_eq!((event.cause, event.rflags & flags::STEP), (StopCause::Step, 0));
}

#[test]
fn a_thread_made_while_all_are_stopped_begins_stopped() {
    let world = World::new();
    let pair = Pair::new(&world);
    pair.stop(0);
    let new = crate::task::create::NewThread {
        entry: layout::IMAGE_BASE,
        stack: layout::STACK_TOP,
        argument: 0,
        fs_base: 0,
        shape: capos_abi::RingShape::DEFAULT,
        priority: 5,
        startup: &[],
    };
    let thread = crate::task::create::thread(pair.other.process(), &new).expect("memory");
    crate::task::create::run(&thread);
    (HANDLERS.kick)();
    pair.user.run();
    let seen: Vec<u64> = (0..2).map(|_| pair.event().thread).collect();
    assert!(seen.contains(&thread.id));
    assert_eq!(thread.state.lock().run, Run::Stopped);
    pair.resume(0);
    assert_eq!(thread.state.lock().run, Run::Ready);
}

#[test]
fn registers_that_user_code_must_not_have_are_refused() {
    let world = World::new();
    let pair = Pair::new(&world);
    pair.stop(0);
    let thread = pair.event().thread;
    let good = schema::SetRegistersParams {
        thread,
        rip: layout::IMAGE_BASE,
        rflags: u64::MAX,
        ..Default::default()
    };
    pair.done(schema::SET_REGISTERS, &good);
    assert_eq!(pair.other.thread.context.registers().rflags, flags::USER | flags::ALWAYS);
    for bad in [
        schema::SetRegistersParams { rip: layout::USER_MAX, ..good },
        schema::SetRegistersParams { fs_base: layout::USER_MAX, ..good },
    ] {
        assert_eq!(pair.refused(schema::SET_REGISTERS, &bad), ExceptionCode::InvalidArgument);
    }
    let stranger = schema::SetRegistersParams { thread: thread + 1, ..good };
    assert_eq!(pair.refused(schema::SET_REGISTERS, &stranger), ExceptionCode::NotFound);
    pair.resume(0);
    assert_eq!(pair.refused(schema::SET_REGISTERS, &good), ExceptionCode::WrongState);
}

#[test]
fn code_is_changed_in_a_copy() {
    let world = World::new();
    let pair = Pair::new(&world);
    let used = || pair.other.process().account.used(Resource::MemoryPages);
    let before = used();
    let write = schema::WriteParams { address: layout::IMAGE_BASE, data: &[0xcc] };
    pair.done(schema::WRITE, &write);
    assert_eq!(used(), before + 1);
    let mut byte = [0];
    pair.other.process().space.peek(layout::IMAGE_BASE, &mut byte).expect("there");
    assert_eq!(byte, [0xcc]);
    let beyond = schema::WriteParams { address: layout::IMAGE_BASE + 4095, data: &[1, 2] };
    assert_eq!(pair.refused(schema::WRITE, &beyond), ExceptionCode::NotFound);
    assert_eq!(used(), before + 1);
}

pub(super) fn records(pair: &Pair) -> Vec<TraceResults> {
    let mut found: Vec<TraceResults> = Vec::new();
    loop {
        let cursor = found.last().map_or(0, |last| last.next);
        let params = TraceParams { cursor };
        let record =
            pair.user.call(pair.handle, process_handle::INTERFACE_ID, process_handle::TRACE, &params);
        match record {
            Ok(record) => found.push(record),
            Err(cqe) => {
                assert_eq!(ExceptionCode::from_code(cqe.method), ExceptionCode::NotFound);
                return found;
            }
        }
    }
}

#[test]
fn a_trace_tells_of_calls_only_while_it_is_on() {
    let world = World::new();
    let pair = Pair::new(&world);
    let submissions = || records(&pair).iter().filter(|it| it.kind == TraceKind::Submitted).count();
    let before = records(&pair).len();
    pair.done(schema::SET_TRACE, &schema::SetTraceParams { on: true });
    assert!(pair.other.thread.context.extras().2);
    pair.sleep_in(schema::WAIT, &Empty);
    pair.other.submit(Sqe { op: 200, user_data: 5, ..Sqe::default() });
    pair.other.run();
    (HANDLERS.traced_syscall)(0, 0, syscall::CAP_ENTER);
    assert_eq!(error(&pair.other.pop()), Some(TransportError::UnknownOp));
    (HANDLERS.traced_syscall)(1, syscall::FOREVER, syscall::CAP_ENTER);
    crate::task::stop::ask(&pair.other.thread);
    pair.user.run();
    pair.user.pop();
    let found: Vec<TraceKind> = records(&pair).iter().skip(before).map(|it| it.kind).collect();
    let wanted = [
        TraceKind::Entered,
        TraceKind::Submitted,
        TraceKind::Completed,
        TraceKind::Entered,
        TraceKind::Stopped,
    ];
    assert_eq!(found, wanted);
    assert_eq!(submissions(), 1);
    pair.done(schema::SET_TRACE, &schema::SetTraceParams { on: false });
    assert!(!pair.other.thread.context.extras().2);
}

#[test]
fn who_is_traced_revokes_in_slices_and_that_is_one_record() {
    let world = World::new();
    let (user, holder) = (world.start("traced"), world.start("holder"));
    let own = user.hold(Object::Timer(Timer));
    let lent: Vec<CapId> = (0..20).map(|_| give(&user, &holder, TransferSlot::copy(own))).collect();
    user.submit(Sqe { op: Op::Revoke as u8, cap: own.raw(), user_data: 9, ..Sqe::default() });
    let mut calls = 0;
    user.run();
    while user.ring.submitted() > 0 {
        (HANDLERS.traced_syscall)(0, 0, syscall::CAP_ENTER);
        user.thread.context.take_repeated();
        calls += 1;
        assert!(calls < 100, "it never ends");
    }
    assert_eq!((user.pop().outcome(), calls > 1), (0, true));
    assert!(lent.iter().all(|lent| gone(&holder, *lent)));
    let kinds = remembered(user.process()).0;
    assert_eq!(kinds.iter().filter(|kind| **kind == TraceKind::Submitted).count(), 1);
}

/// Kinds of all records of a process that are left, and how many are not.
fn remembered(process: &crate::task::process::Process) -> (Vec<TraceKind>, u64) {
    let (mut kinds, mut next, mut lost) = (Vec::new(), 0, 0);
    while let Some((number, kept)) = process.trace.read(next) {
        kinds.push(kept.record.kind);
        lost += number - next;
        next = number + 1;
    }
    (kinds, lost)
}

/// How many are left, and how many are not.
fn remembered_len(process: &crate::task::process::Process) -> (usize, u64) {
    let (kinds, lost) = remembered(process);
    (kinds.len(), lost)
}

#[test]
fn who_does_little_allocates_nothing_for_its_trace_and_who_does_more_loses_nothing() {
    let world = World::new();
    let process = world.process("quiet");
    let used = process.account.used(Resource::MemoryPages);
    let record = Record::new(TraceKind::Granted, 1, 2);
    fake::fail_nth_allocation(0);
    (0..15).for_each(|_| process.trace.add(0, &record));
    assert!(fake::never_fail(), "nothing was allocated");
    assert_eq!(remembered_len(&process), (16, 0));
    process.trace.add(0, &Record::new(TraceKind::ThreadBegan, 1, 2));
    let (kinds, lost) = remembered(&process);
    assert_eq!((kinds.len(), kinds[0], kinds[16], lost), (17, TraceKind::Created, TraceKind::ThreadBegan, 0));
    // It was charged before.
    assert_eq!(process.account.used(Resource::MemoryPages), used);
    (0..112).for_each(|_| process.trace.add(0, &record));
    assert_eq!(remembered_len(&process), (128, 1));
}

#[test]
fn without_memory_for_a_page_the_newest_records_are_left() {
    let world = World::new();
    let process = world.process("poor");
    let used = process.account.used(Resource::MemoryPages);
    fake::fail_nth_allocation(0);
    (0..15).for_each(|_| process.trace.add(0, &Record::new(TraceKind::Granted, 1, 2)));
    process.trace.add(0, &Record::new(TraceKind::ThreadBegan, 1, 2));
    fake::never_fail();
    let (kinds, lost) = remembered(&process);
    assert_eq!((kinds.len(), kinds[15], lost), (16, TraceKind::ThreadBegan, 1));
    assert_eq!(process.account.used(Resource::MemoryPages), used);
    process.trace.add(0, &Record::new(TraceKind::ThreadEnded, 1, 2));
    assert_eq!(remembered_len(&process), (17, 1));
    assert_eq!(remembered(&process).0[15..], [TraceKind::ThreadBegan, TraceKind::ThreadEnded]);
}

#[test]
fn who_revokes_what_is_derived_from_a_handle_ends_who_debugs_by_it() {
    let world = World::new();
    let (supervisor, debugger) = (world.start_at("supervisor", 12), world.start_at("debugger", 11));
    let other = world.start("debugged");
    let handle = ProcessHandle::new(other.process().clone()).expect("memory");
    let own = supervisor.hold(Object::ProcessHandle(handle));
    let lent = give(&supervisor, &debugger, TransferSlot::copy(own));
    supervisor.enter(1, 1_000);
    debugger.run();
    let debug = attach(&debugger, lent).expect("nobody else does");
    debugger.one(call_sqe(debug, INTERFACE, schema::STOP, 0));
    debugger.one(call_sqe(debug, INTERFACE, schema::WAIT, 0));
    debugger.submit(call_sqe(debug, INTERFACE, schema::WAIT, 0));
    debugger.enter(1, syscall::FOREVER);
    fake::time::advance(1_000_000);
    (HANDLERS.timer)();
    supervisor.run();
    assert_eq!(other.thread.state.lock().run, Run::Stopped);
    assert_eq!(revoke(&supervisor, own).0.outcome(), 0);
    assert_ne!(other.thread.state.lock().run, Run::Stopped);
    assert!(gone(&debugger, lent) && gone(&debugger, debug) && !other.process().debug.is_attached());
    assert_eq!(error(&debugger.ring.pop().expect("its wait has ended")), Some(TransportError::Revoked));
    attach(&supervisor, own).expect("the next may");
}

#[test]
fn the_last_records_stay_until_the_last_handle_goes() {
    let world = World::new();
    let pair = Pair::new(&world);
    for _ in 0..100 {
        pair.stop(0);
        pair.resume(0);
    }
    let killed =
        pair.user.call::<Empty>(pair.handle, process_handle::INTERFACE_ID, process_handle::KILL, &Empty);
    assert!(killed.is_ok());
    let found = records(&pair);
    assert_eq!(found.len(), 128);
    assert_eq!(found[0].lost + 128, found[127].next);
    assert_eq!((found[126].kind, found[127].kind), (TraceKind::Ending, TraceKind::ThreadEnded));
}
