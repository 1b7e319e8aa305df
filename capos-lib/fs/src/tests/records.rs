//! Names, keys, and records as the `capnp` crate writes them.

use alloc::vec::Vec;

use capnp::message::{Builder, HeapAllocator};
use proptest::prelude::*;

use crate::generated::volume_records_capnp as message;
use crate::key::{self, EntryKey, ObjectId, Part};
use crate::record::{self, Domain, Entry, Hash, Kind, Object, Orphan, STRETCH, Stretch, VolumeRecord};
use crate::{Error, Name, NameFault, Stamp, TimeSource};
use capos_store::Pointer;

type Message = Builder<HeapAllocator>;

/// The one segment of a message.
fn segment(message: &Message) -> Vec<u8> {
    let segments = message.get_segments_for_output();
    assert_eq!(segments.len(), 1);
    segments[0].to_vec()
}

#[test]
fn names_are_looked_at() {
    let fault = |bytes: &[u8]| match Name::new(bytes) {
        Err(Error::Name(fault)) => Some(fault),
        Err(other) => panic!("{other:?}"),
        Ok(_) => None,
    };
    assert_eq!(fault(b""), Some(NameFault::Empty));
    assert_eq!(
        (fault(b"."), fault(b".."), fault(b"..."), fault(b".a")),
        (Some(NameFault::Dots), Some(NameFault::Dots), None, None)
    );
    assert_eq!(
        (fault(b"a/b"), fault(b"/"), fault(b"a\0")),
        (Some(NameFault::Byte), Some(NameFault::Byte), Some(NameFault::Byte))
    );
    assert_eq!((fault(&[b'x'; 255]), fault(&[b'x'; 256])), (None, Some(NameFault::Long)));
    assert_eq!(
        (fault(b"\xff"), fault(b"\xc3"), fault("ä\n ".as_bytes())),
        (Some(NameFault::Encoding), Some(NameFault::Encoding), None)
    );
}

#[test]
fn keys_are_in_the_order_of_numbers_and_names() {
    let name = |text: &'static str| EntryKey::new(ObjectId(7), Name::new(text.as_bytes()).unwrap());
    let keys = [
        key::domain(1).to_vec(),
        key::orphan(ObjectId(2)).to_vec(),
        key::blob(&[0; 32]).to_vec(),
        key::object(ObjectId(7)).to_vec(),
        EntryKey::behind(ObjectId(7), b"").bytes().to_vec(),
        name("a").bytes().to_vec(),
        EntryKey::behind(ObjectId(7), b"a").bytes().to_vec(),
        name("a\u{1}").bytes().to_vec(),
        name("b").bytes().to_vec(),
        key::stretch(ObjectId(7), 255).to_vec(),
        key::stretch(ObjectId(7), 256).to_vec(),
        key::hash(ObjectId(7)).to_vec(),
        key::object(ObjectId(256)).to_vec(),
    ];
    assert!(keys.is_sorted(), "{keys:?}");
    assert_eq!(key::parse(name("ab").bytes()), Some((ObjectId(7), Part::Entry, b"ab".as_slice())));
    assert_eq!((key::parse(&[0; 8]), key::parse(&[9; 9])), (None, None));
    let long = [b'x'; 255];
    let key = EntryKey::new(ObjectId(1), Name::new(&long).unwrap());
    assert_eq!(key.bytes().len(), key::MAX_KEY);
    assert_eq!(EntryKey::behind(ObjectId(1), &long).bytes().len(), key::MAX_KEY + 1);
}

#[test]
fn stretches_end_with_a_block() {
    let mut stretch = Stretch::EMPTY;
    assert_eq!((stretch.encode().bytes().len(), Stretch::decode(&[])), (0, Err(Error::Corrupt)));
    stretch.0[2] = Pointer { address: 7, birth: 8, checksum: 9, twin: 0 };
    assert_eq!(
        (stretch.encode().bytes().len(), Stretch::decode(stretch.encode().bytes())),
        (72, Ok(stretch))
    );
    assert_eq!(stretch.stored().count(), 1);
    let with_hole = [[7; 24], [0; 24]];
    assert_eq!(Stretch::decode(with_hole.as_flattened()), Err(Error::Corrupt));
    assert_eq!(Stretch::decode(&[7; 25]), Err(Error::Corrupt));
    assert_eq!(Stretch::decode(&[7; 24 * (STRETCH + 1)]), Err(Error::Corrupt));
}

fn stamp() -> impl Strategy<Value = Stamp> {
    let source = (0..4u16).prop_map(|number| TimeSource::from_number(number).unwrap());
    (any::<u64>(), source).prop_map(|(ns, source)| Stamp { ns, source })
}

