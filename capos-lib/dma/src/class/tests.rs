use super::virtio::is_admitted;
use super::*;
use crate::nvme::ControllerError;
use crate::pool::PAGE;
use crate::window::{AccessError, Action, Mapping};
use alloc::vec::Vec;
use std::collections::BTreeMap;

/// Registers that keep what is written.
#[derive(Default)]
struct Fake {
    values: BTreeMap<(u8, u64), u64>,
    written: Vec<(u64, u8, u64)>,
}

impl Registers for Fake {
    fn read(&mut self, register: Register) -> u64 {
        self.values.get(&(register.bar, register.offset)).copied().unwrap_or(0)
    }

    fn write(&mut self, register: Register, value: u64) {
        self.written.push((register.offset, register.width, value));
    }
}

impl Fake {
    fn with(values: &[(u8, u64, u64)]) -> Fake {
        Fake {
            values: values.iter().map(|(bar, at, value)| ((*bar, *at), *value)).collect(),
            written: Vec::new(),
        }
    }
}

/// As QEMU lays it out: four pages in window 4.
fn modern() -> Class {
    let region = |page: u64| Region { bar: 4, offset: page * PAGE, length: PAGE };
    Class::Modern(Modern::new(region(0), region(3), 4, region(1), Some(region(2))).unwrap())
}

fn nvme() -> Class {
    // 8 queue entries at most, 1 s, doorbells of 4 bytes.
    Class::Nvme(Controller::new(7 | 2 << 24 | 1 << 37).unwrap())
}

fn e1000e() -> Class {
    Class::E1000e(Adapter::default())
}

const RING: Ring = Ring { size: 8, base: 0x1_2345_6000, completions: 0x1_2345_8000, translated: false };

fn write(class: &Class, bar: u8, offset: u64, width: u8, value: u64) -> Result<Action, AccessError> {
    class.table(bar, 4 * PAGE).unwrap().check_write(Backend::Bounce, offset, width, value)
}

#[test]
fn where_queues_lie_is_the_kernels() {
    // Class, window, registers with addresses and what makes them count.
    let all: [(Class, u8, &[u64]); 5] = [
        (e1000e(), 0, &[0x2800, 0x2804, 0x2808, 0x2810, 0x3800, 0x3804, 0x3808, 0x3810]),
        (modern(), 4, &[0x18, 0x1c, 0x20, 0x28, 0x30, 0x3a]),
        (Class::Legacy(Legacy::new(true)), 0, &[0x08, 0x0c]),
        (nvme(), 0, &[0x20, 0x24, 0x28, 0x30, 0x38, 0x50]),
        (Class::Edu, 0, &[0x80, 0x88, 0x90, 0x98]),
    ];
    for (class, bar, registers) in all {
        let table = class.table(bar, 32 * PAGE).unwrap();
        for (offset, width) in registers.iter().flat_map(|at| [1, 2, 4, 8].map(|width| (*at, width))) {
            assert!(table.check_write(Backend::Bounce, offset, width, 1).is_err(), "{offset:#x}");
            // A driver that names addresses names those of queue 0, too, by a token of memory that is its own.
            let is_own = matches!(class, Class::Nvme(_)) && [0x28, 0x30].contains(&offset) && width == 8;
            let wanted = if is_own { Some(Action::Translate { token: 1, span: PAGE }) } else { None };
            assert_eq!(table.check_write(Backend::Direct, offset, width, 1).ok(), wanted, "{offset:#x}");
        }
        assert_eq!(table.mapping(Backend::Direct, 0, &[]), Mapping::No, "nor by mapping it");
    }
}

