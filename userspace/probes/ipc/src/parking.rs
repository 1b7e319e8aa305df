//! Parking (K1 to K4).

use crate::submissions::code;
use probe::bare::{Bare, Notes};
use rt::TransportError;
use rt::abi::ring::header;
use rt::abi::{Op, Sqe};

fn park(mask: u64) -> Sqe {
    Sqe { op: Op::Park as u8, cap: mask, ..Sqe::default() }
}

fn unpark(thread: u64, bits: u64) -> Sqe {
    Sqe { op: Op::Unpark as u8, cap: thread, interface: bits, ..Sqe::default() }
}

pub fn all(bare: &mut Bare<'_>, notes: &Notes) {
    let own = u64::from(bare.ring.header(header::THREAD_ID));
    let invalid = TransportError::InvalidArgument.code();
    notes.note("K1 a permit can be given before anybody waits", code(&bare.run(&unpark(own, 0b11))), 0);
    notes.note("K1 giving it again changes nothing", code(&bare.run(&unpark(own, 0b01))), 0);
    let found = bare.run(&park(0b01));
    notes.note("K2 a permit that came before is not lost", found.badge.cast_signed(), 0b01);
    let waiting = bare.start(&park(0b101));
    bare.flush();
    notes.note("K2 it counts once", i64::from(bare.poll(waiting).is_some()), 0);
    let second = code(&bare.run(&park(0b10)));
    notes.note("K2 but what is there can be taken meanwhile", second, 0);
    let third = code(&bare.run(&park(0b10)));
    notes.note("K3 one waits at a time", third, TransportError::TooManyInFlight.code());
    bare.run(&unpark(own, 0b110));
    notes.note("K2 a permit ends the wait", bare.wait(waiting).badge.cast_signed(), 0b100);
    notes.note("K2 and the others stay", bare.run(&park(u64::MAX)).badge.cast_signed(), 0b010);
    let waiting = bare.start(&park(1));
    let cancel = Sqe { op: Op::Cancel as u8, aux: waiting, ..Sqe::default() };
    notes.note("K3 a wait can be cancelled", code(&bare.run(&cancel)), 0);
    notes.note("K3 and ends as such", code(&bare.wait(waiting)), TransportError::Canceled.code());
    bare.run(&unpark(own, 1));
    notes.note("K3 it takes no permits", bare.run(&park(1)).badge.cast_signed(), 1);
    notes.note("K4 a wait for nothing", code(&bare.run(&park(0))), invalid);
    notes.note("K4 no permits", code(&bare.run(&unpark(own, 0))), invalid);
    notes.note("K4 a thread that is not ours", code(&bare.run(&unpark(1, 1))), invalid);
    notes.note("K4 a thread that never was", code(&bare.run(&unpark(u64::MAX, 1))), invalid);
}
