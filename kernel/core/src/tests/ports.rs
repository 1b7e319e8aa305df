//! Port ranges, and who has the console behind them.

use super::{MSG, User, World, call_sqe, error};
use crate::cap::Object;
use crate::cap::io_port::IoPort;
use capos_abi::{CapId, Op, Sqe, TransportError};
use capos_schema::io_port::{self, ReadBytesParams, SubrangeParams, Write8Params};
use capos_schema::{Empty, Encode};
use kernel_hal::fake::console::changes;

/// A part of the range that `from` names.
fn part(user: &User, from: CapId, base: u16, length: u32) -> CapId {
    let params = SubrangeParams { base, length };
    user.call_for_cap(from, io_port::INTERFACE_ID, io_port::SUBRANGE, &params).expect("free ports")
}

fn release(user: &User, id: CapId) {
    assert_eq!(user.one(Sqe { op: Op::Release as u8, cap: id.raw(), ..Sqe::default() }).result, 0);
}

#[test]
fn the_kernel_leaves_com1_to_its_first_holder_and_takes_it_back_from_the_last() {
    let world = World::new();
    let user = world.start("driver");
    let all = user.hold(Object::IoPort(IoPort::all()));
    let other = part(&user, all, 0x2f8, 8);
    assert_eq!(changes(), []);
    let com1 = part(&user, all, 0x3f8, 8);
    assert_eq!(changes(), [false]);
    let one = part(&user, com1, 0x3ff, 1);
    release(&user, one);
    release(&user, other);
    assert_eq!(changes(), [], "the driver still has its own range");
    release(&user, com1);
    assert_eq!(changes(), [true]);
}

#[test]
fn a_range_of_com1_that_nobody_gets_changes_nothing() {
    let world = World::new();
    let user = world.start("driver");
    let all = user.hold(Object::IoPort(IoPort::all()));
    let com1 = part(&user, all, 0x3f8, 8);
    changes();
    let refused = user.call_raw(
        all,
        io_port::INTERFACE_ID,
        io_port::SUBRANGE,
        &SubrangeParams { base: 0x3f8, length: 8 },
        0,
    );
    assert_eq!(error(&refused), Some(TransportError::BudgetExhausted));
    assert_eq!(changes(), []);
    release(&user, com1);
    assert_eq!(changes(), [true]);
    user.call_raw(
        all,
        io_port::INTERFACE_ID,
        io_port::SUBRANGE,
        &SubrangeParams { base: 0x3f8, length: 8 },
        0,
    );
    assert_eq!(changes(), [], "with nobody there, too");
}

#[test]
fn what_would_not_fit_the_answer_is_not_read_from_the_device() {
    let world = World::new();
    let user = world.start("driver");
    let all = user.hold(Object::IoPort(IoPort::all()));
    let ports = part(&user, all, 0x2f8, 8);
    let write = Write8Params { offset: 0, value: 0x41 };
    assert!(user.call::<Empty>(ports, io_port::INTERFACE_ID, io_port::WRITE8, &write).is_ok());
    let mut message = [0; 64];
    let len = ReadBytesParams { offset: 0, length: 9 }.encode(&mut message).expect("it fits");
    user.put(MSG, &message[..len]);
    let read = call_sqe(ports, io_port::INTERFACE_ID, io_port::READ_BYTES, len as u32);
    let before = kernel_hal::fake::port::reads();
    for reply_len in [16, 31] {
        assert_eq!(error(&user.one(Sqe { reply_len, ..read })), Some(TransportError::ReplyTooLarge));
    }
    assert_eq!(kernel_hal::fake::port::reads(), before);
    assert_eq!(user.one(Sqe { reply_len: 32, ..read }).result, 32);
    assert_eq!(kernel_hal::fake::port::reads(), before + 9);
}