#[test]
fn addresses_are_not_for_the_drivers_eyes() {
    let all: [(Class, u8, &[u64]); 5] = [
        (e1000e(), 0, &[0x2800, 0x2804, 0x2900, 0x3800, 0x3804, 0x3900]),
        (modern(), 4, &[0x20, 0x24, 0x28, 0x2c, 0x30, 0x34]),
        (Class::Legacy(Legacy::new(false)), 0, &[0x08]),
        (nvme(), 0, &[0x28, 0x2c, 0x30, 0x34]),
        (Class::Edu, 0, &[0x80, 0x84, 0x88, 0x8c]),
    ];
    for (class, bar, registers) in all {
        let table = class.table(bar, 32 * PAGE).unwrap();
        for (offset, width) in registers.iter().flat_map(|at| [1, 2, 4, 8].map(|width| (*at, width))) {
            assert!(table.check_read(offset, width).is_err(), "{offset:#x}");
        }
    }
}

#[test]
fn doorbells_are_the_kernels_unless_an_iommu_was_verified() {
    for (class, bar, offset, width) in
        [(modern(), 4, 3 * PAGE, 2), (Class::Legacy(Legacy::new(true)), 0, 0x10, 2), (nvme(), 0, PAGE, 4)]
    {
        let table = class.table(bar, 32 * PAGE).unwrap();
        assert_eq!(table.check_write(Backend::Bounce, offset, width, 0), Err(AccessError::KernelsDoorbell));
        assert_eq!(table.check_write(Backend::Direct, offset, width, 0), Ok(Action::Write(0)));
        assert_eq!(table.mapping(Backend::Bounce, offset, &[]), Mapping::No);
        let mapped = offset == 3 * PAGE || offset == PAGE;
        assert_eq!(table.mapping(Backend::Direct, offset, &[]) == Mapping::ReadWrite, mapped);
    }
}

#[test]
fn windows_that_are_not_the_classes_are_closed() {
    for class in [modern(), Class::Legacy(Legacy::new(true)), nvme(), e1000e(), Class::Edu] {
        assert!(class.table(5, PAGE).unwrap().ranges().is_empty());
    }
    assert_eq!(
        modern().table(4, PAGE).unwrap_err(),
        TableError::OutOfWindow,
        "a capability beyond the window"
    );
    assert!(Class::Plain.table(3, PAGE).unwrap().check_write(Backend::Bounce, 8, 4, 1).is_ok());
    assert!(!Class::Plain.may_have_dma(Backend::Bounce) && Class::Plain.may_have_dma(Backend::Direct));
    assert!(Class::Edu.may_have_dma(Backend::Bounce));
    assert_eq!((Class::Edu.address_bits(), modern().address_bits()), (28, 64));
}

#[test]
fn devices_with_addresses_in_their_requests_are_not_admitted() {
    assert!(is_admitted(1) && is_admitted(2) && is_admitted(4));
    // Balloon, graphics, IOMMU, memory, file system, persistent memory.
    assert!([0, 5, 16, 23, 24, 26, 27, 0xffff].iter().all(|id| !is_admitted(*id)));
}

#[test]
fn features_are_those_that_the_translator_knows() {
    let mut class = modern();
    assert_eq!(write(&class, 4, 0x08, 4, 1), Ok(Action::Ask(1)));
    assert_eq!(class.guard(4, 0x08, 1), Ok(Verdict::Write(1)));
    assert_eq!(class.guard(4, 0x0c, 3), Ok(Verdict::Write(3)), "VERSION_1 and ACCESS_PLATFORM");
    for bit in [2, 3, 5, 6, 7, 8, 9] {
        assert_eq!(class.guard(4, 0x0c, 1 << bit), Err(GuardError::Features(1 << (32 + bit))), "bit {bit}");
    }
    assert_eq!(class.guard(4, 0x08, 0), Ok(Verdict::Write(0)));
    assert_eq!(class.guard(4, 0x0c, 1 << 28), Err(GuardError::Features(1 << 28)), "INDIRECT_DESC");
    assert_eq!(class.guard(4, 0x0c, 1 << 29 | 0xff), Ok(Verdict::Write(1 << 29 | 0xff)));
    assert_eq!(class.guard(4, 0x08, 2), Ok(Verdict::Write(2)));
    assert_eq!(class.guard(4, 0x0c, 1), Err(GuardError::Features(1)));
    let Class::Modern(it) = &class else { unreachable!() };
    assert_eq!(it.control.features, 3 << 32 | 1 << 29 | 0xff);
}

