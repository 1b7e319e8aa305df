//! Requests of the NVMe core: what they move, and what becomes of those that fail, whichever way memory goes.

use capos_block::{Operation, Request, Status};
use capos_dma::window::Backend;
use capos_mutate::Rng;
use capos_nvme::{DeviceFault, Event, Refusal};
use fakes::nvme::{CompletionFault, Disk, Mischief, Shape};

mod support;
use support::{Bench, disks, request};

const BACKENDS: [Backend; 2] = [Backend::Direct, Backend::Bounce];

fn pattern(length: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    (0..length).map(|_| rng.draw() as u8).collect()
}

/// Every length from one sector to the longest, from the begin of a page and from within: one pointer, two, and lists.
#[test]
fn what_is_written_is_read_whatever_its_length() {
    for backend in BACKENDS {
        let mut bench = Bench::new(Shape::default(), disks(), backend);
        for (disk, shift) in [(0, 9), (1, 12)] {
            let most = bench.controller.namespaces()[usize::from(disk)].geometry.most;
            for sectors in [1, 2, 7, 8, 9, 15, 16, 17, 24, 31, 64, 100, most - 1, most] {
                for offset in [0, 512, 3584] {
                    let length = (sectors as usize) << shift;
                    let bytes = pattern(length, u64::from(sectors * 4096 + offset));
                    let at = Request { offset, ..request(Operation::Write, 3, sectors) };
                    let token = bench.token;
                    bench.token += u64::from(offset);
                    assert!(bench.machine.ram.write(bench.place + u64::from(offset), &bytes));
                    bench.must(disk, &at);
                    let begin = 3 << shift;
                    assert!(
                        bench.machine.device.disks[usize::from(disk)].bytes[begin..begin + length]
                            == bytes[..]
                    );
                    assert!(bench.machine.ram.write(bench.place + u64::from(offset), &vec![0; length]));
                    bench.must(disk, &Request { operation: Operation::Read, ..at });
                    let found = bench.machine.ram.read(bench.place + u64::from(offset), length);
                    assert!(found.is_some_and(|found| found == bytes), "{sectors} sectors at {offset}");
                    bench.token = token;
                }
            }
        }
        bench.check();
    }
}

#[test]
fn what_is_durable_outlives_the_power() {
    for backend in BACKENDS {
        let mut bench = Bench::new(Shape::default(), disks(), backend);
        bench.fill(&pattern(4096, 1));
        let write = request(Operation::Write, 0, 1);
        // The device takes no notice of FUA: a flush goes behind it, and covers what was done before.
        bench.must(0, &Request { first: 1, durable: true, ..write });
        bench.must(0, &write);
        let disk = &mut bench.machine.device.disks[0];
        disk.lose_power();
        assert!(disk.bytes[..512] == [0; 512] && disk.bytes[512..1024] == pattern(512, 1)[..]);
        bench.must(0, &write);
        bench.must(0, &request(Operation::Flush, 0, 0));
        let disk = &mut bench.machine.device.disks[0];
        disk.lose_power();
        assert!(disk.bytes[..512] == pattern(512, 1)[..]);
        bench.check();
    }
}

/// A device that keeps nothing back is not asked to flush.
#[test]
fn a_flush_of_nothing_is_over_at_once() {
    let shape = Shape { cache: false, ..Shape::default() };
    let mut bench = Bench::new(shape, disks(), Backend::Direct);
    let flush = request(Operation::Flush, 0, 0);
    assert_eq!(bench.controller.submit(0, 1, &flush, 0, 0), Err(Refusal::Over(Status::Done)));
}

#[test]
fn sectors_are_zeroed_and_discarded() {
    for backend in BACKENDS {
        // More than one command can zero.
        let large = Disk::new(1, 9, 200_000);
        let mut bench = Bench::new(Shape::default(), vec![large], backend);
        bench.machine.device.disks[0].bytes.fill(7);
        bench.machine.device.disks[0].flush();
        bench.must(0, &Request { durable: true, ..request(Operation::Zero, 5, 140_000) });
        let disk = &mut bench.machine.device.disks[0];
        disk.lose_power();
        let zeros = disk.bytes.iter().filter(|byte| **byte == 0).count();
        assert_eq!((zeros, disk.bytes[5 * 512 - 1], disk.bytes[140_005 * 512]), (140_000 * 512, 7, 7));
        assert_eq!(bench.machine.device.seen.iter().filter(|it| **it == 8).count(), 3);
        let disk = &mut bench.machine.device.disks[0];
        disk.bytes.fill(7);
        disk.flush();
        bench.must(0, &Request { durable: true, ..request(Operation::Discard, 100, 150_000) });
        let disk = &mut bench.machine.device.disks[0];
        assert_eq!(disk.discarded, [(100, 150_000)]);
        disk.lose_power();
        assert_eq!((disk.bytes[100 * 512], disk.bytes[100 * 512 - 1]), (0, 7), "durable is durable");
        bench.check();
    }
}

