//! The `edu` core, the kernel's policy of its registers and its engine, and the device together.

use capos_dma::class::Class;
use capos_dma::edu::{COMMAND, Engine};
use capos_dma::window::{Action, Backend};
use capos_dma::{Addresses, Pool, Space};
use capos_edu::register::Register;
use capos_edu::{Copy, Edu, Job, Outcome, Step, Transfer};
use fakes::edu::Device;
use fakes::{Bus, Ram};

struct Bench {
    ram: Ram,
    pool: Pool,
    engine: Engine,
    device: Device,
    core: Edu,
    now: u64,
}

impl Bench {
    fn new() -> Bench {
        let ram = Ram::new(1 << 16);
        let space = Space { bits: 28, shift: 14, floor: 0 };
        let pool = Pool::new(space, Addresses::Physical, vec![Default::default(); 4].into()).unwrap();
        let device = Device::new(Bus::direct(&ram));
        Bench { ram, pool, engine: Engine::default(), device, core: Edu::new(), now: 0 }
    }

    fn may_write(register: Register, value: u32) -> bool {
        let table = Class::Edu.table(0, 1 << 20).unwrap();
        let answer = table.check_write(Backend::Bounce, register.offset().into(), 4, value.into());
        answer == Ok(Action::Write(value.into()))
    }

    fn may_read(register: Register) -> bool {
        Class::Edu.table(0, 1 << 20).unwrap().check_read(register.offset().into(), 4).is_ok()
    }

    /// As the driver's shell writes the descriptor, and the kernel takes it.
    fn start(&mut self, transfer: Transfer) {
        let descriptor = self.ram.allocate(32).unwrap();
        assert!(self.ram.write(descriptor, &transfer.descriptor().map(u64::to_le_bytes).concat()));
        assert!(self.engine.collect(self.device.read(COMMAND.offset as u32).into(), &mut self.pool));
        let writes = self.engine.publish(&self.ram.ring(descriptor), &mut self.pool).unwrap();
        writes.iter().for_each(|(register, value)| self.device.write(register.offset as u32, *value));
    }

    fn settle(&mut self) {
        for _ in 0..200 {
            match self.core.step(self.now) {
                Step::Write(register, value) => {
                    assert!(Bench::may_write(register, value), "{register:?}");
                    self.device.write(register.offset(), value.into());
                }
                Step::Read(register) => {
                    assert!(Bench::may_read(register), "{register:?}");
                    self.core.value(self.device.read(register.offset()));
                }
                Step::Transfer(transfer) => self.start(transfer),
                Step::Pause { until } => self.now = until,
                Step::Wait { .. } => {
                    self.device.turn();
                    assert_eq!(self.device.interrupts(), 1);
                    self.core.on_interrupt();
                }
                Step::Idle => return,
                Step::Failed(fault) => panic!("{fault}"),
            }
        }
        panic!("it never rests");
    }

    fn run(&mut self, job: Job) -> Option<Outcome> {
        self.core.submit(job).unwrap();
        self.settle();
        self.core.outcome()
    }
}

#[test]
fn the_driver_does_its_jobs_and_nothing_that_it_may_not() {
    let mut bench = Bench::new();
    bench.settle();
    let places = [bench.ram.allocate(5000).unwrap(), bench.ram.allocate(5000).unwrap()];
    let tokens = places.map(|place| bench.pool.insert(2, place).unwrap());
    assert!(tokens != places, "tokens are no addresses");
    let bytes: Vec<u8> = (0..5000u32).map(|n| (n % 251) as u8).collect();
    assert!(bench.ram.write(places[0], &bytes));
    let copy = Copy { from: tokens[0], to: tokens[1], length: 5000 };
    assert_eq!(bench.run(Job::Copy(copy)), Some(Outcome::Copied(5000)));
    assert_eq!(bench.ram.read(places[1], 5000).unwrap(), bytes);
    assert_eq!(bench.run(Job::Factorial(10)), Some(Outcome::Factorial(3_628_800)));
    assert_eq!(bench.run(Job::Raise(6)), Some(Outcome::Raised(6)));
    assert_eq!(bench.device.violations, []);
    assert!(bench.engine.collect(bench.device.read(0x98).into(), &mut bench.pool));
    assert!(bench.pool.buffers().all(|buffer| buffer.pins == 0));
}
