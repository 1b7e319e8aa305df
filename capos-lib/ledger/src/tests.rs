use crate::{Backend, Books, Entry, Event, History, Item, Phase, Record, Refusal, Trust, Wrong};
use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};
use std::vec::Vec;

#[test]
fn a_function_may_reach_memory_only_when_it_was_claimed_and_seen_to_be_quiet() {
    let mut record = Record::new(Trust::Nothing, true);
    assert_eq!(record.start(), Err(Refusal::NotClaimed));
    assert_eq!(record.claim(7), Ok(()));
    assert_eq!((record.phase(), record.owner(), record.start()), (Phase::Claimed, 7, Err(Refusal::NotQuiet)));
    record.settled();
    assert_eq!((record.start(), record.phase()), (Ok(()), Phase::Running));
    assert_eq!(record.claim(8), Err(Refusal::Taken));
}

#[test]
fn a_reset_makes_everything_older_stale_and_needs_quiet_anew() {
    let mut record = Record::new(Trust::Nothing, true);
    record.claim(7).unwrap();
    record.settled();
    record.start().unwrap();
    let old = record.generation();
    record.books.add(Item::Buffers, 3);
    let new = record.reset().unwrap();
    assert!(new != old && record.books.are_empty());
    assert_eq!((record.check(old), record.check(new)), (Err(Refusal::Stale), Ok(())));
    assert_eq!((record.phase(), record.start(), record.owner()), (Phase::Claimed, Err(Refusal::NotQuiet), 7));
}

#[test]
fn what_was_given_up_and_is_not_quiet_is_nobodys_until_it_is() {
    let mut record = Record::new(Trust::Nothing, true);
    record.claim(7).unwrap();
    let old = record.generation();
    record.give_up(false);
    assert_eq!(
        (record.phase(), record.owner(), record.claim(8)),
        (Phase::Draining, 0, Err(Refusal::NotQuiet))
    );
    assert_eq!(record.check(old), Err(Refusal::Stale));
    assert_eq!((record.start(), record.reset()), (Err(Refusal::NotClaimed), Err(Refusal::NotClaimed)));
    record.settled();
    assert_eq!((record.phase(), record.claim(8)), (Phase::Free, Ok(())));
    record.give_up(true);
    assert_eq!(record.phase(), Phase::Free);
}

#[test]
fn what_is_gone_stays_gone() {
    let mut record = Record::new(Trust::Proven, true);
    record.claim(7).unwrap();
    let old = record.generation();
    record.vanish();
    assert_eq!(
        (record.check(old), record.check(record.generation())),
        (Err(Refusal::Gone), Err(Refusal::Gone))
    );
    assert_eq!(
        (record.start(), record.reset(), record.claim(1)),
        (Err(Refusal::Gone), Err(Refusal::Gone), Err(Refusal::Gone))
    );
    record.give_up(false);
    assert_eq!((record.phase(), record.owner()), (Phase::Gone, 0));
}

#[test]
fn a_proof_counts_from_the_next_generation_on() {
    let mut record = Record::new(Trust::Unproven, true);
    record.claim(7).unwrap();
    assert_eq!(record.backend(), Backend::Unproven);
    record.proven();
    assert_eq!(record.backend(), Backend::Unproven);
    record.reset().unwrap();
    assert_eq!(record.backend(), Backend::Direct);
    record.give_up(true);
    record.claim(8).unwrap();
    assert_eq!(record.backend(), Backend::Direct);
    // A driver that was not trusted with it goes on with what it has until its reset.
    record.distrust();
    assert_eq!(record.backend(), Backend::Direct);
    record.reset().unwrap();
    assert_eq!(record.backend(), Backend::Bounce);
    let mut other = Record::new(Trust::Unproven, true);
    other.claim(7).unwrap();
    other.bypass();
    assert_eq!(other.backend(), Backend::Bounce);
    assert_eq!(Record::new(Trust::Nothing, true).backend(), Backend::Bounce);
}

