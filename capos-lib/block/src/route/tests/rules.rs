//! One rule each.

use super::clients::{Queues, request};
use crate::route::{Ask, Different, Facet, LIVES, NoRoom, NotFound, Released, Router, SessionId, Stray};
use crate::{Completion, Geometry, Operation, Request, Status, Tag};
use Operation::{Discard, Flush, Read, Write};
use std::vec;
use std::vec::Vec;

const DISK: Geometry = Geometry {
    sectors: 1000,
    sector_shift: 9,
    most: 8,
    read_only: false,
    cache: true,
    discard: true,
    zero: true,
};

/// A router of a disk that is there, with `clients` of all of it that have a buffer each, by their own numbers.
fn router(depth: u16, clients: u16, budget: u16) -> (Router<u16>, Queues, Vec<SessionId>) {
    let mut router = Router::new(vec![DISK], depth, clients).unwrap();
    let mut queues = Queues::default();
    router.up(&[DISK], &mut queues).unwrap();
    let open = |number| {
        let id = router.open(&Facet::whole(0, &DISK), budget, 0).unwrap();
        assert_eq!(router.attach(id, 4096, 100 + number, 64), Ok(number));
        id
    };
    let ids = (0..clients).map(open).collect();
    know_buffers(&mut router, 7000);
    (router, queues, ids)
}

fn know_buffers(router: &mut Router<u16>, base: u64) {
    router.buffers().for_each(|(number, _, handle)| *handle = Some(base + u64::from(number)));
}

fn send_all(router: &mut Router<u16>) -> Vec<Ask> {
    std::iter::from_fn(|| {
        let ask = router.ready()?;
        router.sent();
        Some(ask)
    })
    .collect()
}

fn tag_of(asks: &[Ask], id: u32) -> Tag {
    asks.iter().find(|ask| ask.request.id == id).unwrap().tag
}

fn ids(asks: &[Ask]) -> Vec<u32> {
    asks.iter().map(|ask| ask.request.id).collect()
}

fn own(buffer: u16, request: Request) -> Request {
    Request { buffer, ..request }
}

#[test]
fn a_request_goes_and_comes_back() {
    let (mut router, mut queues, clients) = router(4, 2, 4);
    queues.ask(clients[1], own(1, request(77, Read, 5, 2)));
    assert!(router.take(u64::MAX, &mut queues) && !router.is_idle());
    let asks = send_all(&mut router);
    let [Ask { tag, disk: 0, request, handle: 7001 }] = asks[..] else { panic!("{asks:?}") };
    assert_eq!((request.operation, request.first, request.sectors), (Read, 5, 2));
    let completed = router.complete(tag, Status::Media, 9).unwrap().unwrap();
    assert_eq!(completed.session, clients[1]);
    assert_eq!(completed.completion, Completion { id: 77, status: Status::Media, detail: 9 });
    assert!(router.is_idle() && !router.take(u64::MAX, &mut queues));
    assert_eq!(router.complete(tag, Status::Done, 0), Err(Stray(tag)));
}

#[test]
fn facets_only_narrow() {
    let whole = Facet::whole(0, &DISK);
    let part = whole.part(100, 50).unwrap();
    let inner = part.part(10, 40).unwrap();
    assert_eq!((inner.first(), inner.geometry(&DISK).sectors), (110, 40));
    for (first, sectors) in [(10, 41), (50, 1), (0, 0), (0, 51), (u64::MAX, 1), (u64::MAX, 2), (1, u64::MAX)]
    {
        assert_eq!(part.part(first, sectors), None);
    }
    assert!(part.read_only().part(0, 1).unwrap().geometry(&DISK).read_only);
    assert!(whole.overlaps(&part) && part.read_only().overlaps(&inner) && inner.overlaps(&whole));
    let apart = [whole.part(0, 100), whole.part(150, 1), Some(Facet::whole(1, &DISK))].map(Option::unwrap);
    assert!(!apart.iter().any(|other| part.overlaps(other) || other.overlaps(&part)));
    assert!(!part.geometry(&DISK).read_only);
    let closed = Geometry { read_only: true, ..DISK };
    assert!(part.geometry(&closed).read_only && Facet::whole(0, &closed).geometry(&DISK).read_only);
    let mut small = Router::<()>::new(vec![Geometry { sectors: 149, ..DISK }], 1, 1).unwrap();
    assert_eq!(small.open(&part, 1, 0), Err(NoRoom));
}

