//! The network: servers that a host asks, each answer from the frame that comes to the frame that goes.

use crate::measure::{self, Bench};
use alloc::vec::Vec;
use probe::{Fields, options};
use rt::generated::{
    NetworkManagerClient, TcpListenAuthorityClient, TcpListenerClient, TcpSocketClient, UdpAuthorityClient,
};
use rt::region::Region;
use rt::schema::virtual_memory::Protection;
use rt::threads::memory;
use rt::{CallError, Env, ExceptionCode, block_on};

/// Samples, and what each of them has of the same; one more comes first.
const SAMPLES: u64 = 16;
const ANSWERS: u64 = 64;

/// Bytes of a sample that moves many, and of one call.
const BULK: u64 = 1 << 20;
const CHUNK: u32 = 64 * 1024;

/// Room in each direction of a connection.
const ROOM: u32 = 256 * 1024;

/// Bytes of a datagram.
const DATAGRAM: usize = 64;

/// The network.
pub struct Network {
    manager: NetworkManagerClient,
    listen: TcpListenAuthorityClient,
    udp: UdpAuthorityClient,
}

/// Ports, as those of the anchors.
const SINK: u16 = 5001;
const SOURCE: u16 = 5002;
const ECHO: u16 = 5003;
const DATAGRAMS: u16 = 5004;

impl Network {
    /// If this is about that.
    pub fn wanted(env: &mut Env) -> Option<Network> {
        options::text(env, "network")?;
        Some(Network {
            manager: env.client("network").ok()?,
            listen: env.client("listen").ok()?,
            udp: env.client("udp").ok()?,
        })
    }

    /// All figures of it.
    pub fn measure(&self, bench: &Bench) -> Result<(), CallError> {
        block_on(self.all(bench))
    }

    async fn all(&self, bench: &Bench) -> Result<(), CallError> {
        let mut seen = 0;
        while self.manager.router(0).await.is_err() {
            seen = self.manager.status(seen).await?.changes;
        }
        let sink = self.listener(SINK).await?;
        let source = self.listener(SOURCE).await?;
        let echo = self.listener(ECHO).await?;
        let datagrams = self.udp.bind(DATAGRAMS, ROOM, ROOM).await?.socket;
        bench.report.event("net.ready", Fields::new());
        let socket = echo.accept().await?.socket;
        for _ in 0..=SAMPLES {
            let region = measure::Region::start();
            for _ in 0..ANSWERS {
                let byte = socket.read(1).await?;
                socket.write(&byte).await?;
            }
            let _ = region.stop();
        }
        bench.tell_counted("net.tcp_rr.1B", bench.cost(0, ANSWERS));
        let mut is_whole = true;
        for _ in 0..=SAMPLES {
            let region = measure::Region::start();
            for _ in 0..ANSWERS {
                let came = datagrams.receive().await?;
                is_whole &= came.data.len() == DATAGRAM;
                datagrams.send(came.high, came.low, came.port, &came.data).await?;
            }
            let _ = region.stop();
        }
        bench.report.check("datagrams", is_whole, "not all have their length");
        bench.tell_counted("net.udp_echo.64B", bench.cost(0, ANSWERS));
        self.bulk(bench, &sink, &source).await
    }

    async fn listener(&self, port: u16) -> Result<TcpListenerClient, CallError> {
        Ok(self.listen.listen(port, 8, ROOM, ROOM).await?.listener)
    }

    async fn bulk(
        &self,
        bench: &Bench,
        sink: &TcpListenerClient,
        source: &TcpListenerClient,
    ) -> Result<(), CallError> {
        let socket = sink.accept().await?.socket;
        let _memory = attach(&socket).await?;
        for _ in 0..SAMPLES {
            let region = measure::Region::start();
            let mut came = 0;
            while came < BULK {
                came += u64::from(socket.read_into(0, CHUNK.min((BULK - came) as u32)).await?);
            }
            let _ = region.stop();
        }
        let over = socket.read(1).await;
        let is_over = over.is_err_and(|error| error.exception() == Some(ExceptionCode::EndOfStream));
        bench.report.check("the end of what came", is_over, "there is more");
        drop(socket);
        bench.tell_counted("net.tcp_rx", bench.cost(0, BULK));
        let socket = source.accept().await?.socket;
        let memory = attach(&socket).await?;
        // What the other side compares it with begins anew after so many bytes.
        let pattern: Vec<u8> =
            (0..CHUNK).map(|at| (at.wrapping_mul(31).wrapping_add(at >> 8)) as u8).collect();
        memory.write(0, &pattern);
        let mut line = Vec::new();
        while !line.contains(&b'\n') {
            line.extend(socket.read(64).await?);
        }
        for _ in 0..SAMPLES {
            let region = measure::Region::start();
            for _ in 0..BULK / u64::from(CHUNK) {
                socket.write_from(0, CHUNK).await?;
            }
            let _ = region.stop();
        }
        socket.shutdown().await?;
        let _ = socket.read(1).await;
        bench.tell_counted("net.tcp_tx", bench.cost(0, BULK));
        Ok(())
    }
}

/// Memory for what one call moves.
async fn attach(socket: &TcpSocketClient) -> Result<Region, CallError> {
    let object = memory().create_object(CHUNK.into()).await?;
    socket.attach(&object).await?;
    Region::map(&object, 0, CHUNK.into(), Protection::ReadWrite)
}
