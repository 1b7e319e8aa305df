//! The `edu` core: it does its jobs with a good device, and of a faulty one it says what is wrong, in bounded time, and goes on after a reset.

use capos_edu::{Copy, DeviceFault, Edu, Job, JobError, Outcome, Step, TIMEOUT_NS, factorial};
use capos_mutate::Rng;
use fakes::drive::settle_edu;
use fakes::edu::{Device, Fault};
use fakes::{Bus, Ram};

struct Bench {
    ram: Ram,
    now: u64,
    device: Device,
    core: Edu,
}

impl Bench {
    fn new() -> Bench {
        let ram = Ram::new(1 << 20);
        let device = Device::new(Bus::direct(&ram));
        Bench { ram, now: 0, device, core: Edu::new() }
    }

    fn ready() -> Bench {
        let mut bench = Bench::new();
        bench.settle().unwrap();
        bench
    }

    fn settle(&mut self) -> Result<(), DeviceFault> {
        settle_edu(&mut self.core, &mut self.device, &mut self.now, 12)
    }

    fn run(&mut self, job: Job) -> Result<Option<Outcome>, DeviceFault> {
        self.core.submit(job).expect("it is ready");
        self.settle().map(|()| self.core.outcome())
    }

    /// A buffer with other bytes in every place, and room for a copy.
    fn buffers(&self, length: u32) -> (Vec<u8>, Copy) {
        let mut rng = Rng::new(length.into());
        let bytes: Vec<u8> = (0..length).map(|_| rng.draw() as u8).collect();
        let (from, to) = (self.ram.allocate(length).unwrap(), self.ram.allocate(length + 1).unwrap());
        assert!(self.ram.write(from, &bytes));
        (bytes, Copy { from, to, length })
    }
}

const RAISE: Job = Job::Raise(0x50);

#[test]
fn factorials_are_computed_and_checked() {
    let mut bench = Bench::ready();
    for number in [0, 1, 5, 12, 13, 20, 33, 34, 1000, u32::MAX] {
        assert_eq!(bench.run(Job::Factorial(number)), Ok(Some(Outcome::Factorial(factorial(number)))));
    }
    assert_eq!([0, 1, 5, 12, 13].map(factorial), [1, 1, 120, 479_001_600, 1_932_053_504]);
    assert_eq!((factorial(33) != 0, factorial(34), factorial(u32::MAX)), (true, 0, 0));
    assert_eq!((bench.device.violations.as_slice(), bench.core.counters().jobs), (&[][..], 10));
}

#[test]
fn interrupts_are_raised() {
    let mut bench = Bench::ready();
    for bits in [1, 0x100, 0x101, 0x8000_0000, 0xffff_fffe] {
        assert_eq!(bench.run(Job::Raise(bits)), Ok(Some(Outcome::Raised(bits))));
    }
    assert_eq!((bench.device.read(0x24), bench.core.counters().spurious), (0, 0));
    assert_eq!(bench.device.violations, []);
}

#[test]
fn copies_go_through_the_device_in_pieces() {
    for length in [1, 2047, 2048, 2049, 4096, 10_000] {
        let mut bench = Bench::ready();
        let (bytes, copy) = bench.buffers(length);
        assert_eq!(bench.run(Job::Copy(copy)), Ok(Some(Outcome::Copied(length))));
        assert_eq!(bench.ram.read(copy.to, length as usize).unwrap(), bytes, "{length}");
        assert_eq!(bench.ram.read(copy.to + u64::from(length), 1).unwrap(), [0], "not one byte more");
        assert_eq!(bench.device.violations, []);
        let inside = |touch: &fakes::Touch| {
            let begin = if touch.write { copy.to } else { copy.from };
            touch.done && touch.address >= begin && touch.address + touch.length <= begin + u64::from(length)
        };
        let touches = bench.device.bus.touches();
        assert!(touches.iter().all(inside), "{length}");
        assert_eq!(
            touches.iter().map(|touch| touch.length).sum::<u64>(),
            2 * u64::from(length),
            "each byte once"
        );
    }
}

#[test]
fn slow_is_no_fault() {
    let mut bench = Bench::ready();
    bench.device.delay = 40;
    assert_eq!(bench.run(Job::Factorial(6)), Ok(Some(Outcome::Factorial(720))));
    let (bytes, copy) = bench.buffers(5000);
    assert_eq!(bench.run(Job::Copy(copy)), Ok(Some(Outcome::Copied(5000))));
    assert_eq!(bench.ram.read(copy.to, 5000).unwrap(), bytes);
    assert_eq!((bench.core.counters().missed, bench.now > TIMEOUT_NS), (0, true), "each piece has its time");
}

