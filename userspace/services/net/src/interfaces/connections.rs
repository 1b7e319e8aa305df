//! `TcpListener` and `TcpSocket`.

use super::Socket;
use crate::facets::{Connection, Port, Thing, words};
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use capos_net::stack::{Ends, Fate, FlowId, Read, Written};
use kit::memory::{INLINE, Memory};
use rt::generated::tcp_listener::{AcceptAnswer, TcpListenerServer};
use rt::generated::tcp_socket::TcpSocketServer;
use rt::generated::{MemoryObjectClient, TcpSocketClient};
use rt::schema::network::TcpFate;
use rt::schema::tcp_socket::EndsResults;
use rt::{CallContext, Exception, ExceptionCode};

/// Most bytes that one call moves.
const MOST: u32 = 1 << 20;

const fn fate(fate: Fate) -> TcpFate {
    match fate {
        Fate::Reset => TcpFate::Reset,
        Fate::TimedOut => TcpFate::Silent,
        Fate::Unreachable => TcpFate::Unreachable,
    }
}

impl TcpListenerServer for Socket<Port> {
    async fn accept(&self, cx: &CallContext) -> Result<AcceptAnswer, Exception> {
        loop {
            let id = self.server.net.until(|stack, waker| stack.accept(self.on.id, waker)).await?;
            let Some(Ends { remote, .. }) = self.server.net.with(|stack| stack.ends(id)).flatten() else {
                // It is gone already.
                self.leave(id);
                continue;
            };
            // Its port is ours here: what is in the scope is from whom, and to which.
            if !self.on.scope.has(core::net::SocketAddr::new(remote.ip(), self.on.port)) {
                self.server.net.work(|stack| stack.break_off(id))?;
                continue;
            }
            let thing = Thing::Socket(Rc::new(Connection { id, memory: Memory::default() }));
            let facet = self.server.facets.mint::<TcpSocketClient>(cx, thing);
            let socket = facet.inspect_err(|_| self.leave(id))?;
            let (high, low) = words(remote.ip());
            return Ok(AcceptAnswer { socket: socket.into(), high, low, port: remote.port() });
        }
    }
}

impl<T> Socket<T> {
    fn leave(&self, id: FlowId) {
        // It was there a moment ago.
        let _ = self.server.net.work(|stack| stack.leave(id));
    }
}

impl Socket<Connection> {
    /// Reads into `into` as soon as there is something.
    async fn take(&self, into: &mut [u8]) -> Result<usize, Exception> {
        if into.is_empty() {
            return Ok(0);
        }
        let read = self.server.net.until(|stack, waker| match stack.read(self.on.id, into, waker) {
            Read::Nothing => None,
            other => Some(other),
        });
        match read.await? {
            Read::Bytes(count) => Ok(count),
            Read::Nothing | Read::End => Err(ExceptionCode::EndOfStream.into()),
            Read::Failed(_) => Err(ExceptionCode::Failed.into()),
        }
    }

    async fn put(&self, bytes: &[u8]) -> Result<(), Exception> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = self.server.net.until(|stack, waker| match stack.write(self.on.id, rest, waker) {
                Written::Nothing => None,
                other => Some(other),
            });
            match written.await? {
                Written::Bytes(count) => rest = rest.get(count..).unwrap_or_default(),
                Written::Nothing => {}
                Written::Closed => return Err(ExceptionCode::WrongState.into()),
                Written::Failed(_) => return Err(ExceptionCode::Failed.into()),
            }
        }
        Ok(())
    }
}

impl TcpSocketServer for Socket<Connection> {
    async fn opened(&self, _cx: &CallContext) -> Result<TcpFate, Exception> {
        self.server
            .net
            .until(|stack, waker| match stack.is_open(self.on.id, waker) {
                Some(Ok(false)) => None,
                Some(Ok(true)) => Some(TcpFate::Open),
                Some(Err(how)) => Some(fate(how)),
                None => Some(TcpFate::Reset),
            })
            .await
    }

    async fn ends(&self, _cx: &CallContext) -> Result<EndsResults, Exception> {
        let ends = self.server.net.with(|stack| stack.ends(self.on.id)).flatten();
        let Ends { local, remote } = ends.ok_or(ExceptionCode::NotFound)?;
        let ((local_high, local_low), (peer_high, peer_low)) = (words(local.ip()), words(remote.ip()));
        let (local_port, peer_port) = (local.port(), remote.port());
        Ok(EndsResults { local_high, local_low, local_port, peer_high, peer_low, peer_port })
    }

    async fn read(&self, _cx: &CallContext, max: u32) -> Result<Vec<u8>, Exception> {
        let mut bytes = vec![0; max.min(INLINE) as usize];
        let count = self.take(&mut bytes).await?;
        bytes.truncate(count);
        Ok(bytes)
    }

    async fn write(&self, _cx: &CallContext, data: &[u8]) -> Result<(), Exception> {
        self.put(data).await
    }

    async fn attach(&self, _cx: &CallContext, memory: MemoryObjectClient) -> Result<(), Exception> {
        self.on.memory.attach(&memory)
    }

    async fn read_into(&self, _cx: &CallContext, at: u64, length: u32) -> Result<u32, Exception> {
        self.on.memory.read_into(at, length.min(MOST), async |into| self.take(into).await).await
    }

    async fn write_from(&self, _cx: &CallContext, at: u64, length: u32) -> Result<(), Exception> {
        let bytes = self.on.memory.bytes(at, length)?;
        self.put(&bytes).await
    }

    async fn shutdown(&self, _cx: &CallContext) -> Result<(), Exception> {
        self.server.net.work(|stack| stack.shut(self.on.id))
    }

    async fn flush(&self, _cx: &CallContext) -> Result<(), Exception> {
        let flushed = self.server.net.until(|stack, waker| match stack.unacknowledged(self.on.id, waker) {
            Ok(0) => Some(Ok(())),
            Ok(_) => None,
            Err(how) => Some(Err(how)),
        });
        flushed.await?.map_err(|_| ExceptionCode::Failed.into())
    }
}