/// Every command has its own range, wherever in a page that lies.
#[test]
fn discards_at_the_same_time_keep_apart() {
    for backend in BACKENDS {
        let mut bench = Bench::new(Shape::default(), disks(), backend);
        for tag in 0..7 {
            bench.submit(0, tag, &request(Operation::Discard, u64::from(tag) * 10, 1 + u32::from(tag)));
        }
        bench.turn().expect("a good device");
        let expected: Vec<_> = (0..7).map(|n| (n * 10, n + 1)).collect();
        assert_eq!(bench.machine.device.disks[0].discarded, expected);
        bench.check();
    }
}

#[test]
fn errors_are_the_requests_and_no_faults() {
    let mut bench = Bench::good();
    bench.machine.device.disks[1].read_only = true;
    bench.machine.device.damaged = vec![40];
    let status = |bench: &mut Bench, disk, operation, first| {
        bench.ask(disk, &request(operation, first, 1)).map(|it| (it.status, it.detail))
    };
    // Tried again, in vain.
    assert_eq!(status(&mut bench, 0, Operation::Read, 40), Ok((Status::Media, 0x281)));
    assert_eq!(bench.controller.counters().retried, 2);
    assert_eq!(status(&mut bench, 0, Operation::Write, 40), Ok((Status::Media, 0x280)));
    assert_eq!(bench.controller.counters().retried, 4);
    // Not tried again.
    assert_eq!(status(&mut bench, 0, Operation::Read, 5000), Ok((Status::OutOfRange, 0x4080)));
    assert_eq!(status(&mut bench, 1, Operation::Write, 0), Ok((Status::ReadOnly, 0x4182)));
    assert_eq!((bench.controller.counters().retried, bench.controller.counters().failed), (4, 4));
    bench.must(0, &request(Operation::Read, 41, 1));
    bench.check();
}

#[test]
fn what_fails_once_is_done() {
    let mut bench = Bench::good();
    bench.misbehave(Mischief::completions(&[(0, CompletionFault::Status(0x281))]));
    bench.fill(&pattern(512, 3));
    bench.must(0, &request(Operation::Write, 9, 1));
    assert_eq!((bench.controller.counters().retried, bench.controller.counters().failed), (1, 0));
}

/// Without room is another thing than damaged, and whoever made the backend too small can help it.
#[test]
fn a_device_without_room_says_so() {
    let mut bench = Bench::good();
    bench.misbehave(Mischief::completions(&[(0, CompletionFault::Status(0x4081))]));
    let ends =
        |bench: &mut Bench| bench.ask(0, &request(Operation::Write, 9, 1)).map(|it| (it.status, it.detail));
    assert_eq!(ends(&mut bench), Ok((Status::Full, 0x4081)));
    assert_eq!(ends(&mut bench), Ok((Status::Done, 0)));
}

/// Requests beyond what queues hold wait with who has them; all queues are used before.
#[test]
fn a_full_device_is_busy_and_gets_room() {
    for backend in BACKENDS {
        let mut bench = Bench::new(Shape::default(), disks(), backend);
        let read = request(Operation::Read, 0, 1);
        for tag in 0..14 {
            bench.submit(0, tag, &read);
        }
        assert_eq!(bench.controller.submit(1, 14, &read, 0, 0), Err(Refusal::Busy));
        let mut tags: Vec<_> = bench.turn().expect("good").iter().map(|it| it.tag).collect();
        tags.sort_unstable();
        assert_eq!(tags, (0..14).collect::<Vec<_>>());
        bench.submit(1, 14, &read);
        assert_eq!(bench.turn().expect("good").len(), 1);
        bench.check();
    }
}

/// Over and over: indices and phases go round, and what the device says wrong once is found.
#[test]
fn indices_go_round() {
    for backend in BACKENDS {
        let mut bench = Bench::new(Shape::default(), disks(), backend);
        for round in 0..500u64 {
            let batch = 1 + round % 7;
            (0..batch)
                .for_each(|n| bench.submit((round % 2) as u16, n as u16, &request(Operation::Read, n, 1)));
            assert_eq!(bench.turn().map(|all| all.len() as u64), Ok(batch));
        }
        assert_eq!(bench.controller.in_flight(), 0);
        bench.check();
    }
}

