//! An NVMe controller that was brought up, and a client of it.
#![allow(dead_code)] // Each of the tests that share this uses some of it.

use capos_block::{Operation, Request, Status};
use capos_dma::window::Backend;
use capos_nvme::{Controller, DeviceFault, Finished, Wish};
use fakes::nvme::machine::{Machine, PairMemory};
use fakes::nvme::{Disk, Mischief, Shape};

/// Queues that are wished for.
pub const WISH: Wish = Wish { queues: 2, entries: 8, vectors: 3 };

/// Bytes of the client's buffer.
pub const ROOM: u32 = 160 * 4096;

/// Turns that no request needs which ends at all, and time of each.
pub const TURNS: u32 = 64;
pub const TURN_NS: u64 = 500_000_000;

pub struct Bench {
    pub machine: Machine,
    pub controller: Controller<PairMemory>,
    pub token: u64,
    pub place: u64,
}

/// Two disks: of sectors of 512 bytes, and of 4096.
pub fn disks() -> Vec<Disk> {
    vec![Disk::new(1, 9, 2048), Disk::new(2, 12, 256)]
}

pub fn request(operation: Operation, first: u64, sectors: u32) -> Request {
    Request { id: 0, operation, durable: false, buffer: 0, offset: 0, first, sectors }
}

impl Bench {
    pub fn new(shape: Shape, disks: Vec<Disk>, backend: Backend) -> Bench {
        Bench::wishing(shape, disks, backend, WISH).expect("a good device")
    }

    pub fn wishing(
        shape: Shape,
        disks: Vec<Disk>,
        backend: Backend,
        wish: Wish,
    ) -> Result<Bench, DeviceFault> {
        let mut machine = Machine::new(shape, disks, backend);
        let controller = machine.bring_up(wish)?;
        let (token, place) = machine.buffer(ROOM);
        Ok(Bench { machine, controller, token, place })
    }

    pub fn good() -> Bench {
        Bench::new(Shape::default(), disks(), Backend::Direct)
    }

    pub fn misbehave(&mut self, mischief: Mischief) {
        self.machine.device.mischief = mischief;
    }

    pub fn fill(&self, bytes: &[u8]) {
        assert!(self.machine.ram.write(self.place, bytes));
    }

    pub fn bytes(&self, length: usize) -> Vec<u8> {
        self.machine.ram.read(self.place, length).expect("it is in memory")
    }

    pub fn submit(&mut self, disk: u16, tag: u16, request: &Request) {
        let now = self.machine.now;
        let done = self.controller.submit(disk, tag, request, self.token, now);
        assert_eq!(done, Ok(()));
    }

    /// One turn of everybody; what came of it.
    pub fn turn(&mut self) -> Result<Vec<Finished>, DeviceFault> {
        self.machine.turn(&mut self.controller);
        self.machine.now += TURN_NS;
        let now = self.machine.now;
        let mut all = Vec::new();
        while let Some(finished) = self.controller.take(now)? {
            all.push(finished);
        }
        let status = self.machine.device.read(0x1c);
        if self.controller.deadline().is_some_and(|at| now >= at) {
            self.controller.on_timeout(status, now)?;
        }
        self.controller.event(now)?;
        Ok(all)
    }

    /// Has one request done.
    pub fn ask(&mut self, disk: u16, request: &Request) -> Result<Finished, DeviceFault> {
        self.submit(disk, 7, request);
        for _ in 0..TURNS {
            if let Some(finished) = self.turn()?.pop() {
                assert_eq!((finished.disk, finished.tag), (disk, 7));
                return Ok(finished);
            }
        }
        panic!("it never ends");
    }

    pub fn must(&mut self, disk: u16, request: &Request) {
        assert_eq!(self.ask(disk, request).map(|it| it.status), Ok(Status::Done), "{request:?}");
    }

    /// Nobody did what he may not do.
    pub fn check(&self) {
        assert_eq!(self.machine.device.violations, []);
        assert_eq!(self.machine.refused, [] as [String; 0]);
    }
}
