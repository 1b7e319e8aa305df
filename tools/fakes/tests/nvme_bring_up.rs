//! The NVMe core from a reset to queues that work, and what it says of controllers and namespaces that it can not drive.

use capos_dma::window::Backend;
use capos_nvme::{DeviceFault, Unusable, Wish};
use fakes::nvme::machine::Machine;
use fakes::nvme::{CompletionFault, Disk, Mischief, RegisterFault, Shape};

mod support;
use support::{Bench, WISH, disks};

const BACKENDS: [Backend; 2] = [Backend::Direct, Backend::Bounce];

#[test]
fn a_good_controller_says_who_it_is_and_what_it_has() {
    for backend in BACKENDS {
        let bench = Bench::new(Shape::default(), disks(), backend);
        let controller = &bench.controller;
        let identity = controller.identity();
        assert_eq!((identity.serial.as_str(), identity.model.as_str()), ("SERIAL 1", "capOS model"));
        assert_eq!((identity.firmware.as_str(), identity.most), ("1.0", Some(512 << 10)));
        assert_eq!((controller.queues(), controller.unusable()), (2, &[] as &[_]));
        let shapes: Vec<_> = controller.namespaces().iter().map(|it| (it.id, it.geometry)).collect();
        assert_eq!(shapes.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(
            shapes.iter().map(|(_, it)| (it.sectors, it.sector_shift)).collect::<Vec<_>>(),
            [(2048, 9), (256, 12)]
        );
        assert!(shapes.iter().all(|(_, it)| it.cache && it.discard && it.zero && !it.read_only));
        bench.check();
    }
}

/// What the smallest controller has is what is asked of it.
#[test]
fn limits_are_kept_to() {
    let shape = Shape { entries: 5, queues: 1, mdts: 1, cache: false, optional: 0, version: 0x0001_0200 };
    let bench = Bench::new(shape, disks(), Backend::Direct);
    let geometries: Vec<_> = bench.controller.namespaces().iter().map(|it| it.geometry).collect();
    assert_eq!(geometries.iter().map(|it| it.most).collect::<Vec<_>>(), [16, 2]);
    assert!(geometries.iter().all(|it| !it.cache && !it.discard && !it.zero));
    assert_eq!(bench.controller.queues(), 1);
    bench.check();
}

/// No limit of the device's is the kernel's: lists of 128 pointers.
#[test]
fn without_a_limit_lists_are_the_limit() {
    let most = |mdts| {
        let bench = Bench::new(Shape { mdts, ..Shape::default() }, disks(), Backend::Direct);
        bench.controller.namespaces()[0].geometry.most
    };
    assert_eq!((most(0), most(9), most(255), most(7), most(6)), (1024, 1024, 1024, 1024, 512));
}

#[test]
fn each_namespace_that_is_no_disk_says_why_and_the_others_are_disks() {
    let zoned = Disk { set: 2, ..Disk::new(1, 12, 16) };
    let odd = Disk { metadata: 8, ..Disk::new(3, 9, 16) };
    let huge = Disk { shift: 16, ..Disk::new(4, 9, 1024) };
    let list = vec![zoned, Disk::new(2, 9, 16), odd, huge, Disk::new(5, 9, 0), Disk::new(9, 12, 16)];
    for backend in BACKENDS {
        let bench = Bench::new(Shape::default(), list.clone(), backend);
        let ids: Vec<_> = bench.controller.namespaces().iter().map(|it| it.id).collect();
        assert_eq!(ids, [2, 9]);
        let expected = [
            (1, Unusable::CommandSet(2)),
            (3, Unusable::Metadata(8)),
            (4, Unusable::SectorSize(16)),
            (5, Unusable::Empty),
        ];
        assert_eq!(bench.controller.unusable(), expected);
        bench.check();
    }
}

#[test]
fn namespaces_beyond_what_the_kernel_remembers_are_left_out() {
    let list = (1..=20).map(|id| Disk::new(id, 9, 8)).collect();
    let bench = Bench::new(Shape::default(), list, Backend::Bounce);
    assert_eq!(bench.controller.namespaces().len(), 16);
    assert_eq!(bench.controller.unusable(), [(17, Unusable::OneTooMany)]);
    bench.check();
}

fn fault_of(mischief: Mischief) -> Option<DeviceFault> {
    let mut machine = Machine::new(Shape::default(), disks(), Backend::Direct);
    machine.device.mischief = mischief;
    machine.bring_up(WISH).err()
}

#[test]
fn what_is_wrong_with_registers_is_said() {
    let fault = |fault| fault_of(Mischief::register(fault));
    assert_eq!(fault(RegisterFault::Gone), Some(DeviceFault::Gone));
    assert_eq!(fault(RegisterFault::NeverReady), Some(DeviceFault::NotReady));
    assert_eq!(fault(RegisterFault::AlwaysReady), Some(DeviceFault::ResetStuck));
    assert_eq!(fault(RegisterFault::FatalWhenEnabled), Some(DeviceFault::Fatal));
    // Who is taken away while it is asked is not waited for as one that takes its time.
    for asked in 0..10 {
        let register = Some(RegisterFault::GoneOnceAsked);
        let admin = vec![(asked, CompletionFault::Never)];
        assert_eq!(fault_of(Mischief { register, admin, ..Mischief::default() }), Some(DeviceFault::Gone));
    }
    let capabilities = |value| fault(RegisterFault::Capabilities(value));
    assert_eq!(capabilities(0x3ff), Some(DeviceFault::NoCommands));
    assert_eq!(capabilities(0x3ff | 1 << 37 | 2 << 48), Some(DeviceFault::PageSize(2)));
    assert_eq!(capabilities(1 << 37), Some(DeviceFault::QueueSize(1)));
    assert_eq!(fault_of(Mischief::none()), None);
}

#[test]
fn what_is_wrong_with_answers_is_said() {
    let fault = |at, fault| {
        let script = vec![(at, fault)];
        fault_of(Mischief { admin: script, ..Mischief::default() })
    };
    assert_eq!(fault(0, CompletionFault::Never), Some(DeviceFault::Silent));
    assert_eq!(fault(0, CompletionFault::Phase), Some(DeviceFault::Silent));
    assert_eq!(fault(0, CompletionFault::Id(9)), Some(DeviceFault::UnknownId(9)));
    assert_eq!(fault(0, CompletionFault::Id(1)), Some(DeviceFault::NotInFlight(1)));
    assert_eq!(fault(1, CompletionFault::Queue(1)), Some(DeviceFault::WrongQueue(1)));
    assert_eq!(fault(0, CompletionFault::Head(9)), Some(DeviceFault::Head(9)));
    let refused = Some(DeviceFault::Refuses { opcode: 6, status: 0x4002 });
    assert_eq!(fault(1, CompletionFault::Status(0x4002)), refused);
    // A namespace that is not told about is none, and the rest goes on.
    assert_eq!(fault(3, CompletionFault::Status(0x4002)), None);
}

#[test]
fn what_it_says_of_itself_has_to_be_so() {
    let fault = |at, value| fault_of(Mischief { answers: vec![(1, at, value)], ..Mischief::default() });
    assert_eq!(fault(111, 2), Some(DeviceFault::Type(2)));
    assert_eq!(fault(111, 1), None);
    assert_eq!(fault(512, 0x77), Some(DeviceFault::EntrySize));
    assert_eq!(fault(512, 0x55), Some(DeviceFault::EntrySize));
    assert_eq!(fault(513, 0x33), Some(DeviceFault::EntrySize));
    assert_eq!(fault(513, 0x64), None);
    // Namespace 3, and then 2.
    let list = Mischief { answers: vec![(2, 0, 3)], ..Mischief::default() };
    assert_eq!(fault_of(list), Some(DeviceFault::NamespaceList));
}

#[test]
fn protected_data_and_formats_that_there_are_not_are_no_disks() {
    let reasons = |at, value| {
        let mut machine = Machine::new(Shape::default(), vec![Disk::new(1, 9, 8)], Backend::Direct);
        machine.device.mischief = Mischief { answers: vec![(0, at, value)], ..Mischief::default() };
        machine.bring_up(WISH).map(|it| it.unusable().first().map(|(_, reason)| *reason))
    };
    assert_eq!(reasons(29, 1), Ok(Some(Unusable::Protected)));
    assert_eq!(reasons(26, 2), Ok(Some(Unusable::Format(2))));
    assert_eq!(reasons(26, 0x21), Ok(Some(Unusable::Format(0x21))));
    assert_eq!(reasons(7, 0xff), Ok(Some(Unusable::TooLarge)));
    assert_eq!(reasons(29, 0), Ok(None));
}

/// As many messages as there are, and no other.
#[test]
fn queues_share_the_interrupts_that_there_are() {
    for (vectors, expected) in [(1, vec![0, 0, 0]), (2, vec![0, 1, 1]), (3, vec![0, 1, 2])] {
        let wish = Wish { vectors, ..WISH };
        let mut bench = Bench::wishing(Shape::default(), disks(), Backend::Direct, wish).expect("good");
        bench.machine.device.interrupts();
        assert!(bench.controller.ask_health(0));
        bench.submit(0, 1, &support::request(capos_block::Operation::Read, 0, 1));
        bench.submit(1, 2, &support::request(capos_block::Operation::Read, 0, 1));
        bench.machine.turn(&mut bench.controller);
        assert_eq!(bench.machine.device.interrupts(), expected);
    }
}

#[test]
fn a_controller_that_breaks_down_comes_up_after_a_reset() {
    let mut machine = Machine::new(Shape::default(), disks(), Backend::Bounce);
    machine.device.mischief = Mischief::register(RegisterFault::FatalWhenEnabled);
    assert!(machine.bring_up(WISH).is_err());
    machine.device.mischief = Mischief::none();
    machine.reset();
    assert!(machine.bring_up(WISH).is_ok());
}

/// A device that says and does what it likes is brought up or is not, in bounded steps.
#[test]
fn whatever_it_says_it_rests() {
    let mut outcomes = [0; 2];
    for seed in 0..4000 {
        let backend = BACKENDS[seed as usize % 2];
        let mut machine = Machine::new(Shape::default(), disks(), backend);
        machine.device.mischief = Mischief::seeded(seed, 2 + seed as u32 % 30);
        let wish = Wish { queues: 1 + seed as u16 % 3, entries: 4, vectors: 1 };
        outcomes[usize::from(machine.bring_up(wish).is_ok())] += 1;
    }
    assert!(outcomes.iter().all(|count| *count > 100), "{outcomes:?}");
}
