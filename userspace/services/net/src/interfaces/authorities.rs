//! `TcpConnectAuthority`, `TcpListenAuthority` and `UdpAuthority`.

use super::{Authority, rooms};
use crate::facets::{Connection, Datagrams, Port, Thing, end, narrow};
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use capos_net::stack::{ConnectError, FlowId};
use kit::memory::Memory;
use rt::generated::tcp_connect_authority::TcpConnectAuthorityServer;
use rt::generated::tcp_listen_authority::{ListenAnswer, TcpListenAuthorityServer};
use rt::generated::udp_authority::{BindAnswer, UdpAuthorityServer};
use rt::generated::{
    TcpConnectAuthorityClient, TcpListenAuthorityClient, TcpListenerClient, TcpSocketClient,
    UdpAuthorityClient, UdpSocketClient,
};
use rt::{CallContext, Client, Exception, ExceptionCode, Outgoing};

/// Ports from here on are anybody's.
const EPHEMERAL: u16 = 49152;

/// Connections that may wait at a port.
const BACKLOG: u32 = 1024;

impl Authority {
    fn narrowed<C: Client + Into<Outgoing>>(
        &self,
        cx: &CallContext,
        text: &str,
        thing: fn(Rc<capos_net::scope::Scope>) -> Thing,
    ) -> Result<Outgoing, Exception> {
        let facet: C = self.server.facets.mint(cx, thing(narrow(&self.scope, text)?))?;
        Ok(facet.into())
    }

    fn drop_flow(&self, id: FlowId) {
        self.server.net.with(|stack| stack.leave(id));
    }

    /// Whether that port of ours is in the scope, whoever comes to it.
    fn has_port(&self, port: u16) -> bool {
        self.scope.has_port(port)
    }
}

impl TcpConnectAuthorityServer for Authority {
    async fn connect(
        &self,
        cx: &CallContext,
        high: u64,
        low: u64,
        port: u16,
        receive: u32,
        send: u32,
    ) -> Result<Outgoing, Exception> {
        let to = end(high, low, port);
        if !self.scope.has(to) {
            return Err(ExceptionCode::Denied.into());
        }
        let id = self.server.net.work(|stack| stack.connect(to, rooms(receive, send)))?;
        let id = id.map_err(|error| match error {
            ConnectError::Unreachable => ExceptionCode::NotFound,
            ConnectError::NoPort | ConnectError::NoRoom => ExceptionCode::BudgetExhausted,
        })?;
        let thing = Thing::Socket(Rc::new(Connection { id, memory: Memory::default() }));
        let facet = self.server.facets.mint::<TcpSocketClient>(cx, thing);
        facet.map(Outgoing::from).inspect_err(|_| self.drop_flow(id))
    }

    async fn narrow(&self, cx: &CallContext, scope: &str) -> Result<Outgoing, Exception> {
        self.narrowed::<TcpConnectAuthorityClient>(cx, scope, Thing::Connect)
    }

    async fn scope(&self, _cx: &CallContext) -> Result<String, Exception> {
        Ok(self.scope.to_string())
    }
}

impl TcpListenAuthorityServer for Authority {
    async fn listen(
        &self,
        cx: &CallContext,
        port: u16,
        backlog: u32,
        receive: u32,
        send: u32,
    ) -> Result<ListenAnswer, Exception> {
        if !(1..=BACKLOG).contains(&backlog) {
            return Err(ExceptionCode::InvalidArgument.into());
        }
        let net = &self.server.net;
        let port = match port {
            0 => net.work(|stack| stack.any_port())?.ok_or(ExceptionCode::BudgetExhausted)?,
            port => port,
        };
        if !self.has_port(port) {
            return Err(ExceptionCode::Denied.into());
        }
        let id = net.work(|stack| stack.listen(port, rooms(receive, send), backlog as usize))?;
        let id = id.ok_or(ExceptionCode::Exists)?;
        let thing = Thing::Listener(Rc::new(Port { id, port, scope: Rc::clone(&self.scope) }));
        let facet = self.server.facets.mint::<TcpListenerClient>(cx, thing);
        let listener = facet.inspect_err(|_| _ = net.with(|stack| stack.stop_listening(id)))?;
        Ok(ListenAnswer { listener: listener.into(), port })
    }

    async fn narrow(&self, cx: &CallContext, scope: &str) -> Result<Outgoing, Exception> {
        self.narrowed::<TcpListenAuthorityClient>(cx, scope, Thing::Listen)
    }

    async fn scope(&self, _cx: &CallContext) -> Result<String, Exception> {
        Ok(self.scope.to_string())
    }
}

impl UdpAuthorityServer for Authority {
    async fn bind(
        &self,
        cx: &CallContext,
        port: u16,
        receive: u32,
        send: u32,
    ) -> Result<BindAnswer, Exception> {
        let net = &self.server.net;
        let port = match port {
            0 => net.work(|stack| stack.any_port())?.ok_or(ExceptionCode::BudgetExhausted)?,
            port => port,
        };
        if port < EPHEMERAL && !self.has_port(port) {
            return Err(ExceptionCode::Denied.into());
        }
        let id = net.work(|stack| stack.bind(port, rooms(receive, send)))?.ok_or(ExceptionCode::Exists)?;
        let thing = Thing::Datagrams(Rc::new(Datagrams { id, scope: Rc::clone(&self.scope) }));
        let facet = self.server.facets.mint::<UdpSocketClient>(cx, thing);
        let socket = facet.inspect_err(|_| _ = net.with(|stack| stack.unbind(id)))?;
        Ok(BindAnswer { socket: socket.into(), port })
    }

    async fn narrow(&self, cx: &CallContext, scope: &str) -> Result<Outgoing, Exception> {
        self.narrowed::<UdpAuthorityClient>(cx, scope, Thing::Udp)
    }

    async fn scope(&self, _cx: &CallContext) -> Result<String, Exception> {
        Ok(self.scope.to_string())
    }
}
