//! Tables of what hostile stations say, and what becomes of it.

use super::lone::{Lone, PEER, icmp_v6, udp, v4};
use super::{B, IP, ROOMS, S};
use crate::stack::{Read, Written};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::task::Waker;
use smoltcp::wire::TcpPacket;

const PORT: u16 = 80;

/// A segment of the peer's.
fn segment(seq: u32, ack: u32, flags: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let head = [&[3, 0xe8, 0, 80][..], &seq.to_be_bytes(), &ack.to_be_bytes()].concat();
    let words = 5 + options.len() as u8 / 4;
    let mut tcp = [&head[..], &[words << 4, flags, 16, 0, 0, 0, 0, 0], options, payload].concat();
    TcpPacket::new_unchecked(&mut tcp[..]).fill_checksum(&PEER.into(), &IP[B].into());
    v4(6, IP[B], &tcp)
}

/// What the peer answers to a segment: that all of it came.
fn acknowledge(frame: &[u8]) -> Vec<Vec<u8>> {
    if frame[12..14] != [8, 0] || frame[23] != 6 {
        return Vec::new();
    }
    let tcp = TcpPacket::new_checked(&frame[34..]).unwrap();
    let next = (tcp.seq_number() + tcp.segment_len()).0 as u32;
    let is_new = tcp.segment_len() > 0 && !tcp.rst();
    is_new.then(|| segment(8, next, 0x10, &[], &[])).into_iter().collect()
}

