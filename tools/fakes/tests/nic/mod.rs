//! A driver of network adapters without a machine: transport, core, and what is in flight.

use std::collections::BTreeMap;

use capos_mutate::Rng;
use capos_virtio::net::{
    AREA_BYTES, Buffers, Checksum, Command, Done, FIELDS, Frame, Net, Options, Refusal, Segment, Shape, Tag,
    transport,
};
use capos_virtio::{DeviceFault, Interface, Step, Transport};
use fakes::bus::RingMemory;
use fakes::drive::settle;
use fakes::virtio::{Device, Mischief, Nic};
use fakes::{Bus, Ram};

pub const BOTH: [Interface; 2] = [Interface::Modern, Interface::Legacy];

/// Bytes of a buffer to be received into, and of one to be sent.
pub const BUFFER: u32 = 2048;
const LARGE: u32 = 65536;

/// Tags of buffers to be received into are below this one; each has its place.
pub const RECEIVES: u16 = 1024;
/// Those of frames to be sent are from there on, and places take turns.
const SENDS: u16 = 16;

/// Resets that no fault of the device outlasts.
const PATIENCE: u32 = 3000;

/// What the driver sees of the buffers.
struct Pool {
    ram: Ram,
    base: u64,
}

impl Pool {
    fn token(&self, tag: Tag) -> u64 {
        let large = u64::from(tag.saturating_sub(RECEIVES) % SENDS) * u64::from(LARGE);
        self.base + u64::from(tag.min(RECEIVES)) * u64::from(BUFFER) + large
    }
}

impl Buffers for Pool {
    fn header(&self, tag: Tag) -> [u32; 3] {
        assert!(tag < RECEIVES);
        let bytes = self.ram.read(self.token(tag), 12).expect("it is there");
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four"));
        [word(0), word(4), word(8)]
    }
}

/// A frame that was received.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Got {
    pub bytes: Vec<u8>,
    pub parts: u32,
    pub is_good: bool,
}

pub struct Bench {
    pub now: u64,
    pub device: Device<Nic>,
    transport: Transport<FIELDS>,
    net: Option<Net<RingMemory, RingMemory>>,
    options: Options,
    pool: Pool,
    area: u64,
    ram: Ram,
    /// The device's numbers of queues.
    pub numbers: Vec<u16>,
    /// Buffers that the device has.
    armed: Vec<Tag>,
    sending: BTreeMap<Tag, usize>,
    next: u16,
    /// A frame whose end is still to come.
    part: Option<Got>,
    pub received: Vec<Got>,
    pub sent: Vec<Tag>,
    pub told: Vec<(Command, bool)>,
}

impl Bench {
    pub fn new(interface: Interface, nic: Nic, options: Options) -> Bench {
        let ram = Ram::new(64 << 20);
        let mut device = Device::new(interface, nic, Bus::direct(&ram));
        device.vectors = 1;
        let bytes = u32::from(RECEIVES) * BUFFER + u32::from(SENDS) * LARGE;
        let pool = Pool { ram: ram.clone(), base: ram.allocate(bytes).unwrap() };
        let area = ram.allocate(AREA_BYTES).unwrap();
        let transport = transport(interface, 1, options);
        Bench {
            now: 1,
            device,
            transport,
            net: None,
            options,
            pool,
            area,
            ram,
            numbers: Vec::new(),
            armed: Vec::new(),
            sending: BTreeMap::new(),
            next: 0,
            part: None,
            received: Vec::new(),
            sent: Vec::new(),
            told: Vec::new(),
        }
    }

    pub fn good(interface: Interface, nic: Nic, options: Options) -> Bench {
        let mut bench = Bench::new(interface, nic, options);
        bench.reset().unwrap();
        bench
    }

    pub fn net(&mut self) -> &mut Net<RingMemory, RingMemory> {
        self.net.as_mut().expect("it is up")
    }

    pub fn features(&self) -> u64 {
        self.transport.features()
    }

    /// The driver's start, and its way out of a fault. Frames under way are lost.
    pub fn reset(&mut self) -> Result<(), DeviceFault> {
        (self.net, self.part) = (None, None);
        self.transport.reset();
        let mut now = self.now;
        let queues = settle(&mut self.transport, &mut self.device, &self.ram, &mut now)?;
        self.now = now;
        self.numbers = queues.iter().map(|queue| queue.number).collect();
        let shape = Shape::new(self.transport.features(), self.transport.config())?;
        let queues = queues.iter().map(|queue| (queue.memory.clone(), queue.layout));
        self.net = Some(Net::new(shape, self.ram.ring(self.area), self.area, queues, now)?);
        self.sending.clear();
        for tag in std::mem::take(&mut self.armed) {
            let _ = self.arm_one(tag);
        }
        Ok(())
    }

    /// Resets until it works.
    pub fn recover(&mut self) {
        assert!((0..PATIENCE).any(|_| self.reset().is_ok()), "it does not get up");
    }

    fn arm_one(&mut self, tag: Tag) -> Result<(), Refusal> {
        let token = self.pool.token(tag);
        self.net.as_mut().expect("it is up").receive(tag, token, BUFFER)?;
        self.armed.push(tag);
        Ok(())
    }

    /// Arms as many buffers as are not armed, up to a count; gives how many there are then.
    pub fn arm(&mut self, count: u16) -> usize {
        for tag in 0..count {
            if !self.armed.contains(&tag) && self.arm_one(tag).is_err() {
                break;
            }
        }
        self.armed.len()
    }

    pub fn send(&mut self, bytes: &[u8]) -> Result<Tag, Refusal> {
        self.send_as(bytes, None, None, 0)
    }

