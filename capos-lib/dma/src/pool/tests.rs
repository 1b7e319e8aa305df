use super::*;
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// QEMU's edu device: 28 bits, and buffers of 16 KiB.
const EDU: Space = Space { bits: 28, shift: 14, floor: 0 };

fn pool(space: Space, addresses: Addresses, slots: usize) -> Result<Pool, SpaceError> {
    Pool::new(space, addresses, vec![Slot::default(); slots].into())
}

fn edu() -> Pool {
    pool(EDU, Addresses::Physical, 4).expect("there is room")
}

#[test]
fn a_token_is_located_to_the_byte() {
    let mut pool = edu();
    let token = pool.insert(2, 0x5000).unwrap();
    assert_eq!(pool.locate(token, 8192), Ok(Located { slot: 1, offset: 0, address: 0x5000 }));
    assert_eq!(pool.locate(token + 8191, 1), Ok(Located { slot: 1, offset: 8191, address: 0x6fff }));
    assert_eq!(pool.locate(token + 8191, 2), Err(TokenError::OutOfRange));
    assert_eq!(pool.locate(token + 8192, 1), Err(TokenError::OutOfRange), "the next page is not its own");
    assert_eq!(pool.locate(token + 1, u64::MAX), Err(TokenError::Wraps));
    assert_eq!(pool.locate(token, 0), Err(TokenError::Empty));
    assert_eq!(pool.locate(0, 1), Err(TokenError::Unknown));
    assert_eq!(pool.locate(token + (4 << EDU.shift), 1), Err(TokenError::Unknown), "the slot is right");
    assert_eq!(pool.locate(u64::MAX, 1), Err(TokenError::Unknown));
}

#[test]
fn behind_an_iommu_the_token_is_the_address() {
    let mut pool = pool(EDU, Addresses::Iova, 4).unwrap();
    let token = pool.insert(1, u64::MAX).unwrap();
    assert_eq!(pool.locate(token + 5, 1).unwrap().address, token + 5);
    assert_eq!(pool.buffers().next().unwrap().addresses, token..token + PAGE);
}

#[test]
fn what_is_removed_is_stale_and_pinned_frames_stay() {
    let mut pool = edu();
    let token = pool.insert(1, 0x5000).unwrap();
    let slot = pool.pin(token, 1).unwrap().slot;
    pool.pin(token, 1).unwrap();
    assert_eq!(pool.remove(token + 1), Err(TokenError::OutOfRange));
    assert_eq!(pool.remove(token), Ok(Removal::Pinned(slot)));
    assert_eq!(pool.locate(token, 1), Err(TokenError::Stale));
    assert_eq!(pool.pin(token, 1), Err(TokenError::Stale));
    assert_eq!(pool.remove(token), Err(TokenError::Stale));
    let seen: Vec<_> = pool.buffers().collect();
    assert_eq!(seen, [Buffer { slot, token: None, addresses: 0x5000..0x6000, pins: 2 }]);
    pool.unpin(slot);
    assert_eq!(pool.reclaim(), None, "one pin is left");
    for _ in 0..8 {
        match pool.insert(1, 0x9000) {
            Ok(token) => assert_ne!(pool.locate(token, 1).unwrap().slot, slot, "the frames are in use"),
            Err(error) => assert_eq!((error, pool.buffers().count()), (InsertError::Full, 4)),
        }
    }
    pool.unpin(slot);
    assert_eq!((pool.reclaim(), pool.reclaim()), (Some(slot), None));
    let again = pool.insert(1, 0x9000).unwrap();
    assert!(again != token && pool.locate(again, 1).unwrap().slot == slot);
    assert_eq!(pool.locate(token, 1), Err(TokenError::Stale));
}

#[test]
fn a_device_is_told_no_address_that_it_cannot_have() {
    let mut pool = edu();
    assert_eq!(pool.insert(0, 0), Err(InsertError::BadLength));
    assert_eq!(pool.insert(5, 0), Err(InsertError::BadLength), "more than 16 KiB");
    assert_eq!([0, 1, 4, 5].map(|pages| pool.takes(pages)), [false, true, true, false]);
    assert_eq!(pool.insert(u64::MAX, 0), Err(InsertError::BadLength));
    assert_eq!(pool.insert(1, 1 << 28), Err(InsertError::OutOfReach), "it would arrive at 0");
    assert_eq!(pool.insert(2, (1 << 28) - PAGE), Err(InsertError::OutOfReach));
    assert_eq!(pool.insert(1, 0x5800), Err(InsertError::OutOfReach));
    assert!(pool.insert(1, (1 << 28) - PAGE).is_ok());
    let wide = Space { bits: 64, ..EDU };
    let mut pool = super::tests::pool(wide, Addresses::Physical, 4).unwrap();
    assert_eq!(pool.insert(1, 0xfee0_0000), Err(InsertError::OutOfReach), "a write there is an interrupt");
    assert_eq!(pool.insert(2, 0xfedf_f000), Err(InsertError::OutOfReach));
    assert!(pool.insert(1, 0xfedf_f000).is_ok() && pool.insert(1, 0xfef0_0000).is_ok());
    assert_eq!(pool.insert(1, !0xfff), Err(InsertError::OutOfReach));
}

