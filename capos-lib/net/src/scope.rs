//! Which addresses and ports somebody may use: what an authority is made of.
//!
//! `10.0.0.0/8:80-443`, `[2001:db8::]/32:53`, `192.0.2.7:22`, `*:123`: several with commas between. Nothing that is not named is in it.

use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::ops::RangeInclusive;

/// Addresses that begin alike.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Network {
    Any,
    Of(IpAddr, u8),
}

/// Addresses, and ports of each.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Rule {
    network: Network,
    ports: RangeInclusive<u16>,
}

/// Several of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scope(Vec<Rule>);

/// Why a text is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScopeError {
    /// There is nothing between two commas.
    Empty,
    /// There is no port behind the address.
    NoPort,
    /// A port that there is not, or a range that ends before it begins.
    Port,
    /// No address.
    Address,
    /// An address does not have so many bits, or has others behind them.
    Bits,
}

impl fmt::Display for ScopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ScopeError::Empty => "nothing is said between two commas",
            ScopeError::NoPort => "ports are missing, as in 10.0.0.0/8:80-443",
            ScopeError::Port => "there are no such ports",
            ScopeError::Address => "that is no address",
            ScopeError::Bits => "an address does not begin with so many bits, and nothing behind them",
        })
    }
}

impl core::error::Error for ScopeError {}

impl Network {
    fn parse(text: &str) -> Result<Network, ScopeError> {
        if text == "*" {
            return Ok(Network::Any);
        }
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address = match address.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').and_then(|v6| v6.parse::<Ipv6Addr>().ok()).map(IpAddr::V6),
            None => address.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        };
        let address = address.ok_or(ScopeError::Address)?;
        let most = width(address);
        let bits = bits.map_or(Ok(most), |bits| bits.parse::<u8>().map_err(|_| ScopeError::Bits))?;
        let is_whole = bits <= most && first_bits(address, bits) == number(address);
        is_whole.then_some(Network::Of(address, bits)).ok_or(ScopeError::Bits)
    }

    fn has(&self, address: IpAddr) -> bool {
        match *self {
            Network::Any => true,
            Network::Of(first, bits) => {
                first.is_ipv4() == address.is_ipv4() && first_bits(address, bits) == number(first)
            }
        }
    }

    fn is_within(&self, other: &Network) -> bool {
        match (*self, *other) {
            (_, Network::Any) => true,
            (Network::Any, Network::Of(..)) => false,
            (Network::Of(address, bits), Network::Of(_, fewer)) => bits >= fewer && other.has(address),
        }
    }
}

/// Bits of an address.
const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The address at the top of a number.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The same with zeros behind so many bits.
fn first_bits(address: IpAddr, bits: u8) -> u128 {
    let mask = u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0);
    number(address) & mask
}

impl Rule {
    fn parse(text: &str) -> Result<Rule, ScopeError> {
        if text.is_empty() {
            return Err(ScopeError::Empty);
        }
        // Behind the bracket of an address of version 6, which has colons.
        let (network, ports) = text.rsplit_once(':').ok_or(ScopeError::NoPort)?;
        if network.contains('[') && !network.contains(']') {
            return Err(ScopeError::NoPort);
        }
        let network = Network::parse(network)?;
        let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0).ok_or(ScopeError::Port);
        let ports = match ports.split_once('-') {
            _ if ports == "*" => 1..=u16::MAX,
            Some((first, last)) => port(first)?..=port(last)?,
            None => port(ports)?..=port(ports)?,
        };
        if ports.is_empty() { Err(ScopeError::Port) } else { Ok(Rule { network, ports }) }
    }

    fn has(&self, end: SocketAddr) -> bool {
        self.ports.contains(&end.port()) && self.network.has(end.ip())
    }

    fn is_within(&self, other: &Rule) -> bool {
        let ports = other.ports.contains(self.ports.start()) && other.ports.contains(self.ports.end());
        ports && self.network.is_within(&other.network)
    }
}

impl Scope {
    /// As it is written; an empty text is nothing at all.
    ///
    /// # Errors
    /// What is wrong with the first rule that is none.
    pub fn parse(text: &str) -> Result<Scope, ScopeError> {
        if text.is_empty() {
            return Ok(Scope::default());
        }
        text.split(',').map(|rule| Rule::parse(rule.trim())).collect::<Result<_, _>>().map(Scope)
    }

    /// Whether it names this end.
    pub fn has(&self, end: SocketAddr) -> bool {
        self.0.iter().any(|rule| rule.has(end))
    }

    /// Whether that port of any address at all is in it.
    pub fn has_port(&self, port: u16) -> bool {
        self.0.iter().any(|rule| rule.ports.contains(&port))
    }

