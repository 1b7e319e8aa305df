//! What capabilities stand for.

use alloc::rc::Rc;
use capos_net::scope::Scope;
use capos_net::stack::{FlowId, ListenerId};
use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use kit::memory::Memory;
use rt::generated::{
    DnsResolverClient, NetworkManagerClient, TcpConnectAuthorityClient, TcpListenAuthorityClient,
    UdpAuthorityClient,
};
use rt::{Client, Exception, ExceptionCode};

/// A port at which a client listens.
pub struct Port {
    /// The stack's number of it.
    pub id: ListenerId,
    /// The port.
    pub port: u16,
    /// From whom.
    pub scope: Rc<Scope>,
}

/// A connection.
pub struct Connection {
    /// The stack's number of it.
    pub id: FlowId,
    /// What its holder attached.
    pub memory: Memory,
}

/// A socket for datagrams.
pub struct Datagrams {
    /// The stack's number of it.
    pub id: FlowId,
    /// With whom.
    pub scope: Rc<Scope>,
}

/// Each kind.
#[derive(Clone)]
pub enum Thing {
    /// Looks.
    Manager,
    /// Asks for names.
    Resolver,
    /// Connects.
    Connect(Rc<Scope>),
    /// Listens.
    Listen(Rc<Scope>),
    /// Exchanges datagrams.
    Udp(Rc<Scope>),
    /// Accepts.
    Listener(Rc<Port>),
    /// Reads and writes.
    Socket(Rc<Connection>),
    /// Sends and receives.
    Datagrams(Rc<Datagrams>),
}

impl Thing {
    /// What an export is.
    pub fn of_export(interface: u64, scope: &Rc<Scope>) -> Result<Thing, Exception> {
        match interface {
            NetworkManagerClient::ID => Ok(Thing::Manager),
            DnsResolverClient::ID => Ok(Thing::Resolver),
            TcpConnectAuthorityClient::ID => Ok(Thing::Connect(Rc::clone(scope))),
            TcpListenAuthorityClient::ID => Ok(Thing::Listen(Rc::clone(scope))),
            UdpAuthorityClient::ID => Ok(Thing::Udp(Rc::clone(scope))),
            _ => Err(ExceptionCode::Unsupported.into()),
        }
    }
}

/// A scope for less.
pub fn narrow(wide: &Scope, text: &str) -> Result<Rc<Scope>, Exception> {
    let scope = Scope::parse(text).map_err(|_| ExceptionCode::InvalidArgument)?;
    if scope.is_within(wide) { Ok(Rc::new(scope)) } else { Err(ExceptionCode::Denied.into()) }
}

/// An address as two words say it.
pub fn address(high: u64, low: u64) -> IpAddr {
    let address = Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low));
    address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4)
}

/// The same, with a port.
pub fn end(high: u64, low: u64, port: u16) -> SocketAddr {
    SocketAddr::new(address(high, low), port)
}

/// An address as two words.
pub fn words(address: IpAddr) -> (u64, u64) {
    let bits = match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    };
    ((bits >> 64) as u64, bits as u64)
}

#[cfg(test)]
mod tests {
    use super::{address, words};

    #[test]
    fn addresses_are_two_words() {
        for text in ["10.1.2.3", "::1", "2001:db8::7", "255.255.255.255"] {
            let it = text.parse().unwrap();
            let (high, low) = words(it);
            assert_eq!(address(high, low), it);
        }
    }
}
