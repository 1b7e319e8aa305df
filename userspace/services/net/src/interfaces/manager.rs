//! `NetworkManager` and `DnsResolver`.

use crate::facets::{address, words};
use crate::server::Server;
use alloc::vec::Vec;
use capos_net::stack::{FlowId, Stack};
use core::net::IpAddr;
use rt::generated::dns_resolver::DnsResolverServer;
use rt::generated::network_manager::NetworkManagerServer;
use rt::schema::network_manager::{
    AddressResults, NameServerResults, RouterResults, StatisticsResults, StatusResults,
};
use rt::{CallContext, Either, Exception, ExceptionCode, select};

/// Pings at a time.
const PINGS: usize = 16;

/// What a ping carries at most, and how long one waits.
const LONGEST: u32 = 8192;
const PATIENCE_NS: u64 = 60_000_000_000;

/// A socket that is closed, whatever becomes of who had it.
struct Pinging<'a>(&'a Server, FlowId);

impl Drop for Pinging<'_> {
    fn drop(&mut self) {
        self.0.net.with(|stack| stack.unbind(self.1));
        self.0.pings.set(self.0.pings.get() - 1);
        self.0.pinged.notify();
    }
}

impl Server {
    fn nth<T>(&self, index: u32, list: impl FnOnce(&Stack) -> Vec<T>) -> Result<T, Exception> {
        let list = self.net.with(|stack| list(stack)).unwrap_or_default();
        list.into_iter().nth(index as usize).ok_or_else(|| ExceptionCode::NotFound.into())
    }

    async fn pinging(&self) -> Result<Pinging<'_>, Exception> {
        while self.pings.get() >= PINGS {
            self.pinged.wait().await;
        }
        let id = self.net.work(Stack::open_echo)?.ok_or(ExceptionCode::BudgetExhausted)?;
        self.pings.set(self.pings.get() + 1);
        Ok(Pinging(self, id))
    }
}

impl NetworkManagerServer for Server {
    async fn status(&self, _cx: &CallContext, seen: u32) -> Result<StatusResults, Exception> {
        while self.net.changes() == seen {
            self.net.news.wait().await;
        }
        let (mac, mtu) = self.net.adapter().map_or((0, 0), |adapter| {
            let [a, b, c, d, e, f] = adapter.mac;
            (u64::from_be_bytes([0, 0, a, b, c, d, e, f]), adapter.mtu)
        });
        let (up, dhcp) = (self.net.is_up.get(), self.net.uses_dhcp());
        Ok(StatusResults { changes: self.net.changes(), up, mac, mtu, dhcp })
    }

    async fn address(&self, _cx: &CallContext, index: u32) -> Result<AddressResults, Exception> {
        let (address, prefix) = self.nth(index, |stack| stack.addresses().collect())?;
        let (high, low) = words(address);
        Ok(AddressResults { high, low, prefix })
    }

    async fn router(&self, _cx: &CallContext, index: u32) -> Result<RouterResults, Exception> {
        let (high, low) = words(self.nth(index, |stack| stack.routers().collect())?);
        Ok(RouterResults { high, low })
    }

    async fn name_server(&self, _cx: &CallContext, index: u32) -> Result<NameServerResults, Exception> {
        let (high, low) = words(self.nth(index, Stack::name_servers)?);
        Ok(NameServerResults { high, low })
    }

    async fn statistics(&self, _cx: &CallContext) -> Result<StatisticsResults, Exception> {
        let counts = self.net.counts.get();
        Ok(StatisticsResults {
            received: counts.received.0,
            received_bytes: counts.received.1,
            sent: counts.sent.0,
            sent_bytes: counts.sent.1,
            dropped: counts.dropped,
            sessions: counts.sessions,
            sockets: self.net.with(|stack| stack.sockets()).unwrap_or(0) as u32,
        })
    }

    async fn ping(
        &self,
        _cx: &CallContext,
        high: u64,
        low: u64,
        length: u32,
        timeout_ns: u64,
    ) -> Result<u64, Exception> {
        if length > LONGEST {
            return Err(ExceptionCode::InvalidArgument.into());
        }
        let (to, net) = (address(high, low), &self.net);
        let pinging = self.pinging().await?;
        let now = || net.clock.now().map_err(|_| Exception::from(ExceptionCode::Failed));
        let begun = now()?;
        let data: Vec<u8> = (0..length).map(|at| at as u8).collect();
        if !net.work(|stack| stack.ping(pinging.1, to, 1, &data))? {
            return Err(ExceptionCode::NotFound.into());
        }
        let end = net.clock.timer().sleep_until(begun.saturating_add(timeout_ns.min(PATIENCE_NS)));
        let pong = net.until(|stack, waker| {
            let pong = stack.pong(pinging.1, waker);
            pong.filter(|(from, _, came)| *came == length as usize && is_of(to, *from))
        });
        match select(pong, end).await {
            Either::First(pong) => pong.map(drop)?,
            Either::Second(_) => return Err(ExceptionCode::NotFound.into()),
        }
        Ok(now()?.saturating_sub(begun))
    }
}

/// Whether somebody may answer for that address: of several anybody.
fn is_of(to: IpAddr, from: IpAddr) -> bool {
    to == from || to.is_multicast() || matches!(to, IpAddr::V4(v4) if v4.is_broadcast())
}

impl DnsResolverServer for Server {
    async fn resolve(&self, _cx: &CallContext, name: &str) -> Result<Vec<u8>, Exception> {
        let addresses = self.resolver.resolve(name).await?;
        let octets = addresses.into_iter().flat_map(|address| {
            let (high, low) = words(address);
            [high.to_be_bytes(), low.to_be_bytes()].concat()
        });
        Ok(octets.collect())
    }
}
