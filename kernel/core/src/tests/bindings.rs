//! Interrupts, alarms, ends of processes and lost signallers end in notifications; so does `WAIT`.

use super::{CAPS, User, World, call_sqe, error};
use crate::cap::Object;
use crate::cap::interrupt::Interrupt;
use crate::cap::process_handle::ProcessHandle;
use crate::ipc::transfer;
use crate::task::end;
use crate::task::process::Status;
use crate::task::timers::Due;
use crate::trap::HANDLERS;
use capos_abi::ring::cqe_flags;
use capos_abi::{CapId, Cqe, ExceptionCode, Op, Sqe, TransferSlot, TransportError, syscall};
use capos_mem::Resource;
use capos_schema::notification::{self, MintParams, PollResults};
use capos_schema::{Empty, alarm, interrupt, process_handle, signaller, timer};
use kernel_hal::{fake, time};

/// A process that waits for events.
pub(super) struct Waiter {
    pub user: User,
    pub event: CapId,
}

impl Waiter {
    pub fn new(world: &World) -> Self {
        Waiter::of(world.start("waiter"))
    }

    pub fn of(user: User) -> Self {
        let event = super::notification_of(&user);
        Waiter { user, event }
    }

    pub fn signaller(&self, bits: u64, lost: u64) -> CapId {
        let params = MintParams { bits, lost };
        let made =
            self.user.call_for_cap(self.event, notification::INTERFACE_ID, notification::MINT, &params);
        made.expect("a signaller")
    }

    pub fn bits(&self) -> u64 {
        let polled: Result<PollResults, Cqe> =
            self.user.call(self.event, notification::INTERFACE_ID, notification::POLL, &Empty);
        polled.expect("always answered").bits
    }

    pub fn wait(&self, signal: CapId) -> Sqe {
        wait(self.event, signal)
    }

    /// Calls a method with a signaller beside it.
    pub fn bind(&self, target: (CapId, u64), method: u16, signal: TransferSlot, caps_recv: u8) -> Cqe {
        self.user.set_word(CAPS, signal.0);
        self.user.one(Sqe { caps_send: 1, caps_recv, ..call_sqe(target.0, target.1, method, 0) })
    }

    pub fn used(&self) -> u64 {
        self.user.process().account.used(Resource::EndpointEntries)
    }

    pub fn release(&self, id: CapId) {
        let released = self.user.one(Sqe { op: Op::Release as u8, cap: id.raw(), ..Sqe::default() });
        assert_eq!(released.result, 0);
    }
}

fn wait(event: CapId, signal: CapId) -> Sqe {
    let (cap, interface) = (event.raw(), signal.raw());
    Sqe { op: Op::Wait as u8, cap, interface, user_data: 8, ..Sqe::default() }
}

fn refused(cqe: &Cqe, code: ExceptionCode) -> bool {
    cqe.flags == cqe_flags::EXCEPTION && cqe.method == code.code()
}

fn pass(ns: u64) {
    fake::time::advance(ns);
    (HANDLERS.timer)();
}

#[test]
fn wait_tells_the_bits_and_signals_before() {
    let world = World::new();
    let (left, right) = (Waiter::new(&world), Waiter::new(&world));
    let to_left = left.signaller(0b10, 0);
    let to_left = right.user.hold(left.user.process().release(to_left).expect("held").object);
    left.user.submit(left.wait(CapId::NULL));
    left.user.enter(1, syscall::FOREVER);
    assert!(left.user.is_blocked());
    right.user.submit(right.wait(to_left));
    right.user.enter(1, syscall::FOREVER);
    assert!(right.user.is_blocked());
    left.user.run();
    let cqe = left.user.pop();
    assert_eq!((cqe.user_data, cqe.result, cqe.badge, left.user.returned()), (8, 0, 0b10, 1));
    // Bits that are there already are taken at once, and signals to oneself are some.
    let own = left.signaller(0b100, 0);
    assert_eq!(left.user.one(left.wait(own)).badge, 0b100);
    assert_eq!(left.bits(), 0);
}

