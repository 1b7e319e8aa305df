//! What there is: capabilities, memory, time.

use crate::session::Session;
use crate::trouble::Trouble;
use alloc::format;
use alloc::string::String;
use capos_text::{Align, Report, Table, Value, duration, timestamp};
use rt::CapId;
use rt::generated::{SystemInfoClient, TimerClient, WallClockClient};
use rt::schema::interface_name;

/// Every capability by name: the three that each process has, and what was granted.
pub fn caps(session: &Session) -> String {
    let mut table = Table::new(&[("SLOT", Align::Right), ("NAME", Align::Left), ("INTERFACE", Align::Left)]);
    let own = [
        (CapId::SELF_MEMORY, "(own memory)", "VirtualMemory"),
        (CapId::SELF_THREADS, "(own threads)", "ThreadControl"),
        (CapId::SELF_ENDPOINTS, "(own endpoints)", "EndpointFactory"),
    ];
    for (id, name, interface) in own {
        table.row([format!("{}", id.index()), String::from(name), String::from(interface)]);
    }
    for granted in session.held.all() {
        let interface = interface_name(granted.interface)
            .map_or_else(|| format!("{:#x}", granted.interface), String::from);
        table.row([format!("{}", granted.id.index()), String::from(granted.name), interface]);
    }
    table.render()
}

/// The machine's memory.
pub async fn memory(session: &Session) -> Result<String, Trouble> {
    let system = session.held.client::<SystemInfoClient>("system")?;
    let facts = system.system().await.map_err(Trouble::about("system"))?;
    let used = facts.total_pages.saturating_sub(facts.free_pages);
    let columns = ["total", "used", "free", "kernel"].map(|name| (name, Align::Right));
    let mut report = Report::new("memory", &columns);
    report.row([facts.total_pages, used, facts.free_pages, facts.kernel_pages].map(Value::Pages));
    Ok(report.table())
}

/// Time of day and time since boot, as far as the shell may know.
pub async fn time(session: &Session) -> Result<String, Trouble> {
    let mut out = String::new();
    if let Some(clock) = session.client::<WallClockClient>("wall_clock") {
        let now = clock.now().await.map_err(Trouble::about("wall_clock"))?;
        out.push_str(&format!("{} UTC\n", timestamp(now.unix_ns)));
    }
    if let Some(timer) = session.client::<TimerClient>("timer") {
        let now = timer.now().await.map_err(Trouble::about("timer"))?;
        out.push_str(&format!("{} since boot\n", duration(now)));
    }
    if out.is_empty() { Err(Trouble::NotHeld("wall_clock")) } else { Ok(out) }
}

/// What this is.
pub async fn version(session: &Session) -> Result<String, Trouble> {
    let system = session.held.client::<SystemInfoClient>("system")?;
    let about = || Trouble::about("system");
    let facts = system.system().await.map_err(about())?;
    let boot = system.boot().await.map_err(about())?;
    Ok(format!("capOS {}\n{boot}\n", facts.version))
}
