//! Who is served what.

use crate::config::Export;
use crate::facets::{Connection, Datagrams, Thing, end};
use crate::interfaces::{Authority, Socket};
use crate::net::Net;
use crate::resolver::Resolver;
use crate::waiting::Wanted;
use alloc::rc::Rc;
use alloc::vec::Vec;
use capos_net::stack::Stack;
use core::task::Waker;
use kit::facets::Facets;
use kit::service::{Handler, export_of};
use rt::generated::dns_resolver::serve_dns_resolver;
use rt::generated::network_manager::serve_network_manager;
use rt::generated::tcp_connect_authority::serve_tcp_connect_authority;
use rt::generated::tcp_listen_authority::serve_tcp_listen_authority;
use rt::generated::tcp_listener::serve_tcp_listener;
use rt::generated::tcp_socket::serve_tcp_socket;
use rt::generated::udp_authority::serve_udp_authority;
use rt::generated::udp_socket::serve_udp_socket;
use rt::schema::{Decode as _, Empty, Encode as _, tcp_socket, udp_socket};
use rt::{Exception, Request, Signal};

/// Facets at a time, of all clients, and of one.
const FACETS: usize = 16_384;
const EACH: usize = 4096;

/// The service.
pub struct Server {
    /// The stack.
    pub net: Rc<Net>,
    /// Who knows names.
    pub resolver: Resolver,
    /// What capabilities stand for.
    pub facets: Facets<Thing>,
    exports: Vec<Export>,
    /// Pings under way, of all clients.
    pub pings: core::cell::Cell<usize>,
    /// A ping is over.
    pub pinged: Signal,
}

impl Server {
    /// Of that stack.
    pub fn new(net: Rc<Net>, exports: Vec<Export>) -> Server {
        let resolver = Resolver::new(Rc::clone(&net));
        let (pings, pinged) = Default::default();
        Server { net, resolver, facets: Facets::new(FACETS, EACH), exports, pings, pinged }
    }

    /// What is called through a badge.
    fn called(&self, badge: u64) -> Result<Thing, Exception> {
        if let Some(thing) = self.facets.find(badge)? {
            return Ok(thing);
        }
        let export = self.exports.get(export_of(badge) as usize);
        let export = export.ok_or(rt::ExceptionCode::Unsupported)?;
        Thing::of_export(export.interface, &export.scope)
    }
}

impl Server {
    /// Answers what needs no more than what is in memory, or will when something comes; else gives the call back.
    fn move_bytes(&self, on: &Connection, request: Request) -> Option<Request> {
        match request.method() {
            tcp_socket::READ => {
                let params =
                    tcp_socket::ReadParams::decode(request.bytes()).ok().filter(|params| params.max > 0);
                let Some(params) = params else { return Some(request) };
                self.net.waiting.add(&self.net, on.id, request, Wanted::Bytes(params.max));
                None
            }
            tcp_socket::WRITE => {
                let params = tcp_socket::WriteParams::decode(request.bytes());
                let is_taken = |data| self.net.with(|stack| stack.write_whole(on.id, data)) == Some(true);
                if !params.is_ok_and(|params| is_taken(params.data)) {
                    return Some(request);
                }
                request.reply(|out| Empty.encode(out), &[]);
                self.net.send();
                None
            }
            _ => Some(request),
        }
    }

    /// The same for datagrams.
    fn move_datagram(&self, on: Rc<Datagrams>, request: Request) -> Option<Request> {
        match request.method() {
            udp_socket::RECEIVE => {
                self.net.waiting.add(&self.net, on.id, request, Wanted::Datagram(Rc::clone(&on)));
                None
            }
            udp_socket::SEND => {
                let is_taken = |params: udp_socket::SendParams<'_>| {
                    let to = end(params.high, params.low, params.port);
                    let send = |stack: &mut Stack| stack.send_datagram(on.id, to, params.data, Waker::noop());
                    on.scope.has(to) && self.net.with(send) == Some(Ok(true))
                };
                if !udp_socket::SendParams::decode(request.bytes()).is_ok_and(is_taken) {
                    return Some(request);
                }
                request.reply(|out| Empty.encode(out), &[]);
                self.net.send();
                None
            }
            _ => Some(request),
        }
    }
}

impl Handler for Server {
    async fn call(self: Rc<Self>, request: Request) {
        match self.called(request.context().badge()) {
            Ok(Thing::Manager) => serve_network_manager(&*self, request).await,
            Ok(Thing::Resolver) => serve_dns_resolver(&*self, request).await,
            Ok(Thing::Connect(scope)) => {
                serve_tcp_connect_authority(&Authority { server: self, scope }, request).await
            }
            Ok(Thing::Listen(scope)) => {
                serve_tcp_listen_authority(&Authority { server: self, scope }, request).await
            }
            Ok(Thing::Udp(scope)) => serve_udp_authority(&Authority { server: self, scope }, request).await,
            Ok(Thing::Listener(on)) => serve_tcp_listener(&Socket { server: self, on }, request).await,
            Ok(Thing::Socket(on)) => serve_tcp_socket(&Socket { server: self, on }, request).await,
            Ok(Thing::Datagrams(on)) => serve_udp_socket(&Socket { server: self, on }, request).await,
            Err(exception) => request.fail(exception),
        }
    }

    fn at_once(&self, request: Request) -> Option<Request> {
        match self.facets.find(request.context().badge()) {
            Ok(Some(Thing::Socket(on))) => self.move_bytes(&on, request),
            Ok(Some(Thing::Datagrams(on))) => self.move_datagram(on, request),
            _ => Some(request),
        }
    }

    fn may_wait(&self, _request: &Request) -> bool {
        // Almost everything waits for somebody elsewhere.
        true
    }

    fn gone(&self, badge: u64) {
        let net = &self.net;
        let left = match self.facets.gone(badge) {
            Some(Thing::Listener(port)) => net.work(|stack| stack.stop_listening(port.id)),
            Some(Thing::Socket(connection)) => {
                net.waiting.forget(connection.id);
                net.work(|stack| stack.leave(connection.id))
            }
            Some(Thing::Datagrams(socket)) => {
                net.waiting.forget(socket.id);
                net.work(|stack| stack.unbind(socket.id))
            }
            _ => return,
        };
        // Without a stack there was nothing to leave.
        drop(left);
    }
}
