//! Regions against a map of single pages.

use super::{Backing, Bounds, LARGE_PAGES, Protection, Region, RegionError, Regions};
use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use std::collections::BTreeMap;
use std::vec::Vec;

const PAGE: u64 = 4096;
/// Pages 0x10..0x100 in all, 0x40..0x80 for what may lie anywhere.
const BOUNDS: Bounds =
    Bounds { start: 0x10 * PAGE, end: 0x100 * PAGE, dynamic_start: 0x40 * PAGE, dynamic_end: 0x80 * PAGE };

fn regions() -> Regions<u32> {
    Regions::new(BOUNDS, 100)
}

fn reserved(page: u64, pages: usize) -> Region<u32> {
    Region { start: page * PAGE, pages, protection: Protection::None, backing: None }
}

fn backed(page: u64, pages: usize, object: u32, first: usize) -> Region<u32> {
    let backing = Some(Backing { object, first });
    Region { start: page * PAGE, pages, protection: Protection::ReadWrite, backing }
}

fn list(regions: &Regions<u32>) -> Vec<Region<u32>> {
    regions.iter().cloned().collect()
}

#[test]
fn a_new_space_is_empty() {
    let regions = regions();
    assert_eq!((regions.is_empty(), regions.len(), regions.backed_pages()), (true, 0, 0));
    assert_eq!(regions.find(BOUNDS.start), None);
}

#[test]
fn ranges_out_of_bounds_are_refused_by_every_operation() {
    let bad = [
        (0x0f * PAGE, 2),
        (0xff * PAGE, 2),
        (0x40 * PAGE, 0),
        (0x40 * PAGE + 1, 1),
        (0x40 * PAGE, usize::MAX),
        (u64::MAX - PAGE + 1, 1),
        (0, 1),
    ];
    for (start, pages) in bad {
        let mut regions = regions();
        let region = Region { start, pages, protection: Protection::None, backing: None };
        let backing = Backing { object: 1, first: 0 };
        assert_eq!(regions.insert(region), Err(RegionError::BadRange));
        assert_eq!(regions.commit(start, pages, Protection::Read, backing), Err(RegionError::BadRange));
        assert_eq!(regions.protect(start, pages, Protection::Read), Err(RegionError::BadRange));
        assert_eq!(regions.remove(start, pages), Err(RegionError::BadRange));
        assert_eq!(regions.removal(start, pages).err(), Some(RegionError::BadRange));
        assert!(regions.overlapping(start, pages).is_err());
        assert!(regions.is_empty());
    }
}

#[test]
fn places_are_in_the_dynamic_part_with_a_guard_page_between() {
    let mut regions = regions();
    assert_eq!(regions.reserve(4), Ok(0x41 * PAGE));
    assert_eq!(regions.reserve(1), Ok(0x46 * PAGE));
    let placement = regions.placement(2, 0).unwrap();
    assert_eq!(placement.place(Protection::Read, Some(Backing { object: 1, first: 0 })), 0x48 * PAGE);
    assert_eq!(regions.backed_pages(), 2);
}

#[test]
fn space_that_became_free_is_found_again_when_the_rest_is_used() {
    let mut regions = regions();
    let first = regions.reserve(21).unwrap();
    let second = regions.reserve(21).unwrap();
    assert_eq!(regions.reserve(21), Err(RegionError::NoSpace));
    regions.remove(first, 21).unwrap();
    assert_eq!(regions.reserve(21), Ok(first));
    assert!(second > first);
}

#[test]
fn lengths_that_never_fit_are_told_from_those_that_do_not_fit_now() {
    let mut regions = regions();
    assert_eq!(regions.reserve(0), Err(RegionError::BadRange));
    for pages in [0x3f, usize::MAX, usize::MAX - 1, 1 << 51, (1 << 52) - 2] {
        assert_eq!(regions.reserve(pages), Err(RegionError::BadRange), "{pages}");
    }
    assert!(regions.reserve(0x3e).is_ok(), "everything but the two guards");
    assert_eq!(regions.reserve(0x3e), Err(RegionError::NoSpace));
    assert_eq!(regions.reserve(0x3f), Err(RegionError::BadRange));
}