#[test]
fn what_a_network_adapter_is_wanted_for_is_allowed() {
    use capos_virtio::net::{CHOICE, Options, features, wish};
    let all = wish(1, Options { direct: true, large: true, pairs: true }).features;
    let (low, high) = (all & 0xffff_ffff, all >> 32 | 3);
    let mut class = modern();
    for (half, value) in [(0, low), (1, high)] {
        class.guard(4, 0x08, half).unwrap();
        assert_eq!(class.guard(4, 0x0c, value), Ok(Verdict::Write(value)));
    }
    assert_eq!(Class::Legacy(Legacy::new(true)).guard(0, 0x04, low), Ok(Verdict::Write(low)));
    // The control queue is the last of all that the device has.
    class.guard(4, 0x14, 11).unwrap();
    let config = [2, 0, 0, 0, 0, 1, 1, 9, 1500];
    let control = (CHOICE.queue)(8, features::MQ | features::CTRL_VQ, &config).unwrap();
    let mut registers = Fake::with(&[(4, 0x12, 19), (4, 0x18, 64), (4, 0x1e, 18)]);
    let bell = class.attach(&mut registers, control, RING);
    assert_eq!(bell.map(|bell| (bell.register.offset, bell.value)), Ok((3 * PAGE + 72, 18)));
    // A legacy queue is as large as there are any.
    let size = 32768;
    let mut registers = Fake::with(&[(0, 0x0c, size.into())]);
    let mut class = Class::Legacy(Legacy::new(true));
    assert!(class.attach(&mut registers, 0, Ring { size, ..RING }).is_ok());
}

#[test]
fn features_are_chosen_once() {
    let mut class = modern();
    assert_eq!(class.guard(4, 0x14, 3), Ok(Verdict::Write(3)));
    assert_eq!(class.guard(4, 0x0c, 1), Ok(Verdict::Write(1)));
    assert_eq!(class.guard(4, 0x14, 11), Ok(Verdict::Write(11)));
    assert_eq!(class.guard(4, 0x0c, 1), Err(GuardError::NotNow));
    assert_eq!(class.guard(4, 0x14, 3), Err(GuardError::NotNow), "no bit of the status goes");
    assert_eq!(class.guard(4, 0x14, 0), Ok(Verdict::Reset));
    class.was_reset();
    assert_eq!(class.guard(4, 0x14, 0), Ok(Verdict::Write(0)), "it was just reset");
    assert_eq!(class.guard(4, 0x0c, 1), Ok(Verdict::Write(1)));
    assert_eq!(class.guard(4, 0x14, 0), Ok(Verdict::Reset));
    assert_eq!(class.guard(4, 0x18, 1), Err(GuardError::NotGuarded));
    assert_eq!(class.guard(3, 0x14, 0), Err(GuardError::NotGuarded), "another window");
}

/// Two queues of up to 8 entries; the doorbell of the second is the third.
fn ready() -> (Class, Fake) {
    let mut class = modern();
    class.guard(4, 0x14, 8).unwrap();
    (class, Fake::with(&[(4, 0x12, 2), (4, 0x18, 8), (4, 0x1e, 2)]))
}

#[test]
fn a_modern_queue_is_attached_by_halves_and_enabled_last() {
    let (mut class, mut registers) = ready();
    let bell = class.attach(&mut registers, 1, RING);
    assert_eq!(bell, Ok(Bell { register: Register { bar: 4, offset: 3 * PAGE + 8, width: 2 }, value: 1 }));
    let addresses =
        [(0x20, 0x2345_6000), (0x24, 1), (0x28, 0x2345_6080), (0x2c, 1), (0x30, 0x2345_7000), (0x34, 1)];
    let mut right: Vec<(u64, u8, u64)> = [(0x16, 2, 1), (0x18, 2, 8)].into();
    right.extend(addresses.map(|(offset, value)| (offset, 4, value)));
    right.push((0x1c, 2, 1));
    assert_eq!(registers.written, right);
}

