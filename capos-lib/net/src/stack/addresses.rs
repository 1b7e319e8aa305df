//! The house: what belongs to no client. Addresses, as DHCP and routers give them, answers to pings, resets for who knocks at closed doors.

use super::port::Port;
use super::{Link, Stack, instant, nanoseconds};
use crate::routers::{Routers, link_local};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use smoltcp::iface::{Interface, PollResult, SocketHandle, SocketSet};
use smoltcp::socket::dhcpv4;
use smoltcp::wire::{IpCidr, Ipv4Cidr, Ipv6Cidr};

/// What DHCP gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lease {
    /// Ours.
    pub address: Ipv4Addr,
    /// Bits that all addresses of the network have in common.
    pub prefix: u8,
    /// Who forwards to other networks.
    pub router: Option<Ipv4Addr>,
    /// Who knows names.
    pub servers: Vec<Ipv4Addr>,
}

/// An address of version 4 that a person chose instead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Ours.
    pub address: Ipv4Addr,
    /// Bits that all addresses of the network have in common.
    pub prefix: u8,
    /// Who forwards to other networks.
    pub router: Option<Ipv4Addr>,
}

/// Questions for an address in so many nanoseconds: whoever gives ones that are over at once is not asked as fast as he answers.
const QUESTIONS: u32 = 8;
const INTERVAL: u64 = 10_000_000_000;

pub(super) struct House {
    pub set: SocketSet<'static>,
    dhcp: Option<SocketHandle>,
    lease: Option<Lease>,
    pub routers: Routers,
    /// As of which change of what the routers say the addresses are.
    routed: u32,
    /// Counts changes of addresses.
    changes: u32,
    /// How often an address was asked for, since when.
    asked: (u32, u64),
    pub is_dirty: bool,
    pub deadline: Option<u64>,
}

impl House {
    pub fn new(iface: &mut Interface, mac: [u8; 6], now: u64) -> House {
        iface.update_ip_addrs(|addresses| {
            // There is room: it is the first one.
            let _ = addresses.push(IpCidr::Ipv6(Ipv6Cidr::new(link_local(mac), 64)));
        });
        let set = SocketSet::new(Vec::new());
        let routers = Routers::new(mac, now);
        let (dhcp, lease, deadline) = Default::default();
        House { set, dhcp, lease, routers, routed: 0, changes: 1, asked: (0, 0), is_dirty: true, deadline }
    }

    /// Until when no address may be asked for.
    fn is_patient(&mut self, now: u64) -> Option<u64> {
        let until = self.asked.1.saturating_add(INTERVAL);
        if until <= now {
            self.asked = (0, now);
        }
        (self.asked.0 >= QUESTIONS).then_some(until)
    }
}

impl Stack {
    /// Asks for an address by DHCP, and keeps it.
    pub fn use_dhcp(&mut self) {
        if self.house.dhcp.is_none() {
            self.house.dhcp = Some(self.house.set.add(dhcpv4::Socket::new()));
            self.house.is_dirty = true;
        }
    }

    /// Has that address of version 4, and asks nobody.
    pub fn use_address(&mut self, settings: &Settings) {
        if let Some(dhcp) = self.house.dhcp.take() {
            self.house.set.remove(dhcp);
        }
        self.house.lease = None;
        self.set_v4(Some(Ipv4Cidr::new(settings.address, settings.prefix)), settings.router);
    }

    /// The link was gone, and is back, perhaps elsewhere: asks anew.
    pub fn link_is_back(&mut self) {
        if let Some(dhcp) = self.house.dhcp {
            self.house.set.get_mut::<dhcpv4::Socket>(dhcp).reset();
        }
        self.house.routers.ask_again(self.now);
        self.house.is_dirty = true;
    }

    /// What DHCP gave, as long as it holds.
    pub fn lease(&self) -> Option<&Lease> {
        self.house.lease.as_ref()
    }

    /// Addresses, and how many bits of each are of the network.
    pub fn addresses(&self) -> impl Iterator<Item = (IpAddr, u8)> {
        self.iface.ip_addrs().iter().map(|cidr| (cidr.address().into(), cidr.prefix_len()))
    }

    /// The routers that frames for other networks go to.
    pub fn routers(&self) -> impl Iterator<Item = IpAddr> {
        let routes = self.iface.routes();
        let v4 = routes.get_default_ipv4_route().map(|route| route.via_router.into());
        let v6 = routes.get_default_ipv6_route().map(|route| route.via_router.into());
        v4.into_iter().chain(v6)
    }

    /// Who knows names, as DHCP and routers say.
    pub fn name_servers(&self) -> Vec<IpAddr> {
        let v4 = self.house.lease.iter().flat_map(|lease| lease.servers.iter().copied().map(IpAddr::V4));
        v4.chain(self.house.routers.servers().map(IpAddr::V6)).collect()
    }

    /// What the routers of IPv6 say.
    pub fn said_by_routers(&self) -> &Routers {
        &self.house.routers
    }

