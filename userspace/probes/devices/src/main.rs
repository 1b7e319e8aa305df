//! A client of drivers that are services, and who kills them and the device manager meanwhile. Clients may see latency or a lost connection,
//! and nothing else; what they are given is right; and when all is quiet again each driver has its device.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod clients;
mod heard;
mod killer;

use alloc::rc::Rc;
use clients::Clients;
use heard::Heard;
use killer::Killer;
use probe::{Fields, Report, number, options};
use rt::generated::{DevicesClient, HardwareAuditLogClient, ServicesClient, TimerClient};
use rt::schema::device_manager::DeviceState;
use rt::schema::hardware_audit_log::HardwareEvent;
use rt::{CallError, Env, EnvError, ExceptionCode, block_on};

rt::main!(run);

struct Probe {
    report: Rc<Report>,
    devices: DevicesClient,
    killer: Killer,
    clients: Rc<Clients>,
    /// How often the lab pulls the device out of its slot before anybody is killed.
    unplugs: u64,
    /// By which lines they are told.
    heard: Heard,
    /// To see what became too much, and what went.
    history: Option<HardwareAuditLogClient>,
}

fn run(mut env: Env) -> i64 {
    match setup(&mut env) {
        Ok(probe) => {
            let done = block_on(all(&probe));
            if let Err(error) = &done {
                probe.report.check("devices", false, error);
            }
            probe.report.finish(u8::from(done.is_err()))
        }
        Err(_) => 2,
    }
}

fn setup(env: &mut Env) -> Result<Probe, EnvError> {
    let report = Rc::new(Report::new(env)?);
    let services = env.client::<ServicesClient>("services")?;
    let timer = env.client::<TimerClient>("timer")?;
    let victims = options::text(env, "victims").unwrap_or("").split(',').filter(|name| !name.is_empty());
    let how = (number(env, "kills", 0), number(env, "life-ms", 40) as u32, number(env, "seed", 1));
    Ok(Probe {
        clients: Rc::new(Clients::new(env, Rc::clone(&report))),
        killer: Killer::new(services, timer, victims.collect(), how),
        unplugs: number(env, "unplugs", 0),
        devices: env.client("devices")?,
        heard: Heard::new(env.client("system").ok()),
        history: env.client("hardware_log").ok(),
        report,
    })
}

async fn all(probe: &Probe) -> Result<(), CallError> {
    let Probe { report, devices, killer, clients, heard, history, .. } = probe;
    clients.each_once().await?;
    Rc::clone(clients).start();
    for name in clients.drivers() {
        report.works("another instance takes the device over", killer.replace(name).await);
    }
    match history {
        Some(history) => be_unplugged(probe.unplugs, history, killer).await?,
        None if probe.unplugs > 0 => report.check("who waits for devices to go sees the history", false, ""),
        None => {}
    }
    let kills = killer.all(|| heard.look().map(drop)).await?;
    clients.stop().await;
    // Whoever was killed last is started again, and gets its device.
    clients.each_once().await?;
    for name in clients.drivers() {
        report.equal("who drives has its device", has(devices, name)?, true);
    }
    let (lines, interrupts) = heard.look()?;
    let storms = history.as_ref().map_or(Ok(0), |history| count(history, HardwareEvent::Storm))?;
    let fields = Fields::new().value("kills", kills).value("storms", storms);
    clients.tell(fields.value("lines", lines).value("interrupts", interrupts));
    Ok(())
}

/// Waits until devices went from their slots so often. It is the history that is asked, since whoever takes a device over from another instance
/// is without it for a moment as well.
async fn be_unplugged(
    times: u64,
    history: &HardwareAuditLogClient,
    killer: &Killer,
) -> Result<(), CallError> {
    const EVERY_NS: u64 = 10_000_000;
    while count(history, HardwareEvent::Gone)? < times {
        killer.pause(EVERY_NS).await?;
    }
    Ok(())
}

/// How often that happened to a device, as far as it is remembered.
fn count(history: &HardwareAuditLogClient, what: HardwareEvent) -> Result<u64, CallError> {
    let (mut cursor, mut times) = (0, 0);
    loop {
        match history.read_blocking(cursor) {
            Ok(read) => {
                cursor = read.next;
                times += u64::from(read.event == what);
            }
            Err(error) if error.exception() == Some(ExceptionCode::NotFound) => return Ok(times),
            Err(error) => return Err(error),
        }
    }
}

/// Whether a function is at work for this service.
fn has(devices: &DevicesClient, name: &str) -> Result<bool, CallError> {
    let mut cursor = 0;
    loop {
        match devices.list_blocking(cursor) {
            Ok(found) if found.driver == name => return Ok(found.state == DeviceState::Running),
            Ok(found) => cursor = found.next,
            Err(error) if error.exception() == Some(ExceptionCode::NotFound) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}