#[test]
fn a_length_that_large_pages_leave_no_room_for_never_fits() {
    const LARGE: u64 = LARGE_PAGES as u64 * PAGE;
    let bounds = Bounds { dynamic_start: LARGE, dynamic_end: 4 * LARGE, start: PAGE, end: 8 * LARGE };
    let mut regions = Regions::<u32>::new(bounds, 100);
    assert_eq!(regions.reserve(2 * LARGE_PAGES), Err(RegionError::BadRange), "no page for the guard behind");
    assert_eq!(regions.reserve(2 * LARGE_PAGES - 1), Ok(2 * LARGE));
    assert_eq!(regions.reserve(2 * LARGE_PAGES - 1), Err(RegionError::NoSpace));
}

#[test]
fn a_fixed_region_next_to_the_dynamic_part_keeps_its_distance() {
    let mut regions = regions();
    regions.insert(reserved(0x3f, 2)).unwrap();
    assert_eq!(regions.reserve(1), Ok(0x42 * PAGE));
}

#[test]
fn overlapping_regions_are_refused() {
    let mut regions = regions();
    regions.insert(reserved(0x20, 4)).unwrap();
    for (page, pages) in [(0x20, 4), (0x1f, 2), (0x23, 1), (0x23, 9), (0x10, 0x40), (0x21, 1)] {
        assert_eq!(regions.insert(reserved(page, pages)), Err(RegionError::Exists), "{page:#x}");
    }
    assert_eq!(regions.insert(reserved(0x24, 1)), Ok(()));
    assert_eq!(regions.insert(reserved(0x1f, 1)), Ok(()));
}

#[test]
fn committing_the_middle_of_a_reservation_splits_it_in_three() {
    let mut regions = regions();
    regions.insert(reserved(0x20, 10)).unwrap();
    regions.commit(0x23 * PAGE, 4, Protection::ReadWrite, Backing { object: 7, first: 2 }).unwrap();
    assert_eq!(list(&regions), [reserved(0x20, 3), backed(0x23, 4, 7, 2), reserved(0x27, 3)]);
    assert_eq!(regions.backed_pages(), 4);
}

#[test]
fn committing_across_reservations_makes_one_region() {
    let mut regions = regions();
    for page in 0x20..0x24 {
        regions.insert(reserved(page, 1)).unwrap();
    }
    regions.commit(0x20 * PAGE, 4, Protection::ReadWrite, Backing { object: 7, first: 0 }).unwrap();
    assert_eq!(list(&regions), [backed(0x20, 4, 7, 0)]);
}

#[test]
fn committing_needs_a_reservation_without_holes_and_without_backing() {
    let mut regions = regions();
    regions.insert(reserved(0x20, 2)).unwrap();
    regions.insert(reserved(0x23, 2)).unwrap();
    let backing = Backing { object: 1, first: 0 };
    for (page, pages) in [(0x20, 5), (0x1f, 2), (0x24, 2), (0x50, 1)] {
        let refused = regions.commit(page * PAGE, pages, Protection::Read, backing.clone());
        assert_eq!(refused, Err(RegionError::NotFound));
    }
    regions.commit(0x21 * PAGE, 1, Protection::Read, backing.clone()).unwrap();
    assert_eq!(regions.commit(0x20 * PAGE, 2, Protection::Read, backing), Err(RegionError::Exists));
}

#[test]
fn protecting_a_part_keeps_the_pages_of_the_object_in_place() {
    let mut regions = regions();
    regions.insert(backed(0x20, 6, 7, 10)).unwrap();
    regions.protect(0x22 * PAGE, 2, Protection::Read).unwrap();
    let middle = Region { protection: Protection::Read, ..backed(0x22, 2, 7, 12) };
    assert_eq!(list(&regions), [backed(0x20, 2, 7, 10), middle, backed(0x24, 2, 7, 14)]);
}

