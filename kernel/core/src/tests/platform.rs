//! What `SystemInfo` tells of firmware and buses.

use super::{REPLY, User, World, devices};
use crate::cap::Object;
use crate::cap::interrupt::Interrupt;
use crate::cap::system_info::SystemInfo;
use capos_abi::{CapId, ExceptionCode, Op, Sqe};
use capos_pci::model::Device;
use capos_schema::device::{self, WindowParams};
use capos_schema::device_manager::{DeviceState, DmaBackend};
use capos_schema::interrupt;
use capos_schema::system_info as schema;
use capos_schema::{Decode, Empty, Encode};
use kernel_hal::fake::{iommu, pci};
use kernel_hal::{Access, DmaFault, Reason, Refused};
use std::string::String;
use std::vec::Vec;

const HERE: u32 = 0x18;

fn asker(world: &World) -> (User, CapId) {
    let user = world.start("user");
    let system = user.hold(Object::SystemInfo(SystemInfo));
    (user, system)
}

/// What a method answers; nothing when there is nothing.
fn ask((user, system): &(User, CapId), method: u16, params: &impl Encode) -> Option<Vec<u8>> {
    let cqe = user.call_raw(*system, schema::INTERFACE_ID, method, params, 0);
    if cqe.flags == 0 && cqe.result >= 0 {
        return Some(user.get(REPLY, cqe.result as usize));
    }
    assert_eq!(ExceptionCode::from_code(cqe.method), ExceptionCode::NotFound);
    None
}

fn function(asker: &(User, CapId), cursor: u32) -> Vec<u8> {
    ask(asker, schema::PCI_FUNCTION, &schema::PciFunctionParams { cursor }).expect("there is one")
}

#[test]
fn a_function_tells_all_but_where_it_is() {
    let world = World::new();
    let asker = asker(&world);
    let device = Device::new(0x1af4, 0x1044, 0x01_0000)
        .bar(0, 0xc000, 0x40, 1)
        .bar(4, 0x80_0000_0000, 0x4000, 0b1100)
        .line(1, 11)
        .capability(5, &[4, 0, 0, 0, 0, 0, 0, 0])
        .capability(0x11, &[2, 0, 4, 0, 0, 0, 4, 8, 0, 0]);
    pci::plug(HERE, device);
    let bytes = function(&asker, 1);
    let found = schema::PciFunctionResults::decode(&bytes).unwrap();
    assert_eq!((found.address, found.next, found.vendor, found.device), (HERE, HERE + 1, 0x1af4, 0x1044));
    assert_eq!((found.interrupt_pin, found.routed, found.gsi), (1, true, 11));
    assert_eq!((found.msi, found.msix, found.secondary, found.wrong), (4, 3, 0, ""));
    let mut bars = Vec::new();
    let mut cursor = 0;
    while let Some(bytes) = ask(&asker, schema::PCI_BAR, &schema::PciBarParams { function: HERE, cursor }) {
        let bar = schema::PciBarResults::decode(&bytes).unwrap();
        bars.push((bar.index, bar.size, bar.placed, bar.high, String::from(bar.kind)));
        cursor = bar.index + 1;
    }
    assert_eq!(
        bars,
        [
            (0, 0x40, true, false, "ports".into()),
            (4, 0x4000, true, true, "memory, 64 bits, prefetchable".into())
        ]
    );
    let capability = |index| {
        let params = schema::PciCapabilityParams { function: HERE, index };
        let bytes = ask(&asker, schema::PCI_CAPABILITY, &params)?;
        schema::PciCapabilityResults::decode(&bytes).ok().map(|it| (it.id, String::from(it.text)))
    };
    assert_eq!(capability(0), Some((5, "MSI off, 4 messages, 32 bits".into())));
    assert_eq!(capability(1).map(|it| it.0), Some(0x11));
    assert_eq!((capability(2), capability(u32::MAX)), (None, None));
}

#[test]
fn a_function_tells_who_drives_it() {
    let world = World::new();
    let asker = asker(&world);
    devices::plug();
    let driver = || schema::PciFunctionResults::decode(&function(&asker, devices::AT)).map(|it| it.driver);
    let user = world.start("driver");
    let device = devices::claim(&user, "edu").expect("free");
    assert_eq!(driver(), Ok(0), "who claimed it may do so for others");
    let window = WindowParams { bar: 0 };
    let window = user.call_for_cap(device, device::INTERFACE_ID, device::WINDOW, &window);
    assert_eq!(driver(), Ok(user.process().id));
    let release = Sqe { op: Op::Release as u8, cap: device.raw(), ..Sqe::default() };
    assert_eq!(user.one(release).result, 0);
    assert_eq!((driver(), window.is_ok()), (Ok(0), true));
}

