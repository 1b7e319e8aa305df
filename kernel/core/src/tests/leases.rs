//! Revocation of what is mapped.

use super::audit::derivation;
use super::audit::nodes_are_in_order;
use super::revocation::{give, gone, revoke};
use super::{CAPS, MSG, User, World, call_sqe, error};
use crate::cap::{families, leases};
use crate::task::end;
use crate::task::process::Status;
use capos_abi::{CapId, Sqe, TransferSlot, TransportError};
use capos_cap::Place;
use capos_schema::virtual_memory::{
    self, CreateObjectParams, MapParams, MapResults, Protection, UnmapParams,
};
use capos_schema::{Decode, Empty, Encode, memory_object};

const PAGE: u64 = 4096;
const PAGES: u64 = 3;

fn object(user: &User) -> CapId {
    let size = CreateObjectParams { size: PAGES * PAGE };
    let method = virtual_memory::CREATE_OBJECT;
    user.call_for_cap(CapId::SELF_MEMORY, virtual_memory::INTERFACE_ID, method, &size).expect("memory")
}

/// Maps all of an object.
fn map(user: &User, slot: TransferSlot) -> Result<u64, TransportError> {
    user.set_word(CAPS, slot.0);
    let params = MapParams { offset: 0, size: PAGES * PAGE, protection: Protection::Read };
    let (id, method) = (virtual_memory::INTERFACE_ID, virtual_memory::MAP);
    let mut message = [0; 64];
    let len = params.encode(&mut message).expect("it fits");
    user.put(MSG, &message[..len]);
    let cqe = user.one(Sqe { caps_send: 1, ..call_sqe(CapId::SELF_MEMORY, id, method, len as u32) });
    match error(&cqe) {
        Some(error) => Err(error),
        None => {
            let bytes = user.get(super::REPLY, cqe.result as usize);
            Ok(MapResults::decode(&bytes).expect("well-formed").address)
        }
    }
}

fn mapped(user: &User) -> u64 {
    user.process().space.mapped_pages()
}

fn unmap(user: &User, address: u64) {
    let params = UnmapParams { address, size: PAGES * PAGE };
    user.call::<Empty>(CapId::SELF_MEMORY, virtual_memory::INTERFACE_ID, virtual_memory::UNMAP, &params)
        .expect("it is there, backed or not");
}

#[test]
fn what_was_mapped_goes_and_its_place_stays() {
    let world = World::new();
    let (a, b, c) = (world.start("a"), world.start("b"), world.start("c"));
    let own = object(&a);
    let first = give(&a, &b, TransferSlot::copy(own));
    let second = give(&b, &c, TransferSlot::copy(first));
    let before = [&a, &b, &c].map(mapped);
    let addresses = [(&a, own), (&b, first), (&c, second)]
        .map(|(user, cap)| map(user, TransferSlot::copy(cap)).expect("room"));
    // The own one of who made it derives from nothing.
    assert_eq!(derivation().leases, 2);
    assert_eq!(revoke(&a, own).0.outcome(), 0);
    assert_eq!([&a, &b, &c].map(mapped), [before[0] + PAGES, before[1], before[2]]);
    assert_eq!(derivation().leases, 0);
    nodes_are_in_order();
    for (user, address) in [&a, &b, &c].into_iter().zip(addresses) {
        unmap(user, address);
    }
    assert_eq!([&a, &b, &c].map(mapped), before);
}

#[test]
fn who_revokes_in_the_middle_keeps_what_he_mapped() {
    let world = World::new();
    let (a, b, c) = (world.start("a"), world.start("b"), world.start("c"));
    let own = object(&a);
    let first = give(&a, &b, TransferSlot::copy(own));
    let second = give(&b, &c, TransferSlot::copy(first));
    let before = [&b, &c].map(mapped);
    map(&b, TransferSlot::copy(first)).expect("room");
    map(&c, TransferSlot::copy(second)).expect("room");
    assert_eq!(revoke(&b, first).0.outcome(), 0);
    assert_eq!([&b, &c].map(mapped), [before[0] + PAGES, before[1]]);
    assert_eq!(revoke(&a, own).0.outcome(), 0);
    assert_eq!([&b, &c].map(mapped), before);
}

