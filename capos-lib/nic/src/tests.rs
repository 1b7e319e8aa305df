//! Entries and books against models.

use crate::{
    Books, BufferError, Card, Checksum, Completion, Filled, Offloads, Operation, Request, Segments, Status,
    Stray,
};
use alloc::vec::Vec;
use proptest::prelude::*;
use std::collections::VecDeque;

const ALL: Offloads =
    Offloads { checksum: true, segments_v4: true, segments_v6: true, checked: true, merged: true };
const CARD: Card = Card { mtu: 1500, least: 1536, furthest: u16::MAX, offloads: ALL };

fn send(id: u32, offset: u32, length: u32) -> Request {
    Request { id, operation: Operation::Send, buffer: 0, offset, length, checksum: None, segments: None }
}

fn receive(id: u32, offset: u32, length: u32) -> Request {
    Request { operation: Operation::Receive, ..send(id, offset, length) }
}

fn any_request() -> impl Strategy<Value = Request> {
    let checksum = proptest::option::of((any::<u16>(), any::<u16>()));
    let segments = proptest::option::of((any::<u16>(), any::<u16>(), any::<bool>()));
    (any::<(u32, bool, u16, u32, u32)>(), checksum, segments).prop_map(|(plain, checksum, segments)| {
        let (id, is_send, buffer, offset, length) = plain;
        let operation = if is_send { Operation::Send } else { Operation::Receive };
        let checksum = checksum.filter(|_| is_send).map(|(start, offset)| Checksum { start, offset });
        let segments = segments.filter(|_| checksum.is_some());
        let segments = segments.map(|(size, headers, is_v6)| Segments { size, headers, is_v6 });
        Request { id, operation, buffer, offset, length, checksum, segments }
    })
}

proptest! {
    #[test]
    fn what_is_asked_is_decoded(request in any_request()) {
        prop_assert_eq!(Request::decode(&request.encode()), Ok(request));
    }

    #[test]
    fn any_entry_is_a_request_or_its_authors_fault(entry: [u64; 8], operation in 0u64..3, flags in 0u64..9) {
        let head = entry[0] & !(0xffff << 32) | operation << 32 | flags << 40;
        match Request::decode(&[head, entry[1], entry[2], 0, 0, 0, 0, 0]) {
            Ok(request) => prop_assert_eq!(Request::decode(&request.encode()), Ok(request)),
            Err((id, status)) => prop_assert_eq!((id, status), (head as u32, Status::Unsupported)),
        }
    }

    #[test]
    fn what_is_answered_is_decoded(
        id: u32, status in 0usize..5, is_checked: bool, goes_on: bool, skip: u16, length: u32,
    ) {
        let completion = Completion { id, status: Status::ALL[status], is_checked, goes_on, skip, length };
        prop_assert_eq!(Completion::decode(&completion.encode()), completion);
    }

    #[test]
    fn nonsense_is_never_done(number in 5u64..256) {
        prop_assert_eq!(Completion::decode(&[number << 32, 0, 0, 0, 0, 0, 0, 0]).status, Status::Device);
    }

    /// Whatever a card takes lies within the frame, and is what it offers.
    #[test]
    fn what_is_taken_is_sound(mut request in any_request(), length in 0u32..70_000, offloads in 0u8..8) {
        request.length = length;
        let is = |bit: u8| offloads & 1 << bit != 0;
        let offloads = Offloads { checksum: is(0), segments_v4: is(1), segments_v6: is(2), ..ALL };
        let taken = Card { offloads, ..CARD }.check(&request).is_ok();
        let most = if request.segments.is_some() { 65_553 } else { 1518 };
        let mut sound = match request.operation {
            Operation::Receive => length >= 1536 && request.offset % 16 == 0,
            Operation::Send => (14..=most).contains(&length),
        };
        if let Some(Checksum { start, offset }) = request.checksum {
            sound &= offloads.checksum && u32::from(start) + u32::from(offset) + 2 <= length;
        }
        if let Some(Segments { size, headers, is_v6 }) = request.segments {
            sound &= if is_v6 { offloads.segments_v6 } else { offloads.segments_v4 };
            sound &= size > 0 && headers > 14 && u32::from(headers) < length;
            sound &= u32::from(headers) + u32::from(size) <= 1518;
            sound &= request.checksum.is_some_and(|sum| sum.start < headers);
        }
        prop_assert_eq!(taken, sound);
    }
}

#[test]
fn a_sum_that_the_device_can_not_be_told_of_is_its_clients() {
    let card = Card { furthest: 255, ..CARD };
    for (start, offset, wanted) in [(239, 16, Ok(())), (240, 16, Err(Status::Unsupported)), (0, 255, Ok(()))]
    {
        let request = Request { checksum: Some(Checksum { start, offset }), ..send(0, 0, 1514) };
        assert_eq!(card.check(&request), wanted);
        assert_eq!(CARD.check(&request), Ok(()));
    }
    let beyond = Request { checksum: Some(Checksum { start: 255, offset: 0 }), ..send(0, 0, 256) };
    assert_eq!(card.check(&beyond), Err(Status::Invalid), "first of all it is in the frame");
}

#[test]
fn segments_of_a_large_frame_are_taken() {
    let checksum = Some(Checksum { start: 34, offset: 16 });
    let segments = Some(Segments { size: 1460, headers: 54, is_v6: false });
    let whole = Request { checksum, segments, ..send(0, 0, 65_000) };
    assert_eq!(CARD.check(&whole), Ok(()));
    let none = Offloads { segments_v4: false, ..ALL };
    assert_eq!(Card { offloads: none, ..CARD }.check(&whole), Err(Status::Unsupported));
    assert_eq!(CARD.check(&Request { segments: None, ..whole }), Err(Status::Invalid));
    // Devices cut behind the header that has the sum.
    let taken = [53, 54].map(|start| {
        let checksum = Some(Checksum { start, offset: 0 });
        CARD.check(&Request { checksum, ..whole })
    });
    assert_eq!(taken, [Ok(()), Err(Status::Invalid)]);
}

