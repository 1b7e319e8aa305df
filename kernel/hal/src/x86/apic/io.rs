//! The I/O interrupt controllers, which turn device lines into vectors (82093AA datasheet).

use crate::order::LockRank;
use crate::sync::Lock;
use crate::x86::paging::mmio::{self, Window};
use alloc::vec::Vec;

const SELECT: usize = 0x00;
const DATA: usize = 0x10;
const VERSION: u32 = 1;
const REDIRECTION: u32 = 0x10;
const MASKED: u32 = 1 << 16;
const LEVEL: u32 = 1 << 15;
const ACTIVE_LOW: u32 = 1 << 13;

/// How a line signals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trigger {
    pub active_low: bool,
    pub level: bool,
}

struct Controller {
    window: Window,
    first: u32,
    lines: u32,
}

static CONTROLLERS: Lock<Vec<Controller>> = Lock::new(LockRank::Device, Vec::new());

impl Controller {
    fn read(&self, register: u32) -> u32 {
        self.window.write32(SELECT, register);
        self.window.read32(DATA)
    }

    fn write(&self, register: u32, value: u32) {
        self.window.write32(SELECT, register);
        self.window.write32(DATA, value);
    }
}

/// Adds the controller at `address`, whose lines begin with global interrupt `first`. All its lines are masked. Returns how many
/// lines it has, 0 when nothing answers.
pub fn add(address: u64, first: u32) -> u32 {
    let window = mmio::map(address, 0x20);
    let mut controller = Controller { window, first, lines: 0 };
    let version = controller.read(VERSION);
    if version == u32::MAX || version == 0 {
        return 0;
    }
    controller.lines = (version >> 16 & 0xff) + 1;
    for line in 0..controller.lines {
        controller.write(REDIRECTION + 2 * line, MASKED);
    }
    let lines = controller.lines;
    let mut all = CONTROLLERS.lock();
    if all.try_reserve(1).is_err() {
        return 0;
    }
    all.push(controller);
    lines
}

fn with<R>(gsi: u32, work: impl FnOnce(&Controller, u32) -> R) -> Option<R> {
    let all = CONTROLLERS.lock();
    let controller = all.iter().find(|it| gsi >= it.first && gsi - it.first < it.lines)?;
    Some(work(controller, REDIRECTION + 2 * (gsi - controller.first)))
}

/// Whether some controller has this line.
pub fn exists(gsi: u32) -> bool {
    with(gsi, |_, _| ()).is_some()
}

/// Routes a line to `vector` on the CPU with controller `target`, masked.
pub fn route(gsi: u32, trigger: Trigger, vector: u8, target: u32) {
    let polarity = if trigger.active_low { ACTIVE_LOW } else { 0 };
    let mode = if trigger.level { LEVEL } else { 0 };
    with(gsi, |controller, register| {
        controller.write(register, MASKED);
        controller.write(register + 1, target << 24);
        controller.write(register, MASKED | polarity | mode | u32::from(vector));
    });
}

/// Masks or unmasks a line.
pub fn set_masked(gsi: u32, masked: bool) {
    with(gsi, |controller, register| {
        let old = controller.read(register);
        controller.write(register, if masked { old | MASKED } else { old & !MASKED });
    });
}

/// Whether a line is masked; unknown ones are.
pub fn is_masked(gsi: u32) -> bool {
    with(gsi, |controller, register| controller.read(register) & MASKED != 0).unwrap_or(true)
}