#[test]
fn protections_to_and_fro_leave_one_region() {
    let mut regions = regions();
    regions.insert(backed(0x20, 6, 7, 10)).unwrap();
    for page in [0x22, 0x20, 0x25, 0x23, 0x24, 0x21] {
        regions.protect(page * PAGE, 1, Protection::Read).unwrap();
    }
    assert_eq!(list(&regions), [Region { protection: Protection::Read, ..backed(0x20, 6, 7, 10) }]);
    regions.protect(0x20 * PAGE, 6, Protection::ReadWrite).unwrap();
    assert_eq!(list(&regions), [backed(0x20, 6, 7, 10)]);
}

#[test]
fn only_what_goes_on_in_its_neighbour_becomes_one_with_it() {
    // Another object, other pages of the same one, a gap, and reservations.
    for other in [backed(0x22, 2, 8, 2), backed(0x22, 2, 7, 3), backed(0x23, 2, 7, 2)] {
        let mut regions = regions();
        regions.insert(backed(0x20, 2, 7, 0)).unwrap();
        regions.insert(other).unwrap();
        let before = list(&regions);
        regions.protect(0x20 * PAGE, 2, Protection::ReadWrite).unwrap();
        assert_eq!(list(&regions), before);
    }
}

#[test]
fn what_is_large_enough_for_large_pages_begins_where_they_fit() {
    const LARGE: u64 = LARGE_PAGES as u64;
    let bounds = Bounds { start: PAGE, end: PAGE << 20, dynamic_start: PAGE << 10, dynamic_end: PAGE << 15 };
    let mut regions = Regions::<u32>::new(bounds, 100);
    regions.reserve(3).unwrap();
    let large = regions.reserve(LARGE_PAGES).unwrap();
    assert_eq!(large / PAGE % LARGE, 0);
    let phased =
        regions.placement(LARGE_PAGES + 7, 3 * LARGE_PAGES + 5).unwrap().place(Protection::Read, None);
    assert_eq!(phased / PAGE % LARGE, 5);
    assert!(phased > large + LARGE * PAGE, "a page between them");
    assert_ne!(
        regions.reserve(LARGE_PAGES - 1).unwrap() / PAGE % LARGE,
        0,
        "small ones lie close to each other"
    );
}

#[test]
fn reservations_cannot_be_protected() {
    let mut regions = regions();
    regions.insert(backed(0x20, 2, 1, 0)).unwrap();
    regions.insert(reserved(0x22, 2)).unwrap();
    assert_eq!(regions.protect(0x20 * PAGE, 4, Protection::Read), Err(RegionError::NotFound));
    assert_eq!(regions.find(0x20 * PAGE).map(|region| region.protection), Some(Protection::ReadWrite));
}

#[test]
fn removing_the_middle_leaves_both_ends() {
    let mut regions = regions();
    regions.insert(backed(0x20, 6, 7, 10)).unwrap();
    regions.remove(0x22 * PAGE, 2).unwrap();
    assert_eq!(list(&regions), [backed(0x20, 2, 7, 10), backed(0x24, 2, 7, 14)]);
}

#[test]
fn removing_across_regions_clips_the_first_and_the_last() {
    let mut regions = regions();
    regions.insert(backed(0x20, 4, 7, 0)).unwrap();
    regions.insert(reserved(0x24, 4)).unwrap();
    regions.insert(backed(0x28, 4, 8, 0)).unwrap();
    regions.remove(0x22 * PAGE, 8).unwrap();
    assert_eq!(list(&regions), [backed(0x20, 2, 7, 0), backed(0x2a, 2, 8, 2)]);
}

#[test]
fn removing_a_range_with_a_hole_removes_nothing() {
    let mut regions = regions();
    regions.insert(reserved(0x20, 2)).unwrap();
    regions.insert(reserved(0x23, 2)).unwrap();
    assert_eq!(regions.remove(0x20 * PAGE, 5), Err(RegionError::NotFound));
    assert_eq!(list(&regions), [reserved(0x20, 2), reserved(0x23, 2)]);
}