#[test]
fn wait_names_a_notification_and_a_signaller_or_nothing() {
    let world = World::new();
    let waiter = Waiter::new(&world);
    let signal = waiter.signaller(1, 0);
    let one = |sqe| error(&waiter.user.one(sqe));
    assert_eq!(one(wait(signal, CapId::NULL)), Some(TransportError::WrongKind));
    assert_eq!(one(wait(waiter.event, waiter.event)), Some(TransportError::WrongKind));
    assert_eq!(one(wait(CapId::from_raw(999), CapId::NULL)), Some(TransportError::InvalidCap));
    assert_eq!(one(wait(waiter.event, CapId::from_raw(999))), Some(TransportError::InvalidCap));
    let strange = Sqe { reserved1: 1, ..waiter.wait(CapId::NULL) };
    assert_eq!(one(strange), Some(TransportError::InvalidArgument));
    for _ in 0..8 {
        waiter.user.submit(waiter.wait(CapId::NULL));
    }
    waiter.user.poll();
    assert_eq!(one(waiter.wait(CapId::NULL)), Some(TransportError::TooManyInFlight));
    let gone = Waiter::new(&world);
    let dead = waiter.user.hold(gone.user.object(gone.signaller(1, 0)));
    gone.release(gone.event);
    assert_eq!(one(waiter.wait(dead)), Some(TransportError::Disconnected));
}

#[test]
fn the_loss_of_the_last_signaller_is_an_event() {
    let world = World::new();
    let waiter = Waiter::new(&world);
    let holder = world.start("holder");
    let signal = waiter.signaller(0b01, 0b10);
    holder.hold(waiter.user.object(signal));
    waiter.release(signal);
    assert_eq!(waiter.bits(), 0, "the other copy is left");
    waiter.user.submit(waiter.wait(CapId::NULL));
    waiter.user.enter(1, syscall::FOREVER);
    end::end_process(holder.process(), Status::Killed);
    waiter.user.run();
    assert_eq!(waiter.user.pop().badge, 0b10);
}

pub(super) fn line(waiter: &Waiter) -> (CapId, u64) {
    let interrupt = Interrupt::isa(4).unwrap_or_else(|_| panic!("free"));
    (waiter.user.hold(Object::Interrupt(interrupt)), interrupt::INTERFACE_ID)
}

/// Line 4 fires, if somebody has it.
pub(super) fn fire() {
    if let Some(line) = fake::irq::fire(4) {
        (HANDLERS.irq)(line);
    }
}

#[test]
fn an_interrupt_that_comes_late_wakes_nobody() {
    let world = World::new();
    let waiter = Waiter::new(&world);
    let target = line(&waiter);
    let late = fake::irq::fire(4).expect("claimed");
    waiter.release(target.0);
    // The same line again, and a binding: that claim has not fired.
    let again = line(&waiter);
    let signal = waiter.signaller(0b1, 0);
    assert_eq!(waiter.bind(again, interrupt::BIND, TransferSlot::moved(signal), 0).outcome(), 0);
    (HANDLERS.irq)(late);
    assert_eq!(waiter.bits(), 0);
    // Nor does one that has its place.
    let new = fake::irq::claimed(4).expect("claimed");
    (HANDLERS.irq)(kernel_hal::IrqLine { turn: new.turn - 1, ..new });
    assert_eq!(waiter.bits(), 0);
    fire();
    assert_eq!(waiter.bits(), 1);
}

#[test]
fn a_line_comes_to_the_processor_of_who_acknowledges_it() {
    let world = World::with_cpus(2);
    let waiter = Waiter::new(&world);
    let target = line(&waiter);
    let acknowledge = call_sqe(target.0, target.1, interrupt::ACKNOWLEDGE, 0);
    let cpu = || fake::irq::info(0).map(|info| info.cpu as usize);
    let here = kernel_hal::cpu::id();
    assert_eq!((waiter.user.one(acknowledge).outcome(), cpu()), (0, Some(here)));
    fire();
    fake::irq::unmask(fake::irq::claimed(4).expect("claimed"));
    fire();
    fake::cpu::become_cpu(1 - here);
    fake::irq::unmask(fake::irq::claimed(4).expect("claimed"));
    assert_eq!(cpu(), Some(1 - here));
    fake::cpu::become_cpu(here);
}

