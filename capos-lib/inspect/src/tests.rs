//! Records survive the way there and back, and no bytes whatever make a reader do worse than refuse them.

mod graph;
mod reading;

use crate::bytes::Writer;
use crate::{
    Activity, Capability, End, Kind, Leaves, Life, Malformed, Name, Origin, Page, Process, Processor,
    RESOURCES, Record, Records, Slot, Thread, Use,
};
use core::fmt::Debug;
use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};
use std::vec;
use std::vec::Vec;

fn process() -> Process {
    let budget = core::array::from_fn(|n| {
        let n = n as u64;
        Use { used: 10 + n, lent: n, limit: 100 + n }
    });
    Process {
        id: 7,
        cpu_ns: 1 << 40,
        life: Life::Ends,
        end: End::Exited(-3),
        priority: 10,
        cpu_percent: 20,
        name: Name::new("console"),
        budget,
    }
}

fn capability() -> Capability {
    Capability {
        at: Slot { process: 7, slot: 3 },
        interface: 0x1234,
        kind: Kind::Facet,
        object: 5,
        detail: 99,
        leaves: Leaves::Freely,
        origin: Origin::From(Slot { process: 1, slot: 14 }),
        family: 60,
    }
}

fn thread() -> Thread {
    Thread {
        process: 7,
        id: 8,
        called: 5,
        activity: Activity::Waits,
        priority: 12,
        own_priority: 10,
        processor: 3,
        in_flight: 2,
        entries: 64,
    }
}

fn processor() -> Processor {
    Processor { number: 1, idle_ns: 2, switches: 3, interrupts: 4, syscalls: 5, kicks: 6, shootdowns: 7 }
}

fn there_and_back<R: Record + PartialEq + Debug + Clone>(record: R) {
    let mut exact = vec![0xee; R::LEN];
    let mut writer = Writer::new(&mut exact);
    record.put(&mut writer);
    assert_eq!(writer.left(), 0, "it says how long it is");
    assert_eq!(R::LEN % 8, 0);
    let mut out = [0; 1000];
    let mut page = Page::new(&mut out);
    let mut pushed = 0;
    while page.push(&record) {
        pushed += 1;
    }
    assert!(!page.has_room());
    assert_eq!(pushed, 1000 / R::LEN);
    let records = Records::<R>::new(page.bytes(), R::LEN).expect("whole");
    assert_eq!((records.len(), records.is_empty()), (pushed, false));
    assert!(records.iter().all(|read| read == Ok(record.clone())));
}

#[test]
fn every_record_comes_back_as_it_was() {
    there_and_back(process());
    there_and_back(capability());
    there_and_back(thread());
    there_and_back(processor());
    for end in [End::None, End::Killed, End::Faulted(14), End::Exited(i64::MIN), End::Other(77)] {
        there_and_back(Process { end, ..process() });
    }
    for life in [Life::Made, Life::Runs, Life::Other(9)] {
        there_and_back(Process { life, ..process() });
    }
    for activity in (0..7).map(Activity::from_number) {
        there_and_back(Thread { activity, ..thread() });
    }
    for origin in [Origin::Root, Origin::Gone, Origin::Other(3)] {
        there_and_back(Capability { origin, ..capability() });
    }
    for leaves in [Leaves::Never, Leaves::Moves, Leaves::Copies, Leaves::Other(4)] {
        there_and_back(Capability { leaves, ..capability() });
    }
    for number in (0..=u8::MAX).step_by(if cfg!(miri) { 51 } else { 1 }) {
        there_and_back(Capability { kind: Kind::of(number), ..capability() });
    }
}

/// The layout that the book's page tells.
#[test]
fn fields_lie_where_the_book_says() {
    let mut out = [0; 4096];
    let bytes = |record: &Process| {
        let mut out = [0; Process::LEN];
        record.put(&mut Writer::new(&mut out));
        out
    };
    let it = bytes(&process());
    assert_eq!((it[0], it[16], it[24], it[25], it[26], it[27], it[28]), (7, 0xfd, 2, 1, 10, 7, 20));
    assert_eq!(&it[32..39], b"console");
    assert_eq!((it[64], it[72], it[80], it[88]), (10, 0, 100, 11));
    let mut page = Page::new(&mut out);
    page.push(&capability());
    let it = page.bytes();
    assert_eq!((it[0], it[8], it[16], it[24], it[32]), (7, 0x34, 5, 99, 1));
    assert_eq!((it[40], it[44], it[48], it[52], it[53], it[54]), (3, 14, 60, 3, 3, 1));
    let mut page = Page::new(&mut out);
    page.push(&thread());
    let it = page.bytes();
    assert_eq!((it[0], it[8], it[16], it[24], it[25], it[26]), (7, 8, 5, 2, 12, 10));
    assert_eq!((it[28], it[32], it[36]), (3, 2, 64));
    let mut page = Page::new(&mut out);
    page.push(&processor());
    assert_eq!((page.bytes()[0], page.bytes()[8], page.bytes()[48]), (1, 2, 7));
}

