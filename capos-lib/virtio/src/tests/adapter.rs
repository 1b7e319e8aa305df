//! What a network adapter says of itself.

extern crate std;
use crate::net::{CHOICE, FIELDS, Options, Shape, features, wish};
use crate::{DeviceFault, Wish};

/// An address, link up, two pairs, and packets of 1400 bytes.
const CONFIG: [u32; FIELDS] = [2, 0, 0, 0, 0, 1, 1, 2, 1400];

fn with(features: u64) -> Result<Shape, DeviceFault> {
    Shape::new(features, &CONFIG)
}

#[test]
fn each_feature_says_one_thing() {
    let plain = with(0).unwrap();
    assert_eq!((plain.mac, plain.mtu, plain.link), (None, 1500, true));
    assert!(!plain.fills_checksums() && !plain.is_large() && !plain.filters() && !plain.takes_address());
    assert_eq!(plain.segments(), [false; 2]);
    assert_eq!(with(features::MAC).unwrap().mac, Some([2, 0, 0, 0, 0, 1]));
    assert_eq!(with(features::MTU).unwrap().mtu, 1400);
    assert!(with(features::CSUM).unwrap().fills_checksums());
    assert_eq!(with(features::HOST_TSO4).unwrap().segments(), [true, false]);
    assert_eq!(with(features::HOST_TSO6).unwrap().segments(), [false, true]);
    assert!(with(features::GUEST_TSO4).unwrap().is_large() && with(features::GUEST_TSO6).unwrap().is_large());
    assert!(
        with(features::CTRL_RX).unwrap().filters() && with(features::CTRL_MAC_ADDR).unwrap().takes_address()
    );
    let down = [2, 0, 0, 0, 0, 1, 2, 2, 1400];
    let link = |features| Shape::new(features, &down).unwrap().link;
    assert_eq!([0, features::STATUS].map(link), [true, false]);
}

#[test]
fn what_can_not_be_is_refused_only_where_it_counts() {
    let fault = |features, index: usize, value| {
        let mut config = CONFIG;
        config[index] = value;
        Shape::new(features, &config).err()
    };
    assert_eq!(fault(features::MAC, 0, 3), Some(DeviceFault::Address([3, 0, 0, 0, 0, 1])));
    assert_eq!(fault(features::MTU, 8, 67), Some(DeviceFault::Mtu(67)));
    assert_eq!((fault(features::MTU, 8, 68), fault(features::MTU, 8, 65_535)), (None, None));
    for pairs in [0, 0x8001, 0xffff] {
        assert_eq!(fault(features::MQ, 7, pairs), Some(DeviceFault::Pairs(pairs as u16)));
    }
    assert_eq!((fault(features::MQ, 7, 1), fault(features::MQ, 7, 0x8000)), (None, None));
    assert_eq!((fault(0, 0, 3), fault(0, 7, 0), fault(0, 8, 0)), (None, None, None));
}

#[test]
fn the_control_queue_is_behind_all_that_there_are() {
    let queues = |features, pairs| {
        let mut config = CONFIG;
        config[7] = pairs;
        (0..).map_while(|n| (CHOICE.queue)(n, features, &config)).collect::<std::vec::Vec<u16>>()
    };
    assert_eq!(queues(0, 3), [0, 1]);
    assert_eq!(queues(features::CTRL_VQ, 3), [0, 1, 2]);
    let both = features::CTRL_VQ | features::MQ;
    assert_eq!(queues(both, 1), [0, 1, 2]);
    assert_eq!(queues(both, 3), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(queues(both, 7), [0, 1, 2, 3, 4, 5, 6, 7, 14]);
    assert_eq!(queues(both, 0x7fff).last(), Some(&0xfffe));
    assert_eq!(queues(both, 0x8000).last(), Some(&7), "there is no such number");
    assert_eq!(queues(both, 0), [0, 1, 2]);
}

#[test]
fn options_are_features() {
    let Wish { features: usual, .. } = wish(1, Options::default());
    let more = |options| wish(1, options).features & !usual;
    let options = Options::default();
    assert_eq!(more(Options { direct: true, ..options }), 1 << 29);
    assert_eq!(more(Options { large: true, ..options }), features::GUEST_TSO4 | features::GUEST_TSO6);
    assert_eq!(more(Options { pairs: true, ..options }), features::MQ);
}
