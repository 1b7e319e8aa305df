//! What a process asked for last, when nobody had its calls recorded: its rings still hold it.
//!
//! To record every submission costs each call of everybody, all the time. But a ring keeps what went through it until the place is needed
//! again. So at the end, and only then, the last submissions are read out of the rings, each with its completion if there is one. Nobody
//! has to have asked for it beforehand, and nothing on the way of a call knows of it.
//!
//! A ring has no clock: these records tell no time. And it is the program's own memory: a program that changes what is behind it
//! deceives whoever reads its trace, and nobody else.

use crate::task::process::Process;
use crate::task::thread::Thread;
use crate::task::trace::Record;
use capos_abi::Cqe;
use core::sync::atomic::Ordering;

/// Submissions of one thread: with their completions, and with what comes at an end, they are a screenful.
const CALLS: usize = 12;
/// Completions that are looked through for theirs.
const ANSWERS: usize = 2 * CALLS;
/// Submissions of all threads of a process: they leave room for what else is in a trace.
const ALL: usize = 4 * CALLS;

/// Adds the last calls of all threads to the trace of a process that ends; those of `last`, if it is one of them, come at the end, and have room
/// whatever the others did. Once for each process; one that is traced has it all already.
pub(crate) fn last_calls(process: &Process, last: Option<&Thread>) {
    if process.trace.is_on() || !process.trace.begin_to_recall() {
        return;
    }
    let mut left = ALL;
    {
        let threads = process.threads.lock();
        let others = threads.list.iter().filter(|thread| last.is_none_or(|last| last.id != thread.id));
        for thread in others {
            if left <= CALLS {
                break;
            }
            left -= add(thread).max(1);
        }
    }
    if let Some(last) = last {
        add(last);
    }
}

/// Adds the last calls of one thread; gives how many there were.
fn add(thread: &Thread) -> usize {
    let ring = &thread.ring;
    let taken = thread.sq_head.load(Ordering::Relaxed);
    // Submissions that were not taken yet lie where the oldest would.
    let waiting = ring.sq_pending(taken).unwrap_or(thread.shape.sq_entries);
    let kept = (thread.shape.sq_entries - waiting).min(taken);
    let mut pending = taken.wrapping_sub(thread.completed());
    let mut answers = answers(thread);
    let mut calls = [None; CALLS];
    // The newest first: a program may use the same `user_data` again and again, and if one of those pends it is the newest.
    for (place, back) in calls.iter_mut().zip(1..=kept) {
        let submission = ring.queued(taken.wrapping_sub(back));
        let wanted = submission.user_data();
        let pends = pending > 0 && thread.state.lock().ops.find(wanted).is_some();
        let answer = answers.iter_mut().find(|answer| answer.is_some_and(|it| it.user_data == wanted));
        let record = Record::of_submission(submission.kind(), &submission);
        *place = Some((record, answer.filter(|_| !pends).and_then(Option::take)));
        pending -= u32::from(pends);
    }
    for (submission, answer) in calls.iter().rev().flatten() {
        keep(thread, submission);
        if let Some(cqe) = answer {
            keep(thread, &Record::of_completion(cqe));
        }
    }
    calls.iter().flatten().count()
}

/// The last completions of a thread, the newest first.
fn answers(thread: &Thread) -> [Option<Cqe>; ANSWERS] {
    let end = thread.completed();
    let there = end.min(thread.shape.cq_entries);
    let mut answers = [None; ANSWERS];
    for (place, back) in answers.iter_mut().zip(1..=there) {
        *place = Some(thread.ring.read_cqe(end.wrapping_sub(back)));
    }
    answers
}

fn keep(thread: &Thread, record: &Record) {
    thread.process.trace.add_untimed(thread.id, record);
}
