//! The servers.

use crate::{Probe, bytes};
use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use probe::Fields;
use rt::generated::{TcpListenerClient, TcpSocketClient};
use rt::threads::memory;
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
    /// How often a stack was lost, and how long it was missed at most, nanoseconds.
    lost: Cell<u64>,
    longest: Cell<u64>,
    /// Errors that say something else than that.
    strange: Cell<u64>,
}

fn add(count: &Cell<u64>, more: u64) {
    count.set(count.get() + more);
}

impl Counts {
    /// Whether that is no stack that is lost.
    fn is_strange(&self, error: &CallError) -> bool {
        let is_lost = error.is_disconnect();
        add(if is_lost { &self.lost } else { &self.strange }, 1);
        !is_lost
    }

    fn missed(&self, ns: u64) {
        self.longest.set(self.longest.get().max(ns));
    }

    /// As fields.
    pub fn tell(&self, fields: Fields) -> Fields {
        let fields = fields.value("opened", self.opened.get()).value("ended", self.ended.get());
        let fields = fields.value("broken", self.broken.get()).value("bytes_in", self.received.get());
        let fields = fields.value("bytes_out", self.sent.get()).value("datagrams", self.datagrams.get());
        let fields = fields.value("lost", self.lost.get()).value("strange", self.strange.get());
        fields.value("longest_ms", self.longest.get() / 1_000_000)
    }
}

/// Connections that may wait.
const BACKLOG: u32 = 128;

/// Room in each direction of a connection that moves much, and of the others.
const MUCH: u32 = 256 * 1024;
const LITTLE: u32 = 4096;

/// How often it is tried to listen with the next stack, and how long until the next time, nanoseconds.
const ATTEMPTS: u32 = 500;
const PAUSE_NS: u64 = 10_000_000;

/// Bytes that one call moves.
const CHUNK: u32 = 4000;

/// Listens, and serves whoever comes, also when the stack has died and there is the next one.
pub async fn listen(probe: &Rc<Probe>, kind: Kind, port: u16) -> Result<(), CallError> {
    let listener = begin(probe, kind, port).await?;
    spawn(accept(Rc::clone(probe), kind, port, listener));
    Ok(())
}

async fn begin(probe: &Probe, kind: Kind, port: u16) -> Result<TcpListenerClient, CallError> {
    let room = if kind == Kind::Echo { LITTLE } else { MUCH };
    Ok(probe.tcp.listen(port, BACKLOG, room, room).await?.listener)
}

async fn accept(probe: Rc<Probe>, kind: Kind, port: u16, mut listener: TcpListenerClient) {
    loop {
        match listener.accept().await {
            Ok(accepted) => {
                add(&probe.counts.opened, 1);
                let probe = Rc::clone(&probe);
                spawn(async move {
                    let served = serve(&probe, kind, accepted.socket).await;
                    add(if served.is_ok() { &probe.counts.ended } else { &probe.counts.broken }, 1);
                    if let Err(error) = served {
                        probe.report.event("net.broken", Fields::new().text("error", &format!("{error:?}")));
                    }
                });
            }
            Err(error) => {
                let lost = probe.now();
                if probe.counts.is_strange(&error) {
                    probe.report.event("net.strange", Fields::new().text("error", &format!("{error:?}")));
                }
                let Some(next) = again(&probe, kind, port).await else { return };
                probe.counts.missed(probe.now().saturating_sub(lost));
                listener = next;
            }
        }
    }
}

/// Listens with the next stack: as soon as there is one, it has its adapter, and nobody of the one before.
async fn again(probe: &Probe, kind: Kind, port: u16) -> Option<TcpListenerClient> {
    for _ in 0..ATTEMPTS {
        if let Ok(listener) = begin(probe, kind, port).await {
            return Some(listener);
        }
        let soon = probe.now().saturating_add(PAUSE_NS);
        probe.timer.sleep_until(soon).await.ok()?;
    }
    probe.report.check("to listen again", false, "it never worked");
    None
}

/// The next bytes; none at the end.
async fn next(probe: &Probe, socket: &TcpSocketClient) -> Result<Vec<u8>, CallError> {
    let bytes = until_end(socket.read(CHUNK).await)?;
    add(&probe.counts.received, bytes.len() as u64);
    Ok(bytes)
}

/// What was read; nothing at the end.
fn until_end<T: Default>(read: Result<T, CallError>) -> Result<T, CallError> {
    match read {
        Err(error) if error.exception() == Some(rt::ExceptionCode::EndOfStream) => Ok(T::default()),
        read => read,
    }
}

/// Sends back what comes, through memory of its own: reads of a thousand connections wait at a time, and each message would need room for the largest answer. Nobody here looks at the bytes.
async fn echo(probe: &Probe, socket: &TcpSocketClient) -> Result<(), CallError> {
    let room = memory().create_object(LITTLE.into()).await?;
    socket.attach(room).await?;
    loop {
        let count = until_end(socket.read_into(0, LITTLE).await)?;
        if count == 0 {
            return socket.shutdown().await;
        }
        add(&probe.counts.received, count.into());
        socket.write_from(0, count).await?;
        add(&probe.counts.sent, count.into());
    }
}

async fn serve(probe: &Probe, kind: Kind, socket: TcpSocketClient) -> Result<(), CallError> {
    match kind {
        Kind::Echo => echo(probe, &socket).await,
        Kind::Discard => {
            while !next(probe, &socket).await?.is_empty() {}
            Ok(())
        }
        Kind::Source => source(probe, &socket).await,
        Kind::Quit => {
            probe.quit();
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

/// Sends datagrams back, or is over with the first.
pub async fn datagrams(probe: Rc<Probe>, kind: Kind, port: u16) {
    let Ok(bound) = probe.udp.bind(port, MUCH, MUCH).await else { return };
    while let Ok(came) = bound.socket.receive().await {
        add(&probe.counts.datagrams, 1);
        if kind == Kind::Quit {
            probe.quit();
        } else {
            // One that can not go back is lost, as datagrams may be.
            let _ = bound.socket.send(came.high, came.low, came.port, &came.data).await;
        }
    }
}
