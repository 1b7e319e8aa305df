//! Lines that functions share.

use super::super::bindings::Waiter;
use super::{AT, World, claim_at, exception};
use crate::device::{audit, history, registry};
use crate::trap::HANDLERS;
use capos_abi::{CapId, ExceptionCode, TransferSlot};
use capos_ledger::Event;
use capos_pci::model::Device as Plugged;
use capos_schema::device::{self, InterruptParams, ResetResults};
use capos_schema::{Empty, interrupt};
use kernel_hal::fake::{self, pci};

const LINE: u8 = 11;
const FIRST: u32 = AT;
const SECOND: u32 = AT + 8;

/// Two functions on one line, and what drives each of them.
struct Shared {
    first: Function,
    second: Function,
    _world: World,
}

struct Function {
    at: u32,
    device: CapId,
    line: CapId,
    waiter: Waiter,
}

fn plug(at: u32) {
    pci::plug(
        at,
        Plugged::new(0x1234, 0x11e8, 0)
            .bar(0, 0xfea0_0000 + u64::from(at) * 0x10_0000, 1 << 20, 0)
            .line(1, LINE),
    );
}

fn ask(waiter: &Waiter, device: CapId) -> Result<CapId, capos_abi::Cqe> {
    let params = InterruptParams { index: 0 };
    waiter.user.call_for_cap(device, device::INTERFACE_ID, device::INTERRUPT, &params)
}

impl Function {
    fn new(world: &World, at: u32) -> Function {
        let waiter = Waiter::new(world);
        let device = claim_at(&waiter.user, at, "edu").expect("free");
        let line = ask(&waiter, device).expect("its line");
        let signal = waiter.signaller(0b1, 0);
        let bound =
            waiter.bind((line, interrupt::INTERFACE_ID), interrupt::BIND, TransferSlot::moved(signal), 0);
        assert_eq!(bound.outcome(), 0);
        let function = Function { at, device, line, waiter };
        function.acknowledge();
        function
    }

    fn acknowledge(&self) {
        let done: Result<Empty, _> =
            self.waiter.user.call(self.line, interrupt::INTERFACE_ID, interrupt::ACKNOWLEDGE, &Empty);
        done.expect("it is its own");
    }

    /// The device wants to be heard, or does not any more.
    fn signal(&self, signals: bool) {
        let bits = if signals { 1 << 3 } else { 0 };
        pci::with(self.at, |device| device.put(6, &[bits])).expect("plugged in");
    }

    fn is_silent(&self) -> bool {
        pci::with(self.at, |device| device.get(4) & 1 << 10 != 0).expect("plugged in")
    }

    /// Whether its driver was told.
    fn told(&self) -> bool {
        self.waiter.bits() != 0
    }
}

impl Shared {
    fn new() -> Shared {
        let world = World::new();
        registry::forget_all();
        plug(FIRST);
        plug(SECOND);
        let (first, second) = (Function::new(&world, FIRST), Function::new(&world, SECOND));
        Shared { first, second, _world: world }
    }

    /// Interrupts come as long as the line is heard and a function raises it: how many.
    fn run(&self) -> u32 {
        let raises = |it: &Function| {
            pci::with(it.at, |device| device.get(4) >> 16 & 1 << 3 != 0 && device.get(4) & 1 << 10 == 0)
                == Some(true)
        };
        let mut count = 0;
        while !fake::irq::is_masked(LINE.into())
            && (raises(&self.first) || raises(&self.second))
            && count < 1000
        {
            fire();
            count += 1;
        }
        count
    }
}

fn fire() {
    let line = fake::irq::fire(LINE.into()).expect("somebody has it");
    (HANDLERS.irq)(line);
}

fn is_masked() -> bool {
    fake::irq::is_masked(LINE.into())
}

#[test]
fn each_interrupt_is_for_who_signals() {
    let Shared { first, second, .. } = &Shared::new();
    assert!(!is_masked() && !first.is_silent() && !second.is_silent());
    second.signal(true);
    fire();
    assert_eq!((first.told(), second.told()), (false, true));
    // It is silent until its driver has looked; the line is heard, as it is the other one's, too.
    assert!(second.is_silent() && !first.is_silent() && !is_masked());
    first.signal(true);
    fire();
    assert_eq!((first.told(), second.told()), (true, false));
    second.signal(false);
    second.acknowledge();
    assert!(!second.is_silent() && first.is_silent());
    assert_eq!(exception(ask(&first.waiter, first.device)), ExceptionCode::Exists);
}