#[test]
fn sectors_of_a_part_are_the_disks() {
    let (mut router, mut queues, _) = router(4, 0, 0);
    assert_eq!(router.open(&Facet::whole(0, &DISK), 1, 0), Err(NoRoom), "there may be none");
    let mut router = { Router::<u16>::new(vec![DISK], 4, 1).unwrap() };
    router.up(&[DISK], &mut queues).unwrap();
    let id = router.open(&Facet::whole(0, &DISK).part(100, 50).unwrap().read_only(), 4, 0).unwrap();
    assert_eq!(router.open(&Facet::whole(0, &DISK), 4, 0), Err(NoRoom));
    router.close(id);
    assert_eq!(router.open(&Facet::whole(0, &DISK), 4, 1), Err(NoRoom), "that number is still somebody's");
    let id = router.open(&Facet::whole(0, &DISK).part(100, 50).unwrap().read_only(), 4, 2).unwrap();
    router.attach(id, 4096, 1, 64).unwrap();
    know_buffers(&mut router, 1);
    let asked =
        [request(1, Read, 49, 1), request(2, Read, 50, 1), request(3, Write, 0, 1), request(4, Flush, 0, 0)];
    asked.into_iter().for_each(|it| queues.ask(id, it));
    router.take(u64::MAX, &mut queues);
    let asks = send_all(&mut router);
    assert_eq!(ids(&asks), [1, 4]);
    assert_eq!(asks[0].request.first, 149);
    let answers: Vec<_> = queues.answers.iter().map(|(_, it)| (it.id, it.status)).collect();
    assert_eq!(answers, [(2, Status::OutOfRange), (3, Status::ReadOnly)]);
}

#[test]
fn what_clients_make_up_is_answered_and_nothing_else_happens() {
    let (mut router, mut queues, clients) = router(8, 2, 8);
    let nonsense = [
        own(1, request(1, Read, 0, 1)),
        own(2, request(2, Read, 0, 1)),
        own(u16::MAX, request(3, Write, 0, 1)),
        request(4, Read, 0, 9),
        request(5, Write, u64::MAX, 1),
        request(6, Read, 0, 0),
        Request { offset: 4096, ..request(7, Read, 0, 1) },
        Request { offset: u32::MAX, ..request(8, Write, 0, 8) },
    ];
    nonsense.into_iter().for_each(|it| queues.ask(clients[0], it));
    router.take(u64::MAX, &mut queues);
    queues.asked.get_mut(&clients[0]).unwrap().push_back([u64::MAX; 8]);
    router.take(u64::MAX, &mut queues);
    use Status::{Invalid, OutOfRange, Unsupported};
    let answers: Vec<_> = queues.answers.iter().map(|(_, it)| it.status).collect();
    let data = [Invalid, Invalid, Invalid, Invalid, OutOfRange, Invalid, Invalid, Invalid, Unsupported];
    assert_eq!(answers, data);
    assert!(router.is_idle() && send_all(&mut router).is_empty());
}

#[test]
fn clients_take_turns_when_there_is_not_room_for_all() {
    let (mut router, mut queues, clients) = router(4, 3, 100);
    for id in 0..200 {
        clients.iter().for_each(|client| queues.ask(*client, request(id, Flush, 0, 0)));
    }
    let mut served = [0; 3];
    router.take(u64::MAX, &mut queues);
    for _ in 0..300 {
        let asks = send_all(&mut router);
        for ask in asks {
            let completed = router.complete(ask.tag, Status::Done, 0).unwrap().unwrap();
            served[completed.session.index()] += 1;
            router.take(u64::MAX, &mut queues);
        }
        let (least, most) = (served.iter().min().unwrap(), served.iter().max().unwrap());
        assert!(most - least <= 32, "{served:?}");
    }
    assert_eq!(served, [200; 3]);
}

#[test]
fn a_budget_is_what_is_under_way() {
    let (mut router, mut queues, clients) = router(64, 1, 3);
    (0..10).for_each(|id| queues.ask(clients[0], request(id, Flush, 0, 0)));
    while router.take(u64::MAX, &mut queues) {}
    let asks = send_all(&mut router);
    assert_eq!(ids(&asks), [0, 1, 2]);
    router.complete(asks[1].tag, Status::Done, 0).unwrap();
    router.take(u64::MAX, &mut queues);
    assert_eq!(ids(&send_all(&mut router)), [3]);
}

#[test]
fn one_call_is_bounded_whatever_is_asked() {
    let (mut router, mut queues, clients) = router(64, 2, 64);
    (0..1000).for_each(|id| queues.ask(clients[0], request(id, Read, 5000, 1)));
    queues.ask(clients[1], request(1, Flush, 0, 0));
    assert!(router.take(u64::MAX, &mut queues));
    assert!(queues.answers.len() <= 32);
    assert_eq!(send_all(&mut router).len(), 1);
}

