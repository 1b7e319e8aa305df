//! Encodings of Intel's units, by the figures and tables of the specification.

use super::machine::Machine;
use crate::intel::{self, Capabilities, Command, Unusable, register};
use crate::{Access, Fault, Format, Interrupt, Reason, Tables};

/// What QEMU 7.2 says with `aw-bits=48,caching-mode=on`: ND 6, CM, SAGAW 39 and 48, MGAW 47, FRO 0x22, SLLPS, PSI, NFR 0.
const CAP: u64 = 0x00d2_008c_222f_0686;
/// The same of the other register: QI, IR, IRO 0xf.
const ECAP: u64 = 0x00f0_000a | 0xf00;

#[test]
fn a_unit_says_what_it_can() {
    let found = Capabilities::read(CAP, ECAP).unwrap();
    let expected = Capabilities {
        domains: 0xffff,
        bits: 48,
        three: true,
        four: true,
        large: true,
        caches_absent: true,
        coherent: false,
        extended_ids: false,
        fault_offset: 0x220,
        fault_records: 1,
    };
    assert_eq!(found, expected);
    assert_eq!((found.window(), found.levels(39), found.levels(40)), (0x1000, 3, 4));
    let of = |cap, ecap| Capabilities::read(cap, ecap);
    assert!(of(CAP & !(1 << 7) | 1 << 4, ECAP).unwrap().caches_absent, "a write buffer");
    assert!(!of(CAP & !(1 << 7), ECAP).unwrap().caches_absent);
    assert!(!of(CAP & !(1 << 34), ECAP).unwrap().large);
    assert!(of(CAP, ECAP | 1 << 4).unwrap().extended_ids && of(CAP, ECAP | 1).unwrap().coherent);
    // 39 bits alone, 48 alone.
    assert_eq!(of(CAP & !(1 << 10), ECAP).unwrap().levels(48), 3);
    assert_eq!(of(CAP & !(1 << 9), ECAP).unwrap().levels(30), 4);
    // The most that the fields hold.
    let most = of(CAP | 0x3ff << 24 | 0xff << 40, ECAP).unwrap();
    assert_eq!((most.fault_offset, most.fault_records, most.window()), (0x3ff0, 256, 0x4ff0));
}

#[test]
fn a_unit_that_cannot_do_enough_is_not_used() {
    let of = |cap, ecap| Capabilities::read(cap, ecap).unwrap_err();
    assert_eq!(of(u64::MAX, u64::MAX), Unusable::Silent);
    assert_eq!(of(0, 0), Unusable::Silent);
    assert_eq!(of(CAP, ECAP & !(1 << 1)), Unusable::NoQueue);
    assert_eq!(of(CAP, ECAP & !(1 << 3)), Unusable::NoInterrupts);
    assert_eq!(of(CAP & !(0b11 << 9), ECAP), Unusable::NoWidth);
    assert_eq!(Capabilities::read(CAP & !7, ECAP).unwrap().domains, 15);
}

#[test]
fn who_has_which_tables() {
    let mut machine = Machine::new();
    let tables = Tables::new(Format::Intel, 3, 39, true, &mut machine).unwrap();
    // P 0, CTP 12 and up.
    assert_eq!(intel::root(0x1234_5000), [0x1234_5001, 0]);
    // P 0, TT 2 and 3 are 0, SLPTPTR; AW 0 to 2, DID 8 to 23.
    assert_eq!(intel::context(&tables, 0xabcd), [tables.root() | 1, 0xab_cd01]);
    let four = Tables::new(Format::Intel, 4, 48, true, &mut machine).unwrap();
    assert_eq!(intel::context(&four, 7), [four.root() | 1, 0x702]);
}

#[test]
fn commands() {
    // Type 0 to 3, granularity 4 and 5; DW 6, DR 7, DID 16 to 31.
    assert_eq!(Command::Contexts.words(), [0x11, 0]);
    assert_eq!(Command::Translations.words(), [0xd2, 0]);
    assert_eq!(Command::Domain(0x1234).words(), [0x1234_00e2, 0]);
    // G 4, IM 27 to 31, IIDX 32 to 47.
    assert_eq!(Command::Interrupts.words(), [0x04, 0]);
    assert_eq!(Command::Interrupt(0x30).words(), [0x30_0000_0014, 0]);
    // SW 5, status data 32 to 63, status address from 2 on.
    assert_eq!(intel::wait(0x8_7654_3214, 0xdead_beef), [0xdead_beef_0000_0025, 0x8_7654_3214]);
}

#[test]
fn faults() {
    let record = |low, high| intel::fault([low, high]);
    assert_eq!(record(0x1000, 0x5_0000_00f8), None, "F, bit 63, is not set");
    let read = Fault { source: 0xf8, access: Access::Read, address: 0xdead_b000, reason: Reason::Unattached };
    assert_eq!(record(0xdead_bfff, 0xc000_0001_0000_00f8), Some(read));
    let write = Fault { source: 0xf8, access: Access::Write, address: 0x1000, reason: Reason::Denied };
    assert_eq!(record(0x1000, 0x8000_0005_0000_00f8), Some(write));
    let interrupt =
        Fault { source: 0x8, access: Access::Interrupt, address: 0x31, reason: Reason::Interrupt };
    assert_eq!(record(0x31 << 48, 0x8000_0026_0000_0008), Some(interrupt));
    for (code, reason) in [(4, Reason::OutOfRange), (0xb, Reason::Tables), (0x99, Reason::Other(0x99))] {
        assert_eq!(record(0, 1 << 63 | code << 32).unwrap().reason, reason);
    }
}

#[test]
fn interrupts() {
    let interrupt = Interrupt { vector: 0x31, destination: 3, level: false };
    // P 0, TM 4, V 16 to 23, DST 40 to 47; SID 0 to 15, SQ 16 and 17, SVT 18 and 19 (01: compare it).
    assert_eq!(intel::interrupt_entry(interrupt, 0xff00, false), [0x0300_0031_0001, 0x4_ff00]);
    // With extended ids DST is 32 to 63.
    let far = Interrupt { destination: 0x1_0003, level: true, ..interrupt };
    assert_eq!(intel::interrupt_entry(far, 8, true), [0x0001_0003_0031_0011, 0x4_0008]);
    // 0xfee, handle 0 to 14 at 5 to 19, format 4, SHV 3, handle 15 at 2.
    let message = intel::message(0x31);
    assert_eq!((message.address, message.data), (0xfee0_0630, 0));
    // Index 0 to 14 at 49 to 63, format 48, index 15 at 11, vector 0 to 7.
    assert_eq!(intel::io_apic_entry(0x31, 0x31), [0x31, 0x63_0000]);
    // 2^(7 + 1) entries.
    assert_eq!(register::INTERRUPT_TABLE_SIZE, 7);
}