#[test]
fn the_number_of_regions_is_bounded_and_a_refusal_changes_nothing() {
    let mut regions = Regions::new(BOUNDS, 2);
    regions.insert(backed(0x20, 6, 7, 0)).unwrap();
    assert_eq!(regions.protect(0x22 * PAGE, 2, Protection::Read), Err(RegionError::TooManyRegions));
    regions.insert(reserved(0x30, 2)).unwrap();
    assert_eq!(regions.insert(reserved(0x40, 1)), Err(RegionError::TooManyRegions));
    assert_eq!(regions.remove(0x21 * PAGE, 1), Err(RegionError::TooManyRegions));
    assert_eq!(regions.removal(0x21 * PAGE, 1).err(), Some(RegionError::TooManyRegions));
    assert_eq!(list(&regions), [backed(0x20, 6, 7, 0), reserved(0x30, 2)]);
    assert_eq!(regions.remove(0x20 * PAGE, 1), Ok(()), "clipping needs no further region");
}

#[test]
fn a_page_is_exchanged_if_there_is_room_for_what_lies_beside_it() {
    for most in 1..=3 {
        let mut regions = Regions::new(BOUNDS, most);
        regions.insert(backed(0x20, 6, 7, 0)).unwrap();
        let exchanged = regions.exchange(0x22 * PAGE, Backing { object: 8, first: 0 });
        if most == 3 {
            assert_eq!(exchanged, Ok(Backing { object: 7, first: 2 }));
            assert_eq!(list(&regions), [backed(0x20, 2, 7, 0), backed(0x22, 1, 8, 0), backed(0x23, 3, 7, 3)]);
            let again = regions.exchange(0x22 * PAGE, Backing { object: 9, first: 4 });
            assert_eq!((again, list(&regions).len()), (Ok(Backing { object: 8, first: 0 }), 3));
        } else {
            assert_eq!(exchanged, Err(RegionError::TooManyRegions));
            assert_eq!(list(&regions), [backed(0x20, 6, 7, 0)]);
        }
        assert_eq!(
            regions.exchange(0x26 * PAGE, Backing { object: 8, first: 0 }),
            Err(RegionError::NotFound)
        );
    }
}

#[test]
fn lookups_see_the_region_of_any_address_in_it() {
    let mut regions = regions();
    regions.insert(backed(0x20, 2, 7, 0)).unwrap();
    for address in [0x20 * PAGE, 0x21 * PAGE + 4095] {
        assert_eq!(regions.find(address), Some(&backed(0x20, 2, 7, 0)));
    }
    for address in [0x20 * PAGE - 1, 0x22 * PAGE, 0, u64::MAX] {
        assert_eq!(regions.find(address), None);
    }
}

#[test]
fn a_range_is_listed_clipped() {
    let mut regions = regions();
    regions.insert(backed(0x20, 4, 7, 5)).unwrap();
    regions.insert(reserved(0x26, 4)).unwrap();
    let seen: Vec<_> = regions.overlapping(0x22 * PAGE, 5).unwrap().collect();
    assert_eq!(seen, [backed(0x22, 2, 7, 7), reserved(0x26, 1)]);
}

#[test]
fn clearing_gives_everything_to_the_caller() {
    let mut regions = regions();
    regions.reserve(3).unwrap();
    regions.insert(backed(0x20, 4, 7, 5)).unwrap();
    assert_eq!(regions.clear().len(), 2);
    assert!(regions.is_empty());
    assert_eq!(regions.reserve(3), Ok(0x41 * PAGE));
}

/// One page: its protection and, when it is backed, the object and the object's page.
type Page = (Protection, Option<(u32, usize)>);

/// The same space, page by page.
#[derive(Default, PartialEq, Debug)]
struct Model(BTreeMap<u64, Page>);

