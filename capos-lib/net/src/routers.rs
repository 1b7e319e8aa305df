//! What routers of IPv6 say, as far as a host believes it (RFC 4861 section 6.3, RFC 4862 section 5.5, RFC 8106 section 5).
//!
//! Own code: smoltcp 0.14 takes one prefix of an advertisement and no servers, and once nobody answers, or nothing holds any more, it forgets the
//! timers of all sockets. Addresses are not tried for duplicates (RFC 4862 section 5.4).

use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv6Addr;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, Icmpv6Packet, Icmpv6Repr, IpProtocol,
    Ipv6Packet, Ipv6Repr, NdiscRepr,
};

const S: u64 = 1_000_000_000;

/// RFC 4861 section 10.
const SOLICITATIONS: u8 = 3;
const INTERVAL: u64 = 4 * S;

/// How long an address is kept at least, whoever says that it holds shorter (RFC 4862 section 5.5.3 e).
const TWO_HOURS: u64 = 2 * 3600 * S;

/// As many of each kind are remembered; who comes later is not believed.
const MOST: usize = 4;

/// Types of options.
const PREFIX: u8 = 3;
const SERVERS: u8 = 25;

/// That an address in such a prefix may be made up, in the flags of one.
const AUTONOMOUS: u8 = 0x40;

/// Something, until then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Held {
    what: Ipv6Addr,
    until: u64,
}

/// What is known.
#[derive(Debug)]
pub struct Routers {
    mac: [u8; 6],
    asked: u8,
    ask_at: u64,
    prefixes: Vec<Held>,
    routers: Vec<Held>,
    servers: Vec<Held>,
    is_managed: bool,
    has_more: bool,
    changes: u32,
}

impl Routers {
    /// Nothing is known, and it is asked for.
    pub fn new(mac: [u8; 6], now: u64) -> Routers {
        let (prefixes, routers, servers) = Default::default();
        let (is_managed, has_more) = (false, false);
        Routers { mac, asked: 0, ask_at: now, prefixes, routers, servers, is_managed, has_more, changes: 1 }
    }

    /// Asks anew: the link is another one, perhaps.
    pub fn ask_again(&mut self, now: u64) {
        (self.asked, self.ask_at) = (0, now);
    }

    /// The question, when it is time for it (RFC 4861 section 6.3.7).
    pub fn ask(&mut self, now: u64) -> Option<Vec<u8>> {
        if self.asked >= SOLICITATIONS || now < self.ask_at {
            return None;
        }
        self.asked += 1;
        self.ask_at = now + INTERVAL;
        Some(solicitation(self.mac))
    }

    /// Forgets what holds no more.
    pub fn expire(&mut self, now: u64) {
        let before = self.prefixes.len() + self.routers.len() + self.servers.len();
        for list in [&mut self.prefixes, &mut self.routers, &mut self.servers] {
            list.retain(|held| held.until > now);
        }
        if before != self.prefixes.len() + self.routers.len() + self.servers.len() {
            self.changed(true);
        }
    }

    /// When there is something to do.
    pub fn deadline(&self) -> Option<u64> {
        let ends =
            [&self.prefixes, &self.routers, &self.servers].into_iter().flatten().map(|held| held.until);
        let ask = (self.asked < SOLICITATIONS).then_some(self.ask_at);
        ends.filter(|at| *at != u64::MAX).chain(ask).min()
    }

    /// Counts changes of what follows.
    pub fn changes(&self) -> u32 {
        self.changes
    }

    /// Addresses made of the prefixes, of 64 bits each.
    pub fn addresses(&self) -> impl Iterator<Item = Ipv6Addr> {
        let host = u128::from(link_local(self.mac)) & u128::from(u64::MAX);
        self.prefixes.iter().map(move |held| Ipv6Addr::from(u128::from(held.what) | host))
    }

    /// The one that forwards.
    pub fn router(&self) -> Option<Ipv6Addr> {
        self.routers.first().map(|held| held.what)
    }

    /// Who knows names.
    pub fn servers(&self) -> impl Iterator<Item = Ipv6Addr> {
        self.servers.iter().map(|held| held.what)
    }

    /// Whether addresses are to be had by DHCPv6.
    pub fn is_managed(&self) -> bool {
        self.is_managed
    }

    /// Whether anything else is to be had by DHCPv6.
    pub fn has_more(&self) -> bool {
        self.has_more
    }

    /// Anybody may have it change as often as he likes.
    fn changed(&mut self, is_new: bool) {
        self.changes = self.changes.wrapping_add(u32::from(is_new));
    }

