//! Whatever the bytes are: an answer or an error, and nothing else.

use super::builder::{Pieces, S5_QEMU, config, dsdt, fadt, rsdp, table};
use crate::{
    Dmar, DmarEntry, Fadt, Hpet, Ivrs, Madt, Mcfg, RemappingUnit, ReservedMemory, Rsdp, Table, Tables, facts,
    find_s5, soft_off,
};
use proptest::prelude::{any, prop, proptest};
use std::string::ToString;
use std::vec::Vec;

/// Asks everything that can be asked.
fn exercise(memory: &Pieces, rsdp: &Rsdp) {
    let read = |address, length| memory.read(address, length);
    let Ok(tables) = Tables::of(rsdp, &read) else { return };
    for table in tables.iter().flatten() {
        view(table, &tables);
    }
}

fn view(table: Table<'_>, tables: &Tables<'_>) {
    facts(table, &mut |fact| assert!(!fact.to_string().is_empty()));
    if let Ok(madt) = Madt::parse(table) {
        let listed = madt.processors().count();
        assert!(listed <= madt.entries().count());
        let _ = (madt.local_apic(), madt.isa(9));
    }
    if let Ok(fadt) = Fadt::parse(table) {
        let _ = (fadt.ports().count(), fadt.reset(), soft_off(tables, &fadt));
    }
    if let Ok(mcfg) = Mcfg::parse(table) {
        assert!(mcfg.windows().all(|window| window.buses.0 <= window.buses.1));
    }
    if let Ok(dmar) = Dmar::parse(table) {
        assert!(dmar.units().count() <= dmar.entries().count());
        for entry in dmar.entries() {
            let (DmarEntry::Unit(RemappingUnit { scopes, .. })
            | DmarEntry::Reserved(ReservedMemory { scopes, .. })
            | DmarEntry::RootPorts { scopes, .. }) = entry
            else {
                continue;
            };
            assert!(scopes.iter().all(|scope| scope.function(&|_| Some(255)).is_some_and(|it| it <= 0xffff)));
        }
    }
    if let Ok(ivrs) = Ivrs::parse(table) {
        let blocks = ivrs.blocks().count();
        assert!(ivrs.units().count() <= blocks);
        assert!(ivrs.units().all(|unit| unit.devices.iter().count() <= table.bytes().len() / 4));
    }
    let _ = Hpet::parse(table);
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_root_pointer(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = Rsdp::parse(&bytes);
    }

    #[test]
    fn any_body_of_any_table(name in 0usize..6, body in prop::collection::vec(any::<u8>(), 0..400)) {
        let name = [b"APIC", b"FACP", b"MCFG", b"HPET", b"DMAR", b"IVRS"][name];
        let mut memory = Pieces::default();
        memory.put(0x3000, table(name, &body));
        memory.put(0x2000, table(b"XSDT", &0x3000u64.to_le_bytes()));
        exercise(&memory, &Rsdp { revision: 2, rsdt: 0, xsdt: Some(0x2000) });
    }

    #[test]
    fn any_change_of_a_sound_machine(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), fix in any::<bool>()) {
        let (mut fixed, main) = (fadt(0x5000), dsdt(S5_QEMU));
        for (at, value) in changes {
            let at = at.index(fixed.len());
            fixed[at] = value;
        }
        if fix {
            super::builder::fix_checksum(&mut fixed, 9);
        }
        let mut memory = Pieces::default();
        memory.put(0x6000, fixed);
        memory.put(0x5000, main);
        memory.put(0x2000, table(b"XSDT", &0x6000u64.to_le_bytes()));
        exercise(&memory, &Rsdp::parse(&rsdp(0, 0x2000)).unwrap());
    }

    #[test]
    fn any_change_of_sound_remapping_units(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), amd in any::<bool>()) {
        let mut bytes = if amd { super::ivrs::sound() } else { super::dmar::sound() };
        for (at, value) in changes {
            let at = 36 + at.index(bytes.len() - 36);
            bytes[at] = value;
        }
        super::builder::fix_checksum(&mut bytes, 9);
        let mut memory = Pieces::default();
        memory.put(0x3000, bytes);
        memory.put(0x2000, table(b"XSDT", &0x3000u64.to_le_bytes()));
        exercise(&memory, &Rsdp { revision: 2, rsdt: 0, xsdt: Some(0x2000) });
    }

    #[test]
    fn any_code_around_the_package(before in prop::collection::vec(any::<u8>(), 0..40), after in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut aml: Vec<u8> = before.clone();
        aml.extend(S5_QEMU);
        aml.extend(&after);
        // Noise before it may happen to be another definition, but never an error.
        assert!(find_s5(&aml).is_some());
        let _ = find_s5(&before);
    }
}
