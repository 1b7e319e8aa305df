//! Firmware's tables. Random bytes never have the right checksums, so most inputs describe tables that are put together here.
//!
//! Input: a flag byte, then tables as kind, length (16 bits), bytes. With flag 1 the input is physical memory as it is.
#![no_main]

use capos_acpi::{
    Dmar, DmarEntry, Fadt, Hpet, Ivrs, Madt, Mcfg, Rsdp, Table, Tables, facts, find_s5, soft_off,
};
use libfuzzer_sys::fuzz_target;

const RAW: u8 = 1;
const NARROW: u8 = 2;
const WRONG_SUMS: u8 = 4;
const NAMES: [&[u8; 4]; 9] =
    [b"APIC", b"FACP", b"MCFG", b"HPET", b"SSDT", b"DSDT", b"XXXX", b"DMAR", b"IVRS"];
const ROOT: u64 = 0x1000;
const STEP: u64 = 0x2_0000;
const MOST: usize = 12;

fuzz_target!(|input: &[u8]| {
    let Some((flags, rest)) = input.split_first() else { return };
    if flags & RAW != 0 {
        let read = |address, length| piece(rest, address, length);
        if let Ok(rsdp) = Rsdp::parse(rest) {
            ask(&rsdp, &read);
        }
        let _ = (Table::parse(rest), find_s5(rest));
        return;
    }
    let tables = tables(rest, flags & WRONG_SUMS == 0);
    let addresses: Vec<u64> = (1..=tables.len() as u64).map(|n| n * STEP).collect();
    let (name, list) = if flags & NARROW != 0 {
        (b"RSDT", addresses.iter().flat_map(|it| (*it as u32).to_le_bytes()).collect::<Vec<u8>>())
    } else {
        (b"XSDT", addresses.iter().flat_map(|it| it.to_le_bytes()).collect())
    };
    let root = table(name, &list, true);
    let read = |address: u64, length: usize| match address {
        ROOT => piece(&root, 0, length),
        _ => tables
            .get((address / STEP).checked_sub(1)? as usize)
            .and_then(|it| piece(it, address % STEP, length)),
    };
    let wide = (flags & NARROW == 0).then_some(ROOT);
    ask(&Rsdp { revision: 2, rsdt: ROOT as u32, xsdt: wide }, &read);
});

fn piece(bytes: &[u8], address: u64, length: usize) -> Option<&[u8]> {
    let at = usize::try_from(address).ok()?;
    bytes.get(at..at.checked_add(length)?)
}

/// The tables that the input describes. A fixed description table gets the address of the last DSDT.
fn tables(mut rest: &[u8], right: bool) -> Vec<Vec<u8>> {
    let (mut found, mut dsdt) = (Vec::new(), None);
    while let [kind, low, high, tail @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(tail.len());
        let (body, after) = tail.split_at(length);
        let name = NAMES[usize::from(*kind) % NAMES.len()];
        found.push((name, body.to_vec()));
        if name == b"DSDT" {
            dsdt = Some(found.len() as u64 * STEP);
        }
        rest = after;
        if found.len() == MOST {
            break;
        }
    }
    let finish = |(name, mut body): (&[u8; 4], Vec<u8>)| {
        if let (b"FACP", Some(address), Some(slot)) = (name, dsdt, body.get_mut(4..8)) {
            slot.copy_from_slice(&(address as u32).to_le_bytes());
        }
        table(name, &body, right)
    };
    found.into_iter().map(finish).collect()
}

fn table(name: &[u8; 4], body: &[u8], right: bool) -> Vec<u8> {
    let mut out = name.to_vec();
    out.extend((36 + body.len() as u32).to_le_bytes());
    out.resize(36, 0);
    out.extend(body);
    if right {
        out[9] = out.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)).wrapping_neg();
    }
    out
}

/// Asks everything that the kernel asks.
fn ask<'m>(rsdp: &Rsdp, memory: &'m (dyn Fn(u64, usize) -> Option<&'m [u8]> + Sync)) {
    let Ok(tables) = Tables::of(rsdp, memory) else { return };
    assert!(tables.iter().count() <= tables.count());
    for table in tables.iter().flatten() {
        if let Ok(madt) = Madt::parse(table) {
            assert!(madt.processors().count() <= madt.entries().count());
            let _ = (madt.local_apic(), (0..16).map(|irq| madt.isa(irq).gsi).max());
        }
        if let Ok(fadt) = Fadt::parse(table) {
            assert!(fadt.ports().all(|block| block.length > 0));
            let _ = (fadt.reset(), fadt.enable(), soft_off(&tables, &fadt));
        }
        if let Ok(mcfg) = Mcfg::parse(table) {
            assert!(mcfg.windows().all(|window| window.buses.0 <= window.buses.1));
        }
        let _ = Hpet::parse(table);
        remapping(table);
        facts(table, &mut |fact| assert!(!fact.to_string().is_empty()));
    }
}

fn remapping(table: Table<'_>) {
    if let Ok(dmar) = Dmar::parse(table) {
        assert!(dmar.units().all(|unit| unit.registers != 0 && unit.registers % 4096 == 0));
        for entry in dmar.entries() {
            let scopes = match entry {
                DmarEntry::Unit(unit) => unit.scopes,
                DmarEntry::Reserved(memory) => memory.scopes,
                DmarEntry::RootPorts { scopes, .. } => scopes,
                DmarEntry::Other(_) => continue,
            };
            let ends = scopes.iter().map(|scope| scope.function(&|bridge| Some(bridge as u8)));
            assert!(ends.flatten().all(|function| function <= 0xffff));
        }
    }
    if let Ok(ivrs) = Ivrs::parse(table) {
        assert!(ivrs.units().count() <= ivrs.blocks().count());
        for unit in ivrs.units() {
            assert!(unit.devices.iter().count() <= table.bytes().len() / 4);
            let _ = unit.devices.id_of(unit.function);
        }
    }
}
