//! Crash records, for people.

use super::services::{all, trouble};
use super::trace::table;
use crate::session::Session;
use crate::trouble::Trouble;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use capos_elf::Symbols;
use capos_restart::Crash;
use capos_text::{duration, symbol as plain};
use rt::ExceptionCode;
use rt::generated::{BootPackageClient, ServicesClient};

/// Registers on one line.
const ROW: usize = 3;

/// Bytes that one read of an object gives at most.
const READ: u64 = 4000;

/// A program that is larger is shown without symbols: it would not fit beside the shell.
const LARGEST: u64 = 8 << 20;

/// The record of a service's last fault, or of one before.
pub async fn show(session: &Session, name: &str, which: &str) -> Result<String, Trouble> {
    let services = session.held.client::<ServicesClient>("services")?;
    let index: u32 = which.parse().map_err(|_| Trouble::Say(format!("`{which}` is no number")))?;
    let reply = match services.crash(index, name).await {
        Ok(reply) => reply,
        Err(error)
            if error.exception() == Some(ExceptionCode::NotFound) && is_service(session, name).await =>
        {
            return Ok(match index {
                0 => format!("{name} has not crashed\n"),
                _ => format!("{name} left no record {index}\n"),
            });
        }
        Err(error) => return Err(trouble(session, name, error).await),
    };
    let crash = Crash::decode(&reply.record).ok_or_else(|| Trouble::say("the record is malformed"))?;
    let file = program(session, &crash.program).await;
    let symbols = file.as_deref().and_then(Symbols::of);
    Ok(text(name, &crash, |address| symbols.as_ref().and_then(|symbols| symbols.lookup(address))))
}

/// Whether there is a service of that name.
async fn is_service(session: &Session, name: &str) -> bool {
    all(session).await.unwrap_or_default().iter().any(|service| service.name == name)
}

/// The boot file that crashed, if this shell may read boot files. Its symbols are in it.
async fn program(session: &Session, name: &str) -> Option<Vec<u8>> {
    let boot = session.client::<BootPackageClient>("boot")?;
    let file = boot.open(name).await.ok()?;
    let mut bytes: Vec<u8> = Vec::new();
    while (bytes.len() as u64) < file.size.min(LARGEST) {
        let left = (file.size - bytes.len() as u64).min(READ) as u32;
        let part = file.object.read(bytes.len() as u64, left).await.ok()?;
        if part.is_empty() {
            break;
        }
        bytes.extend(part);
    }
    Some(bytes)
}

fn text<'a>(name: &str, crash: &Crash, symbol: impl Fn(u64) -> Option<(&'a str, u64)>) -> String {
    let mut out = format!("{name}: {}\n", crash.cause());
    out.push_str(&format!(
        "    instance {} (process {}, program {}, thread {}), {} after boot, error code {:#x}\n",
        crash.last.epoch,
        crash.last.process,
        crash.program,
        crash.thread,
        duration(crash.time_ns),
        crash.error_code,
    ));
    let place = |address: u64| match symbol(address) {
        Some((function, offset)) => {
            format!("{}+{address:#x}  {}+{offset:#x}", crash.program, plain(function))
        }
        None => format!("{}+{address:#x}", crash.program),
    };
    out.push_str(&format!("    at {}\n", place(crash.rip())));
    for frame in &crash.backtrace {
        out.push_str(&format!("    called from {}\n", place(*frame)));
    }
    let registers: Vec<(&str, u64)> = Crash::NAMES.iter().copied().zip(crash.registers).collect();
    for row in registers.chunks(ROW) {
        let cells: Vec<String> = row.iter().map(|(name, value)| format!("{name:>7} {value:016x}")).collect();
        out.push_str(&cells.join(""));
        out.push('\n');
    }
    out.push_str("what it did last:\n");
    out.push_str(&table(crash.last.events.iter(), crash.last.lost));
    out
}
