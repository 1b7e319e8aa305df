//! `UdpSocket`.

use super::Socket;
use crate::facets::{Datagrams, end, words};
use alloc::vec;
use alloc::vec::Vec;
use capos_net::stack::SendError;
use kit::memory::INLINE;
use rt::generated::udp_socket::{ReceiveReply, UdpSocketServer};
use rt::{CallContext, Exception, ExceptionCode};

impl UdpSocketServer for Socket<Datagrams> {
    async fn send(
        &self,
        _cx: &CallContext,
        high: u64,
        low: u64,
        port: u16,
        data: &[u8],
    ) -> Result<(), Exception> {
        let to = end(high, low, port);
        if !self.on.scope.has(to) {
            return Err(ExceptionCode::Denied.into());
        }
        let sent =
            self.server.net.until(|stack, waker| match stack.send_datagram(self.on.id, to, data, waker) {
                Ok(true) => Some(Ok(())),
                Ok(false) => None,
                Err(error) => Some(Err(error)),
            });
        sent.await?.map_err(|error| match error {
            SendError::TooLong => ExceptionCode::InvalidArgument.into(),
            SendError::Unreachable => ExceptionCode::NotFound.into(),
            SendError::Gone => ExceptionCode::WrongState.into(),
        })
    }

    async fn receive(&self, _cx: &CallContext) -> Result<ReceiveReply, Exception> {
        let mut data: Vec<u8> = vec![0; INLINE as usize];
        let net = &self.server.net;
        let came = net.until(|stack, waker| {
            let mut came = stack.receive_datagram(self.on.id, &mut data, waker);
            // Who is not in the scope is not heard.
            while came.is_some_and(|it| !self.on.scope.has(it.from)) {
                came = stack.receive_datagram(self.on.id, &mut data, waker);
            }
            came
        });
        let came = came.await?;
        data.truncate(came.length);
        let (high, low) = words(came.from.ip());
        Ok(ReceiveReply { high, low, port: came.from.port(), data })
    }
}
