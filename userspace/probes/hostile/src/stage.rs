//! Where rows are played, and who judges them.

use crate::edu::{self, Edu};
use crate::grant::Buffer;
use crate::ring::{self, Virtio};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use probe::{Fields, Keeper, Limits, Report};
use rt::generated::{
    ByteStreamClient, DeviceClient, EduClient, HardwareAuditLogClient, InterruptClient, ProcessHandleClient,
    TimerClient,
};
use rt::schema::device_manager::{DeviceState, DmaBackend};
use rt::schema::hardware_audit_log::HardwareEvent;
use rt::{CallError, Client, ExceptionCode};

/// What our children may use: drivers with enough of everything.
const LIMITS: Limits = Limits { dma_pages: 64, vectors: 2, ..Limits::threads(1) };

/// The probe, and what it holds.
pub struct Stage {
    pub report: Report,
    pub keeper: Keeper,
    pub history: HardwareAuditLogClient,
    /// A line of the I/O APIC, which nothing raises.
    pub line: InterruptClient,
    pub seed: u64,
    /// The rows are about what the device answers, and not about what drivers do.
    pub answers: bool,
    /// A row that this machine does not survive.
    pub left_out: Option<&'static str>,
    /// Whether drivers of `edu` and of virtio devices name addresses themselves, behind an IOMMU that was seen to translate.
    pub direct: [bool; 2],
    /// Rows so far.
    pub played: Cell<u32>,
    /// Memory that nobody is to clear yet.
    pub kept: RefCell<Vec<Buffer>>,
    /// How often who watches memory was waited for, if somebody does.
    pub watch: Option<Cell<u32>>,
}

type Play<D> = fn(&Stage, D) -> Result<String, CallError>;

/// One misdeed: what it is called, what happens, and what that has to be.
pub struct Row<D> {
    name: &'static str,
    play: Play<D>,
    wanted: &'static str,
    direct: Option<&'static str>,
}

impl<D> Row<D> {
    /// One that comes to the same however the device reaches memory.
    pub const fn new(name: &'static str, play: Play<D>, wanted: &'static str) -> Row<D> {
        Row { name, play, wanted, direct: None }
    }

    /// That is what it comes to where the driver's ring is the device's.
    pub const fn direct(self, wanted: &'static str) -> Row<D> {
        Row { direct: Some(wanted), ..self }
    }
}

/// What a call says: `Done`, or the name of the error.
pub fn said<T>(result: Result<T, CallError>) -> String {
    match result {
        Ok(_) => String::from("Done"),
        Err(CallError::Exception(exception)) => format!("{:?}", exception.code()),
        Err(CallError::Transport(error)) => format!("{error:?}"),
        Err(error) => format!("{error:?}"),
    }
}

/// What all calls say: one word if they agree.
pub fn all_said<T>(results: impl IntoIterator<Item = Result<T, CallError>>) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in results.into_iter().map(said) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(" ")
}

impl Stage {
    /// The clock.
    pub fn timer(&self) -> &TimerClient {
        self.keeper.audit.timer()
    }

    /// The function, as soon as it is free.
    pub fn edu_device(&self, policy: &str) -> Result<DeviceClient, CallError> {
        self.keeper.claim(edu::IDS, policy)
    }

    /// The device for teaching, set up.
    pub fn edu(&self) -> Result<Edu, CallError> {
        Edu::of(self.edu_device("edu")?, self.timer(), self.seed)
    }

    /// Another one, and where it is.
    pub fn another_edu(&self) -> Result<(Edu, u32), CallError> {
        let address = self.keeper.find_after(edu::IDS, self.keeper.find(edu::IDS)? + 1)?;
        let device = self.keeper.claim_at(address, "edu")?;
        Ok((Edu::of(device, self.timer(), self.seed)?, address))
    }

    /// Plays rows with the device for teaching, claimed and set up anew for each.
    pub fn with_edu(&self, rows: &[Row<Edu>]) -> Result<(), CallError> {
        self.each(rows, self.direct[0], || self.edu())
    }

    /// Plays rows for which nothing is set up.
    pub fn with_nothing(&self, rows: &[Row<()>]) -> Result<(), CallError> {
        self.each(rows, self.direct[0], || Ok(()))
    }

    /// Plays rows with a device behind ports, for which the kernel translates everywhere.
    pub fn with_ports(&self, rows: &[Row<Virtio>]) -> Result<(), CallError> {
        self.each(rows, false, || self.old())
    }

    /// Plays rows about rings, with what `set_up` makes for each.
    pub fn with_rings<D>(
        &self,
        rows: &[Row<D>],
        set_up: impl Fn() -> Result<D, CallError>,
    ) -> Result<(), CallError> {
        self.each(rows, self.direct[1], set_up)
    }