#[test]
fn changes_of_the_same_wait_for_each_other_and_reads_do_not() {
    let (mut router, mut queues, clients) = router(16, 3, 8);
    queues.ask(clients[0], request(1, Write, 10, 4));
    router.take(u64::MAX, &mut queues);
    for (client, it) in [
        (1, own(1, request(2, Write, 13, 1))),
        (1, own(1, request(3, Write, 500, 1))),
        (2, own(2, request(4, Read, 10, 4))),
        (2, own(2, request(5, Write, 14, 1))),
        (2, own(2, request(6, Discard, 0, 11))),
        (2, own(2, request(7, Read, 600, 1))),
    ] {
        queues.ask(clients[client], it);
    }
    router.take(u64::MAX, &mut queues);
    let asks = send_all(&mut router);
    assert_eq!(ids(&asks), [1, 3, 4, 5, 7]);
    router.complete(tag_of(&asks, 4), Status::Done, 0).unwrap();
    // Who has to wait asks nothing more until then.
    queues.ask(clients[1], own(1, request(8, Read, 700, 1)));
    router.take(u64::MAX, &mut queues);
    assert!(router.ready().is_none());
    router.complete(tag_of(&asks, 1), Status::Done, 0).unwrap();
    router.take(u64::MAX, &mut queues);
    let mut sent = ids(&send_all(&mut router));
    sent.sort_unstable();
    assert_eq!(sent, [2, 6, 8]);
}

#[test]
fn what_was_not_answered_is_asked_again_in_order() {
    let (mut router, mut queues, clients) = router(8, 1, 8);
    for id in 0..5 {
        queues.ask(clients[0], request(id, Write, u64::from(id), 1));
    }
    router.take(u64::MAX, &mut queues);
    let asks: Vec<_> = (0..4)
        .map(|_| {
            let ask = router.ready().unwrap();
            router.sent();
            ask
        })
        .collect();
    router.complete(asks[2].tag, Status::Done, 0).unwrap();
    router.down(&mut queues);
    assert!(router.ready().is_none());
    // While it is away clients may ask.
    queues.ask(clients[0], request(9, Read, 0, 1));
    router.take(u64::MAX, &mut queues);
    assert_eq!(router.complete(asks[0].tag, Status::Done, 0), Err(Stray(asks[0].tag)), "of another life");
    know_buffers(&mut router, 8000);
    router.up(&[DISK], &mut queues).unwrap();
    let again = send_all(&mut router);
    assert_eq!(ids(&again), [0, 1, 3, 4, 9]);
    assert!(again.iter().all(|ask| ask.handle == 8000));
    assert_eq!(queues.answers, []);
}

#[test]
fn what_the_disk_dies_of_fails_in_the_end() {
    let (mut router, mut queues, clients) = router(8, 1, 8);
    queues.ask(clients[0], request(5, Flush, 0, 0));
    router.take(u64::MAX, &mut queues);
    for life in 0..LIVES {
        assert_eq!(send_all(&mut router).len(), 1, "{life}");
        router.down(&mut queues);
        router.up(&[DISK], &mut queues).unwrap();
    }
    assert_eq!(queues.answers, [(clients[0], Completion { id: 5, status: Status::Device, detail: 0 })]);
    assert!(router.is_idle());
    // Lives that were not asked do not count.
    queues.ask(clients[0], request(6, Flush, 0, 0));
    router.take(u64::MAX, &mut queues);
    for _ in 0..2 * LIVES {
        router.down(&mut queues);
        router.up(&[DISK], &mut queues).unwrap();
    }
    assert_eq!(ids(&send_all(&mut router)), [6]);
}

#[test]
fn a_client_that_goes_leaves_nothing_but_what_the_disk_is_at() {
    let (mut router, mut queues, clients) = router(8, 2, 8);
    queues.ask(clients[0], request(1, Write, 0, 1));
    queues.ask(clients[1], own(1, request(2, Write, 0, 1)));
    router.take(u64::MAX, &mut queues);
    let asks = send_all(&mut router);
    queues.ask(clients[0], request(3, Read, 0, 1));
    router.take(u64::MAX, &mut queues);
    router.close(clients[0]);
    assert_eq!(router.released(), None, "the disk may still read it");
    assert!(router.ready().is_none());
    assert_eq!(router.open(&Facet::whole(0, &DISK), 1, 0), Ok(clients[0]));
    assert_eq!(router.complete(asks[0].tag, Status::Done, 0), Ok(None));
    assert_eq!(router.released(), Some(Released { keep: 100, handle: Some(7000) }));
    assert_eq!(router.released(), None);
    // The other one waited for it.
    assert_eq!(ids(&send_all(&mut router)), [2]);
    // With the disk gone nobody is at anything.
    router.close(clients[1]);
    assert_eq!(router.released(), None);
    router.down(&mut queues);
    assert_eq!(router.released(), Some(Released { keep: 101, handle: None }));
    assert!(router.is_idle());
    assert_eq!(queues.answers, []);
}

