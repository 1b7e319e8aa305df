//! Notifications: bits that nobody loses.

use super::{User, World, error};
use crate::cap::Object;
use crate::ipc::ops::{Buffers, Ticket, Waiting};
use crate::task::end;
use crate::task::process::Status;
use crate::task::thread::Run;
use capos_abi::ring::cqe_flags;
use capos_abi::{CapId, Cqe, ExceptionCode, Op, Sqe, TransportError, syscall};
use capos_mem::Resource;
use capos_schema::notification::{self, MintParams, PollResults, WaitResults};
use capos_schema::{Decode, Empty, endpoint_factory, signaller};

struct Fixture {
    waiter: User,
    sender: User,
    event: CapId,
    signal: CapId,
}

impl Fixture {
    fn new(world: &World) -> Self {
        let (waiter, sender) = (world.start("waiter"), world.start("sender"));
        let event = create(&waiter).expect("a notification");
        let signal = mint_for(&waiter, event, &sender, 0b100);
        Fixture { waiter, sender, event, signal }
    }

    fn signal(&self) -> Cqe {
        self.sender.one(signal_sqe(self.signal))
    }

    fn poll(&self) -> u64 {
        let polled: Result<PollResults, Cqe> =
            self.waiter.call(self.event, notification::INTERFACE_ID, notification::POLL, &Empty);
        polled.expect("always answered").bits
    }

    fn wait(&self, user_data: u64) {
        self.waiter.submit(Sqe { user_data, ..wait_sqe(self.event) });
    }

    fn bits(&self) -> u64 {
        let cqe = self.waiter.pop();
        assert_eq!((cqe.result, cqe.flags), (16, 0));
        WaitResults::decode(&self.waiter.get(super::REPLY, 16)).expect("bits").bits
    }
}

fn create(user: &User) -> Result<CapId, Cqe> {
    let target = (CapId::SELF_ENDPOINTS, endpoint_factory::INTERFACE_ID);
    user.call_for_cap(target.0, target.1, endpoint_factory::CREATE_NOTIFICATION, &Empty)
}

fn mint_for(waiter: &User, event: CapId, holder: &User, bits: u64) -> CapId {
    let params = MintParams { bits, lost: 0 };
    let id = waiter
        .call_for_cap(event, notification::INTERFACE_ID, notification::MINT, &params)
        .expect("a signaller");
    holder.hold(waiter.process().release(id).expect("just minted").object)
}

fn wait_sqe(event: CapId) -> Sqe {
    super::call_sqe(event, notification::INTERFACE_ID, notification::WAIT, 0)
}

fn signal_sqe(signal: CapId) -> Sqe {
    super::call_sqe(signal, signaller::INTERFACE_ID, signaller::SIGNAL, 0)
}

fn release(user: &User, id: CapId) {
    assert_eq!(user.one(Sqe { op: Op::Release as u8, cap: id.raw(), ..Sqe::default() }).result, 0);
}

#[test]
fn bits_stay_until_somebody_looks() {
    let world = World::new();
    let fixture = Fixture::new(&world);
    assert_eq!(fixture.poll(), 0);
    let other = mint_for(&fixture.waiter, fixture.event, &fixture.sender, 0b1);
    for signal in [fixture.signal, fixture.signal, other] {
        assert_eq!(fixture.sender.one(signal_sqe(signal)).outcome(), 0);
    }
    assert_eq!((fixture.poll(), fixture.poll()), (0b101, 0));
    fixture.signal();
    fixture.wait(1);
    fixture.waiter.poll();
    assert_eq!((fixture.bits(), fixture.poll()), (0b100, 0));
}

#[test]
fn who_waits_is_woken_once_for_each_event() {
    let world = World::new();
    let fixture = Fixture::new(&world);
    fixture.wait(1);
    fixture.waiter.enter(1, syscall::FOREVER);
    assert!(fixture.waiter.is_blocked());
    assert_eq!(fixture.signal().outcome(), 0);
    fixture.waiter.run();
    assert_eq!((fixture.waiter.returned(), fixture.bits(), fixture.poll()), (1, 0b100, 0));
    fixture.waiter.nothing();
}

#[test]
fn the_first_who_waits_gets_all_bits_and_no_more_than_eight_wait() {
    let world = World::new();
    let fixture = Fixture::new(&world);
    (1..=9).for_each(|n| fixture.wait(n));
    fixture.waiter.poll();
    let refused = fixture.waiter.pop();
    assert_eq!(
        (refused.user_data, refused.flags, refused.method),
        (9, cqe_flags::EXCEPTION, ExceptionCode::WrongState.code())
    );
    for n in 1..=3 {
        fixture.signal();
        fixture.waiter.poll();
        assert_eq!(fixture.waiter.pop().user_data, n);
    }
    fixture.waiter.nothing();
}

#[test]
fn a_wait_can_be_cancelled_and_loses_no_bits() {
    let world = World::new();
    let fixture = Fixture::new(&world);
    fixture.wait(5);
    fixture.waiter.poll();
    let cancel = Sqe { op: Op::Cancel as u8, aux: 5, user_data: 6, ..Sqe::default() };
    assert_eq!(error(&fixture.waiter.one(cancel)), Some(TransportError::Canceled));
    assert_eq!(fixture.waiter.pop().user_data, 6);
    fixture.signal();
    assert_eq!(fixture.poll(), 0b100);
}

