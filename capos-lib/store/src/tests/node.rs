//! Pages against a list of entries, and pages that make no sense.

use crate::node::{CAPACITY, Expected, KEY_MAX, Page, entry_size, validate};
use crate::{Fault, VALUE_MAX};
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;

const LEAF: Expected<'static> = Expected { level: 0, low: &[], high: None, blocks: 1000 };

fn entries(page: &Page) -> Vec<(Vec<u8>, Vec<u8>)> {
    (0..page.count()).map(|n| (page.key(n).to_vec(), page.value(n).to_vec())).collect()
}

fn lengths() -> impl Strategy<Value = (Vec<u8>, usize)> {
    let key = proptest::collection::vec(0u8..4, 1..12).prop_map(|mut key| {
        // Some are as long as can be.
        if key.len() == 11 {
            key.resize(KEY_MAX, 1);
        }
        key
    });
    (key, prop_oneof![0usize..100, 0usize..=VALUE_MAX])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_page_is_what_a_map_is(steps in proptest::collection::vec((lengths(), any::<bool>()), 1..200)) {
        let (mut page, mut model) = (Page::node(0), BTreeMap::new());
        for ((key, length), put) in steps {
            let value = vec![length as u8; length];
            if let Ok(index) = page.find(&key)
                && (!put || !page.overwrite(index, &value))
            {
                page.remove(index);
                model.remove(&key);
            }
            if put {
                let room = CAPACITY - page.used();
                match page.find(&key) {
                    Ok(_) => { model.insert(key, value); }
                    Err(index) if page.insert(index, &key, &value) => { model.insert(key, value); }
                    Err(index) => {
                        prop_assert!(room < entry_size(&key, &value));
                        let split = page.split(index, &key, &value);
                        model.insert(key, value);
                        let mut both = entries(&page);
                        both.extend(entries(&split.right));
                        prop_assert_eq!(&both, &model.clone().into_iter().collect::<Vec<_>>());
                        prop_assert!(page.key(page.count() - 1) < split.separator.as_slice());
                        prop_assert!(split.separator.as_slice() <= split.right.key(0));
                        for half in [&page, &split.right] {
                            prop_assert!(validate(half, &LEAF).is_ok());
                            prop_assert!(half.count() > 0);
                        }
                        model = entries(&page).into_iter().collect();
                    }
                }
            }
            prop_assert_eq!(entries(&page), model.clone().into_iter().collect::<Vec<_>>());
            prop_assert!(model.is_empty() || validate(&page, &LEAF).is_ok());
        }
    }

    /// Whatever a page holds: it is refused, or reading and changing it stays within it.
    #[test]
    fn spoiled_pages(
        entries in proptest::collection::btree_map(proptest::collection::vec(any::<u8>(), 1..20), 0usize..60, 1..40),
        spoiled in proptest::collection::vec((0usize..400, any::<u8>()), 1..4),
    ) {
        let mut page = Page::node(0);
        entries.iter().for_each(|(key, length)| { page.push(key, &vec![7; *length]); });
        for (at, byte) in spoiled {
            // What is at the end of the page, half of the time.
            let at = if at % 2 == 0 { at / 2 } else { 4095 - at / 2 };
            page.0[at] = byte;
        }
        if validate(&page, &LEAF).is_ok() {
            let keys: Vec<_> = (0..page.count()).map(|n| page.key(n).to_vec()).collect();
            prop_assert!(keys.is_sorted());
            for (n, key) in keys.iter().enumerate() {
                prop_assert_eq!(page.find(key), Ok(n));
            }
            while page.insert(0, &[], &[9; 50]) {}
            page.split(1, &[0], &[1; VALUE_MAX]);
        }
    }
}

#[test]
fn what_is_refused() {
    let mut page = Page::node(0);
    page.push(b"b", b"1");
    page.push(b"d", b"2");
    let check = |page: &Page, level, low: &[u8], high: Option<&[u8]>| {
        validate(page, &Expected { level, low, high, blocks: 1000 })
    };
    assert_eq!(check(&page, 0, b"b", Some(b"e")), Ok(()));
    assert_eq!(check(&page, 0, b"c", None), Err(Fault::Order));
    assert_eq!(check(&page, 0, b"", Some(b"d")), Err(Fault::Order));
    assert_eq!(check(&page, 1, b"", None), Err(Fault::Level));
    assert_eq!(check(&Page::zeroed(), 0, b"", None), Err(Fault::NotANode));
    assert_eq!(check(&Page::node(0), 0, b"", None), Err(Fault::Count));
    let mut inner = Page::node(1);
    let to = |address| crate::Pointer { address, birth: 1, checksum: 2, twin: address + 1 }.to_node();
    inner.push(b"", &to(20));
    inner.push(b"m", &to(998));
    assert_eq!(check(&inner, 1, b"a", Some(b"n")), Ok(()));
    assert_eq!(check(&inner, 1, b"m", None), Err(Fault::Order));
    inner.overwrite(1, &to(999));
    assert_eq!(check(&inner, 1, b"", None), Err(Fault::Address));
    for twin in [0, 20, 1000] {
        inner.overwrite(1, &crate::Pointer { address: 20, birth: 1, checksum: 2, twin }.to_node());
        assert_eq!(check(&inner, 1, b"", None), Err(Fault::Address), "{twin}");
    }
    inner.overwrite(1, &to(0));
    assert_eq!(check(&inner, 1, b"", None), Err(Fault::Address));
    let mut swapped = Page::node(0);
    swapped.push(b"d", b"");
    swapped.push(b"b", b"");
    assert_eq!(check(&swapped, 0, b"", None), Err(Fault::Order));
}