impl Model {
    fn all(&self, range: &[u64], good: impl Fn(&Page) -> bool) -> bool {
        range.iter().all(|page| self.0.get(page).is_some_and(&good))
    }

    fn insert(&mut self, range: &[u64], protection: Protection, backing: Option<(u32, usize)>) {
        for (n, page) in range.iter().enumerate() {
            self.0.insert(*page, (protection, backing.map(|(object, first)| (object, first + n))));
        }
    }
}

fn pages_of(regions: &Regions<u32>) -> Model {
    let mut model = Model::default();
    for region in regions.iter() {
        let range: Vec<u64> = (0..region.pages as u64).map(|n| region.start / PAGE + n).collect();
        assert!(
            !range.is_empty() && range.iter().all(|page| !model.0.contains_key(page)),
            "empty or overlapping"
        );
        model.insert(
            &range,
            region.protection,
            region.backing.as_ref().map(|backing| (backing.object, backing.first)),
        );
    }
    model
}

#[derive(Clone, Debug)]
enum Step {
    Reserve(usize),
    Insert(u64, usize, bool),
    Commit(u64, usize, Protection),
    Protect(u64, usize, Protection),
    Remove(u64, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let protection = || {
        prop_oneof![
            Just(Protection::None),
            Just(Protection::Read),
            Just(Protection::ReadWrite),
            Just(Protection::ReadExecute)
        ]
    };
    // Mostly in a small window, so that ranges meet; sometimes out of bounds.
    let page = || prop_oneof![9 => 0x20u64..0x60, 1 => 0x0cu64..0x110];
    prop_oneof![
        1 => (0usize..20).prop_map(Step::Reserve),
        3 => (page(), 0usize..12, any::<bool>()).prop_map(|(page, pages, backed)| Step::Insert(page, pages, backed)),
        3 => (page(), 0usize..12, protection()).prop_map(|(page, pages, to)| Step::Commit(page, pages, to)),
        3 => (page(), 0usize..12, protection()).prop_map(|(page, pages, to)| Step::Protect(page, pages, to)),
        3 => (page(), 0usize..12).prop_map(|(page, pages)| Step::Remove(page, pages)),
    ]
}

fn bad(range: &[u64]) -> bool {
    range.is_empty() || range.iter().any(|page| !(0x10..0x100).contains(page))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 1 } else { 400 }, failure_persistence: None, ..Default::default() })]

    #[test]
    fn regions_follow_the_pages(most in 3usize..40, steps in prop::collection::vec(step(), 0..if cfg!(miri) { 30 } else { 120 })) {
        let mut regions = Regions::new(BOUNDS, most);
        let mut model = Model::default();
        for (n, step) in steps.into_iter().enumerate() {
            let object = n as u32;
            let range = |page: u64, pages: usize| (page..page + pages as u64).collect::<Vec<u64>>();
            let done = match step {
                Step::Reserve(pages) => regions.reserve(pages).map(|start| {
                    let first = start / PAGE;
                    let guarded = range(first - 1, pages + 2);
                    assert!(guarded.iter().all(|page| (0x40..0x80).contains(page) && !model.0.contains_key(page)));
                    model.insert(&range(first, pages), Protection::None, None);
                }),
                Step::Insert(page, pages, with) => {
                    let range = range(page, pages);
                    let taken = range.iter().any(|page| model.0.contains_key(page));
                    let region = if with { backed(page, pages, object, 3) } else { reserved(page, pages) };
                    let protection = region.protection;
                    let done = regions.insert(region);
                    prop_assert!(done.is_err() || !(taken || bad(&range)));
                    done.map(|()| model.insert(&range, protection, with.then_some((object, 3))))
                }
                Step::Commit(page, pages, to) => {
                    let range = range(page, pages);
                    let good = model.all(&range, |page| page.1.is_none());
                    let done = regions.commit(page * PAGE, pages, to, Backing { object, first: 1 });
                    prop_assert!(done.is_err() || good && !bad(&range));
                    done.map(|()| model.insert(&range, to, Some((object, 1))))
                }
                Step::Protect(page, pages, to) => {
                    let range = range(page, pages);
                    let good = model.all(&range, |page| page.1.is_some());
                    let done = regions.protect(page * PAGE, pages, to);
                    prop_assert!(done.is_err() || good && !bad(&range));
                    done.map(|()| range.iter().for_each(|page| model.0.get_mut(page).expect("there").0 = to))
                }
                Step::Remove(page, pages) => {
                    let range = range(page, pages);
                    let good = model.all(&range, |_| true);
                    let prepared = regions.removal(page * PAGE, pages).map(|removal| {
                        let backed = removal.backed().flat_map(|(start, pages)| (0..pages as u64).map(move |n| start / PAGE + n));
                        let backed: Vec<u64> = backed.collect();
                        let wanted = range.iter().filter(|page| model.0.get(page).is_some_and(|page| page.1.is_some()));
                        assert!(backed.iter().eq(wanted), "what is backed, clipped");
                    });
                    prop_assert_eq!(&pages_of(&regions), &model, "preparing changes nothing");
                    let done = regions.remove(page * PAGE, pages);
                    prop_assert_eq!(prepared, done, "removal keeps what preparation promised");
                    prop_assert!(done.is_err() || good && !bad(&range));
                    done.map(|()| model.0.retain(|page, _| !range.contains(page)))
                }
            };
            // Refusals have a reason that the model sees, but for the bound on regions, and change nothing.
            if done == Err(RegionError::TooManyRegions) {
                prop_assert!(regions.len() + 2 > most);
            }
            prop_assert_eq!(&pages_of(&regions), &model);
            prop_assert!(regions.len() <= most);
            let starts: Vec<u64> = regions.iter().map(|region| region.start).collect();
            prop_assert!(starts.is_sorted());
        }
    }

    #[test]
    fn a_good_operation_is_never_refused(steps in prop::collection::vec(step(), 0..if cfg!(miri) { 20 } else { 60 })) {
        let mut regions = Regions::new(BOUNDS, 1000);
        for step in steps {
            let model = pages_of(&regions);
            let range = |page: u64, pages: usize| (page..page + pages as u64).collect::<Vec<u64>>();
            let (good, done) = match step {
                Step::Reserve(pages) => {
                    let fits = |first: u64| range(first, pages + 2).iter().all(|page| *page < 0x80 && !model.0.contains_key(page));
                    (pages > 0 && (0x40..0x80).any(fits), regions.reserve(pages).is_ok())
                }
                Step::Insert(page, pages, _) => {
                    let range = range(page, pages);
                    let free = range.iter().all(|page| !model.0.contains_key(page));
                    (free && !bad(&range), regions.insert(reserved(page, pages)).is_ok())
                }
                Step::Commit(page, pages, to) => {
                    let range = range(page, pages);
                    let good = model.all(&range, |page| page.1.is_none()) && !bad(&range);
                    (good, regions.commit(page * PAGE, pages, to, Backing { object: 1, first: 1 }).is_ok())
                }
                Step::Protect(page, pages, to) => {
                    let range = range(page, pages);
                    (model.all(&range, |page| page.1.is_some()) && !bad(&range), regions.protect(page * PAGE, pages, to).is_ok())
                }
                Step::Remove(page, pages) => {
                    let range = range(page, pages);
                    (model.all(&range, |_| true) && !bad(&range), regions.remove(page * PAGE, pages).is_ok())
                }
            };
            prop_assert_eq!(good, done);
        }
    }
}

