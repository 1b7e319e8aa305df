//! The network, as its stack sees it.

use crate::machine::{LIMIT, item};
use crate::{Trouble, shapes};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use capos_text::{Report, Value};
use core::net::Ipv6Addr;
use rt::generated::NetworkManagerClient;

pub(crate) async fn all(network: &NetworkManagerClient) -> Result<Vec<Report>, Trouble> {
    let known = network.status(0).await?;
    let counted = network.statistics().await?;
    let numbers =
        [counted.received, counted.received_bytes, counted.sent, counted.sent_bytes, counted.dropped];
    let open = [counted.sessions, counted.sockets].map(Value::number);
    let state = [
        Value::Flag(known.up),
        Value::Text(mac(known.mac)),
        Value::number(known.mtu),
        Value::Flag(known.dhcp),
    ];
    let row = state.into_iter().chain(numbers.map(Value::number)).chain(open);
    let network_report = shapes::NETWORK.of_one(row);
    let mut addresses = shapes::NETWORK_ADDRESS.report();
    for index in 0..LIMIT {
        let Some(found) = item(network.address(index).await)? else { break };
        let text = format!("{}/{}", address(found.high, found.low), found.prefix);
        addresses.row([Value::text("address"), Value::Text(text)]);
    }
    for index in 0..LIMIT {
        let Some(found) = item(network.router(index).await)? else { break };
        addresses.row([Value::text("router"), Value::Text(address(found.high, found.low))]);
    }
    for index in 0..LIMIT {
        let Some(found) = item(network.name_server(index).await)? else { break };
        addresses.row([Value::text("name server"), Value::Text(address(found.high, found.low))]);
    }
    Ok(alloc::vec![network_report, addresses])
}

/// Six bytes, the first one highest; nothing while there is no adapter.
fn mac(mac: u64) -> String {
    if mac == 0 {
        return String::new();
    }
    let [_, _, bytes @ ..] = mac.to_be_bytes();
    bytes.map(|byte| format!("{byte:02x}")).join(":")
}

/// As people write it: those of IPv4 with dots.
fn address(high: u64, low: u64) -> String {
    let address = Ipv6Addr::from(u128::from(high) << 64 | u128::from(low));
    address.to_ipv4_mapped().map_or_else(|| format!("{address}"), |mapped| format!("{mapped}"))
}

#[cfg(test)]
mod tests {
    use super::{address, mac};

    #[test]
    fn addresses_as_people_write_them() {
        assert_eq!(address(0, 0xffff_0a00_020f), "10.0.2.15");
        assert_eq!(address(0xfe80 << 48, 1), "fe80::1");
        assert_eq!((mac(0x5254_0012_3456).as_str(), mac(0).as_str()), ("52:54:00:12:34:56", ""));
    }
}
