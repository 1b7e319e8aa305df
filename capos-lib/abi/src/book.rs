//! The book's numbers are ours: each row of docs/src/abi-numbers.md that has one.

extern crate std;

use crate::ring::{cqe_flags, fault, header, sqe_flags};
use crate::{
    Blame, CapId, Cqe, ExceptionCode, MAX_CAP_SLOTS, MAX_CAPS, MAX_MESSAGE, Op, PAGE_SIZE, PRIORITIES,
    RingShape, Sqe, TransferSlot, TransportError, layout, startup, syscall,
};
use core::fmt::Debug;
use core::mem::offset_of;
use std::format;
use std::string::String;
use std::vec::Vec;

const PAGE: &str = include_str!("../../../docs/src/abi-numbers.md");

/// The rows of the table whose head begins like that, as cells.
fn table(head: &str) -> Vec<Vec<&'static str>> {
    let mut lines = PAGE.lines().skip_while(|line| !line.starts_with(head));
    assert!(lines.next().is_some(), "no table {head}");
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// A number of the page, decimal or not.
fn number(text: &str) -> i128 {
    let hex = text.strip_prefix("0x").and_then(|digits| i128::from_str_radix(digits, 16).ok());
    hex.or_else(|| text.parse().ok()).unwrap_or_else(|| panic!("{text} is no number"))
}

/// The second cells of a table are exactly those numbers.
fn numbers(head: &str, ours: &[i128]) {
    let theirs: Vec<i128> = table(head).iter().map(|row| number(row[1])).collect();
    assert_eq!(theirs, ours, "{head}");
}

/// `NotFound` as `notFound`, in backquotes.
fn name(value: impl Debug) -> String {
    let debug = format!("{value:?}");
    let (first, rest) = debug.split_at(1);
    format!("`{}{rest}`", first.to_lowercase())
}

fn whose(blame: Blame) -> String {
    format!("{blame:?}").to_lowercase()
}

#[test]
fn limits() {
    let ours = [PAGE_SIZE, MAX_MESSAGE, MAX_CAPS, MAX_CAP_SLOTS, PRIORITIES].map(|number| number as i128);
    numbers("| what | number |", &[&ours[..], &[i128::from(syscall::FOREVER)]].concat());
}

#[test]
fn the_ring_block() {
    let fields = [
        header::MAGIC_OFF,
        header::SQ_ENTRIES,
        header::CQ_ENTRIES,
        header::ARENA_LEN,
        header::THREAD_ID,
        header::PROCESS_ID,
        header::STARTUP_LEN,
        header::SQ_TAIL,
        header::CQ_HEAD,
        header::SQ_HEAD,
        header::CQ_TAIL,
        header::FAULT,
    ];
    numbers("| header field |", &fields.map(|offset| offset as i128));
    assert_eq!((fault::SQ_TAIL, fault::CQ_HEAD, header::MAGIC.to_le_bytes()), (1, 2, *b"cRB1"));
    let shape = RingShape::DEFAULT;
    assert_eq!((shape.sq_entries, shape.cq_entries, shape.arena_pages), (64, 128, 16));
    assert_eq!((shape.sq_off(), shape.cq_off()), (4096, 4096 + 64 * 64));
}

