//! The I/O interrupt controllers, which turn device lines into vectors (82093AA datasheet).

use crate::order::LockRank;
use crate::sync::Lock;
use crate::x86::iommu::Origin;
use crate::x86::paging::mmio::{self, Window};
use capos_iommu::Interrupt;

const SELECT: usize = 0x00;
const DATA: usize = 0x10;
const VERSION: u32 = 1;
const REDIRECTION: u32 = 0x10;
const MASKED: u32 = 1 << 16;
const LEVEL: u32 = 1 << 15;
/// What the controller says in an entry: whether it is about to deliver, and whether the processor is through with what it delivered (3.2.4).
const STATUS: u32 = 1 << 12 | 1 << 14;
const ACTIVE_LOW: u32 = 1 << 13;

/// How a line signals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trigger {
    pub active_low: bool,
    pub level: bool,
}

struct Controller {
    /// Firmware's number.
    id: u8,
    window: Window,
    first: u32,
    lines: u32,
    /// Who it is to an IOMMU, if its interrupts go through one.
    origin: Option<Origin>,
}

/// Controllers at most; machines have one, or one for each socket.
const CONTROLLERS_MAX: usize = 16;

/// Two registers, of which one says what the other is: so each controller has a lock, which is held for one access.
static CONTROLLERS: [Lock<Option<Controller>>; CONTROLLERS_MAX] =
    [const { Lock::new(LockRank::Controller, None) }; CONTROLLERS_MAX];

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
pub fn add(id: u8, address: u64, first: u32) -> u32 {
    let window = mmio::map(address, 0x20);
    let mut controller = Controller { id, window, first, lines: 0, origin: None };
    let version = controller.read(VERSION);
    if version == u32::MAX || version == 0 {
        return 0;
    }
    controller.lines = (version >> 16 & 0xff) + 1;
    for line in 0..controller.lines {
        controller.write(REDIRECTION + 2 * line, MASKED);
    }
    let lines = controller.lines;
    for place in &CONTROLLERS {
        let mut place = place.lock();
        if place.is_none() {
            *place = Some(controller);
            return lines;
        }
    }
    0
}

/// From now on the interrupts of all controllers go through IOMMUs. None is claimed yet.
pub fn remap(origin: &dyn Fn(u8) -> Option<Origin>) {
    for place in &CONTROLLERS {
        // Looked up without the lock, as it may take others.
        let Some(origin) = id_of(place).and_then(origin) else { continue };
        if let Some(controller) = &mut *place.lock() {
            controller.origin = Some(origin);
        }
    }
}

fn id_of(place: &Lock<Option<Controller>>) -> Option<u8> {
    place.lock().as_ref().map(|controller| controller.id)
}

/// The controllers' numbers.
pub fn ids() -> impl Iterator<Item = u8> {
    CONTROLLERS.iter().filter_map(id_of)
}

/// A line of a controller.
#[derive(Clone, Copy)]
pub struct Pin {
    controller: &'static Lock<Option<Controller>>,
    register: u32,
    /// The lower word of its entry, without the mask.
    entry: u32,
    origin: Option<Origin>,
}

/// The line with that number, if some controller has it.
pub fn pin(gsi: u32) -> Option<Pin> {
    CONTROLLERS.iter().find_map(|controller| {
        let found = controller.lock();
        let found = found.as_ref()?;
        let line = gsi.checked_sub(found.first).filter(|line| *line < found.lines)?;
        Some(Pin { controller, register: REDIRECTION + 2 * line, entry: 0, origin: found.origin })
    })
}

impl Pin {
    fn write(&self, register: u32, value: u32) {
        if let Some(controller) = &*self.controller.lock() {
            controller.write(register, value);
        }
    }

    fn read(&self, register: u32) -> Option<u32> {
        self.controller.lock().as_ref().map(|controller| controller.read(register))
    }

    /// Routes it to `vector`, masked.
    pub fn routed(self, trigger: Trigger, vector: u8) -> Pin {
        let polarity = if trigger.active_low { ACTIVE_LOW } else { 0 };
        let mode = if trigger.level { LEVEL } else { 0 };
        let pin = Pin { entry: polarity | mode | u32::from(vector), ..self };
        pin.set_masked(true);
        pin
    }

    /// Masks or unmasks it.
    pub fn set_masked(&self, masked: bool) {
        self.write(self.register, if masked { self.entry | MASKED } else { self.entry });
    }

    /// Has its interrupts go to the CPU with controller `target`. It is masked.
    pub fn set_target(&self, target: u32) {
        if let Some(origin) = self.origin {
            origin.set(self.interrupt(target));
        }
        self.write(self.register + 1, self.upper(target));
    }

    fn vector(&self) -> u8 {
        let [vector, ..] = self.entry.to_le_bytes();
        vector
    }

    fn interrupt(&self, target: u32) -> Interrupt {
        Interrupt { vector: self.vector(), destination: target, level: self.entry & LEVEL != 0 }
    }

    /// The upper word of its entry.
    fn upper(&self, target: u32) -> u32 {
        self.origin.map_or(target << 24, |origin| {
            let [_, upper] = origin.line(self.vector());
            upper
        })
    }

    /// Whether its controller has it as it was told, and the unit that it goes through: for audits.
    pub fn is_as_told(&self, target: u32, masked: bool) -> bool {
        let lower = if masked { self.entry | MASKED } else { self.entry };
        self.read(self.register).is_some_and(|word| word & !STATUS == lower)
            && self.read(self.register + 1) == Some(self.upper(target))
            && self.origin.is_none_or(|origin| origin.has(self.interrupt(target)))
    }

    /// Has it raise `vector` at the CPU with controller `target` by its own word, as without an IOMMU. It is masked.
    pub fn set_unremapped(&self, target: u32) {
        self.write(self.register + 1, target << 24);
    }

    /// Who its controller is to an IOMMU.
    pub fn origin(&self) -> Option<Origin> {
        self.origin
    }

    /// Nobody has it any more. It is masked.
    pub fn withdraw(&self) {
        if let Some(origin) = self.origin {
            origin.clear(self.vector());
        }
    }
}