/// Which way a device reaches memory is told as the ledger has it, and whether an IOMMU was seen to keep it to that.
#[test]
fn a_function_tells_how_it_reaches_memory() {
    fn way(asker: &(User, CapId)) -> (DeviceState, DmaBackend, bool) {
        let bytes = function(asker, devices::AT);
        schema::PciFunctionResults::decode(&bytes).map(|it| (it.state, it.backend, it.guarded)).unwrap()
    }
    for (with_iommu, backend) in [(false, DmaBackend::Bounce), (true, DmaBackend::Unproven)] {
        let world = World::new();
        let asker = asker(&world);
        if with_iommu {
            iommu::install();
        }
        devices::plug();
        assert_eq!(way(&asker), (DeviceState::Free, DmaBackend::Bounce, false), "nobody asked for it yet");
        let driver = devices::Driver::new(&world);
        assert_eq!(way(&asker), (DeviceState::Claimed, backend, false));
        driver.pool();
        driver.queue();
        assert_eq!(way(&asker), (DeviceState::Running, backend, false));
        // What an IOMMU shows a device that goes past it holds nobody.
        driver.call(device::DISTRUST).expect("it has it");
        driver.reset().expect("it has it");
        driver.pool();
        driver.queue();
        assert_eq!(way(&asker), (DeviceState::Running, DmaBackend::Bounce, false));
    }
    for (trusted, backend) in [(false, DmaBackend::Bounce), (true, DmaBackend::Direct)] {
        let world = World::new();
        let asker = asker(&world);
        let (_edu, driver) = devices::iommu::seen(&world, trusted);
        driver.pool();
        driver.queue();
        assert_eq!(way(&asker), (DeviceState::Running, backend, true));
    }
}

#[test]
fn an_interrupt_tells_who_listened_to_it_last() {
    let world = World::new();
    let asker = asker(&world);
    let driver = world.start("driver");
    let owner = || {
        let bytes = ask(&asker, schema::IRQ, &schema::IrqParams { index: 0 }).expect("somebody has one");
        schema::IrqResults::decode(&bytes).map(|it| (it.gsi, String::from(it.owner))).unwrap()
    };
    let line = Interrupt::isa(4).unwrap_or_else(|_| panic!("free"));
    let line = driver.hold(Object::Interrupt(line));
    assert_eq!(owner(), (4, String::new()), "it was made for somebody");
    let acknowledged: Result<Empty, _> =
        driver.call(line, interrupt::INTERFACE_ID, interrupt::ACKNOWLEDGE, &Empty);
    assert_eq!((acknowledged, owner()), (Ok(Empty), (4, String::from("driver"))));
}

#[test]
fn what_a_device_of_pci_express_can_do_beyond_the_first_list() {
    let world = World::new();
    let asker = asker(&world);
    let device = Device::new(1, 2, 0xff_0000).capability(0x10, &[2, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let device = device.extended(&[0x0f, 0, 0x41, 0x10, 0, 0, 0, 0]);
    pci::plug(HERE, device);
    let params = schema::PciCapabilityParams { function: HERE, index: 1 };
    let bytes = ask(&asker, schema::PCI_CAPABILITY, &params).unwrap();
    let found = schema::PciCapabilityResults::decode(&bytes).unwrap();
    assert_eq!((found.id, found.extended, found.text), (0x0f, true, "translating by itself"));
}

#[test]
fn a_bridge_tells_its_buses_and_a_broken_device_what_is_wrong() {
    let world = World::new();
    let asker = asker(&world);
    pci::plug(HERE, Device::new(1, 2, 0x06_0400).bridge(1, 3));
    pci::plug(0x0100, Device::new(1, 2, 0xff_0000).bar(3, 0, 0x1000, 0b110));
    let bytes = function(&asker, HERE);
    let found = schema::PciFunctionResults::decode(&bytes).unwrap();
    assert_eq!((found.secondary, found.subordinate, found.wrong), (1, 3, ""));
    let bytes = function(&asker, HERE + 1);
    let found = schema::PciFunctionResults::decode(&bytes).unwrap();
    assert_eq!(
        (found.address, found.wrong, found.routed),
        (0x0100, "the device's BAR 3 is of no kind", false)
    );
    assert_eq!(ask(&asker, schema::PCI_FUNCTION, &schema::PciFunctionParams { cursor: 0x0101 }), None);
    let nowhere = schema::PciBarParams { function: 0x0101, cursor: 0 };
    assert_eq!(ask(&asker, schema::PCI_BAR, &nowhere), None);
}

#[test]
fn tables_tell_one_fact_after_the_other() {
    let world = World::new();
    let asker = asker(&world);
    let fact = |table, index| {
        let bytes = ask(&asker, schema::ACPI_FACT, &schema::AcpiFactParams { table, index })?;
        schema::AcpiFactResults::decode(&bytes).ok().map(|it| String::from(it.text))
    };
    assert_eq!((fact(0, 0), fact(1, 1)), (Some("one thing".into()), Some("another".into())));
    assert_eq!((fact(0, 2), fact(2, 0), fact(u32::MAX, u32::MAX)), (None, None, None));
}

#[test]
fn an_iommu_tells_how_it_is() {
    let world = World::new();
    let asker = asker(&world);
    let look = |index| ask(&asker, schema::IOMMU, &schema::IommuParams { index });
    assert_eq!(look(0), None);
    iommu::install();
    let bytes = look(0).unwrap();
    let found = schema::IommuResults::decode(&bytes).unwrap();
    assert_eq!((found.kind, found.interrupts), (schema::IommuKind::Intel, schema::IommuInterrupts::Proven));
    assert_eq!((found.state, found.bits), ("on", 39));
    let what = Refused { source: 8, access: Access::Write, address: 0x1000, reason: Reason::Denied };
    iommu::report(DmaFault { when_ns: 1, what });
    iommu::fall_silent();
    let bytes = look(0).unwrap();
    let found = schema::IommuResults::decode(&bytes).unwrap();
    assert_eq!((found.state, found.faults, found.lost, found.last), ("silent", 1, 0, 8));
    assert_eq!(look(1), None);
}
