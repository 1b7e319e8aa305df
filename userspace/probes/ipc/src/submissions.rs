//! What is refused before it reaches anybody.

use probe::bare::{Bare, CAPS, MESSAGE, Notes, REPLY};
use rt::abi::{Cqe, Op, Sqe};
use rt::schema::{Empty, timer};
use rt::{CapId, TransportError};

pub fn all(bare: &mut Bare<'_>, notes: &Notes, timer: CapId) {
    operations(bare, notes);
    reserved_fields(bare, notes);
    targets(bare, notes, timer);
    ranges(bare, notes, timer);
    messages(bare, notes, timer);
}

/// The code of a completion: its result.
pub fn code(cqe: &Cqe) -> i32 {
    cqe.result
}

fn operations(bare: &mut Bare<'_>, notes: &Notes) {
    let mut with = |op: u8| code(&bare.run(&Sqe { op, ..Sqe::default() }));
    notes.note("R3 op.nop completes with 0", with(Op::Nop as u8), 0);
    for (name, op) in [("R4 op.11 is unknown", 11), ("R4 op.255 is unknown", 255)] {
        notes.note(name, with(op), TransportError::UnknownOp.code());
    }
    let nothing = Sqe { op: Op::Release as u8, ..Sqe::default() };
    notes.note("O7 release of nothing", code(&bare.run(&nothing)), TransportError::InvalidCap.code());
    let nothing = Sqe { op: Op::Cancel as u8, aux: 12345, ..Sqe::default() };
    notes.note("O8 cancel of nothing", code(&bare.run(&nothing)), TransportError::InvalidArgument.code());
}

fn reserved_fields(bare: &mut Bare<'_>, notes: &Notes) {
    let invalid = TransportError::InvalidArgument.code();
    for op in [Op::Nop, Op::Call, Op::Recv, Op::Return, Op::ReturnRecv, Op::Release, Op::Cancel] {
        let op = op as u8;
        let mut with = |sqe: Sqe| code(&bare.run(&Sqe { op, ..sqe }));
        notes.note("R4 reserved0 must be zero", with(Sqe { reserved0: 1, ..Sqe::default() }), invalid);
        notes.note("R4 reserved1 must be zero", with(Sqe { reserved1: 1, ..Sqe::default() }), invalid);
        notes.note("R4 unknown flags are refused", with(Sqe { flags: 0x80, ..Sqe::default() }), invalid);
    }
}

fn targets(bare: &mut Bare<'_>, notes: &Notes, timer: CapId) {
    let good = bare.call((timer, timer::INTERFACE_ID), timer::NOW, &Empty, &[], 0);
    let mut with = |sqe: Sqe| code(&bare.run(&sqe));
    notes.note("O1 call of a kernel object", with(good).min(1), 1);
    notes.note(
        "O1 call of the null capability",
        with(Sqe { cap: 0, ..good }),
        TransportError::InvalidCap.code(),
    );
    let stale = CapId::new(timer.index(), timer.generation() + 1).raw();
    notes.note(
        "O1 call of another generation",
        with(Sqe { cap: stale, ..good }),
        TransportError::InvalidCap.code(),
    );
    let beyond = CapId::new(0xff_ffff, 1).raw();
    notes.note(
        "O1 call beyond the table",
        with(Sqe { cap: beyond, ..good }),
        TransportError::InvalidCap.code(),
    );
    notes.note(
        "O1 call with another interface",
        with(Sqe { interface: good.interface ^ 1, ..good }),
        TransportError::WrongInterface.code(),
    );
    notes.note(
        "O1 call of an unknown method",
        with(Sqe { method: 999, ..good }),
        TransportError::UnknownMethod.code(),
    );
    let recv = Sqe { op: Op::Recv as u8, cap: timer.raw(), ..Sqe::default() };
    notes.note("O4 receive on a kernel object", with(recv), TransportError::WrongKind.code());
}

fn ranges(bare: &mut Bare<'_>, notes: &Notes, timer: CapId) {
    let good = bare.call((timer, timer::INTERFACE_ID), timer::NOW, &Empty, &[], 0);
    let end = bare.ring.shape().arena_len() as u32;
    let invalid = TransportError::InvalidArgument.code();
    let cases = [
        ("R5 message offset between words", Sqe { msg_off: MESSAGE + 4, msg_len: 8, ..good }),
        ("R5 message beyond the arena", Sqe { msg_off: end - 8, msg_len: 16, ..good }),
        ("R5 message offset that wraps", Sqe { msg_off: u32::MAX - 7, msg_len: 16, ..good }),
        ("R5 message longer than the limit", Sqe { msg_len: 4097, ..good }),
        ("R5 message length that wraps", Sqe { msg_len: u32::MAX, ..good }),
        ("R5 reply offset between words", Sqe { reply_off: REPLY + 1, ..good }),
        ("R5 reply beyond the arena", Sqe { reply_off: end, reply_len: 8, ..good }),
        ("R5 capabilities beyond the arena", Sqe { caps_off: end - 8, caps_recv: 2, ..good }),
        ("R5 capabilities between words", Sqe { caps_off: CAPS + 4, caps_recv: 1, ..good }),
        ("R5 too many capabilities to send", Sqe { caps_send: 17, ..good }),
        ("R5 too much room for capabilities", Sqe { caps_recv: 255, ..good }),
    ];
    for (name, sqe) in cases {
        notes.note(name, code(&bare.run(&sqe)), invalid);
    }
    let last = Sqe { reply_off: end - 64, reply_len: 64, ..good };
    notes.note("R5 a reply at the very end", code(&bare.run(&last)).min(1), 1);
}

fn messages(bare: &mut Bare<'_>, notes: &Notes, timer: CapId) {
    let good = bare.call((timer, timer::INTERFACE_ID), timer::NOW, &Empty, &[], 0);
    let small = Sqe { reply_len: 8, ..good };
    notes.note("O6 a reply without room", code(&bare.run(&small)), TransportError::ReplyTooLarge.code());
    let params = timer::SleepUntilParams { ns: 1 };
    let past = bare.call((timer, timer::INTERFACE_ID), timer::SLEEP_UNTIL, &params, &[], 0);
    notes.note("O1 a sleep until the past", code(&bare.run(&past)), 0);
    let bad = TransportError::BadMessage.code();
    notes.note("O1 a message of half a word", code(&bare.run(&Sqe { msg_len: 4, ..past })), bad);
    // A root pointer to a struct that would lie behind the message.
    bare.put(MESSAGE, &[u64::from(u32::MAX) << 32]);
    notes.note("O1 a struct beyond its message", code(&bare.run(&past)), bad);
    bare.put(MESSAGE, &[u64::MAX, 0]);
    notes.note("O1 a pointer that is none", code(&bare.run(&past)), bad);
}
