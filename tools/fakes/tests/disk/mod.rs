//! A driver of disks without a machine: transport, core, and what is in flight.

use capos_block::{Geometry, Operation, Pending, Request, Status};
use capos_mutate::Rng;
use capos_virtio::blk::{AREA_BYTES, Blk, FIELDS, Refusal, Shape, wish};
use capos_virtio::{DeviceFault, Interface, Transport};
use fakes::bus::RingMemory;
use fakes::drive::settle;
use fakes::virtio::{Device, Disk, Mischief};
use fakes::{Bus, Ram};

pub const BOTH: [Interface; 2] = [Interface::Modern, Interface::Legacy];
pub const UNIT: usize = 512;

/// Buffers that take turns, and the bytes of one.
const BUFFERS: u32 = 512;
const BUFFER: u32 = 8192;

/// Resets that no fault of the device outlasts.
const PATIENCE: u32 = 3000;

/// What a disk of 64 units says when nothing is wrong.
const WANTED: Geometry = Geometry {
    sectors: 64,
    sector_shift: 9,
    most: 2048,
    read_only: false,
    cache: true,
    discard: true,
    zero: true,
};

pub struct Bench {
    ram: Ram,
    pub now: u64,
    pub device: Device<Disk>,
    transport: Transport<FIELDS>,
    blk: Option<Blk<RingMemory, RingMemory>>,
    buffers: u64,
    area: u64,
    pending: Pending<Request>,
    asked: u32,
    /// What it has to be like after a reset.
    wanted: Option<Geometry>,
    /// Requests that are over: id, status, and what the device said.
    pub over: Vec<(u32, Status, u32)>,
}

impl Bench {
    pub fn new(interface: Interface, disk: Disk, mischief: Mischief) -> Bench {
        let ram = Ram::new(256 << 20);
        let mut device = Device::new(interface, disk, Bus::direct(&ram));
        (device.vectors, device.mischief) = (1, mischief);
        let buffers = ram.allocate(BUFFERS * BUFFER).unwrap();
        let area = ram.allocate(AREA_BYTES).unwrap();
        let transport = Transport::new(interface, wish(1));
        let pending = Pending::new(1024).unwrap();
        let over = Vec::new();
        Bench {
            ram,
            now: 1,
            device,
            transport,
            blk: None,
            buffers,
            area,
            pending,
            asked: 0,
            wanted: None,
            over,
        }
    }

    pub fn blk(&mut self) -> &mut Blk<RingMemory, RingMemory> {
        self.blk.as_mut().expect("it is up")
    }

    /// The driver's start, and its way out of a fault.
    pub fn reset(&mut self) -> Result<(), DeviceFault> {
        self.blk = None;
        self.transport.reset();
        let queues = settle(&mut self.transport, &mut self.device, &self.ram, &mut self.now)?;
        let shape = Shape::new(self.transport.features(), self.transport.config())?;
        let queues = queues.iter().map(|queue| (queue.memory.clone(), queue.layout));
        let interface = self.device.interface();
        self.blk = Some(Blk::new(interface, shape, self.ram.ring(self.area), self.area, queues)?);
        Ok(())
    }

    /// Resets until it works, and asks once more what was in flight.
    pub fn recover(&mut self) {
        // One that says to be another disk all of a sudden is not used.
        let is_up =
            |_: &u32| self.reset().is_ok() && self.wanted.is_none_or(|it| it == *self.blk().geometry());
        let up = (0..PATIENCE).find(is_up);
        assert!(up.is_some(), "it does not get up");
        let blk = self.blk.as_mut().expect("it is up");
        for (tag, request) in self.pending.iter() {
            let token = self.buffers + u64::from(request.offset);
            // What does not fit waits: see `again`.
            let _ = blk.submit(tag, request, token, self.now);
        }
    }

    pub fn submit(
        &mut self,
        operation: Operation,
        first: u64,
        sectors: u32,
        durable: bool,
    ) -> Result<(), Refusal> {
        let offset = self.asked % BUFFERS * BUFFER;
        let request = Request { id: self.asked, operation, durable, buffer: 0, offset, first, sectors };
        let blk = self.blk.as_mut().expect("it is up");
        assert_eq!(blk.geometry().check(&request, u64::MAX), Ok(()));
        let tag = self.pending.insert(request).expect("there is room");
        let token = self.buffers + u64::from(offset);
        if let Err(refusal) = blk.submit(tag, &request, token, self.now) {
            self.pending.remove(tag);
            return Err(refusal);
        }
        self.asked += 1;
        Ok(())
    }

    pub fn fill(&mut self, buffer: u32, bytes: &[u8]) {
        assert!(self.ram.write(self.buffers + u64::from(buffer * BUFFER), bytes));
    }

    /// What is in the buffer of the request of that number.
    pub fn buffer(&self, buffer: u32, length: usize) -> Vec<u8> {
        self.ram.read(self.buffers + u64::from(buffer % BUFFERS * BUFFER), length).unwrap()
    }

    pub fn tell(&mut self, news: u32) {
        (0..32).filter(|queue| news >> queue & 1 != 0).for_each(|queue| self.device.notify(queue));
    }

    /// The device does what it was given, and what came of it is taken.
    pub fn turn(&mut self) {
        self.try_turn().unwrap();
    }

