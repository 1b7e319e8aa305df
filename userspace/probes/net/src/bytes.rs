//! Addresses as text, and bytes that anybody can compute.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::Ipv6Addr;

fn address(high: u64, low: u64) -> Ipv6Addr {
    Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low))
}

/// Whether it is of IPv4.
pub fn is_v4(high: u64, low: u64) -> bool {
    address(high, low).to_ipv4_mapped().is_some()
}

/// As people write it.
pub fn shown(high: u64, low: u64) -> String {
    let address = address(high, low);
    address.to_ipv4_mapped().map_or_else(|| address.to_string(), |v4| v4.to_string())
}

/// Those of the source from there on: byte `n` is `n * 31 + n / 256` of what fits in a byte.
pub fn pattern(from: u64, length: usize) -> Vec<u8> {
    (from..from + length as u64).map(|at| (at.wrapping_mul(31).wrapping_add(at >> 8)) as u8).collect()
}