#[test]
fn submissions_and_completions() {
    let sqe = [
        offset_of!(Sqe, op),
        offset_of!(Sqe, flags),
        offset_of!(Sqe, method),
        offset_of!(Sqe, caps_send),
        offset_of!(Sqe, caps_recv),
        offset_of!(Sqe, reserved0),
        offset_of!(Sqe, user_data),
        offset_of!(Sqe, cap),
        offset_of!(Sqe, interface),
        offset_of!(Sqe, msg_off),
        offset_of!(Sqe, msg_len),
        offset_of!(Sqe, reply_off),
        offset_of!(Sqe, reply_len),
        offset_of!(Sqe, caps_off),
        offset_of!(Sqe, reserved1),
        offset_of!(Sqe, aux),
    ];
    let cqe = [
        offset_of!(Cqe, user_data),
        offset_of!(Cqe, result),
        offset_of!(Cqe, flags),
        offset_of!(Cqe, caps),
        offset_of!(Cqe, method),
        offset_of!(Cqe, token),
        offset_of!(Cqe, badge),
    ];
    // Both tables begin alike; each field ends where the next begins.
    for (section, ours, size) in [("## Submission", &sqe[..], 64), ("## Completion", &cqe[..], 32)] {
        let part = PAGE.split(section).nth(1).unwrap_or_default();
        let rows = part.lines().skip_while(|line| !line.starts_with("| field |")).skip(2);
        let cells = rows.take_while(|row| row.starts_with('|')).map(|row| row.split('|').collect::<Vec<_>>());
        let theirs: Vec<(i128, i128)> =
            cells.map(|row| (number(row[2].trim()), number(row[3].trim()))).collect();
        let ends = ours.iter().skip(1).chain([&size]);
        let ours: Vec<_> = ours.iter().zip(ends).map(|(at, end)| (*at as i128, (end - at) as i128)).collect();
        assert_eq!(theirs, ours, "{section}");
    }
    assert_eq!((sqe_flags::EXCEPTION, sqe_flags::DEADLINE), (1, 2));
    assert_eq!((cqe_flags::EXCEPTION, cqe_flags::UNREFERENCED), (1, 2));
    let operations: Vec<String> = table("| operation |").iter().map(|row| row[0].replace('_', "")).collect();
    let known = (0..=u8::MAX).map_while(Op::from_u8);
    let ours: Vec<String> = known.map(|op| format!("`{op:?}`").to_uppercase()).collect();
    assert_eq!(operations, ours);
    numbers("| operation |", &(0..ours.len() as i128).collect::<Vec<_>>());
}

#[test]
fn capabilities() {
    let ids =
        [CapId::NULL, CapId::SELF_MEMORY, CapId::SELF_THREADS, CapId::SELF_ENDPOINTS, CapId::granted(0)];
    numbers("| capability | id |", &ids.map(|id| i128::from(id.raw())));
    assert_eq!(TransferSlot::moved(CapId::NULL).0 >> 56, 1);
    assert_eq!(CapId::INDEX_BITS, 24);
}

#[test]
fn errors() {
    let page = |head| -> Vec<(String, i128, String)> {
        table(head).iter().map(|row| (row[0].into(), number(row[1]), row[2].into())).collect()
    };
    let transport =
        TransportError::ALL.map(|error| (name(error), i128::from(error.code()), whose(error.blame())));
    assert_eq!(page("| error | result |"), transport);
    let exceptions =
        ExceptionCode::ALL.map(|code| (name(code), i128::from(code.code()), whose(code.blame())));
    assert_eq!(page("| exception | code |"), exceptions);
}

#[test]
fn addresses() {
    use layout::{
        DYNAMIC_BASE, DYNAMIC_MAX, IMAGE_BASE, IMAGE_MAX, RING_BASE, RING_STRIDE, STACK_PAGES, STACK_TOP,
        USER_MAX, USER_MIN,
    };
    let ours = [
        USER_MIN,
        IMAGE_BASE,
        IMAGE_MAX,
        DYNAMIC_BASE,
        DYNAMIC_MAX,
        STACK_TOP,
        RING_BASE,
        RING_STRIDE,
        USER_MAX,
    ];
    numbers("| what | address |", &ours.map(i128::from));
    assert_eq!(STACK_PAGES, 16);
}

#[test]
fn the_startup_block() {
    let mut block = [0; 64];
    let mut writer = startup::Writer::new(&mut block);
    let records = [
        startup::Record::Name("a"),
        startup::Record::Arg("b"),
        startup::Record::Cap { name: "c", interface: 7 },
        startup::Record::Export { name: "d", interface: 7 },
    ];
    for record in records {
        assert_eq!(writer.push(record), Ok(()));
    }
    let kinds: Vec<i128> = block.chunks(11).take(4).map(|record| i128::from(record[0])).collect();
    numbers("| record | kind |", &kinds);
    assert_eq!(block[22..33], [3, 1, 7, 0, 0, 0, 0, 0, 0, 0, b'c']);
}