#[test]
fn what_the_device_does_wrong_is_said() {
    let fault = |fault| {
        let mut bench = Bench::good();
        bench.misbehave(Mischief::completions(&[(1, fault)]));
        bench.must(0, &request(Operation::Read, 0, 1));
        bench.submit(0, 1, &request(Operation::Read, 0, 1));
        bench.submit(0, 2, &request(Operation::Read, 0, 1));
        for _ in 0..200 {
            if let Err(fault) = bench.turn() {
                assert_eq!(bench.turn(), Err(fault), "for good");
                return Some(fault);
            }
            if bench.controller.in_flight() == 0 {
                return None;
            }
        }
        panic!("it never ends");
    };
    assert_eq!(fault(CompletionFault::Id(8)), Some(DeviceFault::UnknownId(8)));
    assert_eq!(fault(CompletionFault::Id(0)), Some(DeviceFault::NotInFlight(0)));
    assert_eq!(fault(CompletionFault::Twice), Some(DeviceFault::NotInFlight(1)));
    assert_eq!(fault(CompletionFault::Queue(0)), Some(DeviceFault::WrongQueue(0)));
    assert_eq!(fault(CompletionFault::Head(1)), Some(DeviceFault::Head(4)));
    assert_eq!(fault(CompletionFault::Head(0xfff0)), Some(DeviceFault::Head(0xfff0)));
    assert_eq!(fault(CompletionFault::Fatal), Some(DeviceFault::Fatal));
    assert_eq!(fault(CompletionFault::Mute), None);
    assert_eq!(fault(CompletionFault::Late(3)), None);
    // One that never comes is given up by the device when it is told to, and done the next time.
    assert_eq!(fault(CompletionFault::Never), None);
}

/// Its number would be the next one's, and the device would find the old command with the new one's list.
#[test]
fn what_the_device_was_not_told_of_it_can_not_have_done() {
    let mut bench = Bench::good();
    bench.misbehave(Mischief::completions(&[(0, CompletionFault::Id(1))]));
    bench.submit(0, 1, &request(Operation::Read, 0, 1));
    bench.machine.turn(&mut bench.controller);
    bench.submit(0, 2, &request(Operation::Read, 0, 1));
    assert_eq!(bench.controller.take(bench.machine.now), Err(DeviceFault::NotInFlight(1)));
}

#[test]
fn a_device_that_does_not_even_give_up_is_silent() {
    let mut bench = Bench::good();
    let completions = vec![(0, CompletionFault::Never)];
    bench.misbehave(Mischief { stubborn: true, completions, ..Mischief::default() });
    bench.submit(0, 1, &request(Operation::Read, 0, 1));
    let turns = (0..100).take_while(|_| bench.turn().is_ok()).count();
    assert_eq!(bench.turn(), Err(DeviceFault::Silent));
    // Ten seconds, and five of grace, of half a second each.
    assert!((29..36).contains(&turns), "{turns}");
    assert_eq!(bench.controller.counters().aborted, 1);
}

/// While one command takes long the others go round and round, and its number is nobody else's.
#[test]
fn a_slow_command_keeps_its_number() {
    for backend in BACKENDS {
        let mut bench = Bench::new(Shape::default(), disks(), backend);
        bench.misbehave(Mischief::completions(&[(0, CompletionFault::Late(18))]));
        bench.submit(0, 9, &request(Operation::Read, 0, 1));
        let mut ended = Vec::new();
        for tag in 10..60 {
            bench.submit(0, tag, &request(Operation::Read, 1, 1));
            if tag % 2 == 1 {
                ended.extend(bench.turn().expect("a slow device, no more").iter().map(|it| it.tag));
            }
        }
        assert_eq!(ended.iter().position(|tag| *tag == 9), Some(36));
        assert_eq!((ended.len(), bench.controller.in_flight()), (51, 0));
        bench.check();
    }
}

/// As many aborts as the device takes at a time, and then the next ones.
#[test]
fn aborts_wait_for_each_other() {
    let mut bench = Bench::good();
    let completions = (0..7).map(|n| (n, CompletionFault::Never)).collect();
    bench.misbehave(Mischief { completions, ..Mischief::default() });
    (0..7).for_each(|tag| bench.submit(0, tag, &request(Operation::Read, 0, 1)));
    let aborts = |bench: &Bench| bench.machine.device.seen.iter().filter(|it| **it == 0x108).count();
    let mut counts = Vec::new();
    while bench.controller.in_flight() > 0 {
        bench.turn().expect("it gives them up");
        counts.push(aborts(&bench));
    }
    counts.dedup();
    assert_eq!(counts, [0, 4, 7]);
}