fn object() -> impl Strategy<Value = Object> {
    let kind = (0..4u64).prop_map(|number| Kind::from_number(number).unwrap());
    let numbers = (any::<u32>(), any::<u32>(), any::<u64>(), any::<u64>(), any::<u64>());
    (kind, numbers, stamp(), stamp()).prop_map(|(kind, numbers, created, modified)| {
        let (links, domain, size, blocks, parent) = numbers;
        Object { kind, links, domain, size, blocks, created, modified, parent: ObjectId(parent) }
    })
}

fn wire_kind(kind: Kind) -> message::ObjectKind {
    message::ObjectKind::try_from(kind as u16).unwrap()
}

proptest! {
    #[test]
    fn objects_are_what_capnp_writes(object in object()) {
        let mut message = Message::new_default();
        let mut root = message.init_root::<message::object_record::Builder<'_>>();
        root.set_kind(wire_kind(object.kind));
        root.set_created(object.created.source as u16);
        root.set_modified(object.modified.source as u16);
        root.set_links(object.links);
        root.set_domain(object.domain);
        root.set_size(object.size);
        root.set_blocks(object.blocks);
        root.set_created_ns(object.created.ns);
        root.set_modified_ns(object.modified.ns);
        root.set_parent(object.parent.0);
        prop_assert_eq!(segment(&message), object.encode());
        prop_assert_eq!(Object::decode(&object.encode()), Ok(object));
    }

    #[test]
    fn small_records_are_what_capnp_writes(numbers: [u64; 4], hash: [u8; 32]) {
        let [first, second, third, fourth] = numbers;
        let mut message = Message::new_default();
        let mut root = message.init_root::<message::volume_record::Builder<'_>>();
        root.set_version(record::VERSION);
        root.set_next(first);
        root.set_objects(second);
        root.set_collection(third);
        let volume = VolumeRecord { next: first, objects: second, collection: third, counts_names: true };
        prop_assert_eq!(segment(&message), volume.encode());
        prop_assert_eq!(VolumeRecord::decode(&volume.encode()), Ok(volume));

        let entry = Entry { kind: Kind::Namespace, object: ObjectId(first) };
        let mut root = message.init_root::<message::entry_record::Builder<'_>>();
        root.set_kind(wire_kind(entry.kind));
        root.set_object(first);
        prop_assert_eq!(Entry::decode(&entry.encode()), Ok(entry));

        let mut message = Message::new_default();
        let mut root = message.init_root::<message::hash_record::Builder<'_>>();
        root.set_mark(first);
        root.set_hash(&hash);
        let record = Hash { mark: first, hash };
        prop_assert_eq!(segment(&message), record.encode());
        prop_assert_eq!(Hash::decode(&record.encode()), Ok(record));

        let mut message = Message::new_default();
        let mut root = message.init_root::<message::domain_record::Builder<'_>>();
        root.set_blocks(first);
        root.set_objects(second);
        root.set_blocks_most(third);
        root.set_objects_most(fourth);
        root.set_names(first ^ second);
        let (blocks, objects, names) = (first, second, first ^ second);
        let domain = Domain { blocks, objects, blocks_most: third, objects_most: fourth, names };
        prop_assert_eq!(segment(&message), domain.encode());
        prop_assert_eq!(Domain::decode(&domain.encode()), Ok(domain));
    }

    #[test]
    fn hostile_records_are_refused_or_mean_what_they_say(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        if let Ok(object) = Object::decode(&bytes) {
            prop_assert_eq!(object.encode().to_vec(), bytes.clone());
        }
        if let Ok(stretch) = Stretch::decode(&bytes) {
            prop_assert_eq!(stretch.encode().bytes().to_vec(), bytes.clone());
        }
        let _ = (Hash::decode(&bytes), Domain::decode(&bytes), Entry::decode(&bytes), Orphan::decode(&bytes), record::decode_blob(&bytes));
    }
}

#[test]
fn fixed_records_are_what_capnp_writes() {
    let mut message = Message::new_default();
    let mut root = message.init_root::<message::entry_record::Builder<'_>>();
    root.set_kind(message::ObjectKind::Directory);
    root.set_object(9);
    assert_eq!(segment(&message), Entry { kind: Kind::Directory, object: ObjectId(9) }.encode());
    for (orphan, whole, first) in [(Orphan::Whole, true, 0), (Orphan::From(5), false, 5)] {
        let mut message = Message::new_default();
        let mut root = message.init_root::<message::orphan_record::Builder<'_>>();
        root.set_whole(whole);
        root.set_first(first);
        assert_eq!(segment(&message), orphan.encode());
        assert_eq!(Orphan::decode(&orphan.encode()), Ok(orphan));
    }
    let mut message = Message::new_default();
    message.init_root::<message::blob_record::Builder<'_>>().set_object(77);
    assert_eq!(segment(&message), record::encode_blob(ObjectId(77)));
    assert_eq!(record::decode_blob(&record::encode_blob(ObjectId(77))), Ok(ObjectId(77)));
    assert_eq!(VolumeRecord::decode(&[]), Err(Error::Version));
    assert_eq!(Entry::decode(&[0; 24]), Err(Error::Corrupt));
}
