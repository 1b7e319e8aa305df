//! Addresses by DHCP, against a model of a server: kept, renewed, given up, changed; and a server that says what can not be.

use super::lone::{Lone, PEER, udp};
use super::{B, MAC, S};
use crate::stack::Lease;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

const ONE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 50);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 51);

const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const REQUEST: u8 = 3;
const ACK: u8 = 5;
const NAK: u8 = 6;

/// What the stack asked.
struct Asked {
    number: [u8; 4],
    kind: u8,
    /// To everybody.
    is_broadcast: bool,
}

/// The question in a frame, if it is one.
fn asked(frame: &[u8]) -> Option<Asked> {
    let is_one = frame[12..14] == [8, 0] && frame[23] == 17 && frame[36..38] == [0, 67];
    is_one.then(|| {
        let kind = frame[282..].windows(2).position(|it| it == [53, 1]).map(|at| frame[282 + at + 2]);
        Asked {
            number: frame[46..50].try_into().unwrap(),
            kind: kind.unwrap(),
            is_broadcast: frame[30..34] == [255; 4],
        }
    })
}

/// What a server says, without the end.
fn said(asked: &Asked, kind: u8, address: Ipv4Addr, seconds: u32) -> Vec<u8> {
    let mut packet = alloc::vec![0; 236];
    (packet[0], packet[1], packet[2]) = (2, 1, 6);
    packet[4..8].copy_from_slice(&asked.number);
    packet[16..20].copy_from_slice(&address.octets());
    packet[28..34].copy_from_slice(&MAC[B]);
    packet.extend([99, 130, 83, 99, 53, 1, kind, 54, 4, 10, 0, 0, 1]);
    if kind != NAK {
        packet.extend(
            [&[51, 4][..], &seconds.to_be_bytes(), &[1, 4, 255, 255, 255, 0, 3, 4, 10, 0, 0, 1]].concat(),
        );
        packet.extend([6, 8, 10, 0, 0, 1, 10, 0, 0, 2]);
    }
    packet
}

fn packed(mut packet: Vec<u8>) -> Vec<u8> {
    packet.push(255);
    udp(Ipv4Addr::BROADCAST, (67, 68), &packet)
}

/// What a server answers that gives that address for so long.
fn serve(frame: &[u8], address: Ipv4Addr, seconds: u32) -> Vec<Vec<u8>> {
    let Some(asked) = asked(frame) else { return Vec::new() };
    let kind = if asked.kind == DISCOVER { OFFER } else { ACK };
    Vec::from([packed(said(&asked, kind, address, seconds))])
}

fn lease(address: Ipv4Addr) -> Lease {
    let servers = Vec::from([PEER, Ipv4Addr::new(10, 0, 0, 2)]);
    Lease { address, prefix: 24, router: Some(PEER), servers }
}

fn asking() -> Lone {
    let mut lone = Lone::new();
    lone.stack.use_dhcp();
    lone
}

#[test]
fn a_lease_is_renewed_then_asked_for_everywhere_and_given_up() {
    let mut lone = asking();
    lone.run(S, |frame, _| serve(frame, ONE, 200));
    assert_eq!(lone.stack.lease(), Some(&lease(ONE)));
    let begun = lone.stack.changes();
    // Renewed in time, from the one who gave it, as often as it takes.
    lone.sent.clear();
    lone.run(1000 * S, |frame, _| serve(frame, ONE, 200));
    let renewals: Vec<_> = lone.sent.iter().filter_map(|frame| asked(frame)).collect();
    assert!((9..=11).contains(&renewals.len()));
    assert!(renewals.iter().all(|asked| asked.kind == REQUEST && !asked.is_broadcast));
    assert_eq!((lone.stack.lease(), lone.stack.changes()), (Some(&lease(ONE)), begun));
    // He is gone: everybody is asked, and when it is over there is no address.
    lone.sent.clear();
    lone.run(190 * S, |_, _| Vec::new());
    let questions: Vec<_> = lone.sent.iter().filter_map(|frame| asked(frame)).collect();
    assert!(questions.last().is_some_and(|asked| asked.kind == REQUEST && asked.is_broadcast));
    lone.run(20 * S, |_, _| Vec::new());
    assert_eq!((lone.stack.lease(), lone.stack.addresses().any(|(own, _)| own.is_ipv4())), (None, false));
    assert_eq!(lone.stack.routers().next(), None);
    // Another one is there.
    lone.run(20 * S, |frame, _| serve(frame, OTHER, 200));
    assert_eq!(lone.stack.lease(), Some(&lease(OTHER)));
}