#[test]
fn a_modern_queue_that_cannot_be_attached() {
    let attach = |queue, ring, values: &[(u8, u64, u64)]| {
        let (mut class, mut registers) = ready();
        registers.values.extend(values.iter().map(|(bar, at, value)| ((*bar, *at), *value)));
        let answer = class.attach(&mut registers, queue, ring);
        assert!(registers.written.iter().all(|it| it.0 != 0x1c), "nothing is enabled");
        answer
    };
    assert_eq!(attach(2, RING, &[]), Err(AttachError::NoSuchQueue));
    assert_eq!(attach(0, RING, &[(4, 0x18, 0)]), Err(AttachError::NoSuchQueue));
    assert_eq!(attach(0, Ring { size: 16, ..RING }, &[]), Err(AttachError::BadSize(8)));
    assert_eq!(attach(0, Ring { size: 6, ..RING }, &[]), Err(AttachError::BadSize(8)));
    assert_eq!(attach(0, RING, &[(4, 0x1c, 1)]), Err(AttachError::Attached));
    assert_eq!(attach(0, RING, &[(4, 0x1e, 1024)]), Err(AttachError::BadBell), "behind its region");
    assert_eq!(attach(0, Ring { base: u64::MAX - 0x80, ..RING }, &[]), Err(AttachError::OutOfReach));
    assert_eq!(modern().attach(&mut Fake::default(), 0, RING), Err(AttachError::NotNow), "no features yet");
}

#[test]
fn a_ring_that_an_iommu_translates_is_only_for_who_accepted_that() {
    let ring = Ring { translated: true, ..RING };
    let attach = |accepted| {
        let (mut class, mut registers) = (modern(), ready().1);
        class.guard(4, 0x08, 1).unwrap();
        class.guard(4, 0x0c, accepted).unwrap();
        class.guard(4, 0x14, 8).unwrap();
        let answer = class.attach(&mut registers, 0, ring);
        assert_eq!(registers.written.is_empty(), answer.is_err(), "the device is told of nothing");
        answer
    };
    assert_eq!((attach(1), attach(0)), (Err(AttachError::PastIommu), Err(AttachError::PastIommu)));
    assert!(attach(3).is_ok() && nvme().attach(&mut Fake::default(), 0, ring).is_ok());
    let mut legacy = Class::Legacy(Legacy::new(true));
    assert_eq!(
        legacy.attach(&mut Fake::with(&[(0, 0x0c, 8)]), 3, ring),
        Err(AttachError::PastIommu),
        "0.9 has no such feature"
    );
}

#[test]
fn a_legacy_queue_has_the_size_that_the_device_says() {
    let mut class = Class::Legacy(Legacy::new(true));
    let mut registers = Fake::with(&[(0, 0x0c, 8)]);
    assert_eq!(class.attach(&mut registers, 3, Ring { size: 4, ..RING }), Err(AttachError::BadSize(8)));
    assert_eq!(class.attach(&mut registers, 3, Ring { base: 1 << 44, ..RING }), Err(AttachError::OutOfReach));
    assert_eq!(class.attach(&mut registers, 3, Ring { base: 0x1800, ..RING }), Err(AttachError::OutOfReach));
    assert_eq!(class.attach(&mut Fake::default(), 3, RING), Err(AttachError::NoSuchQueue));
    registers.written.clear();
    let bell = class.attach(&mut registers, 3, RING);
    assert_eq!(bell, Ok(Bell { register: Register { bar: 0, offset: 0x10, width: 2 }, value: 3 }));
    assert_eq!(registers.written, [(0x0e, 2, 3), (0x08, 4, 0x12_3456)]);
    assert_eq!(class.guard(0, 0x04, 0), Err(GuardError::NotNow), "its features count from now on");
    assert_eq!(class.guard(0, 0x12, 0), Ok(Verdict::Reset), "a queue is not just forgotten");
    let mut busy = Fake::with(&[(0, 0x0c, 8), (0, 0x08, 1)]);
    assert_eq!(class.attach(&mut busy, 3, RING), Err(AttachError::Attached));
}