#[test]
fn requests_lie_within_memory_that_is_there() {
    let mut books = Books::new(CARD, 8, 1).unwrap();
    let refused = |status| Err(Completion::of(7, status));
    assert_eq!(books.take(&send(7, 0, 60).encode()), refused(Status::Invalid));
    assert_eq!(books.attach(4096, Some(0x1000), "memory"), Ok(0));
    assert_eq!(books.attach(4096, None, "more"), Err(BufferError::NoRoom));
    assert_eq!(books.take(&send(7, 4037, 60).encode()), refused(Status::Invalid));
    assert_eq!(books.take(&send(7, u32::MAX, 60).encode()), refused(Status::Invalid));
    assert_eq!(books.take(&send(7, 4036, 60).encode()), Ok(()));
    assert_eq!(books.next(Operation::Send).map(|ask| ask.token), Some(0x1000 + 4036));
    assert_eq!(books.detach(0), Err(BufferError::InUse));
    let tag = books.next(Operation::Send).unwrap().tag;
    assert_eq!(books.sent(tag), Err(Stray), "it was not asked yet");
    books.asked(Operation::Send);
    let filled = Filled { is_checked: false, goes_on: false, skip: 0, length: 60 };
    assert_eq!(books.filled(tag, &filled), Err(Stray));
    assert_eq!(books.sent(tag), Ok(Completion::of(7, Status::Done)));
    assert_eq!(
        (books.sent(tag), books.detach(0), books.detach(0)),
        (Err(Stray), Ok("memory"), Err(BufferError::NotFound))
    );
}

#[test]
fn a_buffer_has_no_more_than_it_had_room_for() {
    let mut books = Books::new(CARD, 8, 1).unwrap();
    books.attach(4096, Some(0), ()).unwrap();
    books.take(&receive(3, 0, 2048).encode()).unwrap();
    let tag = books.next(Operation::Receive).unwrap().tag;
    books.asked(Operation::Receive);
    let filled = |skip, length| Filled { is_checked: true, goes_on: true, skip, length };
    assert_eq!(books.filled(tag, &filled(12, 2037)), Err(Stray));
    assert_eq!(books.filled(tag, &filled(12, u32::MAX)), Err(Stray));
    let whole = Completion {
        is_checked: true,
        goes_on: true,
        skip: 12,
        length: 2036,
        ..Completion::of(3, Status::Done)
    };
    assert_eq!(books.filled(tag, &filled(12, 2036)), Ok(whole));
}

/// What a session asked, as a list.
#[derive(Default)]
struct Model {
    waiting: [VecDeque<u32>; 2],
    given: Vec<(u32, u16, usize)>,
}

proptest! {
    /// Nothing is answered twice or never, the order is kept, and a reset loses only what the device had to send.
    #[test]
    fn every_request_has_one_end(steps in proptest::collection::vec((0u8..6, any::<prop::sample::Index>()), 0..300)) {
        let operations = [Operation::Receive, Operation::Send];
        let mut books = Books::new(CARD, 6, 1).unwrap();
        books.attach(1 << 20, Some(0), ()).unwrap();
        let mut model = Model::default();
        let mut next = 0;
        for (step, which) in steps {
            let kind = usize::from(step & 1);
            let operation = operations[kind];
            match step {
                0 | 1 => {
                    let request = if kind == 0 { receive(next, 0, 2000) } else { send(next, 0, 60) };
                    let count = model.given.len() + model.waiting.iter().map(VecDeque::len).sum::<usize>();
                    prop_assert_eq!(books.room(), 6 - count);
                    let taken = books.take(&request.encode());
                    prop_assert_eq!(taken.is_ok(), count < 6);
                    if taken.is_ok() {
                        model.waiting[kind].push_back(next);
                    }
                    next += 1;
                }
                2 | 3 => {
                    let ask = books.next(operation);
                    prop_assert_eq!(ask.map(|ask| ask.request.id), model.waiting[kind].front().copied());
                    if let Some(ask) = ask {
                        books.asked(operation);
                        model.waiting[kind].pop_front();
                        model.given.push((ask.request.id, ask.tag, kind));
                    }
                }
                4 if !model.given.is_empty() => {
                    let (id, tag, kind) = model.given.remove(which.index(model.given.len()));
                    let filled = Filled { is_checked: false, goes_on: false, skip: 0, length: 60 };
                    let over = if kind == 0 { books.filled(tag, &filled) } else { books.sent(tag) };
                    prop_assert_eq!(over.map(|over| (over.id, over.status)), Ok((id, Status::Done)));
                }
                5 => {
                    let mut lost: Vec<u32> = books.down().map(|over| over.id).collect();
                    let (sends, receives): (Vec<_>, Vec<_>) = model.given.drain(..).partition(|(_, _, kind)| *kind == 1);
                    let mut sends: Vec<u32> = sends.into_iter().map(|(id, ..)| id).collect();
                    lost.sort_unstable();
                    sends.sort_unstable();
                    prop_assert_eq!(lost, sends);
                    model.waiting[0].extend(receives.into_iter().map(|(id, ..)| id));
                    model.waiting[0].make_contiguous().sort_unstable();
                    prop_assert_eq!(books.next(Operation::Receive), None);
                    books.buffers().for_each(|(_, token)| *token = Some(0));
                }
                _ => {}
            }
        }
    }
}