/// What the disk still reads for who is gone may go to memory that who comes next uses, too.
#[test]
fn who_comes_after_one_that_left_something_under_way_waits_for_it() {
    let (mut router, mut queues, clients) = router(8, 3, 8);
    for id in [1, 2] {
        queues.ask(clients[0], request(id, Read, 0, 1));
    }
    router.take(u64::MAX, &mut queues);
    let asks = send_all(&mut router);
    router.close(clients[0]);
    let next = router.open(&Facet::whole(0, &DISK), 8, 0).unwrap();
    let flush = |id| Request { sectors: 0, ..request(id, Operation::Flush, 0, 0) };
    queues.ask(next, flush(3));
    queues.ask(clients[1], flush(4));
    router.take(u64::MAX, &mut queues);
    assert_eq!(ids(&send_all(&mut router)), [4], "who was there before does not wait");
    router.complete(asks[0].tag, Status::Done, 0).unwrap();
    assert!(!router.take(u64::MAX, &mut queues));
    // One that goes while it waits, and another one in its place.
    router.close(clients[2]);
    assert_eq!(router.open(&Facet::whole(0, &DISK), 8, 0), Ok(clients[2]));
    router.close(clients[2]);
    router.complete(asks[1].tag, Status::Done, 0).unwrap();
    assert!(router.take(u64::MAX, &mut queues));
    assert_eq!(ids(&send_all(&mut router)), [3]);
    router.down(&mut queues);
    router.up(&[DISK], &mut queues).unwrap();
    assert_eq!(ids(&send_all(&mut router)), [4, 3], "neither waits for anything");
}

#[test]
fn buffers_are_their_clients() {
    let (mut router, mut queues, clients) = router(8, 2, 8);
    assert_eq!(router.detach(clients[0], 1), Err(NotFound));
    assert_eq!(router.detach(clients[0], 9), Err(NotFound));
    queues.ask(clients[0], request(1, Read, 0, 1));
    router.take(u64::MAX, &mut queues);
    assert_eq!(router.detach(clients[0], 0), Ok(()));
    assert_eq!(router.detach(clients[0], 0), Err(NotFound));
    assert_eq!(router.released(), None);
    queues.ask(clients[0], request(2, Read, 0, 1));
    router.take(u64::MAX, &mut queues);
    assert_eq!(queues.answers, [(clients[0], Completion { id: 2, status: Status::Invalid, detail: 0 })]);
    let asks = send_all(&mut router);
    router.complete(asks[0].tag, Status::Done, 0).unwrap();
    assert_eq!(router.released(), Some(Released { keep: 100, handle: Some(7000) }));
    // There are as many as there may be.
    let numbers: Vec<_> = (0..64).map(|_| router.attach(clients[0], 512, 5, 64).unwrap()).collect();
    assert_eq!(router.attach(clients[0], 512, 5, 64), Err(NoRoom));
    assert!(router.attach(clients[1], 512, 5, 64).is_ok());
    router.detach(clients[0], numbers[3]).unwrap();
    assert!(router.attach(clients[0], 512, 5, 64).is_ok());
}

#[test]
fn a_buffer_that_the_disk_does_not_take_back_fails_its_requests() {
    let (mut router, mut queues, clients) = router(8, 2, 8);
    queues.ask(clients[0], request(1, Read, 0, 1));
    queues.ask(clients[0], request(2, Flush, 0, 0));
    queues.ask(clients[1], own(1, request(3, Read, 0, 1)));
    router.take(u64::MAX, &mut queues);
    router.down(&mut queues);
    router.buffers().for_each(|(number, _, handle)| *handle = (number == 1).then_some(5));
    router.up(&[DISK], &mut queues).unwrap();
    queues.ask(clients[0], request(4, Read, 0, 1));
    router.take(u64::MAX, &mut queues);
    let device = |id| (clients[0], Completion { id, status: Status::Device, detail: 0 });
    assert_eq!(queues.answers, [device(1), device(4)]);
    assert_eq!(ids(&send_all(&mut router)), [2, 3]);
}

