//! The kernel between a driver and its device, made of the same policies: registers by table and guard, memory by tokens, rings translated
//! or not. What the device then reaches is what a driver can make it reach.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use capos_dma::class::{self, Bell, Class, Legacy, Modern, Region, Registers, Verdict};
use capos_dma::window::{Action, Backend};
use capos_dma::{Addresses, Pool, Real, Shadow, Space, virtq};
use capos_virtio::register::{Register, Width, Window};
use capos_virtio::split::Memory;
use capos_virtio::{Interface, Layout};

use crate::bus::RingMemory;
use crate::virtio::{self, Device};
use crate::{Bus, Ram};

/// Where QEMU puts the modern regions: a page each in one window. The multiplier of notifications is 4.
const BAR: u8 = 4;
const PAGE: u64 = 4096;
const WINDOWS: [(Window, u64); 3] = [(Window::Common, 0), (Window::Isr, PAGE), (Window::Device, 2 * PAGE)];
const NOTIFY: u64 = 3 * PAGE;

/// Memory that the device may reach: its address of it, ours, and the length.
type Reach = Rc<RefCell<Vec<(u64, u64, u64)>>>;

/// One function, claimed.
pub struct Kernel<C> {
    /// The device.
    pub device: Device<C>,
    /// All memory.
    pub ram: Ram,
    /// The driver's buffers.
    pub pool: Pool,
    /// What the driver did that it may not do.
    pub refused: Vec<String>,
    class: Class,
    backend: Backend,
    reach: Reach,
    queue: Option<Queue>,
}

/// A queue of the driver's.
struct Queue {
    policy: virtq::Queue,
    ring: DriverRing,
    bell: Bell,
    number: u16,
}

/// A driver's view of its queue: what it writes, and what the device writes.
#[derive(Clone, Debug)]
pub struct DriverRing {
    shadow: RingMemory,
    real: RingMemory,
    used: u32,
}

impl DriverRing {
    fn part(&self, offset: u32) -> &RingMemory {
        if offset < self.used { &self.shadow } else { &self.real }
    }

    fn writable(&self, offset: u32) -> &RingMemory {
        assert!(offset < self.used, "the used ring is mapped read-only");
        &self.shadow
    }
}

impl Memory for DriverRing {
    fn read16(&self, offset: u32) -> u16 {
        Memory::read16(self.part(offset), offset)
    }
    fn read32(&self, offset: u32) -> u32 {
        Memory::read32(self.part(offset), offset)
    }
    fn write16(&self, offset: u32, value: u16) {
        Memory::write16(self.writable(offset), offset, value);
    }
    fn write32(&self, offset: u32, value: u32) {
        self.writable(offset).write32(offset, value);
    }
    fn write64(&self, offset: u32, value: u64) {
        Memory::write64(self.writable(offset), offset, value);
    }
    fn fence(&self, _: Ordering) {}
}

impl Shadow for RingMemory {
    fn read16(&self, offset: u32) -> u16 {
        Memory::read16(self, offset)
    }
    fn read64(&self, offset: u32) -> u64 {
        u64::from(Memory::read32(self, offset)) | u64::from(Memory::read32(self, offset + 4)) << 32
    }
}

impl Real for RingMemory {
    fn read16(&self, offset: u32) -> u16 {
        Memory::read16(self, offset)
    }
    fn read32(&self, offset: u32) -> u32 {
        Memory::read32(self, offset)
    }
    fn write16(&self, offset: u32, value: u16) {
        Memory::write16(self, offset, value);
    }
    fn write64(&self, offset: u32, value: u64) {
        Memory::write64(self, offset, value);
    }
    fn fence(&self, _: Ordering) {}
}

/// The device as the kernel reaches it.
struct Reached<'d, C>(&'d mut Device<C>);

impl<C: virtio::Class> Registers for Reached<'_, C> {
    fn read(&mut self, register: class::Register) -> u64 {
        self.0.read(found(self.0.interface(), register)).into()
    }
    fn write(&mut self, register: class::Register, value: u64) {
        self.0.write(found(self.0.interface(), register), value as u32);
    }
}

fn found(interface: Interface, register: class::Register) -> Register {
    let width = match register.width {
        1 => Width::Bits8,
        2 => Width::Bits16,
        _ => Width::Bits32,
    };
    let page = register.offset / PAGE * PAGE;
    let window = WINDOWS.iter().find(|(_, begin)| *begin == page).map(|(window, _)| *window);
    match (interface, window) {
        (Interface::Legacy, _) => Register { window: Window::Legacy, offset: register.offset as u32, width },
        (_, window) => {
            let window = window.expect("no register of the class is anywhere else");
            Register { window, offset: (register.offset - page) as u32, width }
        }
    }
}

/// The same register in terms of the class.
fn placed(register: Register) -> class::Register {
    let width = match register.width {
        Width::Bits8 => 1,
        Width::Bits16 => 2,
        Width::Bits32 => 4,
    };
    let begin = WINDOWS.iter().find(|(window, _)| *window == register.window).map_or(0, |(_, begin)| *begin);
    let bar = if register.window == Window::Legacy { 0 } else { BAR };
    class::Register { bar, offset: begin + u64::from(register.offset), width }
}

