//! Driver, kernel and controller together: what a driver asks for is done, by the kernel's policies where those translate, else by the device itself.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use capos_dma::class::{Bell, Class, Register, Registers, Ring, Verdict};
use capos_dma::nvme::{self, Buffers, Layout};
use capos_dma::window::{Action, Backend};
use capos_dma::{Addresses, Pool, Space};
use capos_nvme::{Bells, BringUp, Controller, DeviceFault, Memory, Places, Step, Wish};

use super::{Device, Disk, Shape};
use crate::bus::RingMemory;
use crate::{Bus, Ram};

const PAGE: u64 = 4096;

/// Bytes of the registers' window, with doorbells of all queues.
const WINDOW: u64 = 0x4000;

/// Steps that no controller needs to come up, whatever it does: looks while it gets ready, and at each of its answers.
const STEPS: u32 = 100_000;

/// A driver's view of a queue.
#[derive(Clone, Debug)]
pub struct PairMemory {
    ram: Ram,
    commands: u64,
    seen: u64,
    completions: u32,
    own: u64,
}

impl PairMemory {
    /// Of a queue whose commands, completions and own buffer lie there.
    pub fn new(ram: &Ram, layout: Layout, [commands, seen, own]: [u64; 3]) -> PairMemory {
        PairMemory { ram: ram.clone(), commands, seen, completions: layout.completions(), own }
    }

    fn word(&self, address: u64) -> u64 {
        self.ram.word(address).expect("a driver stays in its memory")
    }

    fn put(&self, address: u64, bytes: &[u8]) {
        assert!(self.ram.write(address, bytes), "a driver stays in its memory");
    }
}

impl Memory for PairMemory {
    fn write_command(&self, offset: u32, words: &[u64; 8]) {
        assert!(offset < self.completions, "completions are the device's");
        let places = (self.commands + u64::from(offset)..).step_by(8);
        places.zip(words).for_each(|(at, word)| self.put(at, &word.to_le_bytes()));
    }
    fn read64(&self, offset: u32) -> u64 {
        assert!(offset >= self.completions, "commands are not read back");
        self.word(self.seen + u64::from(offset))
    }
    fn write_own(&self, offset: u32, value: u64) {
        self.put(self.own + u64::from(offset), &value.to_le_bytes());
    }
    fn read_own(&self, offset: u32) -> u64 {
        self.word(self.own + u64::from(offset))
    }
    fn fence(&self, _: Ordering) {}
}

/// The kernel's side of a queue.
struct Queue {
    policy: nvme::Queue,
    layout: Layout,
    shadow: RingMemory,
    real: RingMemory,
    bell: Bell,
}

/// Where buffers are, by their slots.
struct Slots {
    ram: Ram,
    places: BTreeMap<u16, u64>,
}

impl Buffers for Slots {
    fn read64(&self, slot: u16, offset: u64) -> u64 {
        let place = self.places.get(&slot).expect("a live buffer");
        self.ram.word(place + offset).expect("it is in memory")
    }
}

/// The device as the kernel reaches it.
struct Reached<'d>(&'d mut Device);

impl Registers for Reached<'_> {
    fn read(&mut self, register: Register) -> u64 {
        self.0.read(register.offset)
    }
    fn write(&mut self, register: Register, value: u64) {
        self.0.write(register.offset, value);
    }
}

/// Memory that the device may reach: from where, and how much.
type Reach = Rc<RefCell<Vec<(u64, u64)>>>;

/// One function, claimed.
pub struct Machine {
    /// The device.
    pub device: Device,
    /// All memory.
    pub ram: Ram,
    /// What the driver did that it may not do.
    pub refused: Vec<String>,
    /// The clock.
    pub now: u64,
    backend: Backend,
    class: Class,
    pool: Pool,
    slots: Slots,
    reach: Reach,
    queues: BTreeMap<u16, Queue>,
}

impl Machine {
    /// With a device that can reach nothing yet.
    pub fn new(shape: Shape, disks: Vec<Disk>, backend: Backend) -> Machine {
        let ram = Ram::new(8 << 20);
        let reach = Reach::default();
        let reached = Rc::clone(&reach);
        let bus = Bus::through(&ram, move |address, length, _| {
            let end = address.checked_add(length)?;
            let reach = reached.borrow();
            reach.iter().find(|(begin, bytes)| address >= *begin && end <= begin + bytes).map(|_| address)
        });
        let slots = Slots { ram: ram.clone(), places: BTreeMap::new() };
        let mut machine = Machine {
            device: Device::new(shape, disks, bus),
            ram,
            refused: Vec::new(),
            now: 0,
            backend,
            class: Class::Plain,
            pool: pool(),
            slots,
            reach,
            queues: BTreeMap::new(),
        };
        machine.reset();
        machine
    }

    /// Makes the device quiet, and takes back what it had.
    pub fn reset(&mut self) {
        self.device.reset();
        let capabilities = 0xffff | 1 << 24 | 1 << 37;
        let controller = nvme::Controller::new(capabilities).expect("the model is one");
        self.class = Class::Nvme(controller);
        (self.pool, self.ram) = (pool(), self.ram.clone());
        self.queues.clear();
        self.slots.places.clear();
        self.reach.borrow_mut().clear();
    }

    /// A buffer: its token, and where the driver sees it. Where the kernel does not translate these are the same.
    pub fn buffer(&mut self, bytes: u32) -> (u64, u64) {
        let place = self.ram.allocate(bytes).expect("tests have enough memory");
        let pages = u64::from(bytes).div_ceil(PAGE);
        self.reach.borrow_mut().push((place, pages * PAGE));
        if self.backend == Backend::Direct {
            return (place, place);
        }
        let token = self.pool.insert(pages, place).expect("tests have few buffers");
        let slot = self.pool.locate(token, 1).expect("it was just made").slot;
        self.slots.places.insert(slot, place);
        (token, place)
    }

