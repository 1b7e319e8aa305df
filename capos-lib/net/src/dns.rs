//! Questions for names, and what the answers say (RFC 1035).

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;
use smoltcp::wire::{
    DnsFlags, DnsOpcode, DnsPacket, DnsQueryType, DnsQuestion, DnsRcode, DnsRecord, DnsRecordData, DnsRepr,
};

/// Other names that a name is said to stand for, one after the other, before that leads nowhere.
const ALIASES: usize = 8;

/// Addresses of a name that are remembered.
const MOST: usize = 8;

/// Which kind of address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// What an answer says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// These addresses, perhaps none, for so many seconds.
    Addresses(Vec<IpAddr>, u32),
    /// There is no such name.
    NoName,
    /// The server can not say.
    Refused,
}

const fn wanted(family: Family) -> DnsQueryType {
    match family {
        Family::V4 => DnsQueryType::A,
        Family::V6 => DnsQueryType::Aaaa,
    }
}

/// Labels and their lengths (section 3.1). `None` for what is no name of a station.
fn labels(name: &str) -> Option<Vec<u8>> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let mut labels = Vec::new();
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        if !label.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        labels.push(length);
        labels.extend(label.as_bytes());
    }
    labels.push(0);
    (labels.len() <= 255).then_some(labels)
}

/// A question. `None` for what is no name.
pub fn question(number: u16, name: &str, family: Family) -> Option<Vec<u8>> {
    let labels = labels(name)?;
    let question = DnsRepr {
        transaction_id: number,
        opcode: DnsOpcode::Query,
        flags: DnsFlags::RECURSION_DESIRED,
        question: DnsQuestion { name: &labels, type_: wanted(family) },
    };
    let mut packet = vec![0; question.buffer_len()];
    question.emit(&mut DnsPacket::new_unchecked(&mut packet[..]));
    Some(packet)
}

/// What a packet answers to that question; `None` when it is no answer to it, as those of strangers are not.
pub fn answer(packet: &[u8], number: u16, name: &str, family: Family) -> Option<Answer> {
    let packet = DnsPacket::new_checked(packet).ok()?;
    let is_answer = packet.flags().contains(DnsFlags::RESPONSE) && packet.opcode() == DnsOpcode::Query;
    if !is_answer || packet.transaction_id() != number || packet.question_count() != 1 {
        return None;
    }
    let (records, asked) = DnsQuestion::parse(packet.payload()).ok()?;
    if asked.type_ != wanted(family) || plain(&packet, asked.name)? != plain(&packet, &labels(name)?)? {
        return None;
    }
    match packet.rcode() {
        DnsRcode::NoError => {}
        DnsRcode::NXDomain => return Some(Answer::NoName),
        _ => return Some(Answer::Refused),
    }
    Some(follow(&packet, records, packet.answer_record_count(), plain(&packet, asked.name)?))
}

/// Goes from a name through the names that it stands for to addresses.
fn follow(packet: &DnsPacket<&[u8]>, records: &[u8], count: u16, asked: String) -> Answer {
    let (mut name, mut seconds) = (asked, u32::MAX);
    for _ in 0..ALIASES {
        let (mut rest, mut addresses, mut alias) = (records, Vec::new(), None);
        for _ in 0..count {
            // What is broken, or cut off, ends what is said.
            let Ok((next, record)) = DnsRecord::parse(rest) else { break };
            rest = next;
            if plain(packet, record.name).as_ref() != Some(&name) {
                continue;
            }
            match record.data {
                DnsRecordData::A(v4) => addresses.push(IpAddr::V4(v4)),
                DnsRecordData::Aaaa(v6) => addresses.push(IpAddr::V6(v6)),
                DnsRecordData::Cname(other) => alias = plain(packet, other),
                DnsRecordData::Other(..) => continue,
            }
            seconds = seconds.min(record.ttl);
        }
        addresses.truncate(MOST);
        match alias {
            Some(other) if addresses.is_empty() => name = other,
            _ => return Answer::Addresses(addresses, if seconds == u32::MAX { 0 } else { seconds }),
        }
    }
    Answer::Addresses(Vec::new(), 0)
}

