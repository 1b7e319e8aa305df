//! The provenance pages have the registers that the code has, and say of each what the kernel lets a driver do to it.

use std::collections::BTreeSet;

use capos_dma::class::{Class, Legacy, Modern, Region};
use capos_dma::e1000e::Adapter;
use capos_dma::nvme::Controller;
use capos_dma::window::{Access, Range, Widths};
use capos_manifest::RESERVED_PORTS;

const VIRTIO: &str = include_str!("../../../docs/src/provenance/virtio-rng.md");
const EDU: &str = include_str!("../../../docs/src/provenance/edu.md");
const NVME: &str = include_str!("../../../docs/src/provenance/nvme.md");
const E1000E: &str = include_str!("../../../docs/src/provenance/e1000e.md");
const SERIAL: &str = include_str!("../../../docs/src/provenance/serial.md");
const PCI: &str = include_str!("../../../docs/src/provenance/pci.md");
const IO_APIC: &str = include_str!("../../../docs/src/provenance/io-apic.md");
const VT_D: &str = include_str!("../../../docs/src/provenance/vt-d.md");
const AMD_VI: &str = include_str!("../../../docs/src/provenance/amd-vi.md");

/// Cells of the table under `heading`, without its header.
fn table<'p>(page: &'p str, heading: &str) -> Vec<Vec<&'p str>> {
    let (_, section) = page.split_once(&format!("\n### {heading}\n")).expect(heading);
    let lines =
        section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let rows = lines.skip(2).map(|line| line.trim_matches('|').split('|').map(str::trim).collect());
    rows.collect()
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).expect(text)
}

fn by(Widths(widths): Widths) -> String {
    let each = [1, 2, 4, 8].into_iter().filter(|width| widths & width != 0).map(|width| width.to_string());
    if widths == Widths::ANY.0 { "any".into() } else { each.collect::<Vec<_>>().join(", ") }
}

fn word(access: Access) -> &'static str {
    match access {
        Access::ReadOnly => "`read`",
        Access::ReadWrite => "`write`",
        Access::Guarded => "`guarded`",
        Access::Doorbell => "`doorbell`",
        Access::Forbidden => "`nothing`",
        Access::Masked { .. } => "`masked`",
        Access::AddressToken { .. } => "`token`",
    }
}

/// The table under `heading` is what the kernel has for a window of the class.
fn compare(page: &str, heading: &str, class: &Class, bar: u8, length: u64) {
    let policy = class.table(bar, length).unwrap();
    let known = policy.ranges().iter().map(|Range { first, length: bytes, widths, access }| {
        let bytes = match first + bytes == length {
            true if *first == 0 => "all".to_owned(),
            true if bytes.is_multiple_of(0x100) => "rest".to_owned(),
            _ => bytes.to_string(),
        };
        (*first, bytes, by(*widths), word(*access).to_owned())
    });
    let rows = table(page, heading);
    let shown = rows.iter().map(|row| match row[..] {
        [from, bytes, by, _, access] => (hex(from), bytes.to_owned(), by.to_owned(), access.to_owned()),
        _ => panic!("{heading}: {row:?}"),
    });
    assert_eq!(shown.collect::<Vec<_>>(), known.collect::<Vec<_>>(), "{heading}");
}

#[test]
fn drivers_may_do_to_registers_what_the_pages_say() {
    let region = |bar, length| Region { bar, offset: 0, length };
    let modern =
        Modern::new(region(1, 0x38), region(2, 0x1000), 4, region(3, 0x1000), Some(region(4, 0x1000)));
    let modern = Class::Modern(modern.unwrap());
    // Longer than what it has, so that the last register is not all that is left.
    compare(VIRTIO, "Common configuration", &modern, 1, 0x1000);
    compare(VIRTIO, "Notification", &modern, 2, 0x1000);
    compare(VIRTIO, "Interrupt status", &modern, 3, 0x1000);
    compare(VIRTIO, "Device configuration", &modern, 4, 0x1000);
    compare(VIRTIO, "Legacy interface", &Class::Legacy(Legacy::new(true)), 0, 0x218);
    compare(EDU, "BAR 0", &Class::Edu, 0, 0x10_0000);
    // The NVM command set, doorbells of four bytes.
    let nvme = Class::Nvme(Controller::new(1 << 37).unwrap());
    compare(NVME, "BAR 0", &nvme, 0, 0x4000);
    compare(E1000E, "BAR 0", &Class::E1000e(Adapter::default()), 0, 0x2_0000);
}

/// Numbers that `code` gives names: `NAME ... = 0x..` with this in between.
fn named(code: &str, between: &str) -> BTreeSet<u64> {
    let ends = |rest: &str| rest.find([',', ';']).map(|end| hex(rest[..end].trim()));
    code.lines().filter_map(|line| ends(line.split_once(between)?.1)).collect()
}

fn first_cells(page: &str, heading: &str) -> BTreeSet<u64> {
    table(page, heading).iter().map(|row| hex(row[0])).collect()
}

#[test]
fn registers_of_the_platform_are_those_that_the_code_knows() {
    let intel = include_str!("../../../capos-lib/iommu/src/intel/register.rs");
    let amd = include_str!("../../../capos-lib/iommu/src/amd/register.rs");
    for (code, page, window) in [(intel, VT_D, 0x1000), (amd, AMD_VI, 0x4000)] {
        let mut known = named(code, ": usize = ");
        assert!(known.remove(&window) && known.len() > 10);
        assert_eq!(first_cells(page, "Registers"), known);
    }
    let serial = include_str!("../../../capos-lib/uart/src/register.rs");
    let serial = serial.split_once("pub enum Register").unwrap().1.split_once('}').unwrap().0;
    assert_eq!(first_cells(SERIAL, "Registers"), named(serial, " = "));
    let io = include_str!("../../../kernel/hal/src/x86/apic/io.rs");
    let known: BTreeSet<u64> =
        ["SELECT: usize = ", "DATA: usize = ", "VERSION: u32 = ", "REDIRECTION: u32 = "]
            .into_iter()
            .flat_map(|name| named(io, name))
            .collect();
    assert_eq!((first_cells(IO_APIC, "Registers"), known.len()), (known.clone(), 3), "two of them are 0x10");
}

#[test]
fn what_is_read_of_pci_and_what_nobody_gets() {
    let ids = include_str!("../../../capos-lib/pci/src/capability.rs");
    let known: BTreeSet<u64> =
        named(ids, ": u8 = ").union(&named(ids, "const ATS: u16 = ")).copied().collect();
    assert_eq!(first_cells(PCI, "Capabilities that are read"), known);
    let ports = table(PCI, "Ports that nobody gets");
    let ports: BTreeSet<(u16, u16)> =
        ports.iter().map(|row| (hex(row[0]) as u16, hex(row[1]) as u16)).collect();
    assert_eq!(ports, RESERVED_PORTS.into_iter().collect());
}
