//! Where probes report: one JSON object per line on the port that the lab listens to, never on COM1.
//!
//! Holds two port ranges, recognised by their base: the event port and the port that ends the run. Before it ends one it has the kernel go
//! over the ledger of devices, which is all that it looks at. Who reports
//! is known from the badge; `--client=NUMBER:NAME` arguments, which init puts in for `--clients`, give the numbers names.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod event;
mod ledger;

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::cell::Cell;
use rt::generated::test_port::{TestPortServer, serve_test_port};
use rt::generated::{IoPortClient, SystemInfoClient};
use rt::serve::{Event, now, run_blocking};
use rt::{CallContext, Client, Env, Exception, ExceptionCode, log};

rt::main!(run);

/// First port of the range that events go to.
const EVENTS: u16 = 0xe9;
/// First port of the range that ends the run.
const EXIT: u16 = 0xf4;
/// Bytes of one port call.
const CHUNK: usize = 1024;

fn run(mut env: Env) -> i64 {
    let system = env.client::<SystemInfoClient>("system").ok();
    let mut port = Port { events: None, exit: None, system, names: names(&env), sequence: Cell::new(0) };
    let ranges = env.granted().filter(|granted| granted.interface == IoPortClient::ID);
    for granted in ranges {
        let Ok(ports) = env.take(granted).map(IoPortClient::from) else { continue };
        match ports.info_blocking().map(|info| info.base) {
            Ok(EVENTS) => port.events = Some(ports),
            Ok(EXIT) => port.exit = Some(ports),
            _ => log::warn(format_args!("`{}` is neither the event nor the exit port", granted.name)),
        }
    }
    let endpoint = match env.cap("serve") {
        Ok(endpoint) => endpoint,
        Err(error) => {
            log::error(format_args!("{error}"));
            return 1;
        }
    };
    let error = run_blocking(&endpoint, |event| {
        if let Event::Call(request) = event {
            now(serve_test_port(&port, request));
        }
    });
    log::error(format_args!("{error}"));
    1
}

/// Names of clients by number.
fn names(env: &Env) -> BTreeMap<u32, String> {
    let pairs = env.args().filter_map(|arg| arg.strip_prefix("--client=")?.split_once(':'));
    pairs.filter_map(|(number, name)| Some((number.parse().ok()?, String::from(name)))).collect()
}

struct Port {
    events: Option<IoPortClient>,
    exit: Option<IoPortClient>,
    system: Option<SystemInfoClient>,
    names: BTreeMap<u32, String>,
    sequence: Cell<u64>,
}

impl Port {
    fn write(&self, who: &str, name: &str, fields: &str) -> Result<(), Exception> {
        let ports = self.events.as_ref().ok_or(ExceptionCode::Unsupported)?;
        let sequence = self.sequence.get() + 1;
        let line = event::line(sequence, who, name, fields).ok_or_else(|| {
            Exception::new(ExceptionCode::Malformed, "fields are not one line of a JSON object")
        })?;
        self.sequence.set(sequence);
        for chunk in line.as_bytes().chunks(CHUNK) {
            ports.write_bytes_blocking(0, chunk).map_err(device)?;
        }
        Ok(())
    }

    fn name(&self, badge: u64) -> String {
        let number = badge as u32;
        self.names.get(&number).cloned().unwrap_or_else(|| alloc::format!("client-{number}"))
    }
}

/// The port itself failed; the caller can not help it.
fn device(error: impl core::fmt::Display) -> Exception {
    Exception::new(ExceptionCode::DeviceFault, &alloc::format!("{error}"))
}

impl TestPortServer for Port {
    async fn event(&self, cx: &CallContext, name: &str, fields: &str) -> Result<(), Exception> {
        self.write(&self.name(cx.badge()), name, fields)
    }

    async fn finish(&self, _cx: &CallContext, code: u8) -> Result<(), Exception> {
        // Who misses the event fails the run.
        if let Some(fields) = self.system.as_ref().and_then(|system| ledger::audit(system).ok()) {
            self.write("testport", "ledger", &fields)?;
        }
        let ports = self.exit.as_ref().ok_or(ExceptionCode::Unsupported)?;
        ports.write8_blocking(0, code).map_err(device)
    }
}