#[test]
fn an_interrupt_signals_and_costs_nobody_else_however_often_it_fires() {
    let world = World::new();
    let waiter = Waiter::new(&world);
    let target = line(&waiter);
    let signal = waiter.signaller(0b1, 0);
    assert_eq!(waiter.bind(target, interrupt::BIND, TransferSlot::moved(signal), 0).outcome(), 0);
    assert_eq!(waiter.used(), 2, "the notification and the binding");
    assert!(fake::irq::is_masked(4));
    let acknowledge = call_sqe(target.0, target.1, interrupt::ACKNOWLEDGE, 0);
    for _ in 0..100 {
        assert_eq!(waiter.user.one(acknowledge).outcome(), 0);
        assert!(!fake::irq::is_masked(4));
        fire();
        assert_eq!(waiter.bits(), 1);
        assert!(fake::irq::is_masked(4), "until it is acknowledged");
    }
    // A storm that nobody looks at is one event, and takes no memory.
    fake::fail_nth_allocation(0);
    (0..1_000_000).for_each(|_| fire());
    assert!(fake::never_fail(), "nothing was allocated");
    assert_eq!((waiter.bits(), waiter.bits()), (1, 0));
}

#[test]
fn what_is_unbound_signals_no_more() {
    let world = World::new();
    let waiter = Waiter::new(&world);
    let target = line(&waiter);
    let bind = |bits| {
        let signal = waiter.signaller(bits, 0);
        waiter.bind(target, interrupt::BIND, TransferSlot::moved(signal), 0)
    };
    assert_eq!((bind(0b01).outcome(), bind(0b10).outcome()), (0, 0));
    fire();
    assert_eq!((waiter.bits(), waiter.used()), (0b10, 2), "the last binding counts");
    assert_eq!(waiter.user.one(call_sqe(target.0, target.1, interrupt::UNBIND, 0)).outcome(), 0);
    fire();
    assert_eq!((waiter.bits(), waiter.used()), (0, 1));
    assert_eq!(bind(0b100).outcome(), 0);
    waiter.release(target.0);
    fire();
    assert_eq!((waiter.bits(), waiter.used()), (0, 1), "and goes with the line");
}

#[test]
fn who_is_deprived_of_a_line_is_signalled_no_more() {
    let world = World::new();
    let (waiter, lender) = (Waiter::new(&world), world.start("lender"));
    let interrupt = Interrupt::isa(4).unwrap_or_else(|_| panic!("free"));
    let own = lender.hold(Object::Interrupt(interrupt));
    let lend = || transfer::grant(lender.process(), waiter.user.process(), TransferSlot::copy(own));
    let revoke = Sqe { op: Op::Revoke as u8, cap: own.raw(), ..Sqe::default() };
    let signal = waiter.signaller(0b1, 0);
    let lent = (lend().expect("a copy"), interrupt::INTERFACE_ID);
    assert_eq!(waiter.bind(lent, interrupt::BIND, TransferSlot::moved(signal), 0).outcome(), 0);
    fire();
    assert_eq!((waiter.bits(), waiter.used()), (0b1, 2));
    assert_eq!(lender.one(revoke).outcome(), 0);
    fire();
    assert_eq!((waiter.bits(), waiter.used()), (0, 1));
    // What the lender binds itself goes on.
    let signal = waiter.signaller(0b10, 0);
    let signal = transfer::grant(waiter.user.process(), lender.process(), TransferSlot::copy(signal));
    lend().expect("a copy");
    lender.set_word(CAPS, TransferSlot::moved(signal.expect("a copy")).0);
    let bind = call_sqe(own, interrupt::INTERFACE_ID, interrupt::BIND, 0);
    assert_eq!(lender.one(Sqe { caps_send: 1, ..bind }).outcome(), 0);
    assert_eq!(lender.one(revoke).outcome(), 0);
    fire();
    assert_eq!(waiter.bits(), 0b10);
}

