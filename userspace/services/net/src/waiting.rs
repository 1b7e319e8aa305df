//! Calls that wait for what comes: they are answered where it came, without a task for each.

use crate::facets::{Datagrams, words};
use crate::net::Net;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::rc::Rc;
use capos_net::stack::{FlowId, Read};
use core::cell::RefCell;
use kit::memory::INLINE;
use rt::schema::{Encode as _, tcp_socket, udp_socket};
use rt::{ExceptionCode, Request};

/// What somebody waits for.
pub enum Wanted {
    /// Bytes of a connection, up to so many.
    Bytes(u32),
    /// A datagram.
    Datagram(Rc<Datagrams>),
}

/// Calls by what they wait for, in the order in which they came.
#[derive(Default)]
pub struct Waiting(RefCell<BTreeMap<FlowId, VecDeque<(Request, Wanted)>>>);

impl Waiting {
    /// Answers a call, or keeps it until that can be done.
    #[inline]
    pub fn add(&self, net: &Net, id: FlowId, request: Request, wanted: Wanted) {
        let is_first = !self.0.borrow().contains_key(&id);
        let left = if is_first { satisfy(net, id, request, &wanted) } else { Some(request) };
        if let Some(request) = left {
            self.0.borrow_mut().entry(id).or_default().push_back((request.kept(), wanted));
            net.with(|stack| stack.watch(id));
        }
    }

    /// Answers those for whom something has come.
    #[inline]
    pub fn answer(&self, net: &Net) {
        while let Some(id) = net.with(|stack| stack.next_ready()).flatten() {
            let Some(mut calls) = self.0.borrow_mut().remove(&id) else { continue };
            while let Some((request, wanted)) = calls.pop_front() {
                if let Some(request) = satisfy(net, id, request, &wanted) {
                    calls.push_front((request, wanted));
                    break;
                }
            }
            if !calls.is_empty() {
                self.0.borrow_mut().insert(id, calls);
                net.with(|stack| stack.watch(id));
            }
        }
    }

    /// Nobody waits for that any more.
    pub fn forget(&self, id: FlowId) {
        self.0.borrow_mut().remove(&id);
    }
}

/// Answers, if there is something to answer; else gives the call back.
fn satisfy(net: &Net, id: FlowId, request: Request, wanted: &Wanted) -> Option<Request> {
    match wanted {
        Wanted::Bytes(max) => read(net, id, request, *max),
        Wanted::Datagram(socket) => receive(net, request, socket),
    }
}

fn read(net: &Net, id: FlowId, request: Request, max: u32) -> Option<Request> {
    let mut request = Some(request);
    let read = net.with(|stack| {
        stack.read_now(id, |bytes| {
            let data = bytes.get(..max as usize).unwrap_or(bytes);
            let data = data.get(..INLINE as usize).unwrap_or(data);
            if let Some(request) = request.take() {
                request.reply(|out| tcp_socket::ReadResults { data }.encode(out), &[]);
            }
            data.len()
        })
    });
    let failed = match read {
        Some(Read::Bytes(_)) => return None,
        Some(Read::Nothing) => return request,
        Some(Read::End) => ExceptionCode::EndOfStream,
        Some(Read::Failed(_)) | None => ExceptionCode::Failed,
    };
    if let Some(request) = request {
        request.fail(failed.into());
    }
    None
}

fn receive(net: &Net, request: Request, socket: &Datagrams) -> Option<Request> {
    let mut request = Some(request);
    while request.is_some() {
        let came = net.with(|stack| {
            stack.receive_with(socket.id, |came, bytes| {
                // Who is not in the scope is not heard.
                let call = if socket.scope.has(came.from) { request.take() } else { None };
                let Some(call) = call else { return };
                let (high, low) = words(came.from.ip());
                let data = bytes.get(..INLINE as usize).unwrap_or(bytes);
                let port = came.from.port();
                call.reply(|out| udp_socket::ReceiveResults { high, low, port, data }.encode(out), &[]);
            })
        });
        if came.flatten().is_none() {
            break;
        }
    }
    request
}