#[test]
fn who_goes_on_without_an_iommu_says_nothing_about_who_is_next() {
    let mut record = Record::new(Trust::Unproven, true);
    record.claim(7).unwrap();
    record.distrust();
    record.proven();
    record.reset().unwrap();
    assert_eq!(
        (record.backend(), record.trust(), record.is_held()),
        (Backend::Bounce, Trust::Nothing, false)
    );
    record.give_up(true);
    record.claim(8).unwrap();
    assert_eq!((record.backend(), record.is_held()), (Backend::Unproven, true));
    // The device is asked at each claim, before its driver has it.
    record.bypass();
    assert_eq!((record.backend(), record.is_held()), (Backend::Bounce, false));
    record.give_up(false);
    record.settled();
    record.claim(9).unwrap();
    record.proven();
    record.reset().unwrap();
    assert_eq!(record.backend(), Backend::Direct);
    record.distrust();
    record.give_up(true);
    record.claim(10).unwrap();
    assert_eq!(record.backend(), Backend::Direct, "it was seen");
    // But an IOMMU that is none any more is one for nobody.
    record.lose_iommu();
    record.give_up(true);
    record.claim(11).unwrap();
    assert_eq!((record.backend(), record.is_held()), (Backend::Bounce, false));
}

#[test]
fn where_no_driver_may_name_addresses_a_proof_leaves_the_kernel_at_it() {
    let mut record = Record::new(Trust::Unproven, false);
    record.claim(7).unwrap();
    assert_eq!((record.backend(), record.is_held()), (Backend::Unproven, true));
    record.proven();
    record.reset().unwrap();
    assert_eq!((record.backend(), record.is_held()), (Backend::Bounce, true));
    record.distrust();
    record.reset().unwrap();
    assert_eq!((record.backend(), record.is_held()), (Backend::Bounce, false));
}

#[test]
fn books_name_what_does_not_agree() {
    let mut books = Books::new();
    books.add(Item::Vectors, 2);
    books.add(Item::DmaPages, 9);
    let mut found = books;
    assert_eq!(books.compare(&found), None);
    found.take(Item::DmaPages, 1);
    assert_eq!(books.compare(&found), Some(Wrong { item: Item::DmaPages, booked: 9, found: 8 }));
    found.add(Item::Queues, 1);
    found.add(Item::DmaPages, 1);
    assert_eq!(books.compare(&found), Some(Wrong { item: Item::Queues, booked: 0, found: 1 }));
}

#[test]
fn numbers_of_items_are_their_places() {
    assert!(Item::ALL.into_iter().enumerate().all(|(n, item)| item as usize == n));
}

fn entry(detail: u64) -> Entry {
    Entry { at_ns: detail, function: 8, event: Event::Claimed, generation: 1, detail }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever is done, a function reaches memory only while somebody has it, and never with an older generation's things.
    #[test]
    fn only_who_has_it_runs_it(steps in prop::collection::vec((any::<u8>(), any::<bool>()), 0..100)) {
        let mut record = Record::new(Trust::Unproven, true);
        let mut old = Vec::new();
        for (step, flag) in steps {
            let before = record.generation();
            let changed = match step % 7 {
                0 => record.claim(u64::from(step) + 1).is_ok(),
                1 => {
                    let _ = record.start();
                    false
                }
                2 => record.reset().is_ok(),
                3 if record.phase() != Phase::Free => {
                    record.give_up(flag);
                    false
                }
                4 => {
                    record.settled();
                    false
                }
                5 => {
                    record.proven();
                    false
                }
                6 if step > 240 => {
                    record.vanish();
                    true
                }
                _ => false,
            };
            if changed {
                prop_assert!(record.generation() != before);
            }
            if record.generation() != before {
                old.push(before);
            }
            prop_assert!(old.iter().all(|generation| record.check(*generation).is_err()));
            if record.phase() == Phase::Running {
                prop_assert!(record.owner() != 0 && record.is_quiet());
            }
            if record.phase() != Phase::Gone {
                let nobodys = matches!(record.phase(), Phase::Free | Phase::Draining);
                prop_assert_eq!(record.owner() == 0, nobodys);
            }
        }
    }

    /// A reader sees every entry once and in order, or hears how many it missed.
    #[test]
    fn readers_know_what_they_missed(writes in prop::collection::vec(0usize..9, 1..40)) {
        let mut history = History::<4>::new();
        let (mut written, mut cursor, mut seen) = (0u64, 0, 0);
        for count in writes {
            for _ in 0..count {
                history.add(entry(written));
                written += 1;
            }
            while let Some(read) = history.read(cursor) {
                seen += read.lost;
                prop_assert_eq!(read.entry.detail, seen);
                seen += 1;
                cursor = read.next;
            }
            prop_assert_eq!((seen, history.end()), (written, written));
        }
        prop_assert_eq!(history.read(u64::MAX), None);
    }
}
