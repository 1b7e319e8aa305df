//! A driver's way to the device: as the kernel has it with no IOMMU, or as it is behind one, where its ring is the device's.

use super::Device;
use crate::bus::RingMemory;
use crate::{Bus, Ram};
use capos_dma::class::{self, Class, Registers, Verdict};
use capos_dma::e1000e::{Adapter as Known, Direction, Entry, Queue, RECEIVE, SEND};
use capos_dma::window::{Action, Backend};
use capos_dma::{Addresses, Pool, Slot, Space};
use capos_e1000e::{
    Adapter, Bells, BringUp, DeviceFault, Layout, Memory, RECEIVE_TAIL, Register, SEND_TAIL, Step,
};
use capos_virtio::split::Memory as _;
use std::sync::atomic::Ordering;

/// Descriptors of a ring.
pub const ENTRIES: u16 = 64;

/// A driver's view of a ring.
#[derive(Clone, Debug)]
pub struct Ring {
    ram: Ram,
    layout: Layout,
    /// Where it writes, and where the device has it.
    driver: u64,
    real: u64,
}

impl Ring {
    fn is_direct(&self) -> bool {
        self.driver == self.real
    }
}

impl Memory for Ring {
    fn write_descriptor(&self, index: u16, words: [u64; 2]) {
        let at = self.driver + u64::from(self.layout.descriptor(index));
        assert!(
            self.ram.write(at, &words[0].to_le_bytes()) && self.ram.write(at + 8, &words[1].to_le_bytes())
        );
    }
    fn answer(&self, index: u16) -> u64 {
        let offset =
            if self.is_direct() { self.layout.descriptor(index) + 8 } else { self.layout.answer(index) };
        self.ram.word(self.real + u64::from(offset)).expect("it is there")
    }
    fn fence(&self, _: Ordering) {}
}

/// The kernel's side of a ring.
struct Held {
    policy: Option<Queue>,
    ring: Ring,
}

/// One function, claimed.
pub struct Machine {
    /// The device.
    pub device: Device,
    /// All memory.
    pub ram: Ram,
    /// The driver's buffers.
    pub pool: Pool,
    /// What the driver did that it may not do.
    pub refused: Vec<String>,
    class: Class,
    backend: Backend,
    rings: Vec<Held>,
}

/// The registers, as the kernel writes them.
struct Front<'d>(&'d mut Device);

impl Registers for Front<'_> {
    fn read(&mut self, register: class::Register) -> u64 {
        self.0.read(register.offset as u32).into()
    }
    fn write(&mut self, register: class::Register, value: u64) {
        self.0.write(register.offset as u32, value as u32);
    }
}

impl Machine {
    /// With a device that was reset.
    pub fn new(backend: Backend, mac: [u8; 6]) -> Machine {
        let ram = Ram::new(1 << 20);
        let device = Device::new(Bus::direct(&ram), mac);
        let space = Space { bits: 40, shift: 16, floor: 1 << 36 };
        let slots = vec![Slot::default(); 256].into();
        let pool = Pool::new(space, Addresses::Physical, slots).expect("a sound space");
        let class = Class::E1000e(Known::default());
        Machine { device, ram, pool, refused: Vec::new(), class, backend, rings: Vec::new() }
    }

    /// Memory for the driver: its token, and where it lies.
    pub fn buffer(&mut self, bytes: u32) -> (u64, u64) {
        let at = self.ram.allocate(bytes).expect("there is enough");
        match self.backend {
            Backend::Bounce => {
                let pages = u64::from(bytes).div_ceil(4096);
                (self.pool.insert(pages, at).expect("there is room"), at)
            }
            Backend::Direct => (at, at),
        }
    }

    /// Reads a register, as a driver does.
    pub fn read(&mut self, Register(offset): Register) -> u32 {
        let table = self.class.table(0, 1 << 17).expect("a sound table");
        if table.check_read(offset.into(), 4).is_err() {
            self.refused.push(format!("reads {offset:#x}"));
            return 0;
        }
        self.device.read(offset)
    }