#[test]
fn a_question_that_is_never_answered_is_a_fault() {
    let mut bench = Bench::good();
    bench.turn().expect("good");
    bench.misbehave(Mischief { admin: vec![(0, CompletionFault::Never)], ..Mischief::default() });
    assert!(bench.controller.ask_health(bench.machine.now));
    let turns = (0..100).take_while(|_| bench.turn().is_ok()).count();
    assert!((19..24).contains(&turns), "{turns}");
    assert_eq!(bench.turn(), Err(DeviceFault::Silent));
}

#[test]
fn what_no_list_holds_is_not_begun() {
    let mut bench = Bench::good();
    let large = request(Operation::Read, 0, 1025);
    assert_eq!(bench.controller.submit(0, 1, &large, bench.token, 0), Err(Refusal::Over(Status::Invalid)));
    assert_eq!(bench.controller.submit(9, 1, &large, bench.token, 0), Err(Refusal::Over(Status::Invalid)));
    assert_eq!(bench.controller.in_flight(), 0);
}

#[test]
fn its_health_and_what_it_tells_of_it_come_out() {
    for backend in BACKENDS {
        let mut bench = Bench::new(Shape::default(), disks(), backend);
        bench.turn().expect("good");
        assert!(bench.controller.ask_health(0));
        let mut events = Vec::new();
        let mut turn = |bench: &mut Bench| {
            bench.machine.turn(&mut bench.controller);
            while let Some(event) = bench.controller.event(0).expect("good") {
                events.push(event);
            }
        };
        turn(&mut bench);
        // Too hot; the log is 2.
        bench.machine.device.events = vec![1 | 1 << 8 | 2 << 16];
        (0..3).for_each(|_| turn(&mut bench));
        bench.machine.device.events = vec![2 | 4 << 16];
        (0..3).for_each(|_| turn(&mut bench));
        bench.machine.device.events = vec![3 << 8 | 1 << 16];
        (0..3).for_each(|_| turn(&mut bench));
        let [Event::Health(asked), Event::Health(told), Event::Namespaces, Event::Error(3)] = events[..]
        else {
            panic!("{events:?}");
        };
        assert_eq!((asked.temperature, asked.spare, asked.used), (300, 100, 3));
        assert_eq!(asked, told);
        bench.check();
    }
}

/// A client with a model of the disk, and a device with any of these ways to be faulty: what is said to be done is done, and nothing else is.
fn play(seed: u64, backend: Backend) -> (u32, u32) {
    let mut rng = Rng::new(seed);
    let mut bench = Bench::new(Shape::default(), disks(), backend);
    if !seed.is_multiple_of(3) {
        let rarity = [1000, 50, 8][seed as usize % 3];
        bench.misbehave(Mischief { nonsense: false, ..Mischief::seeded(seed, rarity) });
    }
    let (mut out, mut done, mut faults) = ([false; 16], 0, 0);
    for _ in 0..200 {
        for _ in 0..rng.below(4) {
            let tag = rng.below(16);
            let operation = Operation::ALL[rng.below(5) as usize];
            let asked = request(operation, u64::from(rng.below(2100)), 1 + rng.below(40));
            let now = bench.machine.now;
            if !out[tag as usize]
                && bench.controller.submit(rng.below(2) as u16, tag as u16, &asked, bench.token, now).is_ok()
            {
                out[tag as usize] = true;
            }
        }
        match bench.turn() {
            Ok(finished) => {
                for it in finished {
                    assert!(std::mem::take(&mut out[usize::from(it.tag)]), "nobody asked for {it:?}");
                    done += 1;
                }
            }
            Err(_) => {
                faults += 1;
                break;
            }
        }
    }
    if seed.is_multiple_of(3) {
        while bench.controller.in_flight() > 0 {
            bench.turn().expect("a good device");
        }
        bench.check();
    }
    (done, faults)
}

#[test]
fn each_request_ends_once_or_the_device_is_at_fault() {
    let (mut done, mut faults) = (0, 0);
    for seed in 0..600 {
        let (more, at_fault) = play(seed, BACKENDS[seed as usize / 3 % 2]);
        assert!(seed % 3 > 0 || at_fault == 0);
        (done, faults) = (done + more, faults + at_fault);
    }
    assert!(done > 10_000 && faults > 100, "{done} done, {faults} faults");
}

/// Inputs of the fuzz target, at random.
#[test]
fn whatever_the_device_writes_nobody_is_fooled() {
    let (mut up, mut ended) = (0, 0);
    for seed in 0..3000 {
        let length = 16 + (seed as usize * 7) % 2000;
        let played = fakes::nvme::liar::play(&pattern(length, seed));
        (up, ended) = (up + u32::from(played.is_some()), ended + played.unwrap_or(0));
    }
    assert!(up > 300 && ended > 300, "{up} came up, {ended} requests ended");
}
