//! Who pays for what: every budget's account says what is really there.

use super::ipc::Pair;
use super::{CAPS, User, World, return_sqe};
use crate::cap::Object;
use crate::cap::log_sink::LogSink;
use crate::cap::process_handle::ProcessHandle;
use crate::cap::timer::Timer;
use crate::task::create::Limits;
use crate::trap::HANDLERS;
use capos_abi::{CapId, Cqe, ExceptionCode, Sqe, TransferSlot, syscall};
use capos_log::RECORD_OVERHEAD;
use capos_mem::Resource;
use capos_schema::log_sink::{self, LogLevel, WriteParams};
use capos_schema::process_handle::{self, CrashLog, CrashResults};
use capos_schema::{Decode, Empty};
use core::sync::atomic::Ordering;
use kernel_hal::{Fault, fake};
use std::string::String;
use std::vec::Vec;

fn slots_are_as_charged(user: &User) -> bool {
    user.process().account.used(Resource::CapSlots) == user.process().table.lock().len() as u64
}

#[test]
fn slots_follow_capabilities_that_move() {
    let world = World::new();
    let pair = Pair::new(&world, 4);
    let both = || slots_are_as_charged(&pair.client) && slots_are_as_charged(&pair.server);
    assert!(both());
    let timer = pair.client.hold(Object::Timer(Timer));
    for transfer in [TransferSlot::copy(timer), TransferSlot::moved(timer)] {
        pair.client.set_word(CAPS, transfer.0);
        pair.client.submit(Sqe { caps_send: 1, caps_recv: 1, ..pair.call(b"") });
        pair.client.poll();
        let got = pair.receive();
        assert!(got.caps == 1 && both(), "{transfer:?} with the call");
        let received = CapId::from_raw(pair.server.word(CAPS));
        pair.server.set_word(CAPS, TransferSlot::moved(received).0);
        pair.server.one(Sqe { caps_off: CAPS, caps_send: 1, ..return_sqe(pair.right, got.token, 0) });
        assert!(pair.client.pop().caps == 1 && both(), "{transfer:?} and back");
    }
}

fn log(user: &User, sink: CapId, text: &str) -> Cqe {
    let params = WriteParams { level: LogLevel::Info, text };
    user.call_raw(sink, log_sink::INTERFACE_ID, log_sink::WRITE, &params, 0)
}

#[test]
fn the_log_takes_a_budget_and_no_more_until_time_has_passed() {
    let world = World::new();
    let user = world.start("chatty");
    let sink = user.hold(Object::LogSink(LogSink));
    let text = "x".repeat(1000);
    let affordable = super::LIMITS.log_bytes / (1000 + RECORD_OVERHEAD as u64);
    for _ in 0..affordable {
        assert_eq!(log(&user, sink, &text).outcome(), 0);
    }
    let refused = log(&user, sink, &text);
    assert_eq!(ExceptionCode::from_code(refused.method), ExceptionCode::BudgetExhausted);
    fake::time::advance(1_000_000_000);
    assert_eq!(log(&user, sink, &text).outcome(), 0);
    let other = world.start("other");
    let theirs = other.hold(Object::LogSink(LogSink));
    assert_eq!(log(&other, theirs, &text).outcome(), 0, "each has its own");
}

#[test]
fn time_is_charged_to_whoever_had_the_processor() {
    let world = World::new();
    let (first, second) = (world.start("first"), world.start("second"));
    let spent = |user: &User| user.process().cpu_ticks.load(Ordering::Relaxed);
    first.run();
    let before = (spent(&first), spent(&second));
    fake::time::advance(700);
    first.enter(1, syscall::FOREVER);
    assert!(first.is_blocked());
    second.run();
    fake::time::advance(30);
    second.enter(1, syscall::FOREVER);
    // Nobody runs now, and nobody pays for it.
    fake::time::advance(5);
    assert_eq!((spent(&first) - before.0, spent(&second) - before.1), (700, 30));
}

/// What the kernel's log says of a process, as far as it is there.
fn said_of(name: &str) -> Vec<String> {
    let (mut lines, mut cursor, mut text) = (Vec::new(), 0, [0; 512]);
    while let Some(record) = crate::log::read(cursor, &mut text) {
        lines.push(String::from(record.text));
        cursor = record.next;
    }
    lines.retain(|line| line.starts_with(name));
    lines
}

#[test]
fn the_record_of_a_fault_takes_log_bytes_of_who_died_and_says_what_they_sufficed_for() {
    let world = World::new();
    let heir = world.start("heir");
    for (name, log_bytes, log, lines) in [
        ("rich-victim", 4096, CrashLog::Whole, 1),
        ("poor-victim", 75, CrashLog::Shortened, 1),
        ("bare-victim", 50, CrashLog::Missing, 0),
        ("mute-victim", 0, CrashLog::Missing, 0),
    ] {
        let process = world.process_with(name, &Limits { log_bytes, ..super::LIMITS });
        let victim = User::of(&process);
        let handle = ProcessHandle::new(process.clone()).unwrap_or_else(|_| panic!("memory"));
        let handle = heir.hold(Object::ProcessHandle(handle));
        victim.run();
        (HANDLERS.fault)(Fault { vector: 14, error_code: 6, address: 0x1234 });
        let said = said_of(name);
        assert_eq!(said.len(), lines, "{said:?}");
        let used: u64 = said.iter().map(|line| (line.len() + RECORD_OVERHEAD) as u64).sum();
        assert_eq!(process.log.lock().used(kernel_hal::time::now_ns()), used);
        assert!(said.iter().all(|line| line.contains("shortened") == (log == CrashLog::Shortened)));
        heir.run();
        let cqe = heir.call_raw(handle, process_handle::INTERFACE_ID, process_handle::CRASH, &Empty, 0);
        let answer = heir.get(super::REPLY, cqe.result as usize);
        let crash = CrashResults::decode(&answer).expect("a record");
        assert_eq!((crash.log, crash.vector, crash.address), (log, 14, 0x1234), "{name}");
    }
}