    /// Takes in a frame that may be an advertisement; whether it is one that is believed.
    pub fn take_in(&mut self, frame: &[u8], now: u64) -> bool {
        self.advertised(frame, now).is_some()
    }

    fn advertised(&mut self, frame: &[u8], now: u64) -> Option<()> {
        let ethernet = EthernetFrame::new_checked(frame).ok()?;
        let packet = Ipv6Packet::new_checked(ethernet.payload()).ok()?;
        let from = packet.src_addr();
        let is_icmp =
            ethernet.ethertype() == EthernetProtocol::Ipv6 && packet.next_header() == IpProtocol::Icmpv6;
        // Nobody further away can have sent it (RFC 4861 section 6.1.2).
        if !is_icmp || packet.hop_limit() != 255 || !from.is_unicast_link_local() {
            return None;
        }
        let message = packet.payload();
        let checked = Icmpv6Packet::new_checked(message).ok()?;
        if !checked.verify_checksum(&from, &packet.dst_addr()) {
            return None;
        }
        let [134, 0, _, _, _, flags, high, low, _, _, _, _, _, _, _, _, options @ ..] = message else {
            return None;
        };
        (self.is_managed, self.has_more) = (flags & 0x80 != 0, flags & 0x40 != 0);
        self.asked = SOLICITATIONS;
        let lifetime = u64::from(u16::from_be_bytes([*high, *low])) * S;
        let is_new = hold(&mut self.routers, from, now, lifetime);
        self.changed(is_new);
        self.take_options(options, now);
        Some(())
    }

    fn take_options(&mut self, mut options: &[u8], now: u64) {
        // Each begins with its type and its length, in 8 bytes (section 4.6); one of length 0 ends all trust.
        while let [kind, length @ 1..=u8::MAX, ..] = *options {
            let Some((option, rest)) = options.split_at_checked(usize::from(length) * 8) else { return };
            match (kind, option) {
                (PREFIX, [_, _, 64, flags, a, b, c, d, _, _, _, _, _, _, _, _, prefix @ ..])
                    if flags & AUTONOMOUS != 0 =>
                {
                    self.take_prefix(prefix, u32::from_be_bytes([*a, *b, *c, *d]), now);
                }
                (SERVERS, [_, _, _, _, a, b, c, d, servers @ ..]) => {
                    let lifetime = lasting(u32::from_be_bytes([*a, *b, *c, *d]));
                    for server in servers.chunks_exact(16).filter_map(|it| <[u8; 16]>::try_from(it).ok()) {
                        let server = Ipv6Addr::from(server);
                        let is_one =
                            !server.is_multicast() && !server.is_unspecified() && !server.is_loopback();
                        let is_new = is_one && hold(&mut self.servers, server, now, lifetime);
                        self.changed(is_new);
                    }
                }
                _ => {}
            }
            options = rest;
        }
    }

    fn take_prefix(&mut self, prefix: &[u8], seconds: u32, now: u64) {
        let Ok(prefix) = <[u8; 16]>::try_from(prefix) else { return };
        let prefix = Ipv6Addr::from(u128::from_be_bytes(prefix) & !u128::from(u64::MAX));
        if prefix.is_multicast()
            || prefix.is_unicast_link_local()
            || prefix.is_unspecified()
            || prefix.is_loopback()
        {
            return;
        }
        let lifetime = lasting(seconds);
        let known = self.prefixes.iter_mut().find(|held| held.what == prefix);
        match known {
            Some(held) => {
                // Somebody who is nobody could take all addresses away at once.
                let remaining = held.until.saturating_sub(now);
                if lifetime > TWO_HOURS || lifetime > remaining {
                    held.until = now.saturating_add(lifetime);
                } else if remaining > TWO_HOURS {
                    held.until = now + TWO_HOURS;
                }
            }
            None => {
                let is_new = hold(&mut self.prefixes, prefix, now, lifetime);
                self.changed(is_new);
            }
        }
    }
}

/// What a lifetime is: all ones are for ever.
fn lasting(seconds: u32) -> u64 {
    if seconds == u32::MAX { u64::MAX } else { u64::from(seconds) * S }
}

/// Holds it for so long, or no more. Whether that changes what is there.
fn hold(list: &mut Vec<Held>, what: Ipv6Addr, now: u64, lifetime: u64) -> bool {
    let until = now.saturating_add(lifetime);
    match list.iter().position(|held| held.what == what) {
        Some(at) if lifetime == 0 => {
            list.remove(at);
            true
        }
        Some(at) => {
            if let Some(held) = list.get_mut(at) {
                held.until = until;
            }
            false
        }
        None if lifetime == 0 || list.len() == MOST => false,
        None => {
            list.push(Held { what, until });
            true
        }
    }
}