/// A name as it is compared (RFC 4343).
fn plain(packet: &DnsPacket<&[u8]>, name: &[u8]) -> Option<String> {
    let mut plain = String::new();
    for label in packet.parse_name(name) {
        let label = label.ok()?;
        plain.extend(label.iter().map(|byte| char::from(byte.to_ascii_lowercase())));
        plain.push('.');
        if plain.len() > 255 {
            return None;
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::{Answer, Family, answer, question};
    use alloc::vec::Vec;
    use core::net::{IpAddr, Ipv4Addr};
    use proptest::prelude::*;

    const ONE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

    /// An answer: what was asked, and records of a name (labels or where it stands), a type, and data.
    fn reply(number: u16, name: &str, code: u8, records: &[(&[u8], u16, u32, &[u8])]) -> Vec<u8> {
        let mut packet = question(number, name, Family::V4).unwrap();
        packet[2] |= 0x80;
        packet[3] = code;
        packet[7] = records.len() as u8;
        for (name, kind, seconds, data) in records {
            packet.extend(*name);
            packet.extend(kind.to_be_bytes());
            packet.extend([0, 1]);
            packet.extend(seconds.to_be_bytes());
            packet.extend((data.len() as u16).to_be_bytes());
            packet.extend(*data);
        }
        packet
    }

    /// The name that was asked, where it stands.
    const ASKED: &[u8] = &[0xc0, 12];

    #[test]
    fn addresses_are_found_also_by_other_names() {
        let direct = reply(7, "Host.example", 0, &[(ASKED, 1, 60, &[10, 0, 0, 1])]);
        assert_eq!(
            answer(&direct, 7, "host.EXAMPLE.", Family::V4),
            Some(Answer::Addresses([ONE].into(), 60))
        );
        let other = b"\x05other\x00";
        let aliased = reply(
            7,
            "host",
            0,
            &[(other, 1, 90, &[10, 0, 0, 1]), (ASKED, 5, 30, other), (b"\x01x\x00", 1, 1, &[9, 9, 9, 9])],
        );
        assert_eq!(answer(&aliased, 7, "host", Family::V4), Some(Answer::Addresses([ONE].into(), 30)));
        let none = reply(7, "host", 0, &[]);
        assert_eq!(answer(&none, 7, "host", Family::V4), Some(Answer::Addresses([].into(), 0)));
        assert_eq!(answer(&reply(7, "host", 3, &[]), 7, "host", Family::V4), Some(Answer::NoName));
        assert_eq!(answer(&reply(7, "host", 2, &[]), 7, "host", Family::V4), Some(Answer::Refused));
    }

    #[test]
    fn what_is_no_answer_is_none() {
        let good = reply(7, "host", 0, &[(ASKED, 1, 60, &[10, 0, 0, 1])]);
        assert_eq!(answer(&good, 8, "host", Family::V4), None);
        assert_eq!(answer(&good, 7, "hose", Family::V4), None);
        assert_eq!(answer(&good, 7, "host", Family::V6), None);
        assert_eq!(
            answer(&question(7, "host", Family::V4).unwrap(), 7, "host", Family::V4),
            None,
            "a question"
        );
        // Names that stand for each other lead nowhere, and so do those that point at themselves.
        let round = reply(7, "host", 0, &[(ASKED, 5, 60, ASKED)]);
        assert_eq!(answer(&round, 7, "host", Family::V4), Some(Answer::Addresses([].into(), 0)));
        let itself = reply(7, "host", 0, &[(&[0xc0, 22], 1, 60, &[10, 0, 0, 1])]);
        assert_eq!(answer(&itself, 7, "host", Family::V4), Some(Answer::Addresses([].into(), 0)));
        for name in ["", ".", "a..b", "a b", &"x".repeat(64), &"abc.".repeat(64), "ä"] {
            assert_eq!(question(1, name, Family::V4), None, "{name}");
        }
    }

    #[test]
    fn what_hostile_servers_say_leads_nowhere() {
        let one: &[(&[u8], u16, u32, &[u8])] = &[(ASKED, 1, 60, &[10, 0, 0, 1])];
        type Change = fn(&mut Vec<u8>);
        // What becomes of a good answer that is changed so: where its first record begins is 22.
        let table: &[(&str, Change, Option<Answer>)] = &[
            ("no more than the head", |packet| packet.truncate(12), None),
            ("half of the head", |packet| packet.truncate(6), None),
            ("no question", |packet| packet[5] = 0, None),
            ("two questions", |packet| packet[5] = 2, None),
            ("more questions than bytes", |packet| packet[4] = 255, None),
            ("a name that points at itself", |packet| packet[12..14].copy_from_slice(&[0xc0, 12]), None),
            ("a label of a kind that there is not", |packet| packet[12] = 0x80, None),
            ("a label that goes on behind the end", |packet| packet[12] = 63, None),
            (
                "more answers than there are",
                |packet| packet[6..8].fill(255),
                Some(Answer::Addresses([ONE].into(), 60)),
            ),
            ("an address of three bytes", |packet| packet[33] = 3, Some(Answer::Addresses([].into(), 0))),
            ("data without an end", |packet| packet[32] = 255, Some(Answer::Addresses([].into(), 0))),
            (
                "a record whose name points at what follows",
                |packet| packet[23] = 24,
                Some(Answer::Addresses([].into(), 0)),
            ),
            ("and at nothing", |packet| packet[22..24].fill(255), Some(Answer::Addresses([].into(), 0))),
            (
                "more behind the end",
                |packet| packet.resize(65_535, 7),
                Some(Answer::Addresses([ONE].into(), 60)),
            ),
        ];
        for (what, change, wanted) in table {
            let mut packet = reply(7, "host", 0, one);
            change(&mut packet);
            assert_eq!(answer(&packet, 7, "host", Family::V4), *wanted, "{what}");
        }
        // As many records as one has room for: some of them are kept.
        let many: Vec<(&[u8], u16, u32, &[u8])> = core::iter::repeat_n(one[0], 255).collect();
        let Some(Answer::Addresses(all, 60)) = answer(&reply(7, "host", 0, &many), 7, "host", Family::V4)
        else {
            panic!()
        };
        assert_eq!(all.len(), super::MOST);
    }

    proptest! {
        #[test]
        fn any_packet_is_read_or_not(mut packet: Vec<u8>, changes in proptest::collection::vec((0usize..60, any::<u8>()), 0..6)) {
            let _ = answer(&packet, 0, "host", Family::V4);
            packet = reply(7, "host", 0, &[(b"\x05other\x00", 1, 90, &[10, 0, 0, 1]), (ASKED, 5, 30, b"\x05other\x00")]);
            for (at, byte) in changes {
                packet[at] = byte;
            }
            let _ = answer(&packet, 7, "host", Family::V4);
        }
    }
}
