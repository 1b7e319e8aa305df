//! Answers are bounded, lists that change are not told as one, and what is not there is refused.

use super::super::shares::another;
use super::super::{CAPS, LIMITS, MSG, User, World, call_sqe, error};
use super::{Eye, everything, only, release};
use crate::cap::Object;
use crate::cap::timer::Timer;
use crate::task::create::Limits;
use crate::task::process::Status;
use crate::task::{end, registry};
use capos_abi::{CapId, ExceptionCode, MAX_CAP_SLOTS, Sqe, TransportError};
use capos_inspect::{Capability, Process, Record, Slot, Thread};
use capos_schema::inspector::{self as schema, ListParams, Listing};
use capos_schema::{Encode, thread_control};
use std::collections::BTreeSet;
use std::vec::Vec;

#[test]
fn a_list_that_changed_is_not_gone_on_with_unless_one_likes() {
    let world = World::new();
    let (eye, user) = (Eye::new(&world), world.start("user"));
    let params = only(Listing::Capabilities, &user);
    let epoch = |params| eye.list::<Capability>(params).expect("an answer").epoch;
    let first = epoch(&params);
    assert!(first != 0 && first == epoch(&params), "the same table, the same epoch");
    let again = ListParams { epoch: first, ..params };
    assert_eq!(epoch(&again), first);
    // What comes, goes, and comes again to the same slot.
    let changes: [fn(&User); 3] = [
        |user| assert_eq!(user.hold(Object::Timer(Timer)).index(), CapId::FIRST_GRANT),
        |user| release(user, CapId::granted(0)),
        |user| assert_eq!(user.hold(Object::Timer(Timer)).index(), CapId::FIRST_GRANT),
    ];
    let mut seen = BTreeSet::from([first]);
    for change in changes {
        let before = ListParams { epoch: epoch(&params), ..params };
        change(&user);
        assert_eq!(eye.refused(&before), ExceptionCode::WrongState);
        assert!(seen.insert(epoch(&params)), "an epoch never comes again");
    }
    // A call that moves nothing changes nothing.
    let before = epoch(&params);
    user.one(Sqe::default());
    assert_eq!(epoch(&params), before);
    // The same of processes and of threads.
    let processes = everything(Listing::Processes);
    let before = eye.list::<Process>(&processes).expect("an answer").epoch;
    let threads = only(Listing::Threads, &user);
    let thread_epoch = eye.list::<Thread>(&threads).expect("an answer").epoch;
    assert_eq!(
        eye.list::<Thread>(&ListParams { epoch: thread_epoch, ..threads }).map(|it| it.end).ok(),
        Some(true)
    );
    let other = world.process("other");
    assert_eq!(eye.refused(&ListParams { epoch: before, ..processes }), ExceptionCode::WrongState);
    let between = eye.list::<Process>(&processes).expect("an answer").epoch;
    end::end_process(&other, Status::Killed);
    assert_eq!(eye.refused(&ListParams { epoch: between, ..processes }), ExceptionCode::WrongState);
    let wrong = ListParams { epoch: thread_epoch + 1, ..threads };
    assert_eq!(eye.refused(&wrong), ExceptionCode::WrongState);
    // One whose process has gone meanwhile.
    let gone = ListParams { only: false, process: other.id, epoch: 1, ..params };
    assert_eq!(eye.refused(&gone), ExceptionCode::WrongState);
    assert!(eye.list::<Capability>(&ListParams { epoch: 0, ..gone }).is_ok());
    // Who goes on regardless hears of the next from its beginning, wherever it was in that which is gone.
    let next = world.process("next");
    let found = eye.list::<Capability>(&ListParams { index: 2, epoch: 0, ..gone }).expect("an answer");
    assert_eq!(found.records.first().map(|cap| cap.at), Some(Slot { process: next.id, slot: 0 }));
    let last = ListParams { process: u64::MAX, ..gone };
    assert_eq!(eye.refused(&last), ExceptionCode::WrongState);
    assert!(eye.list::<Capability>(&ListParams { epoch: 0, ..last }).expect("an answer").end);
}