/// The address that every station has on its own link, whoever else is there (RFC 4291 appendix A).
pub fn link_local([a, b, c, d, e, f]: [u8; 6]) -> Ipv6Addr {
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

/// The question whether there are routers (RFC 4861 section 4.1).
fn solicitation(mac: [u8; 6]) -> Vec<u8> {
    let question = NdiscRepr::RouterSolicit { lladdr: Some(EthernetAddress(mac).into()) };
    said(mac, [0x33, 0x33, 0, 0, 0, 2], Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2), question)
}

/// A message about neighbours, as a frame.
fn said(mac: [u8; 6], whom: [u8; 6], to: Ipv6Addr, message: NdiscRepr<'_>) -> Vec<u8> {
    let (from, message) = (link_local(mac), Icmpv6Repr::Ndisc(message));
    let payload_len = message.buffer_len();
    let ip = Ipv6Repr {
        src_addr: from,
        dst_addr: to,
        next_header: IpProtocol::Icmpv6,
        payload_len,
        hop_limit: 255,
    };
    let (src_addr, dst_addr) = (EthernetAddress(mac), EthernetAddress(whom));
    let ethernet = EthernetRepr { src_addr, dst_addr, ethertype: EthernetProtocol::Ipv6 };
    let mut frame = vec![0; ethernet.buffer_len() + ip.buffer_len() + payload_len];
    let mut into = EthernetFrame::new_unchecked(&mut frame[..]);
    ethernet.emit(&mut into);
    let mut into = Ipv6Packet::new_unchecked(into.payload_mut());
    ip.emit(&mut into);
    let into = &mut Icmpv6Packet::new_unchecked(into.payload_mut());
    message.emit(&from, &to, into, &ChecksumCapabilities::default());
    frame
}

#[cfg(test)]
mod tests {
    use super::{AUTONOMOUS, MOST, PREFIX, Routers, S, SERVERS, TWO_HOURS, said};
    use alloc::vec::Vec;
    use core::net::Ipv6Addr;
    use proptest::prelude::*;
    use smoltcp::time::Duration;
    use smoltcp::wire::{Icmpv6Packet, NdiscRepr, NdiscRouterFlags};

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

    /// What a router says that has such an address.
    fn advertisement(router: u8, lifetime: u16, flags: u8, options: &[&[u8]]) -> Vec<u8> {
        let message = NdiscRepr::RouterAdvert {
            hop_limit: 64,
            flags: NdiscRouterFlags::from_bits_truncate(flags),
            router_lifetime: Duration::from_secs(lifetime.into()),
            reachable_time: Duration::ZERO,
            retrans_time: Duration::ZERO,
            lladdr: None,
            mtu: None,
            prefix_info: None,
        };
        let mac = [2, 0, 0, 0, 1, router];
        let all = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
        let mut frame = said(mac, [0x33, 0x33, 0, 0, 0, 1], all, message);
        options.iter().for_each(|option| frame.extend(*option));
        let length = (frame.len() - 54) as u16;
        frame[18..20].copy_from_slice(&length.to_be_bytes());
        let from = super::link_local(mac);
        Icmpv6Packet::new_unchecked(&mut frame[54..]).fill_checksum(&from, &all);
        frame
    }

    fn prefix(net: u16, seconds: u32, flags: u8) -> Vec<u8> {
        let mut option = alloc::vec![PREFIX, 4, 64, flags];
        option.extend(seconds.to_be_bytes());
        option.extend([0; 8]);
        option.extend(Ipv6Addr::new(0xfd00, 0, 0, net, 0, 0, 0, 9).octets());
        option
    }