#[test]
fn spaces_without_room_are_refused() {
    let try_with = |bits, shift, floor, slots| {
        pool(Space { bits, shift, floor }, Addresses::Iova, slots).map(|_| ()).err()
    };
    assert_eq!(try_with(28, 14, 0, 4), None);
    assert_eq!(try_with(28, 28, 0, 1), Some(SpaceError::BadShape));
    assert_eq!(try_with(28, 11, 0, 1), Some(SpaceError::BadShape), "smaller than a page");
    assert_eq!(try_with(65, 14, 0, 1), Some(SpaceError::BadShape));
    assert_eq!(try_with(64, 64, 0, 1), Some(SpaceError::BadShape));
    assert_eq!(try_with(64, u32::MAX, 0, 1), Some(SpaceError::BadShape));
    assert_eq!(try_with(64, 32, 0, 1), Some(SpaceError::BadShape));
    assert_eq!(try_with(64, 31, 0, 1), None);
    assert_eq!(try_with(28, 14, 0, 3), Some(SpaceError::BadSlots));
    assert_eq!(try_with(28, 14, 0, 0), Some(SpaceError::BadSlots));
    assert_eq!(try_with(64, 14, 0, 2 * MOST_SLOTS), Some(SpaceError::BadSlots));
    assert_eq!(try_with(28, 27, 0, 1), None, "number 1 alone");
    assert_eq!(try_with(28, 27, 0, 2), Some(SpaceError::TooNarrow));
    assert_eq!(try_with(32, 24, 0xfe00_0000, 1), None, "0xff00_0000 is left");
    assert_eq!(try_with(32, 24, 0xfe00_0000, 2), Some(SpaceError::TooNarrow));
    assert_eq!(try_with(32, 12, u64::MAX, 1), Some(SpaceError::TooNarrow));
}

#[test]
fn numbers_go_round_and_leave_the_interrupts_out() {
    // 1 MiB each from 0xfe00_0000 to 4 GiB: 32 numbers, one of which is that of the interrupts.
    let space = Space { bits: 32, shift: 20, floor: 0xfe00_0000 };
    let mut pool = pool(space, Addresses::Iova, 4).unwrap();
    let mut given = Vec::new();
    for _ in 0..31 {
        let token = pool.insert(256, 0).unwrap();
        assert!(token + (256 * PAGE) <= INTERRUPTS.start || token >= INTERRUPTS.end);
        assert!(token >= space.floor && token + 256 * PAGE <= 1 << 32);
        for old in &given {
            assert_eq!(pool.locate(*old, 1), Err(TokenError::Stale));
        }
        assert_eq!(pool.locate(INTERRUPTS.start, 4), Err(TokenError::Unknown));
        let _ = pool.remove(token).unwrap();
        assert!(!given.contains(&token));
        given.push(token);
    }
    // All had their turn. What comes now is the oldest: a token kept all the time names the newer buffer, of the same driver.
    assert_eq!(pool.insert(1, 0), Ok(given[0]));
    assert_eq!(pool.locate(given[0], PAGE).unwrap().address, given[0]);
    assert_eq!(pool.locate(given[0], PAGE + 1), Err(TokenError::OutOfRange), "never beyond what it names");
}

/// What the pool should be: live buffers by token, dying ones by slot, and every token that was.
#[derive(Default)]
struct Model {
    live: BTreeMap<u64, (Range<u64>, u16, u64)>,
    dying: BTreeMap<u16, (Range<u64>, u64)>,
    gone: BTreeSet<u64>,
}

#[derive(Clone, Debug)]
enum Op {
    Insert(u64),
    Remove(usize),
    Pin(usize, u64, u64),
    Unpin(usize),
    Reclaim,
    Guess(u64, u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (1..=4u64).prop_map(Op::Insert),
        2 => any::<usize>().prop_map(Op::Remove),
        4 => (any::<usize>(), 0..0x4000u64, 0..0x5000u64).prop_map(|(n, at, length)| Op::Pin(n, at, length)),
        4 => any::<usize>().prop_map(Op::Unpin),
        2 => Just(Op::Reclaim),
        1 => (any::<u64>(), any::<u64>()).prop_map(|(token, length)| Op::Guess(token, length)),
        1 => (0..1u64 << 20, 0..9000u64).prop_map(|(token, length)| Op::Guess(token, length)),
    ]
}

fn pick<K: Copy, V>(map: &BTreeMap<K, V>, n: usize) -> Option<K> {
    map.keys().nth(n.checked_rem(map.len())?).copied()
}