impl<C: virtio::Class> Kernel<C> {
    /// With a device that can reach nothing yet.
    pub fn new(interface: Interface, class: C, backend: Backend, vectors: u16) -> Kernel<C> {
        let ram = Ram::new(1 << 20);
        let reach = Reach::default();
        let reached = Rc::clone(&reach);
        let bus = Bus::through(&ram, move |address, length, _| {
            let end = address.checked_add(length)?;
            let reach = reached.borrow();
            let part = reach.iter().find(|(begin, _, bytes)| address >= *begin && end <= begin + bytes)?;
            Some(part.1 + (address - part.0))
        });
        let mut device = Device::new(interface, class, bus);
        device.vectors = vectors;
        let region = |offset| Region { bar: BAR, offset, length: PAGE };
        let modern = || Modern::new(region(0), region(NOTIFY), 4, region(PAGE), Some(region(2 * PAGE)));
        let class = match interface {
            Interface::Modern => Class::Modern(modern().expect("the regions are large enough")),
            Interface::Legacy => Class::Legacy(Legacy::new(vectors > 0)),
        };
        let addresses = if backend == Backend::Direct { Addresses::Iova } else { Addresses::Physical };
        let space = Space { bits: 32, shift: 16, floor: 0 };
        let pool = Pool::new(space, addresses, vec![Default::default(); 16].into());
        let pool = pool.expect("a space like many");
        Kernel { device, ram, pool, refused: Vec::new(), class, backend, reach, queue: None }
    }

    /// A buffer: its token, and where the driver sees it.
    pub fn buffer(&mut self, length: u32) -> (u64, u64) {
        let place = self.ram.allocate(length).expect("tests have enough memory");
        let pages = u64::from(length).div_ceil(PAGE);
        let token = self.pool.insert(pages, place).expect("tests have few buffers");
        let address = self.pool.locate(token, 1).expect("it was just made").address;
        self.reach.borrow_mut().push((address, place, pages * PAGE));
        (token, place)
    }

    /// A driver's read.
    pub fn read(&mut self, register: Register) -> u32 {
        let place = placed(register);
        let table = self.class.table(place.bar, 4 * PAGE).expect("the class is sound");
        match table.check_read(place.offset, place.width) {
            Ok(()) => self.device.read(register),
            Err(error) => {
                self.refused.push(format!("read {register:?}: {error:?}"));
                0
            }
        }
    }

    /// A driver's write.
    pub fn write(&mut self, register: Register, value: u32) {
        let place = placed(register);
        let table = self.class.table(place.bar, 4 * PAGE).expect("the class is sound");
        match table.check_write(self.backend, place.offset, place.width, value.into()) {
            Ok(Action::Write(value)) => self.device.write(register, value as u32),
            Ok(Action::Ask(value)) => match self.class.guard(place.bar, place.offset, value) {
                Ok(Verdict::Write(value)) => self.device.write(register, value as u32),
                Ok(Verdict::Reset) => self.reset(),
                Err(error) => self.refused.push(format!("write {value:#x} to {register:?}: {error}")),
            },
            other => self.refused.push(format!("write {value:#x} to {register:?}: {other:?}")),
        }
    }

    /// Makes the device quiet, and takes back what it had.
    pub fn reset(&mut self) {
        for step in self.class.quiesce().to_vec() {
            if let class::Step::Write(register, value) = step {
                Reached(&mut self.device).write(register, value);
            }
        }
        if let Some(mut queue) = self.queue.take() {
            queue.policy.abandon(&mut self.pool);
        }
        self.class.was_reset();
    }

    /// Gives the device a queue, and the driver its view of it.
    pub fn attach(&mut self, number: u16, layout: Layout) -> Option<DriverRing> {
        let (address, real) = self.buffer(layout.bytes());
        let direct = self.backend == Backend::Direct;
        let shadow = if direct { real } else { self.ram.allocate(layout.used())? };
        let base = if direct { address } else { real };
        let ring = class::Ring { size: layout.size(), base, completions: 0, translated: false };
        let bell = self.class.attach(&mut Reached(&mut self.device), number, ring);
        let bell = bell.map_err(|error| self.refused.push(error.to_string())).ok()?;
        let descriptors = vec![virtq::Descriptor::default(); layout.size().into()];
        let policy = virtq::Queue::new(layout, false, descriptors.into())?;
        let (shadow, real) = (self.ram.ring(shadow), self.ram.ring(real));
        let ring = DriverRing { shadow, real, used: layout.used() };
        self.queue = Some(Queue { policy, ring: ring.clone(), bell, number });
        Some(ring)
    }

    /// What a driver does when its device is to look at the queue: a call, or a doorbell of its own.
    pub fn publish(&mut self) {
        let Some(queue) = &mut self.queue else { return };
        assert_eq!(queue.bell.value, u64::from(queue.number));
        if self.backend == Backend::Direct {
            return self.device.notify(queue.number);
        }
        if let Err(fault) = queue.policy.collect(&queue.ring.real, &mut self.pool) {
            return self.refused.push(fault.to_string());
        }
        match queue.policy.publish(&queue.ring.shadow, &queue.ring.real, &mut self.pool, u16::MAX) {
            Ok(published) if published.bell => self.device.notify(queue.number),
            Ok(_) => {}
            Err(refusal) => self.refused.push(refusal.reason.to_string()),
        }
    }
}