    fn each<D>(
        &self,
        rows: &[Row<D>],
        direct: bool,
        set_up: impl Fn() -> Result<D, CallError>,
    ) -> Result<(), CallError> {
        for row in rows.iter().filter(|row| self.left_out != Some(row.name)) {
            let found = (row.play)(self, set_up()?)?;
            let wanted = if direct { row.direct.unwrap_or(row.wanted) } else { row.wanted };
            self.judge(row.name, &found, wanted)?;
            self.played.set(self.played.get() + 1);
        }
        Ok(())
    }

    /// Does it while memory is watched. `events` say that we are ready, and that it is over.
    pub fn under_watch(
        &self,
        events: [&str; 2],
        play: impl FnOnce(&Stage) -> Result<(), CallError>,
    ) -> Result<(), CallError> {
        let [begin, end] = events;
        self.await_watcher(begin)?;
        play(self)?;
        self.at_rest()?;
        self.await_watcher(end)?;
        self.kept.take();
        Ok(())
    }

    /// Keeps memory as it is until the watcher has seen it.
    pub fn keep(&self, memory: Vec<Buffer>) {
        self.kept.borrow_mut().extend(memory);
    }

    /// Tells the watcher, and waits until he has looked.
    pub fn await_watcher(&self, event: &str) -> Result<(), CallError> {
        let Some(count) = &self.watch else { return Ok(()) };
        count.set(count.get() + 1);
        let address = self.keeper.find_after(edu::IDS, self.keeper.find(edu::IDS)? + 1)?;
        self.keeper.await_watcher(&self.report, event, address, count.get())
    }

    /// Waits until nothing is kept for any device.
    pub fn at_rest(&self) -> Result<(), CallError> {
        self.keeper.rest(edu::IDS)?;
        self.keeper.rest(ring::IDS)?;
        self.keeper.rest(ring::NET)?;
        self.keeper.rest(ring::OLD)
    }

    /// Whether a row was as it has to be, nothing is wrong with the books afterwards, and an honest driver is served.
    fn judge(&self, name: &str, found: &str, wanted: &str) -> Result<(), CallError> {
        self.at_rest()?;
        let wrong = self.keeper.wrong()?;
        let served = self.serves()?;
        let fields = Fields::new().text("name", name).text("found", found);
        self.report.event("hostile.row", fields.text("audit", &wrong).value("served", served));
        let ok = found == wanted && wrong.is_empty() && served;
        self.report.check(name, ok, format_args!("{found}, wanted {wanted}; {wrong}"));
        Ok(())
    }

    /// Whether honest drivers get the devices, and a request is served.
    pub fn serves(&self) -> Result<bool, CallError> {
        let edu = self.keeper.start::<EduClient>("edu", edu::IDS, "edu")?;
        let computed = edu.client.factorial_blocking(5)? == 120;
        edu.handle.kill_blocking()?;
        let rng = self.keeper.start::<ByteStreamClient>("rng", ring::IDS, "virtio")?;
        let filled = rng.client.read_blocking(16)?.len() == 16;
        rng.handle.kill_blocking()?;
        Ok(computed && filled)
    }

    /// How a function reaches memory, when honest drivers have had it.
    pub fn backends(&self) -> Result<[DmaBackend; 2], CallError> {
        let edu = self.edu_device("edu")?.info_blocking()?.backend;
        let rng = self.keeper.claim(ring::IDS, "virtio")?.info_blocking()?.backend;
        Ok([edu, rng])
    }

    /// Where the function is in its life.
    pub fn state(&self) -> Result<DeviceState, CallError> {
        self.keeper.devices.list_blocking(self.keeper.find(edu::IDS)?).map(|found| found.state)
    }

    /// A child that plays a part, with a device.
    pub fn child(&self, part: &str, device: DeviceClient) -> Result<ProcessHandleClient, CallError> {
        let nursery = &self.keeper.nursery;
        let child = nursery.child(&nursery.program("probe-hostile")?, &LIMITS, part)?;
        let child = child.arg(&format!("--part={part}")).arg(&format!("--seed={}", self.seed));
        let child = child.lend("timer", self.timer())?;
        child.give("device", DeviceClient::ID, device)?.start()
    }

    /// How often something happened to devices since then.
    pub fn happened(&self, what: HardwareEvent, since: u64) -> Result<u64, CallError> {
        let (mut cursor, mut times) = (since, 0);
        loop {
            let read = match self.history.read_blocking(cursor) {
                Err(error) if error.exception() == Some(ExceptionCode::NotFound) => return Ok(times),
                read => read?,
            };
            times += u64::from(read.event == what);
            cursor = read.next;
        }
    }
}