/// Withdraws object 7 to the end; gives the ranges that were taken.
fn withdraw_all(regions: &mut Regions<u32>) -> Vec<(u64, usize)> {
    core::iter::from_fn(|| {
        let withdrawal = regions.withdrawal(|object| *object == 7)?;
        let (start, pages) = withdrawal.range();
        assert_eq!(withdrawal.withdraw().map(|backing| backing.object), Some(7));
        Some((start / PAGE, pages))
    })
    .collect()
}

#[test]
fn what_is_withdrawn_stays_reserved() {
    let mut regions = regions();
    regions.insert(backed(0x40, 4, 7, 0)).unwrap();
    regions.insert(backed(0x44, 2, 8, 0)).unwrap();
    regions.insert(backed(0x46, 1, 7, 9)).unwrap();
    assert_eq!(withdraw_all(&mut regions), [(0x40, 4), (0x46, 1)]);
    assert_eq!(list(&regions), [reserved(0x40, 4), backed(0x44, 2, 8, 0), reserved(0x46, 1)]);
    regions.remove(0x40 * PAGE, 7).unwrap();
    assert!(regions.is_empty());
}

#[test]
fn something_else_is_put_in_the_place_of_a_whole_region() {
    let mut regions = regions();
    regions.insert(backed(0x40, 4, 7, 3)).unwrap();
    let withdrawal = regions.withdrawal(|object| *object == 7).expect("it is there");
    assert_eq!(withdrawal.whole(), Some(&backed(0x40, 4, 7, 3)));
    assert_eq!(withdrawal.exchange(Backing { object: 8, first: 0 }), Some(Backing { object: 7, first: 3 }));
    assert_eq!(list(&regions), [backed(0x40, 4, 8, 0)]);
    assert!(regions.withdrawal(|object| *object == 7).is_none());
}

