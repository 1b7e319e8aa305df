//! What is mapped is found by another walker, where it was mapped and nowhere else; what is unmapped leaves nothing.

use super::machine::{Machine, walk};
use crate::{Format, MapError, PAGE, Tables};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::vec::Vec;

const LARGE: u64 = 512;

#[derive(Clone, Debug)]
struct Piece {
    iova: u64,
    address: u64,
    pages: u64,
    writable: bool,
}

/// Places that meet: some near the beginning, of which some begin at large pages, and some near where a table of each level ends.
fn page() -> impl Strategy<Value = u64> {
    let bases = prop::sample::select(&[0, 3 * LARGE, LARGE * LARGE - 700, LARGE * LARGE * LARGE - 700][..]);
    (bases, prop_oneof![0..1500u64, (0..3u64).prop_map(|n| n * LARGE)]).prop_map(|(base, page)| base + page)
}

fn piece() -> impl Strategy<Value = Piece> {
    let pages = prop_oneof![1..20u64, (1..3u64).prop_map(|n| n * LARGE), 500..1200u64];
    (page(), page(), pages, any::<bool>()).prop_map(|(iova, address, pages, writable)| Piece {
        iova: iova * PAGE,
        address: address * PAGE,
        pages,
        writable,
    })
}

fn format() -> impl Strategy<Value = Format> {
    prop_oneof![Just(Format::Intel), Just(Format::Amd)]
}

/// What should be where, page by page.
type Model = BTreeMap<u64, (u64, bool)>;

fn fits(model: &Model, piece: &Piece) -> bool {
    model.range(piece.iova..piece.iova + piece.pages * PAGE).next().is_none()
}

/// Looks at all that is mapped, and at what is beside.
fn check(machine: &Machine, format: Format, tables: &Tables, model: &Model) {
    let look = |iova| walk(machine, format, tables.root(), tables.levels(), iova);
    for (iova, (address, writable)) in model {
        assert_eq!(look(iova + 0x123), Some((address + 0x123, *writable)));
        for beside in [iova.wrapping_sub(PAGE), iova + PAGE, iova + LARGE * PAGE, iova + (1 << 30)] {
            assert_eq!(look(beside), model.get(&beside).copied());
            assert_eq!(tables.translate(beside, machine), model.get(&beside).copied());
        }
    }
    assert_eq!(tables.pages(machine), model.len() as u64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_mapped_is_there_and_nothing_else(
        format in format(), levels in 3..5u32, large in any::<bool>(), pieces in prop::collection::vec(piece(), 1..6),
    ) {
        let (mut machine, mut model) = (Machine::new(), Model::new());
        let tables = Tables::new(format, levels, 48, large, &mut machine).unwrap();
        let mut mapped = Vec::new();
        for piece in pieces {
            let outcome = tables.map(piece.iova, piece.address, piece.pages, piece.writable, &mut machine);
            let beyond = piece.iova + piece.pages * PAGE > 1 << (12 + 9 * levels);
            if beyond {
                prop_assert_eq!(outcome, Err(MapError::OutOfRange));
            } else if fits(&model, &piece) {
                prop_assert_eq!(outcome, Ok(()));
                let page = |n| (piece.iova + n * PAGE, (piece.address + n * PAGE, piece.writable));
                model.extend((0..piece.pages).map(page));
                mapped.push(piece);
            } else {
                prop_assert_eq!(outcome, Err(MapError::Exists));
            }
            check(&machine, format, &tables, &model);
        }
        for piece in mapped {
            prop_assert_eq!(tables.unmap(piece.iova, piece.pages, &mut machine), Ok(()));
            prop_assert_eq!(tables.unmap(piece.iova, piece.pages, &mut machine), Err(MapError::NotFound));
            model.retain(|iova, _| *iova < piece.iova || *iova >= piece.iova + piece.pages * PAGE);
            check(&machine, format, &tables, &model);
        }
        prop_assert_eq!(machine.count(), 1, "only the top table is left");
        tables.destroy(&mut machine);
        prop_assert_eq!(machine.count(), 0);
    }

    #[test]
    fn without_memory_nothing_changes(format in format(), first in piece(), second in piece(), left in 0..4usize) {
        let (mut machine, mut model) = (Machine::new(), Model::new());
        let tables = Tables::new(format, 4, 48, true, &mut machine).unwrap();
        tables.map(first.iova, first.address, first.pages, first.writable, &mut machine).unwrap();
        let page = |n| (first.iova + n * PAGE, (first.address + n * PAGE, first.writable));
        model.extend((0..first.pages).map(page));
        let before = machine.count();
        machine.left = left;
        let outcome = tables.map(second.iova, second.address, second.pages, second.writable, &mut machine);
        if outcome == Err(MapError::OutOfMemory) {
            prop_assert_eq!(machine.count(), before);
            check(&machine, format, &tables, &model);
        }
        tables.destroy(&mut machine);
        prop_assert_eq!(machine.count(), 0, "with pages in them, too");
    }
}

fn fresh(format: Format, bits: u32) -> (Machine, Tables) {
    let mut machine = Machine::new();
    let tables = Tables::new(format, 3, bits, true, &mut machine).unwrap();
    (machine, tables)
}

#[test]
fn large_pages_are_used_where_they_fit() {
    for format in [Format::Intel, Format::Amd] {
        let (mut machine, tables) = fresh(format, 39);
        tables.map(LARGE * PAGE, 4 * LARGE * PAGE, 2 * LARGE, true, &mut machine).unwrap();
        assert_eq!(machine.count(), 2);
        // Where either address does not fit, it takes tables.
        tables.map(8 * LARGE * PAGE, (4 * LARGE + 1) * PAGE, LARGE, true, &mut machine).unwrap();
        assert_eq!(machine.count(), 3);
        // No part of a large page.
        assert_eq!(tables.unmap(LARGE * PAGE, 1, &mut machine), Err(MapError::NotFound));
        assert_eq!(tables.unmap(LARGE * PAGE, LARGE, &mut machine), Ok(()));
        assert_eq!(tables.map((LARGE - 1) * PAGE, 0, 2, true, &mut machine), Ok(()));
        // Nor where the unit has none.
        let mut machine = Machine::new();
        let tables = Tables::new(format, 3, 39, false, &mut machine).unwrap();
        tables.map(LARGE * PAGE, 4 * LARGE * PAGE, LARGE, true, &mut machine).unwrap();
        assert_eq!(machine.count(), 3);
    }
}

#[test]
fn what_cannot_be_mapped() {
    let (mut machine, tables) = fresh(Format::Intel, 36);
    let mut map = |iova, address, pages| tables.map(iova, address, pages, true, &mut machine);
    let cases = [
        (0x800, 0, 1),
        (0, 0x800, 1),
        (0, 0, 0),
        (0, 0, u64::MAX),
        (u64::MAX - PAGE + 1, 0, 1),
        (0, u64::MAX - PAGE + 1, 2),
        (0, 1 << 52, 1),
        ((1 << 36) - PAGE, 0, 2),
        // Interrupts: from below, within, at the end.
        (0xfedf_f000, 0, 2),
        (0xfee0_0000, 0, 1),
        (0xfeef_f000, 0, 1),
    ];
    for (iova, address, pages) in cases {
        assert_eq!(map(iova, address, pages), Err(MapError::OutOfRange), "{iova:#x} {address:#x} {pages}");
    }
    for (iova, pages) in [(0xfedf_f000, 1), (0xfef0_0000, 1), ((1 << 36) - PAGE, 1)] {
        assert_eq!(map(iova, 0, pages), Ok(()));
    }
}