#[test]
fn one_job_at_a_time_and_only_ones_that_there_can_be() {
    let mut bench = Bench::new();
    assert_eq!(bench.core.submit(RAISE), Err(JobError::Busy), "it is not ready");
    bench.settle().unwrap();
    let copy = Copy { from: 0x1000, to: 0x2000, length: 8 };
    assert_eq!(bench.core.submit(Job::Raise(0)), Err(JobError::Empty));
    assert_eq!(bench.core.submit(Job::Raise(u32::MAX)), Err(JobError::Empty));
    assert_eq!(bench.core.submit(Job::Copy(Copy { length: 0, ..copy })), Err(JobError::Empty));
    assert_eq!(bench.core.submit(Job::Copy(Copy { from: u64::MAX - 6, ..copy })), Err(JobError::Wraps));
    assert_eq!(bench.core.submit(Job::Copy(Copy { to: u64::MAX - 6, ..copy })), Err(JobError::Wraps));
    assert_eq!(bench.core.step(0), Step::Idle);
    assert_eq!((bench.core.submit(RAISE), bench.core.submit(RAISE)), (Ok(()), Err(JobError::Busy)));
    bench.settle().unwrap();
    assert_eq!(bench.core.submit(RAISE), Err(JobError::Busy), "its outcome waits");
    assert!(bench.core.outcome().is_some() && bench.core.submit(RAISE).is_ok());
}

#[test]
fn faults_at_the_start_are_told_apart() {
    let cases = [
        (Fault::Gone, DeviceFault::Gone),
        (Fault::Kind(0x0100_00ee), DeviceFault::Identification(0x0100_00ee)),
        (Fault::Parrot, DeviceFault::Liveness(0x1bad_cafe)),
    ];
    for (fault, expected) in cases {
        let mut bench = Bench::new();
        bench.device.fault = Some(fault);
        assert_eq!(bench.settle(), Err(expected));
        assert_eq!((bench.core.submit(RAISE), bench.core.counters().faults), (Err(JobError::Failed), 1));
        bench.core.on_interrupt();
        bench.core.value(u32::MAX);
        assert_eq!(bench.settle(), Err(expected), "it stays so");
        bench.device.fault = None;
        bench.core.reset();
        assert_eq!((bench.settle(), bench.core.counters().faults), (Ok(()), 1));
    }
}

#[test]
fn faults_at_work_are_told_apart_and_a_reset_ends_them() {
    let copy = Job::Copy(Copy { from: 0x1000, to: 0x2000, length: 5000 });
    let cases = [
        (Fault::ComputesForEver, Job::Factorial(5), DeviceFault::Stuck),
        (Fault::RunsForEver, copy, DeviceFault::Stuck),
        // It claims that jobs are done, and never raises what it was asked to.
        (Fault::Hasty, Job::Raise(3), DeviceFault::Stuck),
        (Fault::Wrong(1), Job::Factorial(5), DeviceFault::Wrong { of: 5, result: 121 }),
        (Fault::Wrong(1), Job::Factorial(99), DeviceFault::Wrong { of: 99, result: 1 }),
        (Fault::Gone, Job::Factorial(5), DeviceFault::Gone),
        (Fault::Gone, copy, DeviceFault::Gone),
        (Fault::Gone, RAISE, DeviceFault::Gone),
    ];
    for (fault, job, expected) in cases {
        let mut bench = Bench::ready();
        bench.device.fault = Some(fault);
        assert_eq!(bench.run(job), Err(expected), "{fault:?} {job:?}");
        assert_eq!((bench.core.outcome(), bench.core.counters().faults), (None, 1));
        bench.device.fault = None;
        bench.core.reset();
        bench.settle().unwrap();
        assert_eq!(bench.run(Job::Factorial(4)), Ok(Some(Outcome::Factorial(24))), "{fault:?}");
        assert_eq!(bench.core.counters().resets, 2);
    }
}

#[test]
fn a_device_that_claims_to_be_done_is_not_believed() {
    let mut bench = Bench::ready();
    (bench.device.fault, bench.device.delay) = (Some(Fault::Hasty), 3);
    assert_eq!(bench.run(Job::Factorial(5)), Ok(Some(Outcome::Factorial(120))));
    let (bytes, copy) = bench.buffers(3000);
    assert_eq!(bench.run(Job::Copy(copy)), Ok(Some(Outcome::Copied(3000))));
    assert_eq!(bench.ram.read(copy.to, 3000).unwrap(), bytes);
    assert!(bench.core.counters().spurious >= 6);
}

