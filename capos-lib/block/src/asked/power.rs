//! What flushes say of a device that had no power for a while.

use super::Asked;
use crate::{Completion, Operation, Request, Status, Tag};
use alloc::vec::Vec;
use proptest::prelude::*;

/// What was asked: at which step, and what came of it at which.
#[derive(Clone, Copy, Debug)]
struct Known {
    tag: Tag,
    id: u32,
    operation: Operation,
    asked: usize,
    done: Option<usize>,
    /// Of a flush: it must not say that it is done. Of a write: it was in the cache, and nobody was told.
    is_lost: bool,
    /// Of a write: nothing can happen to it any more.
    is_safe: bool,
}

/// What somebody else wrote before this client began.
const BEFORE: Known = Known {
    tag: Tag::MAX,
    id: 0,
    operation: Operation::Write,
    asked: 0,
    done: Some(0),
    is_lost: false,
    is_safe: false,
};

#[derive(Clone, Debug)]
enum Step {
    Ask(Operation, bool),
    Answer(usize),
    PowerLost,
}

fn step() -> impl Strategy<Value = Step> {
    let write = any::<bool>().prop_map(|durable| Step::Ask(Operation::Write, durable));
    prop_oneof![
        3 => write,
        1 => Just(Step::Ask(Operation::Discard, false)),
        2 => Just(Step::Ask(Operation::Flush, false)),
        4 => (0usize..8).prop_map(Step::Answer),
        1 => Just(Step::PowerLost),
    ]
}

fn request(operation: Operation, durable: bool) -> Request {
    Request { id: 0, operation, durable, buffer: 0, offset: 0, first: 0, sectors: 1 }
}

/// Whether there is a write that was done when this was asked of which nobody was told that it is lost.
fn hides(all: &[Known], asked: usize) -> bool {
    all.iter()
        .any(|it| it.operation == Operation::Write && it.is_lost && it.done.is_some_and(|at| at < asked))
}

proptest! {
    #[test]
    fn no_flush_says_done_of_what_is_lost_until_that_was_told(steps in proptest::collection::vec(step(), 0..120)) {
        let mut asked = Asked::new(64, true).unwrap();
        let mut all: Vec<Known> = Vec::from([BEFORE]);
        for (now, step) in (1..).zip(steps) {
            match step {
                Step::Ask(operation, durable) => {
                    let Some((tag, id)) = asked.ask(&request(operation, durable)) else { continue };
                    let is_lost = operation == Operation::Flush && hides(&all, now);
                    all.push(Known { tag, id, operation, asked: now, done: None, is_lost, is_safe: durable });
                }
                Step::Answer(at) => {
                    let Some(at) = (0..all.len()).filter(|n| all[*n].done.is_none()).nth(at) else { continue };
                    let Known { tag, id, operation, asked: when, is_lost, .. } = all[at];
                    let is_vain = operation == Operation::Flush && is_lost;
                    let status = if is_vain { Status::Lost } else { Status::Done };
                    let done = Completion { id, status: Status::Done, detail: 0 };
                    prop_assert_eq!(asked.done(done), Some((tag, Completion { status, ..done })));
                    asked.forget(tag);
                    all[at].done = Some(now);
                    if operation == Operation::Flush {
                        let covered = |it: &&mut Known| it.done.is_some_and(|at| at < when);
                        for it in all.iter_mut().filter(covered).filter(|it| it.operation == Operation::Write) {
                            (it.is_safe, it.is_lost) = (true, false);
                        }
                    }
                }
                Step::PowerLost => {
                    asked.power_lost();
                    for it in all.iter_mut().filter(|it| it.operation == Operation::Write) {
                        it.is_lost |= it.done.is_some() && !it.is_safe;
                        it.is_safe |= it.done.is_some();
                    }
                    for n in 0..all.len() {
                        let flush = all[n];
                        if flush.operation == Operation::Flush && flush.done.is_none() {
                            all[n].is_lost |= hides(&all, flush.asked);
                        }
                    }
                    let waits = all.iter().filter(|it| it.done.is_none()).map(|it| it.id);
                    prop_assert!(asked.again().map(|it| it.id).eq(waits));
                }
            }
        }
    }
}

/// Asks for something, and has it done: what is heard.
fn perform(asked: &mut Asked, operation: Operation, durable: bool) -> Status {
    let (tag, id) = asked.ask(&request(operation, durable)).unwrap();
    let done = asked.done(Completion { id, status: Status::Done, detail: 0 });
    asked.forget(tag);
    done.unwrap().1.status
}

#[test]
fn a_flush_of_what_is_lost_says_so_once_and_later_ones_do_their_work() {
    let mut asked = Asked::new(4, true).unwrap();
    perform(&mut asked, Operation::Write, false);
    asked.power_lost();
    assert_eq!(perform(&mut asked, Operation::Read, false), Status::Done);
    assert_eq!(perform(&mut asked, Operation::Flush, false), Status::Lost);
    assert_eq!(perform(&mut asked, Operation::Flush, false), Status::Done);
}

#[test]
fn who_was_told_of_a_flush_but_did_not_listen_is_told_again() {
    let mut asked = Asked::new(4, true).unwrap();
    perform(&mut asked, Operation::Write, false);
    asked.power_lost();
    let (tag, id) = asked.ask(&request(Operation::Flush, false)).unwrap();
    asked.forget(tag);
    assert_eq!(asked.done(Completion { id, status: Status::Done, detail: 0 }), None);
    assert_eq!(perform(&mut asked, Operation::Flush, false), Status::Lost);
}

#[test]
fn what_is_durable_or_was_flushed_or_is_no_longer_wanted_is_not_missed() {
    let mut asked = Asked::new(4, true).unwrap();
    perform(&mut asked, Operation::Write, false);
    perform(&mut asked, Operation::Flush, false);
    perform(&mut asked, Operation::Write, true);
    perform(&mut asked, Operation::Discard, false);
    asked.power_lost();
    assert_eq!(perform(&mut asked, Operation::Flush, false), Status::Done);
}

#[test]
fn who_begins_anew_depends_on_what_was_written_before() {
    let mut asked = Asked::new(4, true).unwrap();
    asked.power_lost();
    assert_eq!(perform(&mut asked, Operation::Flush, false), Status::Lost);
    assert_eq!(perform(&mut asked, Operation::Flush, false), Status::Done);
}

#[test]
fn a_device_without_a_cache_loses_nothing() {
    let mut asked = Asked::new(4, false).unwrap();
    perform(&mut asked, Operation::Zero, false);
    asked.power_lost();
    assert_eq!(perform(&mut asked, Operation::Flush, false), Status::Done);
}
