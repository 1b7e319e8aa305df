//! Encodings of AMD's units, by the figures and tables of the specification.

use super::machine::Machine;
use crate::amd::{self, Command, DeviceEntry, register};
use crate::{Access, Fault, Format, Interrupt, Reason, Tables};

#[test]
fn who_has_which_tables() {
    let mut machine = Machine::new();
    let tables = Tables::new(Format::Amd, 4, 48, true, &mut machine).unwrap();
    // V 0, TV 1, mode 9 to 11, IR 61, IW 62; IV 128; no interrupt passes: IntCtl 188 and 189 are 0.
    let blocked = DeviceEntry::BLOCKED;
    assert_eq!(blocked.words(), [0x603, 0, 1, 0]);
    // Root 12 to 51, domain 64 to 79.
    let open = blocked.with_memory(&tables, 0x1234);
    assert_eq!(open.words(), [0x6000_0000_0000_0803 | tables.root(), 0x1234, 1, 0]);
    // IntTabLen 129 to 132, IntTabRoot 134 to 179, IntCtl 10 is remapped.
    let both = open.with_interrupts(0x7_6543_2000);
    assert_eq!(both.words()[2], 0x2000_0007_6543_2011);
    assert_eq!(DeviceEntry::from_words(both.words()), both);
    assert_eq!(both.without_memory(), blocked.with_interrupts(0x7_6543_2000));
}

#[test]
fn commands() {
    assert_eq!(Command::Device(0x00a0).words(), [0x2000_0000_0000_00a0, 0]);
    // Domain 32 to 47; S 64, PDE 65, address 76 and up.
    assert_eq!(Command::Domain(0x12).words(), [0x3000_0012_0000_0000, 0x7fff_ffff_ffff_f003]);
    assert_eq!(Command::Interrupts(0x00a0).words(), [0x5000_0000_0000_00a0, 0]);
    assert_eq!(Command::Everything.words(), [0x8000_0000_0000_0000, 0]);
    // s 0, address 3 to 51, data 64 to 127.
    assert_eq!(amd::wait(0x8_7654_3218, 42), [0x1000_0008_7654_3219, 42]);
}

#[test]
fn events() {
    assert_eq!(amd::event([0, 0]), None);
    // Device 0 to 15, code 60 to 63, RW 53, I 51.
    let write = Fault { source: 0x10, access: Access::Write, address: 0xdead_b000, reason: Reason::Denied };
    assert_eq!(amd::event([0x2020_0000_0000_0010, 0xdead_b000]), Some(write));
    let read = Fault { access: Access::Read, ..write };
    assert_eq!(amd::event([0x2000_0000_0000_0010, 0xdead_b000]), Some(read));
    let interrupt = Fault { access: Access::Interrupt, reason: Reason::Interrupt, ..write };
    assert_eq!(amd::event([0x2028_0000_0000_0010, 0xdead_b000]), Some(interrupt));
    for (code, reason) in
        [(1, Reason::Tables), (4, Reason::Tables), (8, Reason::OutOfRange), (7, Reason::Other(7))]
    {
        assert_eq!(amd::event([code << 60, 0]).unwrap().reason, reason);
    }
}

#[test]
fn interrupts() {
    let interrupt = Interrupt { vector: 0x31, destination: 3, level: true };
    // RemapEn 0, IntType 2 to 4, destination 8 to 15, vector 16 to 23.
    assert_eq!(amd::interrupt_entry(interrupt), 0x0031_0301);
    let message = amd::message(0x31);
    assert_eq!((message.address, message.data), (0xfee0_0000, 0x31));
    assert_eq!(amd::io_apic_entry(0x31), [0x31, 0]);
}

#[test]
fn buffers() {
    // Exponent 8 at 56 to 59.
    assert_eq!(register::buffer(0x1_2345_6000), 0x0800_0001_2345_6000);
    // 512 pages of 128 entries: every function of 256 buses.
    assert_eq!(register::device_table(0x20_0000), 0x20_01ff);
    assert_eq!(register::DEVICE_TABLE_PAGES * 4096 / DeviceEntry::LENGTH, 1 << 16);
}
