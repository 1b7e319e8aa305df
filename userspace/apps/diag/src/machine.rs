//! Processors, memory, clocks, power.

use crate::{Sources, Trouble};
use alloc::vec::Vec;
use capos_text::{Align, Report, Value, timestamp};
use rt::generated::{PowerClient, SystemInfoClient};
use rt::{CallError, ExceptionCode};

/// Rows of one report at most; a kernel that never says `notFound` must not keep us.
pub(crate) const LIMIT: u32 = Report::MAX_ROWS as u32;

/// `None` at the end of a list.
pub(crate) fn item<T>(result: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.exception() == Some(ExceptionCode::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) async fn status(sources: Sources<'_>) -> Result<Report, Trouble> {
    let system = sources.system()?;
    let known = system.system().await?;
    let time = match sources.wall_clock {
        Some(clock) => {
            clock.now().await.map_or_else(|error| alloc::format!("{error}"), |now| timestamp(now.unix_ns))
        }
        None => "not granted".into(),
    };
    let boot = system.boot().await?;
    let columns = [
        "version",
        "time",
        "uptime",
        "cpus",
        "processes",
        "threads",
        "total_pages",
        "free_pages",
        "kernel_pages",
        "seed",
        "boot",
    ];
    let facts = [
        Value::Text(known.version),
        Value::Text(time),
        Value::Span(known.uptime_ns),
        Value::number(known.cpus),
        Value::number(known.processes),
        Value::number(known.threads),
        Value::Pages(known.total_pages),
        Value::Pages(known.free_pages),
        Value::Pages(known.kernel_pages),
        Value::number(known.boot_seed),
        Value::Text(boot),
    ];
    Ok(Report::of_one("status", &columns.map(|name| (name, Align::Left)), facts))
}

pub(crate) async fn cpu(system: &SystemInfoClient) -> Result<Vec<Report>, Trouble> {
    let columns = ["cpu", "apic", "idle", "switches", "interrupts", "syscalls", "ipis"];
    let mut report = Report::new("cpu", &columns.map(|name| (name, Align::Right)));
    for index in 0..LIMIT {
        let Some(cpu) = item(system.cpu(index).await)? else { break };
        report.row([
            Value::number(index),
            Value::number(cpu.apic_id),
            Value::Span(cpu.idle_ns),
            Value::number(cpu.switches),
            Value::number(cpu.interrupts),
            Value::number(cpu.syscalls),
            Value::number(cpu.ipis),
        ]);
    }
    let mut features = Report::new("cpu_features", &[("features", Align::Left)]);
    features.row([Value::Text(system.features().await?)]);
    Ok(alloc::vec![report, features])
}

pub(crate) async fn memory(system: &SystemInfoClient) -> Result<Vec<Report>, Trouble> {
    let facts = system.system().await?;
    let columns = [("total", Align::Right), ("free", Align::Right), ("kernel", Align::Right)];
    let mut totals = Report::new("memory", &columns);
    totals.row([facts.total_pages, facts.free_pages, facts.kernel_pages].map(Value::Pages));
    let mut ranges = Report::new("memory_range", &[("size", Align::Right), ("kind", Align::Left)]);
    for index in 0..LIMIT {
        let Some(range) = item(system.memory_range(index).await)? else { break };
        ranges.row([Value::Pages(range.pages), Value::Text(range.kind)]);
    }
    Ok(alloc::vec![totals, ranges])
}

pub(crate) async fn timers(system: &SystemInfoClient) -> Result<Report, Trouble> {
    let mut report = Report::new("timers", &[("source", Align::Left)]);
    report.row([Value::Text(system.timers().await?)]);
    Ok(report)
}

/// Does not return when it succeeds.
pub(crate) async fn reboot(power: &PowerClient) -> Trouble {
    match power.reboot().await {
        Ok(()) => Trouble::StillHere,
        Err(error) => Trouble::Call(error),
    }
}

/// Does not return when it succeeds.
pub(crate) async fn halt(power: &PowerClient) -> Trouble {
    match power.halt().await {
        Ok(()) => Trouble::StillHere,
        Err(error) => Trouble::Call(error),
    }
}
