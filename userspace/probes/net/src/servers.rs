//! The servers.

use crate::{Probe, bytes};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use probe::Fields;
use rt::generated::{TcpListenerClient, TcpSocketClient};
use rt::{CallError, spawn};

/// What is done with a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// What comes goes back.
    Echo,
    /// What comes is counted.
    Discard,
    /// As many bytes go out as a line asks for.
    Source,
    /// The probe is over.
    Quit,
}

/// What came of it.
#[derive(Default)]
pub struct Counts {
    opened: Cell<u64>,
    ended: Cell<u64>,
    broken: Cell<u64>,
    received: Cell<u64>,
    sent: Cell<u64>,
    datagrams: Cell<u64>,
}

fn add(count: &Cell<u64>, more: u64) {
    count.set(count.get() + more);
}

impl Counts {
    /// As fields.
    pub fn tell(&self, fields: Fields) -> Fields {
        let fields = fields.value("opened", self.opened.get()).value("ended", self.ended.get());
        let fields = fields.value("broken", self.broken.get()).value("bytes_in", self.received.get());
        fields.value("bytes_out", self.sent.get()).value("datagrams", self.datagrams.get())
    }
}

/// Connections that may wait.
const BACKLOG: u32 = 128;

/// Room in each direction of a connection that moves much, and of the others.
const MUCH: u32 = 256 * 1024;
const LITTLE: u32 = 4096;

/// Bytes that one call moves.
const CHUNK: u32 = 4000;

/// Listens, and serves whoever comes.
pub async fn listen(probe: &Rc<Probe>, kind: Kind, port: u16) -> Result<(), CallError> {
    let room = if kind == Kind::Echo { LITTLE } else { MUCH };
    let listener = probe.tcp.listen(port, BACKLOG, room, room).await?.listener;
    spawn(accept(Rc::clone(probe), kind, listener));
    Ok(())
}

async fn accept(probe: Rc<Probe>, kind: Kind, listener: TcpListenerClient) {
    while let Ok(accepted) = listener.accept().await {
        add(&probe.counts.opened, 1);
        let probe = Rc::clone(&probe);
        spawn(async move {
            let served = serve(&probe, kind, accepted.socket).await;
            add(if served.is_ok() { &probe.counts.ended } else { &probe.counts.broken }, 1);
        });
    }
}

/// The next bytes; none at the end.
async fn next(probe: &Probe, socket: &TcpSocketClient) -> Result<Vec<u8>, CallError> {
    match socket.read(CHUNK).await {
        Ok(bytes) => {
            add(&probe.counts.received, bytes.len() as u64);
            Ok(bytes)
        }
        Err(error) if error.exception() == Some(rt::ExceptionCode::EndOfStream) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

async fn serve(probe: &Probe, kind: Kind, socket: TcpSocketClient) -> Result<(), CallError> {
    match kind {
        Kind::Echo => loop {
            let bytes = next(probe, &socket).await?;
            if bytes.is_empty() {
                return socket.shutdown().await;
            }
            socket.write(&bytes).await?;
            add(&probe.counts.sent, bytes.len() as u64);
        },
        Kind::Discard => {
            while !next(probe, &socket).await?.is_empty() {}
            Ok(())
        }
        Kind::Source => source(probe, &socket).await,
        Kind::Quit => {
            probe.is_over.set(true);
            probe.over.notify();
            Ok(())
        }
    }
}

async fn source(probe: &Probe, socket: &TcpSocketClient) -> Result<(), CallError> {
    let mut line = Vec::new();
    while !line.contains(&b'\n') {
        let more = next(probe, socket).await?;
        if more.is_empty() || line.len() > 64 {
            return Ok(());
        }
        line.extend(more);
    }
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit());
    let wanted =
        digits.fold(0u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    let mut sent = 0;
    while sent < wanted {
        let length = (wanted - sent).min(CHUNK.into()) as usize;
        socket.write(&bytes::pattern(sent, length)).await?;
        sent += length as u64;
        add(&probe.counts.sent, length as u64);
    }
    socket.shutdown().await
}

/// Sends datagrams back.
pub async fn datagrams(probe: Rc<Probe>, port: u16) {
    let Ok(bound) = probe.udp.bind(port, MUCH, MUCH).await else { return };
    while let Ok(came) = bound.socket.receive().await {
        add(&probe.counts.datagrams, 1);
        // One that can not go back is lost, as datagrams may be.
        let _ = bound.socket.send(came.high, came.low, came.port, &came.data).await;
    }
}
