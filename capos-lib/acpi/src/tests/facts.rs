//! What tables say, in words.

use super::builder::{gas, parsed, table};
use crate::facts;
use std::string::{String, ToString};
use std::vec::Vec;

fn said(bytes: &[u8]) -> Vec<String> {
    let mut said = Vec::new();
    facts(parsed(bytes), &mut |fact| said.push(fact.to_string()));
    said
}

#[test]
fn remapping_units_of_intel() {
    assert_eq!(
        said(&super::dmar::sound()),
        [
            "DMA reaches addresses of 39 bits",
            "interrupts can be remapped",
            "unit 0: function 00:1c.4/00.0/02.1 of segment 0",
            "unit 0: event timer 7 as fa:1f.3 of segment 0",
            "unit 1: all of segment 0 that no other names",
            "unit 1: I/O APIC 0 as ff:00.0 of segment 0",
            "1 KiB of memory reserved for function 00:1c.4/00.0/02.1",
            "what is behind bridge 00:01.0 may translate by itself",
        ]
    );
}

#[test]
fn iommus_of_amd() {
    assert_eq!(
        said(&super::ivrs::sound()),
        [
            "DMA reaches addresses of 0 bits",
            "unit 0: function 00:00.2 of segment 2, in form 0x11",
            "unit 0: functions 02:00.0 to 03:1f.7 as 01:14.0",
            "unit 0: I/O APIC 0 as 00:14.0",
            "1 KiB of memory reserved for functions 00:00.7 to 00:01.1, to no purpose",
        ]
    );
}

#[test]
fn interrupt_controllers() {
    let mut body = Vec::from(0xfee0_0000u32.to_le_bytes());
    body.extend(1u32.to_le_bytes());
    body.extend([0, 8, 0, 0, 1, 0, 0, 0, 1, 12, 3, 0, 0, 0, 0xc0, 0xfe, 24, 0, 0, 0]);
    body.extend([2, 10, 0, 10, 20, 0, 0, 0, 0x0d, 0, 4, 6, 0xff, 0, 0, 1, 4, 6, 2, 0, 0, 0]);
    body.extend([3, 8, 0, 0, 17, 0, 0, 0]);
    assert_eq!(
        said(&table(b"APIC", &body)),
        [
            "processors that may be started: 1",
            "8259 interrupt controllers are there as well",
            "I/O APIC 3, from GSI 24 on",
            "ISA line 10 arrives at GSI 20, by level, active high",
            "NMI at input 1 of every processor",
            "NMI at input 0 of processor 2",
            "NMI at GSI 17, by edge, active high",
        ]
    );
}

#[test]
fn windows_and_timers_and_what_is_broken() {
    let window = [&[0; 8][..], &0xb000_0000u64.to_le_bytes(), &[1, 0, 0, 0xff, 0, 0, 0, 0]].concat();
    assert_eq!(said(&table(b"MCFG", &window)), ["configuration space of segment 1, buses 00 to ff"]);
    let timer = [&[0; 4][..], &gas(0, 64, 0xfed0_0000), &[2, 0, 0, 0]].concat();
    assert_eq!(said(&table(b"HPET", &timer)), ["event timer 2"]);
    assert_eq!(said(&table(b"HPET", &[0; 20])), ["firmware's ACPI table HPET has a broken entry at byte 40"]);
    assert!(said(&table(b"SSDT", &[1, 2, 3])).is_empty());
}
