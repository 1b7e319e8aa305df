//! Interrupt lines 0 to 15, fired by the test through the handler.

use super::cpu;
use super::message::Message;
use crate::lines::{Lines, Wire};
use crate::types::{IrqError, IrqInfo, IrqLine, MessageEntry, PciLine, message};

enum Source {
    Line,
    Message(Message),
}

/// The id of a processor's controller: its number.
fn id(cpu: usize) -> u32 {
    u32::try_from(cpu).expect("few processors")
}

impl Wire for Source {
    fn set_masked(&self, masked: bool) {
        if let Source::Message(message) = self {
            message.set_masked(masked);
        }
    }

    fn aim(&self, cpu: usize) -> usize {
        if let Source::Message(message) = self {
            message.set_target(id(cpu));
        }
        cpu
    }

    fn is_as_told(&self, cpu: usize, masked: bool) -> bool {
        match self {
            Source::Line => true,
            Source::Message(message) => message.is_as_told(id(cpu), masked),
        }
    }

    fn withdraw(&self) {
        if let Source::Message(message) = self {
            message.withdraw();
        }
    }

    fn tells_once(&self) -> bool {
        matches!(self, Source::Message(_))
    }
}

/// Takes a message of a function, masked. Tests fire it by its number, [`message`].
pub fn claim_message(entry: MessageEntry) -> Result<IrqLine, IrqError> {
    LINES.claim(message(entry.function, entry.entry), cpu::id(), |place| {
        let vector = u8::try_from(place).expect("few places");
        let message = Message { entry, vector, origin: None };
        message.set_masked(true);
        Source::Message(message)
    })
}

const LINES_MAX: u8 = 16;
static LINES: Lines<Source> = Lines::new();

pub(super) fn reset() {
    while let Some(line) = info(0).and_then(|info| claimed(info.gsi)) {
        release(line);
    }
}

/// Takes an ISA line, masked.
pub fn claim_isa(irq: u8) -> Result<IrqLine, IrqError> {
    if irq >= LINES_MAX {
        return Err(IrqError::NotFound);
    }
    LINES.claim(u32::from(irq), cpu::id(), |_| Source::Line)
}

/// Takes the line that functions of PCI signal by, masked.
pub fn claim_line(line: PciLine) -> Result<IrqLine, IrqError> {
    match u8::try_from(line.gsi) {
        Ok(irq) => claim_isa(irq),
        Err(_) => Err(IrqError::NotFound),
    }
}

/// Gives a line back, masked.
pub fn release(line: IrqLine) {
    LINES.release(line);
}

/// Masks a line.
pub fn mask(line: IrqLine) {
    LINES.mask(line);
}

/// Unmasks a line, and has its interrupts come to this processor if it was masked.
pub fn unmask(line: IrqLine) {
    LINES.unmask(line, cpu::id());
}

/// Line number `index` of those claimed.
pub fn info(index: usize) -> Option<IrqInfo> {
    LINES.info(index, 0)
}

/// Whether line `gsi` is claimed, and all that it goes through is as it was told.
pub fn is_as_told(gsi: u32) -> bool {
    LINES.is_as_told(gsi)
}

/// Line `gsi` as somebody has claimed it, for tests.
pub fn claimed(gsi: u32) -> Option<IrqLine> {
    LINES.find(gsi)
}

/// Line `gsi` fires if somebody has claimed it: a test calls the handler with what it gives.
pub fn fire(gsi: u32) -> Option<IrqLine> {
    LINES.fired(usize::from(claimed(gsi)?.place))
}

/// Whether line `gsi` is masked, for tests.
pub fn is_masked(gsi: u32) -> bool {
    (0..).map_while(info).find(|info| info.gsi == gsi).is_none_or(|info| info.masked)
}
