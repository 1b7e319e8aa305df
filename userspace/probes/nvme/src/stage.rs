//! Where misdeeds are played: what they carry, who says what was kept from memory, and who watches that from outside.

use crate::controller::{IDS, Nvme, PAGE, READ, SECTOR, WRITE, failed, transfer};
use crate::pair::{Command, Pair};
use alloc::format;
use alloc::string::String;
use kit::dma::Buffer;
use probe::mutate::Pattern;
use probe::mutate::pattern::{MARK_AT, WORDS};
use probe::{Fields, Keeper, Limits, Report, number};
use rt::generated::{DeviceClient, HardwareAuditLogClient, ProcessHandleClient};
use rt::schema::hardware_audit_log::HardwareEvent;
use rt::{CallError, Client, Env, EnvError, ExceptionCode};

/// Sectors that begin with the bait: all that hostile rows read.
const BAITED: u64 = 24;
const WORD: usize = 8;

/// A sector that is written, with something else than zeros at first.
pub const OURS: u64 = 30;

/// The device for teaching, which only counts for who watches.
const EDU: (u16, u16) = (0x1234, 0x11e8);

/// What a driver may use.
const LIMITS: Limits = Limits { dma_pages: 64, vectors: 2, ..Limits::threads(1) };

/// The probe, and what it holds.
pub struct Stage {
    pub report: Report,
    pub keeper: Keeper,
    history: HardwareAuditLogClient,
    pub seed: u64,
    /// Whether the IOMMU, if there is one, writes down what it blocked.
    pub records: bool,
}

impl Stage {
    pub fn new(env: &mut Env) -> Result<Stage, EnvError> {
        Ok(Stage {
            report: Report::new(env)?,
            keeper: Keeper::new(env)?,
            history: env.client("history")?,
            seed: number(env, "seed", 1),
            records: number(env, "records", 0) != 0,
        })
    }

