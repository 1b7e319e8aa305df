//! What the model itself promises.

use super::{Entered, Model, Place};
use alloc::vec::Vec;
use capos_abi::CapId;

const fn at(holder: u32, n: u32) -> Place {
    (holder, CapId::new(n, 1))
}

/// 1.0 and, from it, 2.0 and then 3.0; aside of those 1.1.
fn chain() -> Model<u8> {
    let mut model = Model::new();
    assert_eq!(model.make(at(1, 0), 7), Entered::Well);
    assert_eq!(model.make(at(1, 1), 8), Entered::Well);
    assert_eq!(model.derive(at(1, 0), at(2, 0), 7), Some(Entered::Well));
    assert_eq!(model.derive(at(2, 0), at(3, 0), 6), Some(Entered::Well));
    model
}

fn places(model: &Model<u8>) -> Vec<Place> {
    model.iter().map(|(at, _)| at).collect()
}

#[test]
fn a_revocation_takes_all_that_derives_and_nothing_else() {
    let mut model = chain();
    assert_eq!(model.revoke(at(2, 0)), Some(1));
    assert_eq!(places(&model), [at(1, 0), at(1, 1), at(2, 0)]);
    assert_eq!(model.revoke(at(1, 0)), Some(1));
    assert_eq!((places(&model), model.len()), ([at(1, 0), at(1, 1)].to_vec(), 2));
    assert_eq!(model.revoke(at(3, 0)), None);
}

#[test]
fn what_derives_from_one_that_is_gone_derives_from_what_that_did() {
    let mut model = chain();
    assert_eq!(model.moved(at(2, 0), at(4, 9)), Some(Entered::Well));
    assert_eq!(model.release(at(4, 9)).map(|held| held.what), Some(7));
    assert_eq!(model.revoke(at(1, 0)), Some(1));
    let mut model = chain();
    model.end(2);
    assert_eq!(model.revoke(at(1, 0)), Some(1));
}

#[test]
fn an_id_that_names_two_things_is_noticed() {
    let mut model = chain();
    assert_eq!(model.make(at(1, 1), 1), Entered::Twice);
    assert_eq!(model.derive(at(1, 0), at(2, 0), 1), Some(Entered::Twice));
    assert_eq!(model.moved(at(1, 0), at(3, 0)), Some(Entered::Twice));
}

#[test]
fn holders_have_what_they_have() {
    let model = chain();
    let of = |holder| model.of(holder).map(|(id, held)| (id, held.what)).collect::<Vec<_>>();
    assert_eq!(of(1), [(CapId::new(0, 1), 7), (CapId::new(1, 1), 8)]);
    assert_eq!((of(2).len(), of(3), of(4).len()), (1, [(CapId::new(0, 1), 6)].to_vec(), 0));
    assert!(model.get(at(3, 0)).is_some_and(|held| held.derives_from(1) && !held.derives_from(2)));
    assert!(!model.is_empty());
}