    /// Counts changes of addresses.
    pub fn changes(&self) -> u32 {
        self.house.changes
    }

    /// Lets smoltcp do what belongs to no client.
    pub(super) fn keep_house<L: Link>(&mut self, link: &mut L) {
        let is_due = self.house.deadline.is_some_and(|at| at <= self.now);
        if !(self.house.is_dirty || is_due) {
            return;
        }
        self.house.is_dirty = false;
        let now = instant(self.now);
        self.iface.poll_maintenance(now);
        while self.house.is_patient(self.now).is_none() {
            let mut port =
                Port { frame: None, link: &mut *link, capabilities: &self.capabilities, newest: None };
            let sent = self.iface.poll_egress(now, &mut port, &mut self.house.set);
            if sent == PollResult::None || !link.has_room() {
                break;
            }
            self.house.asked.0 += 1;
        }
        self.ask_dhcp();
        self.ask_routers(link);
        let patient = self.house.is_patient(self.now).unwrap_or(0);
        let next = self.iface.poll_at(now, &self.house.set).map(|at| nanoseconds(at).max(patient));
        let next = [next, self.house.routers.deadline()].into_iter().flatten().min();
        // What could not be sent is sent when there is room, and no timer makes any.
        let waits = !link.has_room() && next.is_some_and(|at| at <= self.now);
        self.house.is_dirty |= waits;
        self.house.deadline = next.filter(|_| !waits).map(|at| at.max(self.now + 1_000_000));
    }

    fn ask_routers<L: Link>(&mut self, link: &mut L) {
        let routers = &mut self.house.routers;
        if link.has_room()
            && let Some(question) = routers.ask(self.now)
        {
            link.send(question.len(), None, |into| into.copy_from_slice(&question));
        }
        routers.expire(self.now);
        if routers.changes() == self.house.routed {
            return;
        }
        self.house.routed = routers.changes();
        let own: Vec<_> = routers.addresses().map(|it| Ipv6Cidr::new(it, 64)).collect();
        let router = routers.router();
        let routes = self.iface.routes_mut();
        routes.remove_default_ipv6_route();
        if let Some(router) = router {
            // There is room: it replaces the one before.
            let _ = routes.add_default_ipv6_route(router);
        }
        self.iface.update_ip_addrs(|addresses| {
            let is_routed =
                |cidr: &IpCidr| matches!(cidr, IpCidr::Ipv6(it) if !it.address().is_unicast_link_local());
            addresses.retain(|cidr| !is_routed(cidr));
            for address in own {
                // There are fewer prefixes than places.
                let _ = addresses.push(IpCidr::Ipv6(address));
            }
        });
        self.addresses_changed();
    }

    fn addresses_changed(&mut self) {
        self.house.changes = self.house.changes.wrapping_add(1).max(1);
        self.house.is_dirty = true;
        // smoltcp ends the connections of an address that is gone when it looks at them.
        let all: Vec<_> = self.flows.ids().collect();
        all.into_iter().for_each(|id| self.flows.touch(id));
    }

    fn ask_dhcp(&mut self) {
        let Some(dhcp) = self.house.dhcp else { return };
        let lease = match self.house.set.get_mut::<dhcpv4::Socket>(dhcp).poll() {
            None => return,
            Some(dhcpv4::Event::Deconfigured) => None,
            Some(dhcpv4::Event::Configured(config)) => Some(Lease {
                address: config.address.address(),
                prefix: config.address.prefix_len(),
                router: config.router,
                servers: config.dns_servers.iter().copied().collect(),
            }),
        };
        let address = lease.as_ref().map(|lease| Ipv4Cidr::new(lease.address, lease.prefix));
        self.set_v4(address, lease.as_ref().and_then(|lease| lease.router));
        self.house.lease = lease;
    }

    /// The one address of version 4.
    fn set_v4(&mut self, address: Option<Ipv4Cidr>, router: Option<Ipv4Addr>) {
        // smoltcp has no other than a station's.
        let is_station = |cidr: &Ipv4Cidr| {
            let it = cidr.address();
            !it.is_unspecified() && !it.is_multicast() && !it.is_broadcast()
        };
        let address = address.filter(is_station);
        let routes = self.iface.routes_mut();
        routes.remove_default_ipv4_route();
        if let Some(router) = router.filter(|it| !it.is_unspecified() && address.is_some()) {
            // There is room: it replaces the one before.
            let _ = routes.add_default_ipv4_route(router);
        }
        let before = self.iface.ip_addrs().iter().find(|cidr| matches!(cidr, IpCidr::Ipv4(_))).copied();
        if before == address.map(IpCidr::Ipv4) {
            return;
        }
        self.iface.update_ip_addrs(|addresses| {
            addresses.retain(|cidr| !matches!(cidr, IpCidr::Ipv4(_)));
            if let Some(address) = address {
                // Those of version 6 never take all places: their prefixes are as many, and the link's own is one of them.
                let _ = addresses.insert(0, IpCidr::Ipv4(address));
            }
        });
        self.addresses_changed();
    }
}