#[test]
fn disks_of_a_device_are_apart() {
    let small = Geometry { sectors: 20, read_only: true, ..DISK };
    let (mut router, mut queues) =
        (Router::<u16>::new(vec![DISK, small, DISK], 8, 3).unwrap(), Queues::default());
    router.up(&[DISK, small, DISK], &mut queues).unwrap();
    for number in 0..3 {
        let disk = router.disks()[usize::from(number)];
        let client = router.open(&Facet::whole(number, &disk), 8, 0).unwrap();
        queues.ask(client, request(1, Discard, 5, 10));
        queues.ask(client, request(2, Flush, 0, 0));
        queues.ask(client, request(3, Discard, 25, 1));
    }
    assert_eq!(router.open(&Facet::whole(3, &DISK), 8, 0), Err(NoRoom));
    router.take(u64::MAX, &mut queues);
    let asks: Vec<_> = send_all(&mut router).iter().map(|ask| (ask.disk, ask.request.id)).collect();
    // Changes of the same sectors of two disks do not wait for each other.
    assert_eq!(asks, [(0, 1), (0, 2), (0, 3), (1, 2), (2, 1), (2, 2), (2, 3)]);
    router.down(&mut queues);
    assert_eq!(router.up(&[DISK, small], &mut queues), Err(Different));
    assert_eq!(router.up(&[DISK, DISK, DISK, DISK], &mut queues), Err(Different));
}

#[test]
fn who_is_not_awake_is_not_looked_at() {
    let (mut router, mut queues, clients) = router(8, 3, 8);
    clients.iter().for_each(|client| queues.ask(*client, request(client.index() as u32, Flush, 0, 0)));
    assert!(router.take(0b010, &mut queues) && !router.take(0b010, &mut queues));
    assert_eq!(ids(&send_all(&mut router)), [1]);
    assert!(router.take(1 << 63 | 0b101, &mut queues));
    assert_eq!(ids(&send_all(&mut router)), [2, 0]);
}

#[test]
fn another_disk_is_not_taken_for_the_first() {
    let (mut router, mut queues, clients) = router(8, 1, 8);
    queues.ask(clients[0], request(1, Flush, 0, 0));
    router.take(u64::MAX, &mut queues);
    router.down(&mut queues);
    for other in [
        Geometry { sectors: 999, ..DISK },
        Geometry { sector_shift: 12, ..DISK },
        Geometry { most: 7, ..DISK },
        Geometry { discard: false, ..DISK },
    ] {
        assert_eq!(router.up(&[other], &mut queues), Err(Different));
        assert!(router.ready().is_none());
    }
    // It may have become one that is only read; then that is what clients hear.
    router.up(&[Geometry { read_only: true, cache: false, ..DISK }], &mut queues).unwrap();
    queues.ask(clients[0], request(2, Write, 0, 1));
    router.take(u64::MAX, &mut queues);
    assert_eq!(queues.answers, [(clients[0], Completion { id: 2, status: Status::ReadOnly, detail: 0 })]);
}

#[test]
fn a_disk_may_become_larger() {
    let (mut router, mut queues, clients) = router(8, 2, 8);
    queues.ask(clients[0], request(1, Discard, 999, 1));
    router.take(u64::MAX, &mut queues);
    router.down(&mut queues);
    let larger = Geometry { sectors: 2000, ..DISK };
    router.up(&[larger], &mut queues).unwrap();
    assert_eq!(router.disks(), [larger]);
    assert_eq!(ids(&send_all(&mut router)), [1]);
    // Whose session is older has what he was given; the next one has all of it.
    queues.ask(clients[0], request(2, Discard, 1000, 1));
    router.take(u64::MAX, &mut queues);
    assert_eq!(queues.answers, [(clients[0], Completion { id: 2, status: Status::OutOfRange, detail: 0 })]);
    router.close(clients[1]);
    let next = router.open(&Facet::whole(0, &larger), 8, 0).unwrap();
    queues.ask(next, request(3, Discard, 1999, 1));
    router.take(u64::MAX, &mut queues);
    assert_eq!(ids(&send_all(&mut router)), [3]);
    router.down(&mut queues);
    assert_eq!(router.up(&[DISK], &mut queues), Err(Different));
}

#[test]
fn what_was_checked_here_is_the_disks_fault_there() {
    let (mut router, mut queues, clients) = router(8, 1, 8);
    for (id, status) in (0..).zip(Status::ALL) {
        queues.ask(clients[0], request(id, Flush, 0, 0));
        router.take(u64::MAX, &mut queues);
        let asks = send_all(&mut router);
        let completed = router.complete(asks[0].tag, status, 0).unwrap().unwrap();
        let expected = match status {
            Status::Invalid | Status::OutOfRange => Status::Device,
            other => other,
        };
        assert_eq!(completed.completion.status, expected);
    }
}
