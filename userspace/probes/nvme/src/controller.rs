//! An NVMe controller as its driver sees it (base specification 1.4).

use crate::pair::{Command, Pair};
use alloc::string::String;
use alloc::vec::Vec;
use kit::device::start;
use kit::dma::Buffer;
use rt::generated::{DeviceClient, DeviceMmioClient, DmaPoolClient, TimerClient};
use rt::{CallError, ExceptionCode, block_on};

/// Vendor and device of QEMU's.
pub const IDS: (u16, u16) = (0x1b36, 0x0010);

/// Registers (3.1).
pub const CONFIGURATION: u32 = 0x14;
pub const STATUS: u32 = 0x1c;

/// Opcodes, and the one namespace.
pub const IDENTIFY: u64 = 0x06;
pub const WRITE: u64 = 1;
pub const READ: u64 = 2;
pub const NAMESPACE: u64 = 1 << 32;
const CREATE_SUBMISSIONS: u64 = 1;
const CREATE_COMPLETIONS: u64 = 5;

/// Bytes of a sector, and of a page.
pub const SECTOR: u64 = 512;
pub const PAGE: u64 = 4096;

/// Looks at a register, and the time between: a second in all.
const LOOKS: u32 = 500;
const LOOK_NS: u64 = 2_000_000;

/// All that comes from the function.
pub struct Nvme<'a> {
    pub device: DeviceClient,
    pub window: DeviceMmioClient,
    pub pool: DmaPoolClient,
    pub admin: Pair,
    pub timer: &'a TimerClient,
}

impl<'a> Nvme<'a> {
    /// Sets up what was claimed, and enables it.
    pub fn of(device: DeviceClient, timer: &'a TimerClient) -> Result<Nvme<'a>, CallError> {
        let (window, pool, admin) = parts(&device, timer)?;
        let nvme = Nvme { device, window, pool, admin, timer };
        nvme.enable()?;
        Ok(nvme)
    }

    /// The same after a reset.
    pub fn set_up(&mut self) -> Result<(), CallError> {
        (self.window, self.pool, self.admin) = parts(&self.device, self.timer)?;
        self.enable()
    }

    fn enable(&self) -> Result<(), CallError> {
        self.window.write_blocking(CONFIGURATION, 4, 1)?;
        for _ in 0..LOOKS {
            if self.window.read_blocking(STATUS, 4)? & 1 != 0 {
                return Ok(());
            }
            self.timer.sleep_until_blocking(self.timer.now_blocking()?.saturating_add(LOOK_NS))?;
        }
        Err(failed())
    }

    /// A command for the admin queue, and what came of it.
    pub fn ask(&mut self, command: Command) -> Result<u16, CallError> {
        self.admin.submit(command)?;
        self.admin.wait(self.timer)?.ok_or_else(failed)
    }

    /// Identify (5.15) with an answer where answers come to.
    pub fn identify(&mut self, what: u64, namespace: u64) -> Result<u16, CallError> {
        let [.., answers] = self.admin.places();
        self.ask([IDENTIFY | namespace, 0, 0, answers, 0, what, 0, 0])
    }

    /// Characters of the last answer, without the blanks at their end.
    pub fn text(&self, offset: u64, length: u64) -> String {
        let words = (offset..offset + length).step_by(8).map(|at| self.admin.answer(at / 8 * 8));
        let bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        let begin = (offset % 8) as usize;
        let bytes = bytes.get(begin..).unwrap_or_default().iter().take(length as usize);
        let text: String = bytes.map(|byte| char::from(*byte)).collect();
        String::from(text.trim_end_matches([' ', '\0']))
    }

    /// The namespace's sectors are known, and there is queue 1.
    pub fn open(&mut self) -> Result<Pair, CallError> {
        self.identify(0, NAMESPACE)?;
        let pair = Pair::new(&self.device, &self.window, 1)?;
        self.create(&pair, pair.places())?;
        Ok(pair)
    }

    /// Has the device make a pair (5.3, 5.4) that lies there.
    pub fn create(&mut self, pair: &Pair, places: [u64; 3]) -> Result<(), CallError> {
        let [submissions, completions, _] = places;
        let size = pair.index() | (pair.size() - 1) << 16;
        let flags = 1u64 << 32;
        for (opcode, place, more) in
            [(CREATE_COMPLETIONS, completions, 0), (CREATE_SUBMISSIONS, submissions, pair.index() << 48)]
        {
            let status = self.ask([opcode, 0, 0, place, 0, size | flags | more, 0, 0])?;
            if status != 0 {
                return Err(failed());
            }
        }
        Ok(())
    }

    /// A buffer.
    pub fn buffer(&self, pages: u32) -> Result<Buffer, CallError> {
        Buffer::allocate(&self.pool, pages)
    }
}

/// Registers, memory, and the admin queue.
fn parts(
    device: &DeviceClient,
    timer: &TimerClient,
) -> Result<(DeviceMmioClient, DmaPoolClient, Pair), CallError> {
    let window = device.window_blocking(0)?;
    let pool = device.pool_blocking(64, 16)?;
    block_on(start(device, timer))?;
    let admin = Pair::new(device, &window, 0)?;
    Ok((window, pool, admin))
}

/// Reads or writes so many sectors from `first` on.
pub fn transfer(opcode: u64, first: u64, sectors: u64, prp: [u64; 2]) -> Command {
    [opcode | NAMESPACE, 0, 0, prp[0], prp[1], first, sectors - 1, 0]
}

/// The device did not do it.
pub fn failed() -> CallError {
    CallError::Exception(ExceptionCode::DeviceFault.into())
}