#[test]
fn interrupts_for_nothing_are_counted_and_missing_ones_are_missed() {
    let mut bench = Bench::ready();
    bench.device.fault = Some(Fault::Nagging);
    bench.device.delay = 3;
    assert_eq!(bench.run(Job::Factorial(5)), Ok(Some(Outcome::Factorial(120))));
    assert_eq!(bench.core.counters().spurious, 3);
    bench.core.on_interrupt();
    assert_eq!((bench.settle(), bench.core.counters().spurious), (Ok(()), 4));
    bench.device.fault = Some(Fault::Mute);
    let (bytes, copy) = bench.buffers(100);
    assert_eq!(bench.run(Job::Copy(copy)), Ok(Some(Outcome::Copied(100))));
    assert_eq!(bench.ram.read(copy.to, 100).unwrap(), bytes);
    assert_eq!(bench.run(RAISE), Ok(Some(Outcome::Raised(0x50))));
    assert_eq!(bench.run(Job::Factorial(5)), Ok(Some(Outcome::Factorial(120))));
    assert_eq!(bench.core.counters().missed, 4, "two of the copy");
}

#[test]
fn a_reset_waits_until_the_device_rests() {
    let mut bench = Bench::ready();
    let (_, copy) = bench.buffers(2000);
    bench.device.delay = 30;
    bench.core.submit(Job::Copy(copy)).unwrap();
    assert!(matches!(bench.core.step(bench.now), Step::Transfer(_)));
    bench.device.write(0x80, copy.from);
    bench.device.write(0x88, fakes::edu::BUFFER);
    bench.device.write(0x90, 2000);
    bench.device.write(0x98, 5);
    bench.core.reset();
    let before = bench.now;
    bench.settle().unwrap();
    assert!(bench.now > before && bench.device.read(0x98) & 1 == 0);
    assert_eq!((bench.device.read(0x24), bench.core.outcome()), (0, None));
    bench.core.on_interrupt();
    assert_eq!((bench.settle(), bench.core.outcome()), (Ok(()), None), "the job is forgotten");
    for (fault, expected) in
        [(Fault::RunsForEver, DeviceFault::Restless), (Fault::Sticky, DeviceFault::Interrupt(0x40))]
    {
        let mut bench = Bench::ready();
        bench.device.fault = Some(fault);
        bench.device.write(0x60, if fault == Fault::Sticky { 0x40 } else { 0 });
        bench.device.write(0x98, 1);
        bench.core.reset();
        bench.now = 0;
        // A transfer of nothing ends at once, if it ends.
        assert_eq!(bench.settle(), Err(expected));
        assert!(bench.now <= 1_010_000_000);
    }
}

#[test]
fn a_copy_after_a_reset_begins_at_its_begin() {
    let mut bench = Bench::ready();
    let (_, copy) = bench.buffers(5000);
    bench.core.submit(Job::Copy(copy)).unwrap();
    bench.device.fault = Some(Fault::RunsForEver);
    // One piece in and out, the next in.
    for _ in 0..3 {
        while !matches!(bench.core.step(bench.now), Step::Transfer(_)) {
            bench.now += TIMEOUT_NS;
            bench.core.value(0);
        }
    }
    bench.core.reset();
    bench.device.fault = None;
    bench.settle().unwrap();
    let (bytes, copy) = bench.buffers(3000);
    assert_eq!(bench.run(Job::Copy(copy)), Ok(Some(Outcome::Copied(3000))));
    assert_eq!(bench.ram.read(copy.to, 3000).unwrap(), bytes);
}

#[test]
fn whatever_registers_say_the_core_rests_and_a_reset_makes_it_right_again() {
    let (mut done, mut faults) = (0, 0);
    for (seed, rarity) in (0..1500).flat_map(|seed| [(seed, 1), (seed, 3), (seed, 40)]) {
        let mut bench = Bench::new();
        let (_, copy) = bench.buffers(3000);
        bench.device.random = Some((Rng::new(seed), rarity));
        for job in [Job::Factorial(seed as u32), Job::Copy(copy), RAISE, Job::Factorial(7), Job::Copy(copy)] {
            let result = bench.settle().and_then(|()| bench.run(job));
            match result {
                Ok(Some(Outcome::Factorial(result))) => {
                    assert!([factorial(seed as u32), 5040].contains(&result));
                    done += 1;
                }
                Ok(_) => done += 1,
                Err(_) => {
                    faults += 1;
                    bench.core.reset();
                }
            }
        }
        bench.device.random = None;
        bench.core.reset();
        bench.settle().unwrap();
        assert_eq!(bench.run(Job::Factorial(4)), Ok(Some(Outcome::Factorial(24))));
    }
    assert!(done > 3000 && faults > 3000, "{done} done, {faults} faults");
}
