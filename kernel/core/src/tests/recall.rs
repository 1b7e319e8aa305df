//! What a process asked for last is in its trace when it has ended, without anybody having asked for that.

use super::{User, World};
use crate::task::create::{self, NewThread};
use crate::task::end::end_process;
use crate::task::process::{Process, Status};
use crate::task::trace::Kept;
use crate::trap::HANDLERS;
use capos_abi::ring::header;
use capos_abi::{Op, RingShape, Sqe, layout};
use capos_schema::process_handle::TraceKind;
use kernel_hal::{Fault, fake};
use std::vec::Vec;

/// A submission that can be told from others by what it names.
fn nop(number: u64) -> Sqe {
    Sqe { op: Op::Nop as u8, user_data: number, ..Sqe::default() }
}

/// One that pends.
fn park(number: u64) -> Sqe {
    Sqe { op: Op::Park as u8, cap: 1, user_data: number, ..Sqe::default() }
}

fn calls(user: &User, numbers: core::ops::Range<u64>) {
    for number in numbers {
        user.one(nop(number));
    }
}

fn all(process: &Process) -> Vec<Kept> {
    let (mut found, mut next) = (Vec::new(), 0);
    while let Some((number, kept)) = process.trace.read(next) {
        found.push(kept);
        next = number + 1;
    }
    found
}

/// Kind and operation (or `user_data` of a completion) from the first call on.
fn story(process: &Process) -> Vec<(TraceKind, u64)> {
    let told = all(process).into_iter().skip_while(|it| it.record.kind != TraceKind::Submitted);
    told.map(|it| match it.record.kind {
        TraceKind::Submitted => (TraceKind::Submitted, u64::from(it.record.op)),
        kind => (kind, it.record.arguments[0]),
    })
    .collect()
}

const NOP: (TraceKind, u64) = (TraceKind::Submitted, Op::Nop as u64);

#[test]
fn the_last_calls_of_who_is_killed_are_told_with_their_ends_and_one_that_pends_without() {
    let world = World::new();
    // Nothing happens at the time that means that it is not known.
    fake::time::advance(1_000);
    let user = world.start("killed");
    let process = user.process().clone();
    calls(&user, 1..31);
    user.submit(park(99));
    user.poll();
    end_process(&process, Status::Killed);
    // Twelve: eleven that are done, and the one that is not.
    let mut wanted: Vec<(TraceKind, u64)> =
        (20..31).flat_map(|number| [NOP, (TraceKind::Completed, number)]).collect();
    wanted.push((TraceKind::Submitted, Op::Park as u64));
    wanted.push((TraceKind::Ending, 1));
    wanted.push((TraceKind::ThreadEnded, 0));
    assert_eq!(story(&process), wanted);
    let times: Vec<bool> = all(&process).iter().map(|it| it.time_ns == 0).collect();
    assert_eq!(times.iter().filter(|unknown| **unknown).count(), 23, "those of calls, and no others");
}

#[test]
fn of_many_with_the_same_number_the_newest_pends() {
    let world = World::new();
    let user = world.start("killed");
    let process = user.process().clone();
    (0..3).for_each(|_| assert_eq!(user.one(nop(5)).user_data, 5));
    user.submit(park(5));
    user.poll();
    end_process(&process, Status::Killed);
    let done = (TraceKind::Completed, 5);
    let pends = (TraceKind::Submitted, Op::Park as u64);
    assert_eq!(story(&process)[..7], [NOP, done, NOP, done, NOP, done, pends]);
    assert_eq!(story(&process)[7].0, TraceKind::Ending);
}

#[test]
fn what_comes_before_a_fault_stands_before_it_and_once() {
    let world = World::new();
    let user = world.start("faulting");
    let process = user.process().clone();
    calls(&user, 1..3);
    user.run();
    (HANDLERS.fault)(Fault { vector: 14, error_code: 6, address: 0x1234 });
    let kinds: Vec<TraceKind> = story(&process).into_iter().map(|(kind, _)| kind).collect();
    use TraceKind::{Completed, Ending, Faulted, Submitted, ThreadEnded};
    assert_eq!(kinds, [Submitted, Completed, Submitted, Completed, Faulted, Ending, ThreadEnded]);
}

#[test]
fn submissions_that_were_not_taken_and_overwrote_others_are_not_told() {
    let world = World::new();
    let user = world.start("busy");
    let process = user.process().clone();
    calls(&user, 1..65);
    // All places but three hold what the kernel has not seen.
    (0..61).for_each(|_| user.submit(park(7)));
    end_process(&process, Status::Killed);
    let told = story(&process).into_iter().filter(|(kind, _)| *kind != TraceKind::Ending);
    let told: Vec<(TraceKind, u64)> = told.take(6).collect();
    let wanted: Vec<(TraceKind, u64)> =
        (62..65).flat_map(|number| [NOP, (TraceKind::Completed, number)]).collect();
    assert_eq!(told, wanted);
}

#[test]
fn a_hostile_tail_hides_the_calls_and_nothing_else() {
    let world = World::new();
    let user = world.start("hostile");
    let process = user.process().clone();
    calls(&user, 1..5);
    user.thread.ring.frames().write(header::SQ_TAIL, &1000u32.to_le_bytes()).expect("in the block");
    end_process(&process, Status::Killed);
    assert!(story(&process).is_empty());
    assert_eq!(all(&process).last().map(|it| it.record.kind), Some(TraceKind::ThreadEnded));
}

#[test]
fn many_threads_leave_room_for_the_one_that_ended_it_all() {
    let world = World::new();
    let first = world.start("many");
    let process = first.process().clone();
    calls(&first, 1..40);
    let new = NewThread {
        entry: layout::IMAGE_BASE,
        stack: layout::STACK_TOP - 8,
        argument: 0,
        fs_base: 0,
        shape: RingShape::DEFAULT,
        priority: 10,
        startup: &[],
    };
    for thread in 1..6 {
        let thread_made = create::thread(&process, &new).expect("a thread");
        create::run(&thread_made);
        let user = User::playing(thread_made);
        user.run();
        calls(&user, 100 * thread..100 * thread + 40);
    }
    first.run();
    (HANDLERS.fault)(Fault { vector: 6, error_code: 0, address: 0 });
    let found = all(&process);
    let submitted = found.iter().filter(|it| it.record.kind == TraceKind::Submitted);
    let by_first = submitted.clone().filter(|it| it.thread == first.thread.id);
    assert_eq!((submitted.count(), by_first.count()), (48, 12));
    let fault = found.iter().position(|it| it.record.kind == TraceKind::Faulted).expect("a fault");
    // Right before it stands what the faulting thread did.
    let before = &found[fault - 24..fault];
    assert!(before.iter().all(|it| it.thread == first.thread.id));
    assert_eq!(before[23].record.arguments[0], 39);
}