    fn try_turn(&mut self) -> Result<(), DeviceFault> {
        let news = self.blk().publish();
        self.tell(news);
        self.device.turn();
        let now = self.now;
        while let Some(done) = self.blk().take(now)? {
            let request = self.pending.remove(done.tag).expect("it was in flight");
            self.over.push((request.id, done.status, done.detail));
        }
        Ok(())
    }

    /// One wait of the driver's.
    pub fn round(&mut self) -> Result<(), DeviceFault> {
        let before = self.over.len();
        self.try_turn()?;
        if self.over.len() == before && self.blk().may_sleep()? {
            if let Some(deadline) = self.blk().deadline() {
                self.now = deadline;
            }
            self.look()?;
        }
        Ok(())
    }

    /// What the driver does when its deadline comes.
    pub fn look(&mut self) -> Result<(), DeviceFault> {
        let (status, now) = (self.device.read(self.device.interface().status()) as u8, self.now);
        self.blk().on_timeout(status, now)
    }

    /// Until nothing is in flight.
    pub fn settle(&mut self) {
        for _ in 0..1000 {
            if self.pending.is_empty() {
                return;
            }
            self.round().unwrap();
        }
        panic!("it is never over");
    }

    pub fn name(&mut self) -> Result<(), DeviceFault> {
        let now = self.now;
        assert!(self.blk().ask_id(now));
        self.round()
    }

    /// One request, from begin to end.
    pub fn one(&mut self, operation: Operation, first: u64, sectors: u32, durable: bool) -> (Status, u32) {
        self.submit(operation, first, sectors, durable).unwrap();
        self.settle();
        let (id, status, detail) = *self.over.last().expect("it is over");
        assert_eq!(id + 1, self.asked);
        (status, detail)
    }

    /// The device had nothing to say against the driver.
    pub fn is_clean(&self) {
        assert_eq!(
            (self.device.violations.as_slice(), self.device.class.wrong.as_slice()),
            (&[][..], &[][..])
        );
    }

    /// So many requests at random with whatever faults, the disk compared with a model all the while; gives how many the device refused.
    ///
    /// A sector is in one request in flight at most: what it holds is known then.
    pub fn work(&mut self, seed: u64, requests: u32) -> u32 {
        let mut rng = Rng::new(seed);
        let mut work =
            Work { sectors: vec![Some(0); 64], busy: vec![false; 64], asked: Vec::new(), failed: 0 };
        self.wanted = Some(WANTED);
        self.recover();
        for _ in 0..20_000 {
            let ready = self.asked < requests;
            if !ready && self.pending.is_empty() {
                return work.failed;
            }
            if ready && rng.chance(3, 4) {
                work.ask(self, &mut rng);
            }
            if self.round().is_err() {
                self.recover();
            }
            self.again();
            for (id, status, _) in std::mem::take(&mut self.over) {
                work.judge(self, id, status);
            }
        }
        panic!("it is never over");
    }

    /// A small ring may have had no room for all that is in flight.
    fn again(&mut self) {
        if self.blk().deadline().is_none() && !self.pending.is_empty() {
            self.recover();
        }
    }
}

/// What is known of the disk: the byte that each sector is full of, if it is known.
struct Work {
    sectors: Vec<Option<u8>>,
    busy: Vec<bool>,
    asked: Vec<(Operation, usize, usize)>,
    failed: u32,
}

impl Work {
    fn ask(&mut self, bench: &mut Bench, rng: &mut Rng) {
        let operation = rng.pick(&Operation::ALL).expect("there are some");
        let (first, count) = (rng.below(60) as usize, 1 + rng.below(4) as usize);
        let (first, count) = if operation == Operation::Flush { (0, 0) } else { (first, count) };
        let range = first..first + count;
        if self.busy[range.clone()].contains(&true) {
            return;
        }
        let with = bench.asked as u8 | 1;
        bench.fill(bench.asked % BUFFERS, &vec![with; count * UNIT]);
        let durable = rng.chance(1, 3) && operation.changes();
        if bench.submit(operation, first as u64, count as u32, durable).is_ok() {
            self.busy[range.clone()].fill(true);
            self.asked.push((operation, first, count));
        }
    }

    fn judge(&mut self, bench: &Bench, id: u32, status: Status) {
        let (operation, first, count) = self.asked[id as usize];
        let range = first..first + count;
        assert!(self.busy[range.clone()].iter().all(|busy| *busy), "it was over already");
        self.busy[range.clone()].fill(false);
        let with = match (operation, status) {
            (Operation::Read, Status::Done) => {
                let read = bench.buffer(id, count * UNIT);
                let wanted = self.sectors[range].iter();
                for (read, wanted) in read.chunks(UNIT).zip(wanted) {
                    assert!(
                        wanted.is_none_or(|wanted| read == [wanted; UNIT]),
                        "{id}: {wanted:?}, not {:?}",
                        read[0]
                    );
                }
                return;
            }
            (Operation::Flush, Status::Done) => return,
            (Operation::Write, Status::Done) => Some(id as u8 | 1),
            (Operation::Zero, Status::Done) => Some(0),
            (Operation::Discard, Status::Done) => None,
            _ => {
                self.failed += 1;
                if !operation.changes() {
                    return;
                }
                None
            }
        };
        self.sectors[range].fill(with);
    }
}