    /// Writes one.
    pub fn write(&mut self, Register(offset): Register, value: u32) {
        let table = self.class.table(0, 1 << 17).expect("a sound table");
        let action = table.check_write(self.backend, offset.into(), 4, value.into());
        let value = match action {
            Ok(Action::Write(value)) => value,
            Ok(Action::Ask(value)) => match self.class.guard(0, offset.into(), value) {
                Ok(Verdict::Write(value)) => value,
                other => return self.refused.push(format!("writes {offset:#x}: {other:?}")),
            },
            other => return self.refused.push(format!("writes {offset:#x}: {other:?}")),
        };
        self.device.write(offset, value as u32);
    }

    fn attach(&mut self, queue: u16) -> (Ring, Layout) {
        let layout = Layout::new(ENTRIES).expect("a power of two");
        let real = self.ram.allocate(layout.bytes()).expect("there is enough");
        let ring = class::Ring { size: ENTRIES, base: real, completions: 0, translated: false };
        self.class.attach(&mut Front(&mut self.device), queue, ring).expect("nobody has it");
        let is_bounced = self.backend == Backend::Bounce;
        let driver = if is_bounced {
            self.ram.allocate(layout.shadow_bytes()).expect("there is enough")
        } else {
            real
        };
        let direction = if queue == RECEIVE { Direction::Receive } else { Direction::Send };
        let entries = vec![Entry::default(); ENTRIES.into()].into();
        let policy = is_bounced.then(|| Queue::new(layout, direction, entries).expect("as many as it has"));
        let ring = Ring { ram: self.ram.clone(), layout, driver, real };
        self.rings.push(Held { policy, ring: ring.clone() });
        (ring, layout)
    }

    /// Brings the device up, as drivers do.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn bring_up(&mut self) -> Result<Adapter<Ring>, DeviceFault> {
        let mut bring_up = BringUp::new();
        for _ in 0..1000 {
            match bring_up.step() {
                Step::Read(register) => {
                    let value = self.read(register);
                    bring_up.value(value);
                }
                Step::Write(register, value) => self.write(register, value),
                Step::Attach(queue) => {
                    let (ring, layout) = self.attach(queue);
                    bring_up.attached(ring, layout).expect("memory");
                }
                Step::Ready => return Ok(bring_up.finish(0).expect("it is ready")),
                Step::Failed(fault) => return Err(fault),
            }
        }
        panic!("it never ends");
    }

    /// Tells the device how far it may go, and has the kernel look at what it has done.
    pub fn tell(&mut self, bells: Bells) {
        for (queue, tail) in [(RECEIVE, bells.receive), (SEND, bells.send)] {
            let Some(tail) = tail else { continue };
            match self.backend {
                Backend::Bounce => {
                    let Held { ring, .. } = &self.rings[usize::from(queue)];
                    let place = self.ram.ring(ring.driver);
                    place.write16(ring.layout.tail(), tail);
                }
                Backend::Direct => {
                    let register = if queue == RECEIVE { RECEIVE_TAIL } else { SEND_TAIL };
                    self.write(register, tail.into());
                }
            }
        }
        self.look();
    }

    /// Has the kernel look.
    pub fn look(&mut self) {
        for (held, tail) in self.rings.iter_mut().zip([RECEIVE_TAIL, SEND_TAIL]) {
            let Held { policy: Some(policy), ring } = held else { continue };
            let (shadow, real): (RingMemory, RingMemory) =
                (self.ram.ring(ring.driver), self.ram.ring(ring.real));
            policy.collect(&real, &mut self.pool);
            loop {
                match policy.publish(&shadow, &real, &mut self.pool, 16) {
                    Ok(published) => {
                        if let Some(end) = published.bell {
                            self.device.write(tail.0, end.into());
                        }
                        if !published.more {
                            break;
                        }
                    }
                    Err(refusal) => {
                        self.refused.push(format!("{refusal:?}"));
                        break;
                    }
                }
            }
        }
    }

    /// Buffers that the device may write or read, with no IOMMU.
    pub fn pins(&self) -> u64 {
        self.pool.buffers().map(|buffer| buffer.pins).sum()
    }
}