    /// The controller, set up.
    pub fn nvme(&self) -> Result<Nvme<'_>, CallError> {
        Nvme::of(self.keeper.claim(IDS, "nvme")?, self.keeper.audit.timer())
    }

    /// What became of a command that names this address, and whether an IOMMU says that it kept the controller from that page.
    pub fn fate(
        &self,
        nvme: &Nvme<'_>,
        pair: &mut Pair,
        command: Command,
        address: u64,
    ) -> Result<String, CallError> {
        self.blocked_at(address, || fate(nvme, pair, command))
    }

    /// The same for whatever is played.
    pub fn blocked_at(
        &self,
        address: u64,
        play: impl FnOnce() -> Result<String, CallError>,
    ) -> Result<String, CallError> {
        // What was blocked before is taken over now, so that there is room for more.
        let since = self.history.end_blocking()?;
        let found = play()?;
        Ok(if self.was_blocked(since, address)? { format!("{found} Blocked") } else { found })
    }

    fn was_blocked(&self, mut cursor: u64, address: u64) -> Result<bool, CallError> {
        let function = self.keeper.find(IDS)?;
        loop {
            let read = match self.history.read_blocking(cursor) {
                Err(error) if error.exception() == Some(ExceptionCode::NotFound) => return Ok(false),
                read => read?,
            };
            let there = read.function == function && read.detail / PAGE == address / PAGE;
            if read.event == HardwareEvent::Blocked && there {
                return Ok(true);
            }
            cursor = read.next;
        }
    }

    /// Whether the controller finds memory there, whoever's it is: the bait goes there from the disk, and back by the disk to `buffer`.
    pub fn reaches(
        &self,
        nvme: &Nvme<'_>,
        pair: &mut Pair,
        address: u64,
        buffer: &Buffer,
    ) -> Result<bool, CallError> {
        let way = [
            transfer(READ, 0, 1, [address, 0]),
            transfer(WRITE, OURS, 1, [address, 0]),
            transfer(READ, OURS, 1, [buffer.token(), 0]),
        ];
        for command in way {
            pair.submit(command)?;
            pair.wait(nvme.timer)?.ok_or_else(failed)?;
        }
        Ok(self.has_bait(buffer))
    }

    /// A word at a time: nowhere else may the bait be.
    fn has_bait(&self, buffer: &Buffer) -> bool {
        (0..WORDS).all(|index| word(buffer, (index * WORD) as u64) == Pattern::Bait.word(self.seed, index))
    }

    /// The first sectors of the disk begin with the bait.
    pub fn bait_disk(&self) -> Result<(), CallError> {
        let mut nvme = self.nvme()?;
        let mut pair = nvme.open()?;
        let buffer = nvme.buffer(1)?;
        put(&buffer, 0, |index| Pattern::Bait.word(self.seed, index));
        for sector in 0..BAITED {
            pair.submit(transfer(WRITE, sector, 1, [buffer.token(), 0]))?;
            if pair.wait(nvme.timer)? != Some(0) {
                return Err(failed());
            }
        }
        clear(&buffer, 1);
        Ok(())
    }

    /// Whether an honest driver gets the controller, and reads what is on the disk.
    pub fn serves(&self) -> Result<bool, CallError> {
        let mut nvme = self.nvme()?;
        let mut pair = nvme.open()?;
        let buffer = nvme.buffer(1)?;
        pair.submit(transfer(READ, BAITED - 1, 1, [buffer.token(), 0]))?;
        let done = pair.wait(nvme.timer)? == Some(0);
        let found = self.has_bait(&buffer);
        clear(&buffer, 1);
        Ok(done && found)
    }

    /// A child that plays a part, with the controller.
    pub fn child(&self, part: &str) -> Result<ProcessHandleClient, CallError> {
        let device = self.keeper.claim(IDS, "nvme")?;
        let nursery = &self.keeper.nursery;
        let child = nursery.child(&nursery.program("probe-nvme")?, &LIMITS, part)?;
        let child = child.arg(&format!("--part={part}")).arg(&format!("--seed={}", self.seed));
        let child = child.lend("timer", self.keeper.audit.timer())?;
        child.give("device", DeviceClient::ID, device)?.start()
    }

    /// Tells who watches memory, and waits until he has looked that often.
    pub fn await_watcher(&self, event: &str, count: u32) -> Result<(), CallError> {
        self.keeper.await_watcher(&self.report, event, self.keeper.find(EDU)?, count)
    }

    /// What a row came to: as it has to be, and nothing is wrong with the books.
    pub fn judge(&self, name: &str, found: &str, wanted: &str) -> Result<(), CallError> {
        self.keeper.rest(IDS)?;
        let wrong = self.keeper.wrong()?;
        let fields = Fields::new().text("name", name).text("found", found).text("audit", &wrong);
        self.report.event("nvme.row", fields);
        let ok = found == wanted && wrong.is_empty();
        self.report.check(name, ok, format_args!("{found}, wanted {wanted}; {wrong}"));
        Ok(())
    }
}

/// What an error, or none, is called.
pub fn said<T>(result: Result<T, CallError>) -> String {
    match result {
        Ok(_) => String::from("Done"),
        Err(CallError::Exception(exception)) => format!("{:?}", exception.code()),
        Err(error) => format!("{error:?}"),
    }
}

/// What became of a command.
fn fate(nvme: &Nvme<'_>, pair: &mut Pair, command: Command) -> Result<String, CallError> {
    match pair.submit(command) {
        Ok(()) if pair.wait(nvme.timer)?.is_some() => Ok(String::from("Answered")),
        Ok(()) => Ok(String::from("Silent")),
        refused => Ok(said(refused)),
    }
}

/// A word of it.
pub fn word(buffer: &Buffer, offset: u64) -> u64 {
    let mut bytes = [0; WORD];
    buffer.read(offset, &mut bytes);
    u64::from_le_bytes(bytes)
}

/// All its words become 0: what was rightly read does not stay behind.
pub fn clear(buffer: &Buffer, pages: u64) {
    (0..pages * PAGE).step_by(WORD).for_each(|at| buffer.write(at, &[0; WORD]));
}

/// Marks a page as granted, for the time when nobody looks after it any more.
pub fn mark(seed: u64, page: &Buffer) {
    put(page, MARK_AT as u64, |index| Pattern::Grant.word(seed, index));
}

fn put(buffer: &Buffer, at: u64, word: impl Fn(usize) -> u64) {
    for index in 0..WORDS {
        buffer.write(at + (index * WORD) as u64, &word(index).to_le_bytes());
    }
}

/// Words of a sector.
pub fn sector(buffer: &Buffer, at: u64) -> impl Iterator<Item = u64> {
    (at..at + SECTOR).step_by(WORD).map(|at| word(buffer, at))
}