#[test]
fn only_a_signaller_can_be_bound_and_it_has_to_be_paid_for() {
    let world = World::new();
    let waiter = Waiter::new(&world);
    let target = line(&waiter);
    let wrong = waiter.bind(target, interrupt::BIND, TransferSlot::copy(waiter.event), 0);
    assert!(refused(&wrong, ExceptionCode::InvalidArgument));
    let signal = waiter.signaller(1, 0);
    let left = super::LIMITS.endpoint_entries - waiter.used();
    waiter.user.process().account.charge(Resource::EndpointEntries, left).expect("so much is left");
    let broke = waiter.bind(target, interrupt::BIND, TransferSlot::copy(signal), 0);
    assert!(refused(&broke, ExceptionCode::BudgetExhausted));
    waiter.user.process().account.refund(Resource::EndpointEntries, left);
    fire();
    assert_eq!(waiter.bits(), 0);
}

fn clock(waiter: &Waiter) -> (CapId, u64) {
    (waiter.user.hold(Object::Timer(crate::cap::timer::Timer)), timer::INTERFACE_ID)
}

fn alarm(waiter: &Waiter, bits: u64) -> CapId {
    let signal = waiter.signaller(bits, 0);
    let cqe = waiter.bind(clock(waiter), timer::ALARM, TransferSlot::moved(signal), 1);
    assert_eq!((cqe.flags, cqe.caps), (0, 1));
    CapId::from_raw(waiter.user.word(CAPS))
}

fn set(waiter: &Waiter, alarm: CapId, ns: u64) {
    let set: Result<Empty, Cqe> = waiter.user.call(
        alarm,
        alarm::INTERFACE_ID,
        alarm::SET,
        &alarm::SetParams { ns: time::now_ns() + ns },
    );
    assert!(set.is_ok(), "{set:?}");
}

fn cancel(waiter: &Waiter, alarm: CapId) -> bool {
    let cancelled: Result<alarm::CancelResults, Cqe> =
        waiter.user.call(alarm, alarm::INTERFACE_ID, alarm::CANCEL, &Empty);
    cancelled.expect("always answered").was_set
}

#[test]
fn an_alarm_signals_once_in_its_last_setting() {
    let world = World::new();
    let waiter = Waiter::new(&world);
    let bell = alarm(&waiter, 0b1);
    set(&waiter, bell, 100);
    set(&waiter, bell, 300);
    pass(299);
    assert_eq!(waiter.bits(), 0);
    pass(1);
    assert_eq!((waiter.bits(), cancel(&waiter, bell)), (1, false));
    pass(1000);
    assert_eq!(waiter.bits(), 0);
    set(&waiter, bell, 0);
    assert_eq!(waiter.bits(), 1, "a time that has passed is now");
    set(&waiter, bell, 100);
    assert!(cancel(&waiter, bell));
    pass(200);
    assert_eq!(waiter.bits(), 0);
    set(&waiter, bell, 100);
    assert_eq!(waiter.used(), 2);
    waiter.release(bell);
    assert_eq!((waiter.used(), super::here().deadlines.lock().len()), (1, 0));
    pass(200);
    assert_eq!(waiter.bits(), 0);
}

#[test]
fn an_alarm_that_goes_off_while_it_is_set_anew_finds_nothing() {
    let world = World::new();
    let waiter = Waiter::new(&world);
    let bell = alarm(&waiter, 0b1);
    set(&waiter, bell, 100);
    // Another CPU has taken it out, and gets on with it only now.
    let due = super::here().deadlines.lock().pop_due(u64::MAX);
    set(&waiter, bell, 500);
    let Some(Due::Bell(rung, turn)) = due else { panic!("it was set") };
    rung.ring(turn);
    assert_eq!(waiter.bits(), 0, "that setting counts no more");
    pass(500);
    assert_eq!(waiter.bits(), 1, "and the last one does");
}

fn child(world: &World, waiter: &Waiter) -> (User, (CapId, u64)) {
    let child = world.start("child");
    let handle = ProcessHandle::new(child.process().clone()).unwrap_or_else(|_| panic!("memory"));
    let handle = waiter.user.hold(Object::ProcessHandle(handle));
    (child, (handle, process_handle::INTERFACE_ID))
}