impl Model {
    fn step(&mut self, pool: &mut Pool, op: Op, frames: &mut u64, shift: u32) {
        match op {
            Op::Insert(pages) => match pool.insert(pages, *frames) {
                Ok(token) => {
                    assert!(!self.gone.contains(&token), "a number came back before its time");
                    let slot = pool.locate(token, 1).unwrap().slot;
                    self.live.insert(token, (*frames..*frames + pages * PAGE, slot, 0));
                    *frames += pages * PAGE;
                }
                Err(error) => {
                    assert_eq!((error, self.live.len() + self.dying.len()), (InsertError::Full, 4));
                }
            },
            Op::Remove(n) => {
                let Some(token) = pick(&self.live, n) else { return };
                let (range, slot, pins) = self.live.remove(&token).unwrap();
                self.gone.insert(token);
                let pinned = pins > 0;
                let answer = if pinned { Removal::Pinned(slot) } else { Removal::Done(slot) };
                assert_eq!(pool.remove(token), Ok(answer));
                if pinned {
                    self.dying.insert(slot, (range, pins));
                }
            }
            Op::Pin(n, offset, length) => {
                let Some(token) = pick(&self.live, n) else { return };
                let right = self.right(token + offset, length, shift);
                assert_eq!(pool.pin(token + offset, length).ok(), right);
                if right.is_some() {
                    self.live.get_mut(&token).unwrap().2 += 1;
                }
            }
            Op::Unpin(n) => {
                let held = self.live.values_mut().filter(|it| it.2 > 0).map(|it| (it.1, &mut it.2));
                let held =
                    held.chain(self.dying.iter_mut().filter(|it| it.1.1 > 0).map(|(s, it)| (*s, &mut it.1)));
                let mut held: Vec<_> = held.collect();
                let Some(n) = n.checked_rem(held.len()) else { return };
                let (slot, pins) = &mut held[n];
                **pins -= 1;
                pool.unpin(*slot);
            }
            Op::Reclaim => {
                let right = self.dying.iter().find(|(_, it)| it.1 == 0).map(|(slot, _)| *slot);
                assert_eq!(pool.reclaim(), right);
                right.and_then(|slot| self.dying.remove(&slot));
            }
            Op::Guess(token, length) => {
                assert_eq!(pool.locate(token, length).ok(), self.right(token, length, shift));
            }
        }
    }

    fn right(&self, token: u64, length: u64, shift: u32) -> Option<Located> {
        let offset = token & ((1 << shift) - 1);
        let (range, slot, _) = self.live.get(&(token - offset))?;
        let fits = length > 0 && offset.checked_add(length)? <= range.end - range.start;
        fits.then_some(Located { slot: *slot, offset, address: range.start + offset })
    }

    fn check(&self, pool: &Pool) {
        let live =
            self.live.iter().map(|(token, (range, slot, pins))| (*slot, Some(*token), range.clone(), *pins));
        let dying = self.dying.iter().map(|(slot, (range, pins))| (*slot, None, range.clone(), *pins));
        let mut right: Vec<_> = live.chain(dying).collect();
        right.sort_by_key(|it| it.0);
        let seen: Vec<_> = pool.buffers().map(|it| (it.slot, it.token, it.addresses, it.pins)).collect();
        assert_eq!(seen, right);
        for token in &self.gone {
            assert_eq!(pool.locate(*token, 1), Err(TokenError::Stale));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_pool_is_what_its_model_is(ops in prop::collection::vec(op(), 0..120)) {
        let mut pool = edu();
        let (mut model, mut frames) = (Model::default(), 0x10_0000);
        for op in ops {
            model.step(&mut pool, op, &mut frames, EDU.shift);
            model.check(&pool);
        }
    }

    /// However small the space: who finds a pool full has filled it, and nobody has the addresses of another.
    #[test]
    fn narrow_spaces_are_used_up(bits in 14..34u32, shift in 12..33u32, floor: u32, slots in 0..5u32, ops in prop::collection::vec(any::<usize>(), 0..64)) {
        let space = Space { bits, shift, floor: u64::from(floor) };
        let Ok(mut pool) = pool(space, Addresses::Iova, 1 << slots) else { return Ok(()) };
        let mut live: Vec<u64> = Vec::new();
        for op in ops {
            if op % 3 == 0 && !live.is_empty() {
                let token = live.swap_remove(op % live.len());
                prop_assert!(matches!(pool.remove(token), Ok(Removal::Done(_))));
                continue;
            }
            match pool.insert(1, 0) {
                Ok(token) => {
                    prop_assert!(!live.contains(&token) && token >= u64::from(floor) && token > 0);
                    prop_assert!(token + (1 << shift) <= 1 << bits);
                    prop_assert!(token + (1 << shift) <= INTERRUPTS.start || token >= INTERRUPTS.end);
                    live.push(token);
                }
                // A slot whose numbers are all those of interrupts can not be had.
                Err(error) => prop_assert!(error == InsertError::Full && live.len() * 2 >= 1 << slots),
            }
        }
    }
}