#[test]
fn a_part_of_a_region_is_not_exchanged() {
    let mut regions = Regions::new(WIDE, 2);
    let large = LARGE_PAGES as u64;
    regions.insert(backed(large - 2, 4, 7, 0)).unwrap();
    let first = regions.withdrawal(|object| *object == 7).expect("it is there");
    assert_eq!((first.range(), first.whole()), (((large - 2) * PAGE, 2), None));
    assert_eq!(first.exchange(Backing { object: 8, first: 0 }), None);
    assert_eq!(list(&regions), [backed(large - 2, 4, 7, 0)]);
}

/// Room for more than 2 MiB.
const WIDE: Bounds =
    Bounds { start: PAGE, end: PAGE << 20, dynamic_start: PAGE << 10, dynamic_end: PAGE << 19 };

#[test]
fn much_is_withdrawn_in_pieces_that_need_one_region_more() {
    let mut regions = Regions::new(WIDE, 2);
    let large = LARGE_PAGES as u64;
    regions.insert(backed(large - 2, 2 * LARGE_PAGES + 3, 7, 0)).unwrap();
    let first = regions.withdrawal(|object| *object == 7).expect("it is there");
    assert_eq!(first.range(), ((large - 2) * PAGE, 2));
    first.withdraw();
    assert_eq!(list(&regions), [reserved(large - 2, 2), backed(large, 2 * LARGE_PAGES + 1, 7, 2)]);
    assert_eq!(withdraw_all(&mut regions), [(large, LARGE_PAGES), (2 * large, LARGE_PAGES), (3 * large, 1)]);
    assert_eq!(list(&regions), [reserved(large - 2, 2 * LARGE_PAGES + 3)]);
}

#[test]
fn all_of_a_region_is_withdrawn_where_two_have_no_room() {
    let mut regions = Regions::new(WIDE, 1);
    let large = LARGE_PAGES as u64;
    regions.insert(backed(large - 2, LARGE_PAGES, 7, 0)).unwrap();
    assert_eq!(withdraw_all(&mut regions), [(large - 2, LARGE_PAGES)]);
    assert_eq!(list(&regions), [reserved(large - 2, LARGE_PAGES)]);
}

#[test]
fn nothing_else_is_withdrawn() {
    let mut regions = regions();
    regions.insert(backed(0x40, 4, 8, 0)).unwrap();
    regions.reserve(1).unwrap();
    let before = list(&regions);
    assert!(regions.withdrawal(|object| *object == 7).is_none());
    assert_eq!(list(&regions), before);
}
