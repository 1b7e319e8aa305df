//! Processors, memory, clocks, power.

use crate::{Sources, Trouble, shapes};
use alloc::vec::Vec;
use capos_text::{Report, Value, timestamp};
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
    Ok(shapes::STATUS.of_one(facts))
}

pub(crate) async fn cpu(system: &SystemInfoClient) -> Result<Vec<Report>, Trouble> {
    let mut report = shapes::CPU.report();
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
            Value::number(cpu.shootdowns),
        ]);
    }
    Ok(alloc::vec![report, pairs(shapes::CPU_FEATURE.report(), &system.features().await?)])
}

/// The whole, what each process has of it, and the firmware's map. The map comes without addresses: the kernel tells none.
pub(crate) async fn memory(system: &SystemInfoClient) -> Result<Vec<Report>, Trouble> {
    let facts = system.system().await?;
    let mut totals = shapes::MEMORY.report();
    totals.row([facts.total_pages, facts.free_pages, facts.kernel_pages].map(Value::Pages));
    let mut ranges = shapes::MEMORY_RANGE.report();
    for index in 0..LIMIT {
        let Some(range) = item(system.memory_range(index).await)? else { break };
        ranges.row([Value::Pages(range.pages), Value::Text(range.kind)]);
    }
    Ok(alloc::vec![totals, owners(system).await?, ranges])
}

async fn owners(system: &SystemInfoClient) -> Result<Report, Trouble> {
    let mut report = shapes::MEMORY_OWNER.report();
    let mut cursor = 0;
    while !report.is_full() {
        let Some(process) = item(system.process(cursor).await)? else { break };
        report.row([
            Value::number(process.id),
            Value::Pages(process.pages),
            Value::Pages(process.page_limit),
            Value::Text(process.name),
        ]);
        match process.id.checked_add(1) {
            Some(next) if next > cursor => cursor = next,
            _ => break,
        }
    }
    Ok(report)
}

pub(crate) async fn timers(system: &SystemInfoClient) -> Result<Report, Trouble> {
    Ok(pairs(shapes::TIMERS.report(), &system.timers().await?))
}

/// A row for each `name=value` of the kernel's words. A word without a value is kept as a name.
fn pairs(mut report: Report, words: &str) -> Report {
    for word in words.split_whitespace() {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        report.row([Value::text(name), Value::text(value)]);
    }
    report
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

#[cfg(test)]
mod tests {
    use super::pairs;
    use crate::shapes;

    #[test]
    fn the_kernels_words_become_fields() {
        let report = pairs(shapes::CPU_FEATURE.report(), "nx=on  smep=absent odd");
        let lines = report.json();
        assert_eq!(lines.lines().count(), 3);
        assert!(lines.starts_with(r#"{"kind":"cpu_feature","feature":"nx","state":"on"}"#), "{lines}");
        assert!(lines.ends_with("\"feature\":\"odd\",\"state\":\"\"}\n"), "{lines}");
    }
}