    pub fn send_as(
        &mut self,
        bytes: &[u8],
        checksum: Option<Checksum>,
        segment: Option<Segment>,
        flow: u16,
    ) -> Result<Tag, Refusal> {
        let tag = RECEIVES + self.next % 4096;
        let (token, length) = (self.pool.token(tag), bytes.len() as u32);
        assert!(self.ram.write(token, bytes));
        let now = self.now;
        self.net().send(tag, &Frame { token, length, checksum, segment, flow }, now)?;
        self.next = self.next.wrapping_add(1);
        assert_eq!(self.sending.insert(tag, bytes.len()), None);
        Ok(tag)
    }

    /// What the driver does with what there is to tell the device of.
    pub fn publish(&mut self) -> u32 {
        let news = self.net().publish();
        let direct = self.options.direct;
        let bells = if direct { self.net().bells(news) } else { news };
        assert_eq!(bells & !news, 0);
        for (position, number) in self.numbers.iter().enumerate() {
            if bells >> position & 1 != 0 {
                self.device.notify(*number);
            }
        }
        news
    }

    /// The device does what it was given, and what came of it is taken.
    pub fn turn(&mut self) -> Result<(), DeviceFault> {
        self.publish();
        self.device.turn();
        self.take()
    }

    pub fn take(&mut self) -> Result<(), DeviceFault> {
        while self.take_one()? {}
        assert_eq!(self.part, None, "a frame is given as a whole");
        Ok(())
    }

    /// Takes one thing, if there is one.
    pub fn take_one(&mut self) -> Result<bool, DeviceFault> {
        let (now, net) = (self.now, self.net.as_mut().expect("it is up"));
        let done = net.take(&self.pool, now)?;
        if let Some(done) = done {
            match done {
                Done::Received { tag, skip, length, more, is_good } => {
                    let at = self.armed.iter().position(|it| *it == tag).expect("it was armed");
                    self.armed.swap_remove(at);
                    assert!(u32::from(skip) + length <= BUFFER);
                    let bytes =
                        self.ram.read(self.pool.token(tag) + u64::from(skip), length as usize).unwrap();
                    let mut got = self.part.take().unwrap_or_default();
                    assert!(got.parts == 0 || (skip == 0 && got.is_good == is_good));
                    got.bytes.extend(bytes);
                    (got.parts, got.is_good) = (got.parts + 1, is_good);
                    if more { self.part = Some(got) } else { self.received.push(got) }
                }
                Done::Sent { tag } => {
                    assert!(self.sending.remove(&tag).is_some(), "it was not under way");
                    self.sent.push(tag);
                }
                Done::Told { command, is_done } => self.told.push((command, is_done)),
            }
        }
        Ok(done.is_some())
    }

    /// One wait of the driver's.
    pub fn round(&mut self) -> Result<(), DeviceFault> {
        self.turn()?;
        if self.net().may_sleep()?
            && let Some(deadline) = self.net().deadline()
        {
            self.now = self.now.max(deadline);
            self.look()?;
        }
        Ok(())
    }

    /// What the driver does when its deadline comes.
    pub fn look(&mut self) -> Result<(), DeviceFault> {
        let (status, now) = (self.device.read(self.device.interface().status()) as u8, self.now);
        self.net().on_timeout(status, now)
    }

    /// The device interrupted because of its configuration.
    pub fn changed(&mut self) -> Result<bool, DeviceFault> {
        self.transport.changed();
        loop {
            match self.transport.step(self.now) {
                Step::Read(register) => self.transport.value(self.device.read(register)),
                Step::Ready => break,
                step => panic!("{step:?}"),
            }
        }
        let config = self.config();
        self.net().reconfigure(&config)
    }

    /// What the device said of itself.
    pub fn config(&self) -> [u32; FIELDS] {
        *self.transport.config()
    }

    /// Until nothing is to be sent and nothing to be told.
    pub fn settle(&mut self) {
        for _ in 0..100 {
            if self.sending.is_empty() && self.net().is_settled() {
                return;
            }
            self.round().unwrap();
        }
        panic!("it is never over");
    }

    /// A frame comes, whole.
    pub fn one(&mut self, bytes: &[u8]) -> Got {
        self.device.class.receive(bytes);
        self.turn().unwrap();
        let got = self.received.pop().expect("it came");
        assert_eq!(got.bytes, bytes);
        got
    }

    /// The device had nothing to say against the driver.
    pub fn is_clean(&self) {
        assert_eq!(
            (self.device.violations.as_slice(), self.device.class.wrong.as_slice()),
            (&[][..], &[][..])
        );
    }

    /// So many turns at random, with whatever faults; gives frames sent and received.
    pub fn work(&mut self, seed: u64, turns: u32, mischief: Mischief) -> (usize, usize) {
        let mut rng = Rng::new(seed);
        self.device.mischief = mischief;
        self.recover();
        for n in 0..turns {
            self.arm(64);
            if rng.chance(3, 4) {
                let length = 14 + rng.below(1500) as usize;
                let _ = self.send(&vec![n as u8; length]);
            }
            if rng.chance(1, 2) {
                let length = if rng.chance(1, 4) { rng.below(9000) } else { rng.below(1500) };
                self.device.class.receive(&vec![n as u8; length as usize]);
            }
            if self.round().is_err() {
                self.recover();
            }
        }
        (self.sent.len(), self.received.len())
    }
}

/// Not 0, and of another length each.
pub fn frame(n: u8, length: usize) -> Vec<u8> {
    (0..length).map(|at| (at as u8).wrapping_mul(31) ^ n).collect()
}