#[test]
fn no_place_that_there_is_not_is_looked_at() {
    let world = World::new();
    let (eye, user) = (Eye::new(&world), world.start("user"));
    let gone = world.process("gone");
    end::end_process(&gone, Status::Killed);
    for listing in [Listing::Processes, Listing::Threads, Listing::Capabilities] {
        for process in [0, gone.id, u64::MAX] {
            let params = ListParams { only: true, process, ..everything(listing) };
            assert_eq!(eye.refused(&params), ExceptionCode::NotFound, "{listing:?} of {process}");
        }
    }
    let wrong = [
        ListParams { index: 1, ..everything(Listing::Processes) },
        ListParams { index: u64::MAX, ..everything(Listing::Processes) },
        ListParams { index: 2, ..everything(Listing::Processors) },
        ListParams { process: 1, ..everything(Listing::Processors) },
        ListParams { only: true, ..everything(Listing::Processors) },
        ListParams { index: MAX_CAP_SLOTS as u64 + 1, ..only(Listing::Capabilities, &user) },
        ListParams { index: u64::MAX, ..only(Listing::Capabilities, &user) },
    ];
    for params in wrong {
        assert_eq!(eye.refused(&params), ExceptionCode::InvalidArgument, "{params:?}");
    }
    // At the end there is nothing, and nothing wrong.
    let end = [
        ListParams { index: 1, ..everything(Listing::Processors) },
        ListParams { process: u64::MAX, ..everything(Listing::Processes) },
        ListParams { index: u64::MAX, ..only(Listing::Threads, &user) },
        ListParams { index: MAX_CAP_SLOTS as u64, ..only(Listing::Capabilities, &user) },
    ];
    for params in end {
        let found = eye.decoded::<Thread>(eye.user.one(eye.submission(&params)));
        assert!(found.is_ok_and(|it| it.end && it.records.is_empty()), "{params:?}");
    }
}

#[test]
fn a_listing_that_is_none_and_a_buffer_too_small_are_refused() {
    let world = World::new();
    let eye = Eye::new(&world);
    let call = eye.submission(&everything(Listing::Processes));
    for (len, fits) in
        [(0, false), (56, false), (56 + Process::LEN as u32 - 8, false), (56 + Process::LEN as u32, true)]
    {
        let cqe = eye.user.one(Sqe { reply_len: len, ..call });
        assert_eq!(error(&cqe), (!fits).then_some(TransportError::ReplyTooLarge), "{len}");
    }
    // One fits, and the next answer tells the next.
    let cqe = eye.user.one(Sqe { reply_len: 56 + Process::LEN as u32, ..call });
    let other = world.process("other");
    let found = eye.decoded::<Process>(cqe).expect("an answer");
    assert_eq!((found.records.len(), found.end), (1, true), "there was one");
    let cqe = eye.user.one(Sqe { reply_len: 56 + Process::LEN as u32, ..call });
    let found = eye.decoded::<Process>(cqe).expect("an answer");
    assert_eq!((found.records.len(), found.end), (1, false));
    let rest = ListParams { process: found.process, epoch: found.epoch, ..everything(Listing::Processes) };
    let found = eye.list::<Process>(&rest).expect("an answer");
    assert_eq!(
        (found.records.iter().map(|it| it.id).collect::<Vec<_>>(), found.end),
        (Vec::from([other.id]), true)
    );
    let mut message = [0; 64];
    let len = everything(Listing::Processes).encode(&mut message).expect("it fits");
    message[8] = 9;
    eye.user.put(MSG, &message[..len]);
    assert_eq!(error(&eye.user.one(call)), Some(TransportError::BadMessage));
}

#[test]
fn much_is_told_bit_by_bit_and_each_once() {
    let world = World::new();
    let eye = Eye::new(&world);
    let limits = Limits { cap_slots: 4000, ..LIMITS };
    let rich = User::of(&world.process_with("rich", &limits));
    let all: Vec<CapId> = (0..3000).map(|_| rich.hold(Object::Timer(Timer))).collect();
    let (found, answers) = eye.all::<Capability>(only(Listing::Capabilities, &rich));
    assert_eq!(found.len(), 3003);
    assert!(answers >= 3003 * Capability::LEN / 4096 && found.is_sorted_by_key(|cap| cap.at));
    // Where there is little in much, an answer looks at a part of it.
    for cap in &all[10..2990] {
        drop(rich.process().release(*cap));
    }
    let first = eye.list::<Capability>(&only(Listing::Capabilities, &rich)).expect("an answer");
    assert_eq!((first.records.len(), first.end), (13, false));
    assert!((100..1000).contains(&first.index), "{}", first.index);
    let (found, answers) = eye.all::<Capability>(only(Listing::Capabilities, &rich));
    assert!(found.len() == 23 && answers > 3);
    // And the same from process to process.
    let (many, _) = eye.all::<Capability>(everything(Listing::Capabilities));
    assert_eq!(many.iter().filter(|cap| cap.at.process == rich.process().id).count(), 23);
    assert!(many.is_sorted_by_key(|cap| cap.at));
}