    fn servers(seconds: u32, numbers: &[u16]) -> Vec<u8> {
        let mut option = alloc::vec![SERVERS, 1 + 2 * numbers.len() as u8, 0, 0];
        option.extend(seconds.to_be_bytes());
        numbers
            .iter()
            .for_each(|number| option.extend(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, *number).octets()));
        option
    }

    #[test]
    fn it_asks_three_times_and_then_waits() {
        let mut routers = Routers::new(MAC, S);
        let mut asked = Vec::new();
        while let Some(at) = routers.deadline() {
            assert!(routers.ask(at - 1).is_none());
            let frame = routers.ask(at).unwrap();
            assert_eq!((frame[54], frame.len()), (133, 70));
            asked.push(at);
        }
        assert_eq!(asked, [S, 5 * S, 9 * S]);
        routers.ask_again(20 * S);
        assert!(routers.ask(20 * S).is_some());
        assert!(routers.take_in(&advertisement(1, 0, 0, &[]), 21 * S));
        assert_eq!((routers.deadline(), routers.router()), (None, None));
    }

    #[test]
    fn what_is_said_holds_as_long_as_was_said() {
        let mut routers = Routers::new(MAC, 0);
        let said = advertisement(
            1,
            1800,
            0xc0,
            &[&prefix(7, 86400, AUTONOMOUS), &prefix(8, u32::MAX, AUTONOMOUS), &servers(60, &[5, 6])],
        );
        assert!(routers.take_in(&said, 0));
        let own = |net| Ipv6Addr::new(0xfd00, 0, 0, net, 0, 0xff, 0xfe00, 1);
        assert_eq!(routers.addresses().collect::<Vec<_>>(), [own(7), own(8)]);
        assert_eq!(routers.router(), Some(super::link_local([2, 0, 0, 0, 1, 1])));
        assert_eq!((routers.servers().count(), routers.is_managed(), routers.has_more()), (2, true, true));
        let changes = routers.changes();
        assert_eq!(routers.deadline(), Some(60 * S));
        routers.expire(60 * S);
        assert!(routers.servers().count() == 0 && routers.changes() != changes);
        routers.expire(1800 * S);
        assert_eq!((routers.router(), routers.addresses().count()), (None, 2));
        routers.expire(86400 * S);
        assert_eq!(
            (routers.addresses().collect::<Vec<_>>(), routers.deadline()),
            (alloc::vec![own(8)], None)
        );
    }

    #[test]
    fn nobody_takes_an_address_away_at_once() {
        let mut routers = Routers::new(MAC, 0);
        routers.take_in(&advertisement(1, 1800, 0, &[&prefix(7, 86400, AUTONOMOUS)]), 0);
        routers.take_in(&advertisement(1, 0, 0, &[&prefix(7, 0, AUTONOMOUS)]), S);
        assert_eq!((routers.router(), routers.deadline()), (None, Some(S + TWO_HOURS)));
        routers.take_in(&advertisement(1, 0, 0, &[&prefix(7, 1, AUTONOMOUS)]), 2 * S);
        assert_eq!(routers.deadline(), Some(S + TWO_HOURS));
        routers.take_in(&advertisement(1, 0, 0, &[&prefix(7, 9000, AUTONOMOUS)]), 3 * S);
        assert_eq!(routers.deadline(), Some(9003 * S));
    }

    #[test]
    fn what_can_not_be_is_not_believed() {
        let mut routers = Routers::new(MAC, 0);
        let good = advertisement(1, 1800, 0, &[&prefix(7, 86400, AUTONOMOUS)]);
        for (at, value) in [(21, 64), (22, 0x20), (54, 133), (55, 1), (56, !good[56]), (20, 17)] {
            let mut bad = good.clone();
            bad[at] = value;
            assert!(!routers.take_in(&bad, 0), "{at}");
        }
        // Prefixes that nobody makes addresses of, and options that end nowhere.
        let (mut link, none) = (prefix(0, 100, AUTONOMOUS), prefix(7, 100, 0));
        link[16..18].copy_from_slice(&[0xfe, 0x80]);
        let (empty, long) =
            ([PREFIX, 0, 64, AUTONOMOUS, 0, 0, 0, 9], [PREFIX, 9, 64, AUTONOMOUS, 0, 0, 0, 9]);
        assert!(
            routers.take_in(&advertisement(1, 0, 0, &[&link, &none, &empty, &prefix(7, 100, AUTONOMOUS)]), 0)
        );
        assert!(routers.take_in(&advertisement(1, 0, 0, &[&long]), 0));
        assert_eq!(routers.addresses().count(), 0);
        for router in 0..20 {
            routers.take_in(
                &advertisement(
                    router,
                    9,
                    0,
                    &[&prefix(router.into(), 9, AUTONOMOUS), &servers(9, &[router.into()])],
                ),
                0,
            );
        }
        assert_eq!([routers.prefixes.len(), routers.routers.len(), routers.servers.len()], [MOST; 3]);
    }

    proptest! {
        #[test]
        fn any_options_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..200), now in 0u64..u64::MAX / 2) {
            let mut routers = Routers::new(MAC, 0);
            routers.take_in(&advertisement(1, 9, 0, &[&bytes]), now);
            routers.expire(now);
            prop_assert!(routers.addresses().count() <= MOST);
        }
    }
}