#[test]
fn the_legacy_registers_move_with_msix() {
    for (msix, own) in [(false, 0x14), (true, 0x18)] {
        let table = Class::Legacy(Legacy::new(msix)).table(0, 0x40).unwrap();
        assert_eq!(table.check_read(0x14, 1).is_ok(), !msix);
        assert_eq!((table.check_read(own, 1), table.check_read(0x3f, 1)), (Ok(()), Ok(())));
    }
}

#[test]
fn a_controller_is_enabled_as_the_translator_expects_it() {
    let mut class = nvme();
    assert_eq!(class.guard(0, 0x14, 1), Err(GuardError::NotNow), "there is no admin queue");
    let mut registers = Fake::default();
    let bell = class.attach(&mut registers, 0, RING);
    assert_eq!(bell.unwrap().register.offset, 0x1000);
    let right =
        [(0x24, 4, 7 << 16 | 7), (0x28, 4, 0x2345_6000), (0x2c, 4, 1), (0x30, 4, 0x2345_8000), (0x34, 4, 1)];
    assert_eq!(registers.written, right);
    assert_eq!(class.attach(&mut registers, 0, RING), Err(AttachError::Attached));
    assert_eq!(
        class.guard(0, 0x14, 0x0050_0781),
        Ok(Verdict::Write(0x0046_0001)),
        "pages and entries are fixed"
    );
    assert_eq!(class.guard(0, 0x14, 0x4001), Ok(Verdict::Write(0x0046_4001)), "a shutdown is announced");
    assert_eq!(class.guard(0, 0x14, 0), Ok(Verdict::Reset));
    registers.written.clear();
    assert_eq!(class.attach(&mut registers, 2, RING).unwrap().register.offset, 0x1010);
    assert!(registers.written.is_empty(), "commands make it");
    assert_eq!(class.attach(&mut registers, 16, RING), Err(AttachError::NoSuchQueue));
    assert_eq!(class.attach(&mut registers, 3, Ring { size: 16, ..RING }), Err(AttachError::BadSize(8)));
    assert_eq!(class.attach(&mut registers, 3, Ring { base: 0x800, ..RING }), Err(AttachError::OutOfReach));
    class.was_reset();
    assert_eq!(class.guard(0, 0x14, 1), Err(GuardError::NotNow));
    let refused = |capabilities| Controller::new(capabilities).map(drop);
    assert_eq!(refused(1 << 48 | 1 << 37), Err(ControllerError::PageSize), "8192 bytes at least");
    assert_eq!(refused(7), Err(ControllerError::CommandSet), "it has none that is known");
}

#[test]
fn devices_become_quiet() {
    let limit = 1_000_000_000;
    let status = Register { bar: 4, offset: 0x14, width: 1 };
    let quiet = [Step::Write(status, 0), Step::Await { register: status, mask: 0xff, value: 0, limit }];
    assert_eq!(modern().quiesce(), quiet);
    let status = Register { bar: 0, offset: 0x12, width: 1 };
    let quiet = [Step::Write(status, 0), Step::Await { register: status, mask: 0xff, value: 0, limit }];
    assert_eq!(Class::Legacy(Legacy::new(true)).quiesce(), quiet);
    let [enable, ready] = [0x14, 0x1c].map(|offset| Register { bar: 0, offset, width: 4 });
    let quiet = [Step::Clear(enable, 1), Step::Await { register: ready, mask: 1, value: 0, limit }];
    assert_eq!(nvme().quiesce(), quiet);
    assert!(matches!(
        Class::Edu.quiesce(),
        [_, Step::Await { mask: 1, value: 0, .. }, Step::Write(_, 0xffff_ffff)]
    ));
    assert!(Class::Plain.quiesce().is_empty());
    assert_eq!(Class::Edu.attach(&mut Fake::default(), 0, RING), Err(AttachError::NoQueues));
}