    /// Whether each of its rules is within one of the other's: who has that may give this to somebody.
    pub fn is_within(&self, other: &Scope) -> bool {
        self.0.iter().all(|rule| other.0.iter().any(|wider| rule.is_within(wider)))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, Rule { network, ports }) in self.0.iter().enumerate() {
            f.write_str(if n == 0 { "" } else { "," })?;
            match network {
                Network::Any => f.write_str("*")?,
                Network::Of(IpAddr::V4(v4), 32) => v4.fmt(f)?,
                Network::Of(IpAddr::V4(v4), bits) => write!(f, "{v4}/{bits}")?,
                Network::Of(IpAddr::V6(v6), 128) => write!(f, "[{v6}]")?,
                Network::Of(IpAddr::V6(v6), bits) => write!(f, "[{v6}]/{bits}")?,
            }
            match (*ports.start(), *ports.end()) {
                (1, u16::MAX) => f.write_str(":*")?,
                (first, last) if first == last => write!(f, ":{first}")?,
                (first, last) => write!(f, ":{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Scope, ScopeError};
    use alloc::format;
    use alloc::string::ToString;
    use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
    use proptest::prelude::*;

    fn end(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_named_is_in_it_and_nothing_else() {
        let scope = Scope::parse("10.0.0.0/8:80-443, [2001:db8::]/32:53, 192.0.2.7:22,*:123").unwrap();
        let named = [
            "10.1.2.3:80",
            "10.255.0.1:443",
            "[2001:db8:1::7]:53",
            "192.0.2.7:22",
            "[::1]:123",
            "8.8.8.8:123",
        ];
        assert!(named.iter().all(|it| scope.has(end(it))));
        let others =
            ["10.1.2.3:79", "11.0.0.1:80", "[2001:db9::]:53", "192.0.2.8:22", "192.0.2.7:23", "[::1]:124"];
        assert!(others.iter().all(|it| !scope.has(end(it))));
        assert!(!Scope::parse("").unwrap().has(end("10.0.0.1:80")));
        assert!(!Scope::parse("0.0.0.0/0:*").unwrap().has(end("[::1]:80")), "not of the other kind");
    }

    #[test]
    fn nonsense_is_told() {
        use ScopeError::{Address, Bits, Empty, NoPort, Port};
        let cases = [
            (",", Empty),
            ("10.0.0.1:80,", Empty),
            ("10.0.0.1", NoPort),
            ("[::1]", NoPort),
            ("10.0.0.1:", Port),
            ("10.0.0.1:0", Port),
            ("10.0.0.1:9-8", Port),
            ("10.0.0.1:65536", Port),
            ("10.0.0:80", Address),
            ("::1:80", Address),
            ("[10.0.0.1]:80", Address),
            ("host:80", Address),
            ("10.0.0.1/8:80", Bits),
            ("10.0.0.0/33:80", Bits),
            ("[::]/129:80", Bits),
            ("10.0.0.0/:80", Bits),
            ("*/0:80", Address),
        ];
        for (text, error) in cases {
            assert_eq!(Scope::parse(text), Err(error), "{text}");
        }
    }

    fn address() -> impl Strategy<Value = IpAddr> {
        // Few bits, so that some begin alike.
        let v4 = (0u32..16, 0u8..29).prop_map(|(bits, at)| IpAddr::V4(Ipv4Addr::from_bits(bits << at)));
        let v6 = (0u128..16, 0u8..125).prop_map(|(bits, at)| IpAddr::V6(Ipv6Addr::from_bits(bits << at)));
        prop_oneof![v4, v6]
    }

    fn rule() -> impl Strategy<Value = alloc::string::String> {
        (address(), 0u8..=128, 1u16..20, 0u16..20).prop_map(|(address, bits, first, more)| {
            let ports = format!("{first}-{}", first + more);
            match address {
                IpAddr::V4(v4) => {
                    let bits = bits % 33;
                    let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                    format!("{}/{bits}:{ports}", Ipv4Addr::from_bits(v4.to_bits() & mask))
                }
                IpAddr::V6(v6) => {
                    let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                    format!("[{}]/{bits}:{ports}", Ipv6Addr::from_bits(v6.to_bits() & mask))
                }
            }
        })
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_again(rules in proptest::collection::vec(rule(), 0..5)) {
            let scope = Scope::parse(&rules.join(",")).unwrap();
            prop_assert_eq!(Scope::parse(&scope.to_string()), Ok(scope));
        }

        #[test]
        fn whoever_is_within_another_has_nothing_that_it_has_not(
            narrow in proptest::collection::vec(rule(), 0..3),
            wide in proptest::collection::vec(rule(), 0..3),
            ends in proptest::collection::vec((address(), 1u16..40), 20),
        ) {
            let (narrow, wide) = (Scope::parse(&narrow.join(",")).unwrap(), Scope::parse(&wide.join(",")).unwrap());
            prop_assert!(narrow.is_within(&narrow));
            if narrow.is_within(&wide) {
                for (address, port) in ends {
                    let end = SocketAddr::new(address, port);
                    prop_assert!(!narrow.has(end) || wide.has(end));
                }
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text: alloc::string::String) {
            let _ = Scope::parse(&text);
        }
    }
}
