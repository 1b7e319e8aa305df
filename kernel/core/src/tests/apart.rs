//! What every processor does all the time waits for no lock that all of them share.
//!
//! The check of the order of locks sees it: each of these is done once to have at hand what it takes, and then looked at.

use super::bindings::{Waiter, fire, line};
use super::direct_events::Turns;
use super::ipc::Pair;
use super::memory::{commit, protect, reserve, unmap};
use super::{WAYS, World, audit, call_sqe, recv_sqe, return_recv_sqe};
use crate::trap::HANDLERS;
use capos_abi::{CapId, TransferSlot, syscall};
use capos_schema::interrupt;
use capos_schema::virtual_memory::Protection;
use kernel_hal::fake::order::Taken;
use kernel_hal::order::LockRank;
use kernel_hal::user::is_running;
use kernel_hal::{fake, order};
use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::vec::Vec;

/// Twice: the second time is looked at.
fn apart(mut work: impl FnMut()) {
    work();
    // The test's own looking takes some.
    audit::from_now_on(false);
    order::without_global(work);
    audit::from_now_on(true);
}

#[test]
fn who_does_take_one_is_found_out() {
    let world = World::new();
    let user = world.start("a");
    let outcome = catch_unwind(|| order::without_global(|| crate::log::warn(format_args!("not here"))));
    fake::order::forget_all();
    order::decide(true);
    assert!(outcome.is_err());
    drop(user);
}

#[test]
fn calls_and_their_answers() {
    for way in WAYS {
        let world = World::new();
        let pair = Pair::new(&world, 2);
        pair.server.submit(recv_sqe(pair.right));
        pair.server.enter(1, syscall::FOREVER);
        apart(|| {
            pair.client.submit(pair.call(b"bytes"));
            pair.client.enter(1, way);
            let token = pair.server.pop().token;
            pair.server.submit(return_recv_sqe(pair.right, token, 5));
            pair.server.enter(1, way);
            assert_eq!(pair.client.pop().result, 5);
        });
    }
}

#[test]
fn signals_and_who_they_wake() {
    for way in WAYS {
        let world = World::new();
        let turns = Turns::new(&world);
        apart(|| {
            turns.turn(way);
            assert_eq!(turns.left.user.pop().badge, 0b10);
            turns.left.user.submit(turns.left.wait(turns.to_right));
            turns.left.user.enter(1, way);
            assert_eq!(turns.right.user.pop().badge, 0b01);
        });
    }
}

#[test]
fn interrupts_here_and_for_who_wakes_up_elsewhere() {
    for cpus in [1, 2] {
        interrupts(cpus);
    }
}

fn interrupts(cpus: usize) {
    let world = World::with_cpus(cpus);
    let waiter = Waiter::new(&world);
    let target = line(&waiter);
    let signal = waiter.signaller(0b1, 0);
    assert_eq!(waiter.bind(target, interrupt::BIND, TransferSlot::moved(signal), 0).outcome(), 0);
    apart(|| {
        assert_eq!(waiter.user.one(call_sqe(target.0, target.1, interrupt::ACKNOWLEDGE, 0)).outcome(), 0);
        waiter.user.submit(waiter.wait(CapId::NULL));
        waiter.user.enter(1, syscall::FOREVER);
        fire();
        for cpu in 0..cpus {
            fake::cpu::become_cpu(cpu);
            (HANDLERS.kick)();
        }
        waiter.user.run();
        assert_eq!(waiter.user.pop().badge, 1);
    });
}

#[test]
fn what_is_given_up_while_an_interrupt_is_dealt_with_goes_after_it() {
    let world = World::new();
    let waiter = Waiter::new(&world);
    let target = line(&waiter);
    let signal = waiter.signaller(0b1, 0);
    assert_eq!(waiter.bind(target, interrupt::BIND, TransferSlot::moved(signal), 0).outcome(), 0);
    let (used, fired) = (waiter.used(), fake::irq::fire(4).expect("claimed"));
    let served = order::without_global(|| crate::cap::interrupt::fired(fired));
    // On another processor, while this one is at it.
    waiter.release(target.0);
    assert_eq!((waiter.used(), waiter.bits()), (used, 0b1), "the last there is of the binding is still here");
    drop(served);
    assert_eq!(waiter.used(), used - 1);
}

/// Does `work` on each of two processors in turn; gives the locks that both of them took.
fn in_common(mut work: impl FnMut(usize)) -> Vec<Taken> {
    let mut on = |cpu: usize| {
        fake::cpu::become_cpu(cpu);
        let mut taken = BTreeSet::new();
        apart(|| taken = fake::order::taken_by(|| work(cpu)));
        assert!(!taken.is_empty());
        taken
    };
    let (first, second) = (on(0), on(1));
    first.intersection(&second).copied().collect()
}

#[test]
fn locks_that_are_shared_are_found_out() {
    let world = World::with_cpus(2);
    let pair = Pair::new(&world, 2);
    let common = in_common(|_| drop(pair.server.process().table.lock()));
    assert!(matches!(common[..], [(LockRank::Table, _)]), "{common:?}");
}

#[test]
fn clients_and_servers_on_two_processors_have_no_lock_in_common() {
    for way in WAYS {
        let world = World::with_cpus(2);
        let pairs = [0, 1].map(|cpu| {
            fake::cpu::become_cpu(cpu);
            let pair = Pair::new(&world, 2);
            pair.server.submit(recv_sqe(pair.right));
            pair.server.enter(1, syscall::FOREVER);
            pair
        });
        let common = in_common(|cpu| {
            let pair = &pairs[cpu];
            pair.client.submit(pair.call(b"bytes"));
            pair.client.enter(1, way);
            assert!(is_running(cpu, &pair.server.thread.context));
            let token = pair.server.pop().token;
            pair.server.submit(return_recv_sqe(pair.right, token, 5));
            pair.server.enter(1, way);
            assert!(is_running(cpu, &pair.client.thread.context));
            assert_eq!(pair.client.pop().result, 5);
        });
        assert_eq!(common, []);
    }
}

#[test]
fn two_that_take_turns_on_each_of_two_processors_have_no_lock_in_common() {
    for way in WAYS {
        let world = World::with_cpus(2);
        let turns = [0, 1].map(|cpu| {
            fake::cpu::become_cpu(cpu);
            Turns::new(&world)
        });
        let common = in_common(|cpu| {
            let turns = &turns[cpu];
            turns.turn(way);
            assert!(is_running(cpu, &turns.left.user.thread.context));
            assert_eq!(turns.left.user.pop().badge, 0b10);
            turns.left.user.submit(turns.left.wait(turns.to_right));
            turns.left.user.enter(1, way);
            assert_eq!(turns.right.user.pop().badge, 0b01);
        });
        assert_eq!(common, []);
    }
}

#[test]
fn pages() {
    let world = World::new();
    let user = world.start("a");
    apart(|| {
        let address = reserve(&user, 4);
        assert!(commit(&user, address, 4).is_ok());
        assert!(protect(&user, address, Protection::Read).is_ok());
        assert!(unmap(&user, address, 4).is_ok());
    });
}
