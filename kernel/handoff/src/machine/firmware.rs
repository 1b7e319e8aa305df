//! What firmware left: its tables, its interrupts, its clock.

use loader::acpi::{self, MadtEntry};
use loader::boot::Boot;
use loader::limine::Feature;
use loader::limine::scan::Requests;
use loader::map::Kind;
use loader::paging::{NoTable, Space};
use loader::physical::Physical;
use loader::{Refusal, clock, efi};

use super::memory::Direct;
use super::start::Loader;
use super::{apic, port};

/// Brings firmware tables that lie above 4 GiB into reach.
pub fn cover(direct: &mut Direct, space: &Space, boot: &mut Boot<'_>) -> Result<(), NoTable> {
    let system = boot.root_pointers.efi_system_table;
    direct.cover_table(space, &mut boot.memory, system)?;
    let configuration = efi::configuration_at(direct, system).filter(|_| system != 0).unwrap_or(0);
    direct.cover_table(space, &mut boot.memory, configuration)?;
    let tables = efi::Tables::read(direct, system);
    for at in [tables.acpi_2, tables.acpi_1, tables.smbios, tables.smbios_3, boot.root_pointers.direct] {
        direct.cover_table(space, &mut boot.memory, at)?;
    }
    Ok(())
}

/// "Legacy PIC and I/O APIC IRQs are all masked" (PROTOCOL.md, "Machine state at entry").
pub fn silence(loader: &Loader) {
    port::mask_pic();
    for entry in loader.root.map(|root| acpi::madt(&loader.direct, root)).into_iter().flatten() {
        if let MadtEntry::IoApic(address) = entry {
            apic::mask_io_apic(address);
        }
    }
}

/// Physical address of the root pointer, moved out of the boot information if it is only a copy there; 0 without one.
pub fn settle_root(loader: &mut Loader) -> Result<u64, Refusal> {
    let Some(root) = loader.root else { return Ok(0) };
    let Some(bytes) = loader.direct.bytes(root.at, root.length).filter(|_| root.is_copy) else {
        return Ok(root.at);
    };
    let (at, page) = loader.allocate(root.length, Kind::Reclaimable, "the RSDP")?;
    page[..bytes.len()].copy_from_slice(bytes);
    Ok(at)
}

/// The date, if the kernel asks for it and there is a clock.
pub fn boot_time(requests: &Requests) -> Option<i64> {
    if !requests.has(Feature::BootTime) {
        return None;
    }
    port::clock().and_then(clock::unix_time)
}