    /// A driver's write.
    fn write(&mut self, offset: u32, width: u8, value: u64) {
        let table = self.class.table(0, WINDOW).expect("the class is sound");
        match table.check_write(self.backend, offset.into(), width, value) {
            Ok(Action::Write(value)) => self.device.write(offset.into(), value),
            Ok(Action::Ask(value)) => match self.class.guard(0, offset.into(), value) {
                Ok(Verdict::Write(value)) => self.device.write(offset.into(), value),
                other => self.refused.push(format!("{other:?}")),
            },
            other => self.refused.push(format!("write {value:#x} to {offset:#x}: {other:?}")),
        }
    }

    /// A queue, as the driver gets it.
    fn attach(&mut self, number: u16, layout: Layout) -> Option<(PairMemory, Places)> {
        let (token, real) = self.buffer(layout.bytes());
        let is_direct = self.backend == Backend::Direct;
        let shadow = if is_direct { real } else { self.ram.allocate(layout.shadow_bytes())? };
        let completions = real + u64::from(layout.completions());
        let ring = Ring { size: layout.size(), base: real, completions, translated: false };
        let bell = self.class.attach(&mut Reached(&mut self.device), number, ring);
        let bell = bell.map_err(|error| self.refused.push(error.to_string())).ok()?;
        let commands = vec![nvme::Command::default(); layout.size().into()].into();
        let policy = nvme::Queue::new(number, layout, real, commands)?;
        let queue = Queue { policy, layout, shadow: self.ram.ring(shadow), real: self.ram.ring(real), bell };
        self.queues.insert(number, queue);
        let (own_token, own) = self.buffer(capos_nvme::own_bytes(layout.size()));
        let memory = PairMemory::new(&self.ram, layout, [shadow, real, own]);
        Some((memory, Places { queue: if is_direct { token } else { 0 }, own: own_token }))
    }

    /// What a driver does to tell of a queue: doorbells of its own, or two words and a call.
    pub fn tell(&mut self, number: u16, bells: Bells) {
        let Some(queue) = self.queues.get_mut(&number) else { return };
        let bell = queue.bell.register.offset;
        if self.backend == Backend::Direct {
            let words = [(bell, bells.tail), (bell + 4, bells.consumed)];
            return words.into_iter().for_each(|(at, value)| {
                value.into_iter().for_each(|value| self.device.write(at, value.into()));
            });
        }
        let base = capos_virtio::split::Memory::write16;
        bells.tail.into_iter().for_each(|tail| base(&queue.shadow, queue.layout.tail(), tail));
        bells.consumed.into_iter().for_each(|at| base(&queue.shadow, queue.layout.consumed(), at));
        self.publish(number);
    }

    /// The kernel's call.
    fn publish(&mut self, number: u16) {
        let Class::Nvme(controller) = &mut self.class else { return };
        let Some(queue) = self.queues.get_mut(&number) else { return };
        let bell = queue.bell.register.offset;
        if let Err(fault) = queue.policy.collect(&queue.real, &mut self.pool, controller) {
            return self.refused.push(format!("device: {fault}"));
        }
        match queue.policy.consumed(&queue.shadow) {
            Ok(Some(index)) => self.device.write(bell + 4, index.into()),
            Ok(None) => {}
            Err(reason) => return self.refused.push(reason.to_string()),
        }
        let (shadow, real, slots) = (&queue.shadow, &queue.real, &self.slots);
        match queue.policy.publish(shadow, real, slots, &mut self.pool, controller, u16::MAX) {
            Ok(published) => {
                published.bell.into_iter().for_each(|tail| self.device.write(bell, tail.into()));
            }
            Err(refusal) => self.refused.push(refusal.reason.to_string()),
        }
    }

    /// Brings the controller up, which does a turn with each pause.
    ///
    /// # Errors
    /// The device's fault.
    ///
    /// # Panics
    /// When it never rests.
    pub fn bring_up(&mut self, wish: Wish) -> Result<Controller<PairMemory>, DeviceFault> {
        let mut bring_up = BringUp::new(wish).expect("tests wish what there can be");
        for _ in 0..STEPS {
            match bring_up.step(self.now) {
                Step::Read(register) => bring_up.value(self.device.read(register.offset.into())),
                Step::Write(register, value) => self.write(register.offset, register.width, value),
                Step::Attach { queue, layout } => {
                    let (memory, places) = self.attach(queue, layout).ok_or(DeviceFault::Silent)?;
                    bring_up.attached(memory, layout, places).expect("tests have memory");
                }
                Step::Tell(bells) => self.tell(0, bells),
                Step::Pause { until } => {
                    assert!(until > self.now, "a pause that is none");
                    self.now = until;
                    self.device.turn();
                }
                Step::Ready => return Ok(bring_up.finish(self.now).expect("it is ready")),
                Step::Failed(fault) => return Err(fault),
            }
        }
        panic!("it never rests");
    }

    /// Tells of everything that there is to tell, and has the device do a turn.
    pub fn turn(&mut self, controller: &mut Controller<PairMemory>) {
        let told: Result<(), ()> = controller.tell(|queue, bells| {
            self.tell(queue, bells);
            Ok(())
        });
        assert_eq!(told, Ok(()));
        self.device.turn();
    }
}

fn pool() -> Pool {
    let space = Space { bits: 40, shift: 24, floor: 0 };
    let slots = vec![Default::default(); 64].into();
    Pool::new(space, Addresses::Physical, slots).expect("a space like many")
}