#[test]
fn the_end_of_a_process_signals_and_so_does_one_that_has_ended() {
    let world = World::new();
    let waiter = Waiter::new(&world);
    let (child, handle) = child(&world, &waiter);
    let signal = waiter.signaller(1, 0);
    let bind = || waiter.bind(handle, process_handle::SIGNAL_ON_EXIT, TransferSlot::copy(signal), 0);
    assert_eq!(bind().outcome(), 0);
    assert_eq!(waiter.bits(), 0);
    end::end_process(child.process(), Status::Killed);
    assert_eq!((waiter.bits(), waiter.used()), (1, 1));
    assert_eq!((bind().outcome(), waiter.bits(), waiter.used()), (0, 1, 1));
}

#[test]
fn bindings_to_an_end_are_few_and_end_with_the_handle() {
    let world = World::new();
    let waiter = Waiter::new(&world);
    let (child, handle) = child(&world, &waiter);
    let signal = waiter.signaller(1, 0);
    let bind = || waiter.bind(handle, process_handle::SIGNAL_ON_EXIT, TransferSlot::copy(signal), 0);
    (0..8).for_each(|_| assert_eq!(bind().outcome(), 0));
    assert!(refused(&bind(), ExceptionCode::WrongState));
    assert_eq!(waiter.used(), 9);
    assert_eq!(waiter.user.one(call_sqe(handle.0, handle.1, process_handle::UNBIND, 0)).outcome(), 0);
    assert_eq!(waiter.used(), 1);
    assert_eq!(bind().outcome(), 0);
    waiter.release(handle.0);
    assert_eq!(waiter.used(), 1);
    end::end_process(child.process(), Status::Killed);
    assert_eq!(waiter.bits(), 0);
}

#[test]
fn a_signaller_that_is_bound_is_not_lost() {
    let world = World::new();
    let waiter = Waiter::new(&world);
    let target = line(&waiter);
    let signal = waiter.signaller(0b01, 0b10);
    assert_eq!(waiter.bind(target, interrupt::BIND, TransferSlot::moved(signal), 0).outcome(), 0);
    assert_eq!(waiter.bits(), 0);
    waiter.release(target.0);
    assert_eq!(waiter.bits(), 0b10);
}

#[test]
fn one_word_tells_several_sources_apart() {
    let world = World::new();
    let waiter = Waiter::new(&world);
    let target = line(&waiter);
    let from_line = waiter.signaller(0b001, 0);
    assert_eq!(waiter.bind(target, interrupt::BIND, TransferSlot::moved(from_line), 0).outcome(), 0);
    let bell = alarm(&waiter, 0b010);
    let sender = waiter.signaller(0b100, 0);
    set(&waiter, bell, 10);
    fire();
    pass(10);
    waiter.user.one(call_sqe(sender, signaller::INTERFACE_ID, signaller::SIGNAL, 0));
    assert_eq!(waiter.bits(), 0b111);
}

#[test]
fn what_is_bound_through_a_revoked_signaller_signals_no_more() {
    let world = World::new();
    let waiter = Waiter::new(&world);
    let child = world.process("child");
    let owner = ProcessHandle::new(child.clone()).unwrap_or_else(|_| panic!("no memory"));
    let handle = (waiter.user.hold(Object::ProcessHandle(owner)), process_handle::INTERFACE_ID);
    let (kept, lost) = (waiter.signaller(0b01, 0), waiter.signaller(0b10, 0));
    let copy = transfer::grant(waiter.user.process(), waiter.user.process(), TransferSlot::copy(lost));
    for slot in [TransferSlot::copy(kept), TransferSlot::moved(copy.expect("a copy"))] {
        assert_eq!(waiter.bind(handle, process_handle::SIGNAL_ON_EXIT, slot, 0).outcome(), 0);
    }
    assert_eq!(super::revocation::revoke(&waiter.user, lost).0.outcome(), 0);
    assert_eq!(waiter.used(), 3, "the notification and both bindings, until they end");
    end::end_process(&child, Status::Killed);
    assert_eq!(waiter.bits(), 0b01);
}