#[test]
fn who_never_stops_signalling_keeps_nobody_from_being_heard() {
    let shared = Shared::new();
    let Shared { first, second, .. } = &shared;
    first.signal(true);
    second.signal(true);
    assert_eq!(shared.run(), 2);
    assert!(first.told() && second.told());
    // It signals again before the next interrupt, each time.
    for _ in 0..100 {
        first.acknowledge();
        second.acknowledge();
        fire();
        first.acknowledge();
        fire();
        assert!(second.told() && first.told());
    }
    second.acknowledge();
    first.acknowledge();
    assert_eq!(shared.run(), 2);
    assert!(first.told() && second.told());
    // One whose driver does not look is not heard again.
    second.signal(false);
    second.acknowledge();
    first.acknowledge();
    assert_eq!((shared.run(), shared.run()), (1, 0));
}

#[test]
fn who_is_reset_or_gone_leaves_the_line_to_the_others() {
    let Shared { first, second, .. } = &Shared::new();
    let reset: Result<ResetResults, _> =
        first.waiter.user.call(first.device, device::INTERFACE_ID, device::RESET, &Empty);
    reset.expect("claimed");
    assert!(first.is_silent());
    let late: Result<Empty, _> =
        first.waiter.user.call(first.line, interrupt::INTERFACE_ID, interrupt::ACKNOWLEDGE, &Empty);
    assert_eq!(exception(late), ExceptionCode::Disconnected);
    assert!(first.is_silent(), "nothing of an older generation lets it signal");
    first.signal(true);
    second.signal(true);
    fire();
    assert_eq!((first.told(), second.told()), (false, true));
    // What is no longer there answers with ones.
    pci::unplug(SECOND);
    fire();
    assert!(!second.told());
    let sqe = capos_abi::Sqe {
        op: capos_abi::Op::Release as u8,
        cap: second.line.raw(),
        ..capos_abi::Sqe::default()
    };
    assert_eq!(second.waiter.user.one(sqe).result, 0);
    assert!(fake::irq::fire(LINE.into()).is_none(), "nobody has it");
    ask(&first.waiter, first.device).expect("the new generation's");
}

#[test]
fn who_gives_its_line_up_does_not_signal_by_it_any_more() {
    let Shared { first, second, .. } = &Shared::new();
    let line = second.line.raw();
    let sqe = capos_abi::Sqe { op: capos_abi::Op::Release as u8, cap: line, ..capos_abi::Sqe::default() };
    assert_eq!(second.waiter.user.one(sqe).result, 0);
    assert!(second.is_silent() && !first.is_silent());
    assert_eq!(audit::look_at(&registry::find(SECOND).expect("claimed")).wrong, "");
}

#[test]
fn a_line_that_storms_for_nobody_is_heard_once_in_a_while() {
    let Shared { first, .. } = &Shared::new();
    let cursor = history::end();
    fake::fail_nth_allocation(0);
    let heard = || (0..1000).take_while(|_| !is_masked()).inspect(|_| fire()).count();
    assert_eq!(heard(), 65);
    for _ in 0..20 {
        // A driver does not have it heard any earlier.
        first.acknowledge();
        assert!(is_masked());
        fake::time::advance(2_000_000);
        (HANDLERS.timer)();
        assert_eq!(heard(), 65);
    }
    assert!(fake::never_fail(), "nothing was allocated");
    // It is told once.
    assert_eq!(history::end(), cursor + 1);
    assert_eq!(history::read(cursor).expect("a storm").entry.event, Event::Storm);
    // Who has it is served all the same.
    fake::time::advance(2_000_000);
    (HANDLERS.timer)();
    first.signal(true);
    fire();
    assert!(first.told() && !is_masked());
    assert_eq!(heard(), 65);
    // Another one.
    fake::time::advance(100_000_000);
    (HANDLERS.timer)();
    assert_eq!((heard(), history::end()), (65, cursor + 2));
}

#[test]
fn a_driver_that_is_faster_than_its_interrupts_is_no_storm() {
    let Shared { first, .. } = &Shared::new();
    for _ in 0..1000 {
        fire();
        first.acknowledge();
        assert!(!is_masked());
        fake::time::advance(100_000);
    }
}

#[test]
fn the_books_know_of_a_line_that_nobody_has() {
    let Shared { first, .. } = &Shared::new();
    let wrong = || audit::look_at(&registry::find(FIRST).expect("claimed")).wrong;
    assert_eq!(wrong(), "");
    let reset: Result<ResetResults, _> =
        first.waiter.user.call(first.device, device::INTERFACE_ID, device::RESET, &Empty);
    reset.expect("claimed");
    assert_eq!(wrong(), "");
    pci::with(FIRST, |device| device.put(5, &[0])).expect("plugged in");
    assert_eq!(wrong(), "line");
}

#[test]
fn one_that_can_not_be_kept_from_signalling_gets_no_line() {
    let world = World::new();
    registry::forget_all();
    plug(FIRST);
    pci::with(FIRST, |device| device.allow(5, &[0])).expect("plugged in");
    let waiter = Waiter::new(&world);
    let device = claim_at(&waiter.user, FIRST, "edu").expect("free");
    assert_eq!(exception(ask(&waiter, device)), ExceptionCode::Unsupported);
    assert!(fake::irq::fire(LINE.into()).is_none());
}