#[test]
fn options_of_segments_that_can_not_be_harm_nobody() {
    let table: &[(&str, &[u8])] = &[
        ("nothing fits in a segment", &[2, 4, 0, 0]),
        ("one byte does", &[2, 4, 0, 1]),
        ("all bytes do", &[2, 4, 255, 255]),
        ("a size of one byte", &[2, 3, 5, 0]),
        ("a size of three bytes", &[2, 5, 5, 5, 5, 0, 0, 0]),
        ("an option without an end", &[2, 0, 0, 0]),
        ("an option of one byte that has two", &[2, 1, 0, 0]),
        ("one that goes on behind the header", &[2, 40, 0, 0]),
        ("windows that are shifted away", &[3, 3, 255, 0]),
        ("and by two bytes", &[3, 4, 1, 1]),
        ("pieces without any", &[5, 2, 0, 0]),
        ("pieces that are cut off", &[5, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("a time that is none", &[8, 3, 0, 0]),
        ("one that nobody knows", &[77, 4, 1, 1]),
        ("nothing, often", &[1; 40]),
    ];
    for (what, options) in table {
        let mut lone = Lone::settled();
        let listener = lone.stack.listen(PORT, ROOMS, 4).unwrap();
        lone.run(S, |_, _| Vec::new());
        lone.arrive(&segment(7, 0, 2, options, &[]));
        lone.run(S, |frame, _| acknowledge(frame));
        lone.sent.clear();
        if let Some(id) = lone.stack.accept(listener, Waker::noop()) {
            assert_eq!(lone.stack.write(id, &[9; 3000], Waker::noop()), Written::Bytes(3000), "{what}");
            lone.run(60 * S, |frame, _| acknowledge(frame));
            assert_eq!(lone.stack.unacknowledged(id, Waker::noop()), Ok(0), "{what}");
            assert!(lone.sent.len() < 200, "{what}: {} frames", lone.sent.len());
        }
        // And somebody who is in his right mind is heard.
        lone.run(400 * S, |_, _| Vec::new());
        lone.arrive(&segment(7, 0, 2, &[2, 4, 5, 0xb4], &[]));
        lone.run(S, |frame, _| acknowledge(frame));
        assert!(lone.stack.accept(listener, Waker::noop()).is_some(), "{what}");
        assert!(lone.stack.entries() < 100, "{what}");
    }
}

/// An advertisement with such options.
fn advertisement(options: &[&[u8]]) -> Vec<u8> {
    icmp_v6(&[&[134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0][..], &options.concat()].concat())
}

/// A prefix of so many bits, for an hour.
fn prefix(bits: u8, net: u8) -> Vec<u8> {
    let address = [0xfd, 0, 0, 0, 0, 0, 0, net, 0, 0, 0, 0, 0, 0, 0, 0];
    [&[3, 4, bits, 0xc0, 0, 0, 14, 16, 0, 0, 14, 16, 0, 0, 0, 0][..], &address].concat()
}

#[test]
fn advertisements_that_can_not_be_change_nothing() {
    let cut = |length: usize| prefix(64, 1)[..length].to_vec();
    let table: &[(&str, Vec<u8>)] = &[
        ("an option without a length", Vec::from([3, 0, 64, 0xc0, 0, 0, 14, 16])),
        ("a prefix that is cut off", cut(24)),
        ("half a length", cut(1)),
        ("a prefix of three", [&[3, 3][..], &cut(24)[2..]].concat()),
        ("all bits are the network's", prefix(128, 1)),
        ("one too many is", prefix(65, 1)),
        ("more than there are", prefix(255, 1)),
        ("none is", prefix(0, 1)),
        ("frames of no bytes", Vec::from([5, 1, 0, 0, 0, 0, 0, 0])),
        ("of more than there can be", Vec::from([5, 1, 0, 0, 255, 255, 255, 255])),
        ("a size of two", Vec::from([5, 2, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
        ("servers without any", Vec::from([25, 1, 0, 0, 0, 0, 14, 16])),
        (
            "a server and a half",
            [&[25, 4, 0, 0, 0, 0, 14, 16][..], &[0xfd; 16], &[0xfe; 8]].concat()[..24].to_vec(),
        ),
    ];
    for (what, option) in table {
        let mut lone = Lone::settled();
        lone.run(S, |_, _| Vec::new());
        let before: Vec<_> = lone.stack.addresses().collect();
        lone.arrive(&advertisement(&[option]));
        lone.run(S, |_, _| Vec::new());
        assert_eq!(lone.stack.addresses().collect::<Vec<_>>(), before, "{what}");
        // What comes from him next is believed as before.
        lone.arrive(&advertisement(&[&prefix(64, 2)]));
        lone.run(S, |_, _| Vec::new());
        assert_eq!(lone.stack.addresses().count(), before.len() + 1, "{what}");
    }
}

#[test]
fn a_flood_of_prefixes_and_routers_takes_no_address_away() {
    let mut lone = Lone::settled();
    lone.run(S, |_, _| Vec::new());
    let before: Vec<_> = lone.stack.addresses().collect();
    for n in 0..=255 {
        let mut frame = advertisement(&[&prefix(64, n), &prefix(64, n.wrapping_add(7))]);
        lone.arrive(&frame);
        // From another one each time.
        frame[37] = n;
        lone.arrive(&frame);
        lone.run(S / 100, |_, _| Vec::new());
    }
    let after: Vec<_> = lone.stack.addresses().collect();
    assert!(before.iter().all(|own| after.contains(own)) && after.len() <= 8, "{after:?}");
    assert!(lone.stack.routers().any(|router| router == IpAddr::from(PEER)));
    assert!(lone.stack.entries() < 100);
}

#[test]
fn a_slow_one_and_one_who_never_reads_hold_up_nobody_else() {
    let mut lone = Lone::settled();
    let listener = lone.stack.listen(PORT, ROOMS, 4).unwrap();
    lone.run(S, |_, _| Vec::new());
    lone.arrive(&segment(7, 0, 2, &[2, 4, 5, 0xb4], &[]));
    lone.run(S, |frame, _| acknowledge(frame));
    let slow = lone.stack.accept(listener, Waker::noop()).unwrap();
    // It shuts its window, and sends a byte now and then.
    let mut echo = lone.stack.bind(7, ROOMS).map(|id| (id, 0)).unwrap();
    assert!(matches!(lone.stack.write(slow, &[9; 30_000], Waker::noop()), Written::Bytes(_)));
    lone.sent.clear();
    for n in 0..100u32 {
        lone.arrive(&udp(IP[B], (9, 7), &n.to_be_bytes()));
        let mut bytes = [0; 4];
        while let Some(came) = lone.stack.receive_datagram(echo.0, &mut bytes, Waker::noop()) {
            echo.1 += 1;
            assert_eq!((came.from, bytes), (SocketAddr::new(PEER.into(), 9), n.to_be_bytes()));
        }
        lone.run(2 * S, |_, _| Vec::new());
    }
    assert_eq!(echo.1, 100);
    // It gets again what it does not acknowledge, ever more rarely.
    assert!(lone.sent.len() < 200, "{}", lone.sent.len());
    lone.run(300 * S, |_, _| Vec::new());
    assert!(matches!(lone.stack.read(slow, &mut [0; 9], Waker::noop()), Read::Failed(_)));
}