#[test]
fn what_was_mapped_outlives_its_capability_and_is_revoked_all_the_same() {
    let world = World::new();
    let (a, b) = (world.start("a"), world.start("b"));
    let own = object(&a);
    let facet =
        a.call_for_cap(own, memory_object::INTERFACE_ID, memory_object::READ_ONLY, &Empty).expect("a facet");
    let copies = [TransferSlot::copy(own), TransferSlot::moved(facet)].map(|slot| give(&a, &b, slot));
    let before = mapped(&b);
    map(&b, TransferSlot::moved(copies[0])).expect("room");
    map(&b, TransferSlot::copy(copies[1])).expect("room");
    b.one(Sqe { op: capos_abi::Op::Release as u8, cap: copies[1].raw(), ..Sqe::default() });
    assert!(copies.iter().all(|copy| gone(&b, *copy)));
    assert_eq!(mapped(&b), before + 2 * PAGES);
    nodes_are_in_order();
    assert_eq!(revoke(&a, own).0.outcome(), 0);
    assert_eq!(mapped(&b), before);
}

#[test]
fn a_mapping_that_its_process_takes_out_or_ends_with_derives_from_nothing_any_more() {
    let world = World::new();
    let (a, b, c) = (world.start("a"), world.start("b"), world.start("c"));
    let own = object(&a);
    let (first, second) = (give(&a, &b, TransferSlot::copy(own)), give(&a, &c, TransferSlot::copy(own)));
    let address = map(&b, TransferSlot::copy(first)).expect("room");
    map(&c, TransferSlot::copy(second)).expect("room");
    assert_eq!(derivation().leases, 2);
    // In two pieces first: one lease holds both.
    let hole = UnmapParams { address: address + PAGE, size: PAGE };
    b.call::<Empty>(CapId::SELF_MEMORY, virtual_memory::INTERFACE_ID, virtual_memory::UNMAP, &hole)
        .expect("it is there");
    assert_eq!(derivation().leases, 2);
    for page in [address, address + 2 * PAGE] {
        let piece = UnmapParams { address: page, size: PAGE };
        b.call::<Empty>(CapId::SELF_MEMORY, virtual_memory::INTERFACE_ID, virtual_memory::UNMAP, &piece)
            .expect("it is there");
    }
    assert_eq!(derivation().leases, 1);
    end::end_process(c.process(), Status::Killed);
    assert_eq!(derivation().leases, 0);
    assert_eq!(revoke(&a, own).0.outcome(), 0);
    nodes_are_in_order();
}

#[test]
fn nothing_is_mapped_while_a_revocation_is_under_way() {
    let world = World::new();
    let (a, b) = (world.start("a"), world.start("b"));
    let own = object(&a);
    let copy = give(&a, &b, TransferSlot::copy(own));
    // It has begun to map, and its pages are not there yet.
    let lease = leases::of_mapping(b.process(), copy).expect("memory").expect("it derives from another");
    assert!(!leases::is_revoked(&lease));
    assert_eq!(revoke(&a, own).0.outcome(), 0);
    assert!(leases::is_revoked(&lease) && gone(&b, copy));
    nodes_are_in_order();
    drop(lease);
    assert_eq!(map(&b, TransferSlot::copy(copy)), Err(TransportError::InvalidCap));
    assert_eq!(derivation().leases, 0);
}

#[test]
fn a_node_that_is_another_s_by_now_stays_where_it_is() {
    let world = World::new();
    let (a, b) = (world.start("a"), world.start("b"));
    let own = object(&a);
    let copy = give(&a, &b, TransferSlot::copy(own));
    let node = b.process().table.lock().lookup(copy).expect("held").node.expect("as all have");
    // A revocation on another processor met a lease whose node this was.
    let ended = Place { table: b.process().id | 1 << 63, cap: CapId::from_raw(u64::MAX) };
    leases::revoke(ended, node);
    families::cut_off(node, ended);
    assert!(!families::is_marked(node));
    assert_eq!(revoke(&a, own).0.outcome(), 0);
    assert!(gone(&b, copy), "it still derives from what it did");
}
