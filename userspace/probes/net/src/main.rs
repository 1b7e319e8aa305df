//! Servers of the old kind: echo (RFC 862, `--echo=PORT`, by TCP and UDP), discard (RFC 863, `--discard=PORT`) and one that writes as many bytes of a pattern
//! as it is asked for by a line (`--source=PORT`). A connection or a datagram to `--quit=PORT` ends it. A stack that dies is
//! followed by the next one.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod bytes;
mod servers;

use alloc::rc::Rc;
use alloc::sync::Arc;
use core::cell::Cell;
use core::sync::atomic::{AtomicI64, Ordering};
use probe::{Fields, Killer, Report, number};
use rt::generated::{NetworkManagerClient, TcpListenAuthorityClient, TimerClient, UdpAuthorityClient};
use rt::threads::{JoinHandle, WIDE, spawn_with};
use rt::{CallError, Env, EnvError, Signal, block_on, spawn};
use servers::{Counts, Kind, datagrams, listen};

rt::main!(run);

/// How long until it is looked whether there is a stack again, nanoseconds.
const PAUSE_NS: u64 = 50_000_000;

/// How long a stack may be missed, nanoseconds.
const SECOND_NS: u64 = 1_000_000_000;

/// Everything that servers use.
pub struct Probe {
    report: Report,
    manager: NetworkManagerClient,
    tcp: TcpListenAuthorityClient,
    udp: UdpAuthorityClient,
    timer: Rc<TimerClient>,
    counts: Counts,
    over: Signal,
    is_over: Cell<bool>,
}

/// As urgent as the process may be.
const PRIORITY: u8 = 5;

/// All is done on a thread that can wait for what a thousand connections bring.
fn run(env: Env) -> i64 {
    let code = Arc::new(AtomicI64::new(2));
    let told = Arc::clone(&code);
    let thread = spawn_with(WIDE, PRIORITY, move || told.store(work(env), Ordering::Relaxed));
    let _ = thread.map(JoinHandle::join);
    code.load(Ordering::Relaxed)
}

fn work(mut env: Env) -> i64 {
    match setup(&mut env) {
        Ok((probe, ports, killer)) => {
            let probe = Rc::new(probe);
            let done = block_on(all(&probe, ports, killer));
            if let Err(error) = &done {
                probe.report.check("the network", false, error);
            }
            probe.report.finish(u8::from(done.is_err()))
        }
        Err(_) => 2,
    }
}

type Ports = [(Kind, u16); 4];

fn setup(env: &mut Env) -> Result<(Probe, Ports, Option<Killer>), EnvError> {
    let port = |name| number(env, name, 0) as u16;
    let ports = [
        (Kind::Echo, port("echo")),
        (Kind::Discard, port("discard")),
        (Kind::Source, port("source")),
        (Kind::Quit, port("quit")),
    ];
    let timer = Rc::new(env.client::<TimerClient>("timer")?);
    let killer = Killer::of(env, Some(Rc::clone(&timer)))?;
    let probe = Probe {
        report: Report::new(env)?,
        manager: env.client("network")?,
        tcp: env.client("listen")?,
        udp: env.client("udp")?,
        timer,
        counts: Counts::default(),
        over: Signal::new(),
        is_over: Cell::new(false),
    };
    Ok((probe, ports, killer))
}

async fn all(probe: &Rc<Probe>, ports: Ports, killer: Option<Killer>) -> Result<(), CallError> {
    spawn(watch(Rc::clone(probe)));
    probe.addressed().await?;
    for (kind, port) in ports.into_iter().filter(|(_, port)| *port != 0) {
        listen(probe, kind, port).await?;
        if matches!(kind, Kind::Echo | Kind::Quit) {
            spawn(datagrams(Rc::clone(probe), kind, port));
        }
    }
    probe.report.event("net.listens", Fields::new());
    if let Some(mut killer) = killer {
        let probe = Rc::clone(probe);
        spawn(async move {
            let kills = killer.all().await;
            // By then everything goes on with whoever came after the last one.
            let _ = probe.timer.sleep_until(probe.now().saturating_add(SECOND_NS)).await;
            if let Some(kills) = probe.report.works("to kill", kills) {
                probe.report.event("net.killed", Fields::new().value("kills", kills));
            }
        });
    }
    while !probe.is_over.get() {
        probe.over.wait().await;
    }
    let statistics = probe.manager.statistics().await?;
    let fields = Fields::new().value("received", statistics.received).value("sent", statistics.sent);
    let fields = fields.value("dropped", statistics.dropped).value("sessions", statistics.sessions);
    probe.report.event("net.statistics", fields.value("sockets", statistics.sockets));
    probe.report.event("net.done", probe.counts.tell(Fields::new()));
    Ok(())
}

/// Tells of addresses.
async fn watch(probe: Rc<Probe>) {
    let mut seen = 0;
    loop {
        let Ok(status) = probe.manager.status(seen).await else {
            // The next stack counts anew.
            seen = 0;
            if probe.timer.sleep_until(probe.now().saturating_add(PAUSE_NS)).await.is_err() {
                return;
            }
            continue;
        };
        seen = status.changes;
        let mut index = 0;
        while let Ok(address) = probe.manager.address(index).await {
            let fields = Fields::new().text("address", &bytes::shown(address.high, address.low));
            probe
                .report
                .event("net.address", fields.value("prefix", address.prefix).value("dhcp", status.dhcp));
            index += 1;
        }
    }
}

impl Probe {
    fn quit(&self) {
        self.is_over.set(true);
        self.over.notify();
    }

    /// Nanoseconds since boot.
    fn now(&self) -> u64 {
        self.timer.now_blocking().unwrap_or(0)
    }

    /// Waits until there is an address of version 4.
    async fn addressed(&self) -> Result<(), CallError> {
        let mut seen = 0;
        loop {
            seen = self.manager.status(seen).await?.changes;
            if let Ok(first) = self.manager.address(0).await
                && bytes::is_v4(first.high, first.low)
            {
                return Ok(());
            }
        }
    }
}