#[test]
fn many_processes_are_told_in_several_answers() {
    let world = World::new();
    let eye = Eye::new(&world);
    let small = Limits { memory_pages: 100, cap_slots: 4, ..LIMITS };
    let many: Vec<_> = (0..100).map(|_| world.process_with("one", &small)).collect();
    let (found, answers) = eye.all::<Process>(everything(Listing::Processes));
    assert!(found.len() == registry::processes() && answers >= 101 / 19);
    let (held, _) = eye.all::<Capability>(everything(Listing::Capabilities));
    assert_eq!(held.len(), 3 * 101 + 1);
    let (threads, _) = eye.all::<Thread>(everything(Listing::Threads));
    assert_eq!(threads.len(), 1, "the others were not started");
    drop(many);
}

/// Where the answers of a reading come in the middle of a table that changes, what was there all the time is told once.
#[test]
fn who_does_not_care_about_changes_still_hears_of_each_once() {
    let world = World::new();
    let eye = Eye::new(&world);
    let limits = Limits { cap_slots: 600, ..LIMITS };
    let rich = User::of(&world.process_with("rich", &limits));
    let all: Vec<CapId> = (0..300).map(|_| rich.hold(Object::Timer(Timer))).collect();
    let (mut params, mut told, mut n) = (only(Listing::Capabilities, &rich), Vec::new(), 0);
    loop {
        let found = eye.list::<Capability>(&params).expect("an answer");
        told.extend(found.records.iter().map(|cap| cap.at.slot));
        if found.end {
            break;
        }
        params.index = found.index;
        // One of the middle goes, and another comes, wherever that is.
        release(&rich, all[100 + n]);
        rich.hold(Object::Timer(Timer));
        n += 1;
    }
    assert!(n > 2);
    for (stayed, cap) in all.iter().enumerate() {
        let times = told.iter().filter(|slot| **slot == cap.index()).count();
        assert!(times == 1 || (100..100 + n).contains(&stayed), "slot {} {times} times", cap.index());
    }
}

#[test]
fn nobody_else_can_ask() {
    let world = World::new();
    let (eye, user) = (Eye::new(&world), world.start("user"));
    let _ = user.hold(Object::Timer(Timer));
    for (cap, wanted) in [
        (eye.cap, TransportError::WrongInterface),
        (CapId::SELF_THREADS, TransportError::WrongInterface),
        (CapId::granted(9), TransportError::InvalidCap),
        (CapId::NULL, TransportError::InvalidCap),
    ] {
        user.set_word(CAPS, 0);
        let call = call_sqe(cap, schema::INTERFACE_ID, schema::LIST, 0);
        assert_eq!(error(&user.one(call)), Some(wanted));
    }
}

#[test]
fn threads_that_come_and_go_change_their_list() {
    let world = World::new();
    let (eye, user) = (Eye::new(&world), world.start("user"));
    let threads = only(Listing::Threads, &user);
    let found = || {
        let found = eye.list::<Thread>(&threads).expect("an answer");
        (found.epoch, found.records.iter().map(|thread| thread.id).collect::<Vec<_>>())
    };
    let alone = found();
    let second = another(user.process());
    let both = found();
    assert_eq!(both.1, [user.thread.id, second.thread.id]);
    second.submit(call_sqe(CapId::SELF_THREADS, thread_control::INTERFACE_ID, thread_control::EXIT, 0));
    second.poll();
    let again = found();
    assert_eq!(again.1, alone.1);
    assert_eq!(BTreeSet::from([alone.0, both.0, again.0]).len(), 3, "it is not the same list");
    for (epoch, _) in [alone, both] {
        assert_eq!(eye.refused(&ListParams { epoch, ..threads }), ExceptionCode::WrongState);
    }
}