#[test]
fn bits_for_a_dead_waiter_are_for_the_next() {
    let world = World::new();
    let fixture = Fixture::new(&world);
    let heir = world.start("heir");
    let object = fixture.waiter.object(fixture.event);
    let event = heir.hold(object);
    fixture.wait(1);
    fixture.waiter.enter(1, syscall::FOREVER);
    heir.submit(wait_sqe(event));
    heir.enter(1, syscall::FOREVER);
    // As another CPU leaves it between the mark and the clean-up.
    super::audit::from_now_on(false);
    fixture.waiter.thread.state.lock().run = Run::Dead;
    assert_eq!(fixture.signal().outcome(), 0);
    heir.run();
    assert_eq!(heir.pop().result, 16);
    fixture.waiter.thread.state.lock().run = Run::Blocked;
}

#[test]
fn who_rests_hears_of_bits_as_others_do_and_when_dead_they_are_for_the_next() {
    for way in super::WAYS {
        let world = World::new();
        let fixture = Fixture::new(&world);
        let (resting, heir) = (&fixture.waiter, world.start("heir"));
        let wait =
            |event: CapId| Sqe { op: Op::Wait as u8, cap: event.raw(), user_data: 3, ..Sqe::default() };
        let event = heir.hold(resting.object(fixture.event));
        for (user, event) in [(resting, fixture.event), (&heir, event), (resting, fixture.event)] {
            user.submit(wait(event));
            user.enter(1, way);
            assert!(user.is_blocked());
            assert_eq!(fixture.signal().outcome(), 0);
            user.run();
            let cqe = user.pop();
            assert_eq!((cqe.user_data, cqe.badge, cqe.outcome(), user.returned()), (3, 0b100, 0, 1));
            user.nothing();
        }
        for (user, event) in [(resting, fixture.event), (&heir, event)] {
            user.submit(wait(event));
            user.enter(1, way);
        }
        // As another CPU leaves it between the mark and the clean-up.
        super::audit::from_now_on(false);
        let before = core::mem::replace(&mut resting.thread.state.lock().run, Run::Dead);
        assert_eq!(fixture.signal().outcome(), 0);
        heir.run();
        assert_eq!(heir.pop().badge, 0b100);
        resting.nothing();
        resting.thread.state.lock().run = before;
    }
}

#[test]
fn when_nobody_can_wait_any_more_both_sides_hear_of_it() {
    let world = World::new();
    let fixture = Fixture::new(&world);
    fixture.wait(1);
    fixture.waiter.poll();
    let release = Sqe { op: Op::Release as u8, cap: fixture.event.raw(), user_data: 2, ..Sqe::default() };
    let wait = fixture.waiter.one(release);
    assert_eq!((wait.user_data, error(&wait)), (1, Some(TransportError::Canceled)));
    assert_eq!(fixture.waiter.pop().user_data, 2);
    let found = fixture.signal();
    assert_eq!((found.flags, found.method), (cqe_flags::EXCEPTION, ExceptionCode::Disconnected.code()));
}

#[test]
fn a_process_that_ends_takes_its_waits_along() {
    let world = World::new();
    let fixture = Fixture::new(&world);
    fixture.wait(1);
    fixture.waiter.enter(1, syscall::FOREVER);
    end::end_process(fixture.waiter.process(), Status::Killed);
    let found = fixture.signal();
    assert_eq!((found.flags, found.method), (cqe_flags::EXCEPTION, ExceptionCode::Disconnected.code()));
}

#[test]
fn it_counts_as_an_entry_as_long_as_anybody_holds_any_of_it() {
    let world = World::new();
    let fixture = Fixture::new(&world);
    let used = || fixture.waiter.process().account.used(Resource::EndpointEntries);
    assert_eq!(used(), 1);
    release(&fixture.waiter, fixture.event);
    assert_eq!(used(), 1, "the signaller still refers to it");
    release(&fixture.sender, fixture.signal);
    assert_eq!(used(), 0);
    let mut made = 0;
    while create(&fixture.waiter).is_ok() {
        made += 1;
        assert!(made <= 64);
    }
    assert!(made > 10 && used() <= 64, "the table or the budget ends it");
}

#[test]
fn a_signaller_signals_and_nothing_else() {
    let world = World::new();
    let fixture = Fixture::new(&world);
    let as_if = Sqe { interface: notification::INTERFACE_ID, ..signal_sqe(fixture.signal) };
    assert_eq!(error(&fixture.sender.one(as_if)), Some(TransportError::WrongInterface));
    let none = fixture.waiter.call_for_cap(
        fixture.event,
        notification::INTERFACE_ID,
        notification::MINT,
        &MintParams { bits: 0, lost: 0 },
    );
    assert_eq!(none.map_err(|cqe| cqe.method), Err(ExceptionCode::InvalidArgument.code()));
    assert!(matches!(
        fixture.sender.process().table.lock().lookup(fixture.signal).map(|entry| &entry.object),
        Ok(Object::Signaller(_))
    ));
}

#[test]
fn a_wait_that_comes_when_the_right_has_gone_ends() {
    let world = World::new();
    let fixture = Fixture::new(&world);
    let Object::Notification(notification) = fixture.waiter.object(fixture.event) else { panic!("one") };
    let event = notification.event().clone();
    drop(notification);
    // Between the two looks of a `WAIT` another thread gives the right up.
    release(&fixture.waiter, fixture.event);
    let thread = fixture.waiter.thread.clone();
    let begin = || {
        let id = thread.begin(Buffers::NONE, Waiting::Bits(event.clone()))?;
        Ok(Ticket { thread: thread.clone(), id })
    };
    assert_eq!(event.wait(begin), Err(TransportError::Canceled));
}
