//! The start: one process, `init`, which holds every kernel object and starts the rest.

use crate::cap::boot_package::BootPackage;
use crate::cap::device_manager::DeviceManager;
use crate::cap::entropy_sink::EntropySink;
use crate::cap::entropy_source::EntropySource;
use crate::cap::hardware_audit_log::HardwareAuditLog;
use crate::cap::inspector::Inspector;
use crate::cap::interrupt_controller::InterruptController;
use crate::cap::io_port::IoPort;
use crate::cap::log_reader::LogReader;
use crate::cap::log_sink::LogSink;
use crate::cap::power::Power;
use crate::cap::process_spawner::ProcessSpawner;
use crate::cap::system_info::SystemInfo;
use crate::cap::timer::Timer;
use crate::cap::wall_clock::WallClock;
use crate::cap::{Object, interface_id};
use crate::device::demand;
use crate::log;
use crate::task::create::{self, CreateError, Limits, Payer};
use crate::task::process::{Name, Process};
use crate::task::share::Share;
use capos_abi::startup::{Record, Writer};
use capos_abi::{MAX_CAP_SLOTS, PRIORITIES};
use capos_mem::RESOURCES;
use core::fmt::Write;
use core::sync::atomic::{AtomicU64, Ordering};
use kernel_hal::account::Account;
use kernel_hal::sync::Ref;
use kernel_hal::{BootModule, IRQ_PLACES, PanicAction, boot, cpu as machine, mem};
use kernel_hal::{order, panic};

/// Name of the first process's program among the boot files.
const INIT: &str = "init";

/// Why the system could not be started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BootError {
    /// There is no boot file of that name.
    NoInit,
    /// It could not be made into a process.
    Create(CreateError),
}

impl From<CreateError> for BootError {
    fn from(error: CreateError) -> Self {
        BootError::Create(error)
    }
}

/// Everything the kernel can do, under the names that init finds it by.
fn everything() -> [(&'static str, Object); 15] {
    [
        ("log", Object::LogSink(LogSink)),
        ("log_reader", Object::LogReader(LogReader)),
        ("boot", Object::BootPackage(BootPackage)),
        ("spawner", Object::ProcessSpawner(ProcessSpawner)),
        ("timer", Object::Timer(Timer)),
        ("wall_clock", Object::WallClock(WallClock)),
        ("entropy", Object::EntropySource(EntropySource)),
        ("entropy_sink", Object::EntropySink(EntropySink)),
        ("system", Object::SystemInfo(SystemInfo)),
        ("inspector", Object::Inspector(Inspector)),
        ("power", Object::Power(Power)),
        ("io_ports", Object::IoPort(IoPort::all())),
        ("irqs", Object::InterruptController(InterruptController)),
        ("devices", Object::DeviceManager(DeviceManager)),
        ("hardware_log", Object::HardwareAuditLog(HardwareAuditLog)),
    ]
}

/// Id of init's process; no process has id 0.
static INIT_ID: AtomicU64 = AtomicU64::new(0);

/// Starts init.
pub(crate) fn start() -> Result<(), BootError> {
    if option("panic") == Some("reboot") {
        panic::set_action(PanicAction::Reboot);
    }
    if option("nmi") == Some("panic") {
        panic::report_nmi();
    }
    let trusted = option("interrupts") == Some("trusted");
    demand::trust_interrupts(trusted);
    if trusted {
        log::info(format_args!(
            "interrupts of devices behind an IOMMU are trusted, as the command line says"
        ));
    }
    let check = option("locks") == Some("check");
    order::decide(check);
    if check {
        log::info(format_args!("the order of locks is checked"));
    }
    panic::set_log_tail(log::write_tail);
    let file = boot::info().modules.iter().find(|file| file.name == INIT).ok_or(BootError::NoInit)?;
    let process = make_init(file)?;
    INIT_ID.store(process.id, Ordering::Relaxed);
    let mut startup = [0; 1024];
    let len = grant_everything(&process, &mut startup)?;
    process.threads.lock().started = true;
    let thread = create::first_thread(&process, startup.get(..len).unwrap_or_default())?;
    log::info(format_args!(
        "capOS {}: {} CPUs, {} MiB free, {} boot files",
        env!("CARGO_PKG_VERSION"),
        machine::count(),
        mem::free_pages() / 256,
        boot::info().modules.len(),
    ));
    if machine::present() > machine::count() {
        log::warn(format_args!(
            "{} of {} CPUs are used: there are more than {}, or one did not come up",
            machine::count(),
            machine::present(),
            machine::MAX_CPUS,
        ));
    }
    create::run(&thread);
    Ok(())
}

fn make_init(file: &BootModule) -> Result<Ref<Process>, CreateError> {
    let mut limits = [u64::MAX; RESOURCES];
    // Memory is the only one that runs out by itself; the others bound what a process may take up of the kernel's.
    if let Some(pages) = limits.first_mut() {
        *pages = mem::free_pages();
    }
    let machine = Account::root(limits)?;
    let limits = Limits {
        memory_pages: mem::free_pages(),
        cap_slots: MAX_CAP_SLOTS as u32,
        threads: 1 << 20,
        calls_in_flight: 1 << 26,
        endpoint_entries: 1 << 26,
        log_bytes: 1 << 30,
        dma_pages: mem::free_pages(),
        vectors: IRQ_PLACES as u64,
        priority: (PRIORITIES - 1) as u8,
        cpu_percent: 0,
    };
    let name = Name::new(INIT).ok_or(CreateError::InvalidArgument)?;
    let payer = Payer { account: &machine, share: &Share::machine()? };
    create::process(&payer, name, &limits, &file.frames, file.length as u64)
}

fn grant_everything(process: &Ref<Process>, startup: &mut [u8]) -> Result<usize, CreateError> {
    let mut writer = Writer::new(startup);
    let too_long = |_| CreateError::InvalidArgument;
    writer.push(Record::Name(INIT)).map_err(too_long)?;
    for (name, object) in everything() {
        let interface = interface_id(&object);
        process.insert(object).map_err(CreateError::from)?;
        writer.push(Record::Cap { name, interface }).map_err(too_long)?;
    }
    Ok(writer.len())
}

/// Without init nobody starts, supervises or ends anything any more: its end is the system's.
pub(crate) fn check_init(process: &Process) {
    if process.id == INIT_ID.load(Ordering::Relaxed) {
        panic!("init has ended: {:?}", process.exit.lock().status);
    }
}

/// The value of `name=value` on the kernel's command line.
pub(crate) fn option(name: &str) -> Option<&'static str> {
    let words = boot::info().command_line.split_ascii_whitespace();
    words.filter_map(|word| word.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// The seed given at boot; 0 when there is none.
pub(crate) fn seed() -> u64 {
    option("seed").and_then(|value| value.parse().ok()).unwrap_or(0)
}

pub(crate) use crate::log::Line as Words;

/// How we were booted, in words.
pub(crate) fn describe(out: &mut Words) {
    let info = boot::info();
    // Cut when it is too long.
    let _ =
        write!(out, "loader={} firmware={} command_line={:?}", info.loader, info.firmware, info.command_line);
}