#[test]
fn a_server_can_change_his_mind() {
    let mut lone = asking();
    lone.run(S, |frame, _| serve(frame, ONE, 200));
    // An address that is refused is not used any longer.
    let mut refusals = 0;
    lone.run(110 * S, |frame, _| match asked(frame) {
        Some(asked) if asked.kind == REQUEST && refusals == 0 => {
            refusals += 1;
            Vec::from([packed(said(&asked, NAK, Ipv4Addr::UNSPECIFIED, 0))])
        }
        _ => serve(frame, OTHER, 200),
    });
    assert_eq!((lone.stack.lease(), refusals), (Some(&lease(OTHER)), 1));
    let own: Vec<_> = lone.stack.addresses().filter(|(own, _)| own.is_ipv4()).collect();
    assert_eq!(own, [(OTHER.into(), 24)]);
    // A renewal with another address: it is the new one.
    lone.run(150 * S, |frame, _| serve(frame, ONE, 200));
    assert_eq!(lone.stack.lease(), Some(&lease(ONE)));
}

#[test]
fn nobody_makes_the_stack_ask_as_fast_as_he_answers() {
    // Leases that are over at once, refusals, and offers that lead nowhere.
    let servers: [fn(&Asked) -> Vec<u8>; 3] = [
        |asked| said(asked, if asked.kind == DISCOVER { OFFER } else { ACK }, ONE, 0),
        |asked| said(asked, if asked.kind == DISCOVER { OFFER } else { NAK }, ONE, 9),
        |asked| said(asked, OFFER, ONE, 9),
    ];
    for server in servers {
        let mut lone = asking();
        lone.run(100 * S, |frame, _| asked(frame).map(|asked| packed(server(&asked))).into_iter().collect());
        let questions = lone.sent.iter().filter(|frame| asked(frame).is_some()).count();
        assert!((4..=100).contains(&questions), "{questions}");
        lone.run(100 * S, |frame, _| serve(frame, OTHER, 500));
        assert_eq!(lone.stack.lease(), Some(&lease(OTHER)));
    }
}

#[test]
fn what_can_not_be_is_no_lease() {
    type Change = fn(&mut Vec<u8>);
    // Each is a change of an answer that would do: where its options begin is 240.
    let table: &[(&str, Change)] = &[
        ("another's question", |packet| packet[4] ^= 1),
        ("another's adapter", |packet| packet[28] ^= 4),
        ("no answer", |packet| packet[0] = 1),
        ("no cookie", |packet| packet[236] = 0),
        ("an adapter of another kind", |packet| (packet[1], packet[2]) = (7, 16)),
        ("no kind", |packet| packet[240] = 12),
        ("a kind of two bytes", |packet| packet[241] = 2),
        ("a kind that is none", |packet| packet[242] = 77),
        ("no server", |packet| packet[243] = 12),
        ("a server of three bytes", |packet| packet[244] = 3),
        ("a mask with holes", |packet| packet[258] = 0),
        ("no mask", |packet| packet[255] = 12),
        ("no address", |packet| packet[16..20].fill(0)),
        ("everybody's address", |packet| packet[16..20].fill(255)),
        ("many's address", |packet| packet[16] = 224),
        ("options that go on behind the end", |packet| packet[250] = 255),
        ("nothing but the head", |packet| packet.truncate(236)),
        ("half of the head", |packet| packet.truncate(100)),
        ("no byte", Vec::clear),
    ];
    for (what, change) in table {
        let mut lone = asking();
        lone.run(30 * S, |frame, _| {
            let Some(asked) = asked(frame) else { return Vec::new() };
            let mut packet = said(&asked, if asked.kind == DISCOVER { OFFER } else { ACK }, ONE, 100);
            change(&mut packet);
            Vec::from([packed(packet)])
        });
        assert_eq!(lone.stack.lease(), None, "{what}");
        lone.run(100 * S, |frame, _| serve(frame, OTHER, 500));
        assert_eq!(lone.stack.lease(), Some(&lease(OTHER)), "{what}");
    }
}

#[test]
fn a_lease_that_is_cut_off_anywhere_is_a_whole_one_or_none() {
    for length in 0..280 {
        let mut lone = asking();
        lone.run(3 * S, |frame, _| {
            let Some(asked) = asked(frame) else { return Vec::new() };
            let kind = if asked.kind == DISCOVER { OFFER } else { ACK };
            let mut packet = said(&asked, kind, ONE, 100);
            packet.truncate(length);
            Vec::from([udp(Ipv4Addr::BROADCAST, (67, 68), &packet)])
        });
        assert!(
            lone.stack.lease().is_none_or(|lease| lease.address == ONE && lease.prefix == 24),
            "{length}"
        );
    }
}

#[test]
fn a_lease_for_ever_is_for_very_long() {
    let mut lone = asking();
    lone.run(S, |frame, _| serve(frame, ONE, u32::MAX));
    lone.run(86_400 * 365 * S, |_, _| Vec::new());
    assert_eq!(lone.stack.lease(), Some(&lease(ONE)));
}