#[test]
fn what_is_not_whole_is_refused() {
    let bytes = [0; Capability::LEN * 2];
    let records = |len: usize, length| Records::<Capability>::new(&bytes[..len], length).map(|all| all.len());
    assert_eq!(records(0, Capability::LEN), Ok(0));
    assert_eq!(records(112, 56), Ok(2));
    for (len, length) in [(111, 56), (55, 56), (112, 55), (112, 0), (112, 8), (1, 4096), (112, usize::MAX)] {
        assert_eq!(records(len, length), Err(Malformed), "{len} of {length}");
    }
}

#[test]
fn what_a_later_version_adds_is_passed_over() {
    let mut bytes = Vec::new();
    for n in 0..3 {
        let mut one = [0xff; Thread::LEN + 16];
        Thread { id: n, ..thread() }.put(&mut Writer::new(&mut one));
        bytes.extend(one);
    }
    let records = Records::<Thread>::new(&bytes, Thread::LEN + 16).expect("whole");
    let ids: Vec<_> = records.iter().map(|thread| thread.map(|thread| thread.id)).collect();
    assert_eq!(ids, [Ok(0), Ok(1), Ok(2)]);
}

#[test]
fn names_are_cut_and_never_lie_about_their_length() {
    assert_eq!(Name::new("init").as_str(), "init");
    assert_eq!(Name::new("").as_str(), "");
    assert_eq!(Name::new(&"x".repeat(50)).as_str().len(), 31);
    // 15 times two bytes: the sixteenth would be cut in half.
    assert_eq!(Name::new(&"é".repeat(50)).as_str().len(), 30);
    let mut bytes = [0; Process::LEN];
    process().put(&mut Writer::new(&mut bytes));
    let first = |bytes: &[u8]| Records::<Process>::new(bytes, Process::LEN).expect("whole").iter().next();
    bytes[27] = 32;
    assert_eq!(first(&bytes), Some(Err(Malformed)));
    bytes[27] = 31;
    bytes[32] = 0xff;
    assert_eq!(first(&bytes).and_then(Result::ok).expect("read").name.as_str(), "?");
    // A fault whose vector is none.
    (bytes[25], bytes[17]) = (3, 1);
    assert_eq!(first(&bytes), Some(Err(Malformed)));
}

#[test]
fn budgets_are_found_by_their_number() {
    let it = process();
    assert_eq!((it.memory(), it.slots()), (it.budget[0], it.budget[1]));
    assert_eq!(it.resource(RESOURCES), Use::default());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 2000 }, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..if cfg!(miri) { 130 } else { 700 }), length in 0usize..300) {
        look::<Process>(&bytes, length)?;
        look::<Thread>(&bytes, length)?;
        look::<Capability>(&bytes, length)?;
        look::<Processor>(&bytes, length)?;
    }

    #[test]
    fn what_was_read_is_what_was_there(bytes in prop::collection::vec(any::<u8>(), Capability::LEN)) {
        let read = Records::<Capability>::new(&bytes, Capability::LEN).expect("one").iter().next();
        let read = read.expect("one").expect("any bytes are one");
        let mut again = [0; Capability::LEN];
        read.put(&mut Writer::new(&mut again));
        let back = Records::<Capability>::new(&again, Capability::LEN).expect("one").iter().next();
        prop_assert_eq!(back, Some(Ok(read)));
    }
}

fn look<R: Record>(bytes: &[u8], length: usize) -> Result<(), proptest::test_runner::TestCaseError> {
    match Records::<R>::new(bytes, length) {
        Ok(records) => {
            prop_assert!(length >= R::LEN && bytes.len().is_multiple_of(length));
            prop_assert_eq!(records.iter().count(), records.len());
        }
        Err(Malformed) => prop_assert!(length < R::LEN || !bytes.len().is_multiple_of(length)),
    }
    Ok(())
}
