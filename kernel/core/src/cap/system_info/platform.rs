//! What firmware and buses say about the machine: ACPI tables and PCI functions, without their addresses.

use super::{NOT_FOUND, SystemInfo, or_not_found};
use crate::boot::Words;
use crate::cap::device_manager::{backend, state};
use crate::cap::{Call, Outcome};
use crate::device::registry;
use capos_abi::ExceptionCode;
use capos_ledger::{Backend, Phase, Trust};
use capos_pci::capability::{extended, list};
use capos_pci::{Address, COMMAND, Config, Function};
use capos_schema::system_info::{
    AcpiFactParams, AcpiFactResults, AcpiTableParams, AcpiTableResults, IommuInterrupts, IommuKind,
    IommuParams, IommuResults, PciBarParams, PciBarResults, PciCapabilityParams, PciCapabilityResults,
    PciFunctionParams, PciFunctionResults,
};
use core::fmt::Write;
use kernel_hal::{IommuInterrupts as Interrupts, IommuKind as Kind, acpi, iommu, pci};

const UNSUPPORTED: Outcome = Outcome::exception(ExceptionCode::Unsupported);

/// The first address above 4 GiB.
const HIGH: u64 = 1 << 32;

impl SystemInfo {
    pub(in crate::cap) fn acpi_table(&self, call: &mut Call<'_>, params: AcpiTableParams) -> Outcome {
        if !acpi::is_present() {
            return UNSUPPORTED;
        }
        let Some(table) = acpi::table(params.index as usize) else { return NOT_FOUND };
        // A signature is four letters by the specification; firmware that thinks otherwise gets question marks.
        let signature = core::str::from_utf8(&table.signature).unwrap_or("????");
        call.reply_large(&AcpiTableResults { length: table.length, revision: table.revision, signature })
    }

    pub(in crate::cap) fn acpi_fact(&self, call: &mut Call<'_>, params: AcpiFactParams) -> Outcome {
        if !acpi::is_present() {
            return UNSUPPORTED;
        }
        let (mut index, mut text) = (0, None);
        acpi::facts(params.table as usize, &mut |fact| {
            if index == params.index {
                let mut words = Words::new();
                // What does not fit is left out.
                let _ = words.write_fmt(fact);
                text = Some(words);
            }
            index += 1;
        });
        or_not_found(call, text.as_ref().map(|text| AcpiFactResults { text: text.as_str() }))
    }

    pub(in crate::cap) fn iommu(&self, call: &mut Call<'_>, params: IommuParams) -> Outcome {
        let Some(found) = iommu::info(params.index as usize) else { return NOT_FOUND };
        call.reply_large(&IommuResults {
            kind: match found.kind {
                Kind::Unknown => IommuKind::Unknown,
                Kind::Intel => IommuKind::Intel,
                Kind::Amd => IommuKind::Amd,
            },
            interrupts: match found.interrupts {
                Interrupts::Proven => IommuInterrupts::Proven,
                Interrupts::Forgeable => IommuInterrupts::Forgeable,
                Interrupts::Unproven => IommuInterrupts::Unproven,
            },
            bits: found.bits,
            faults: found.faults,
            lost: found.lost,
            last: u32::from(found.last),
            state: found.unusable.unwrap_or(if found.answers { "on" } else { "silent" }),
        })
    }

    pub(in crate::cap) fn pci_function(&self, call: &mut Call<'_>, params: PciFunctionParams) -> Outcome {
        let Some(function) = pci::function_at_or_after(params.cursor) else { return NOT_FOUND };
        let mut wrong = Words::new();
        if let Some(fault) = function.fault {
            let _ = write!(wrong, "{fault}");
        }
        call.reply_large(&describe(&function, wrong.as_str()))
    }

    pub(in crate::cap) fn pci_bar(&self, call: &mut Call<'_>, params: PciBarParams) -> Outcome {
        let function = pci::find(params.function);
        let bars = function.iter().flat_map(|function| function.bars.iter().flatten());
        let Some(bar) = bars.clone().find(|bar| bar.index >= params.cursor) else { return NOT_FOUND };
        let mut kind = Words::new();
        let _ = write!(kind, "{}", bar.space);
        call.reply_large(&PciBarResults {
            index: bar.index,
            size: bar.size,
            placed: bar.is_placed(),
            high: bar.base >= HIGH,
            kind: kind.as_str(),
        })
    }

    pub(in crate::cap) fn pci_capability(&self, call: &mut Call<'_>, params: PciCapabilityParams) -> Outcome {
        let Some(function) = pci::find(params.function) else { return NOT_FOUND };
        let (at, index) = (function.address, params.index as usize);
        let mut text = Words::new();
        if let Some(found) = list(&pci::Access, at).nth(index) {
            let _ = function.describe(&pci::Access, found, &mut text);
            let id = u16::from(found.id);
            return call.reply_large(&PciCapabilityResults { id, extended: false, text: text.as_str() });
        }
        // A device may say something else each time.
        let rest = index.saturating_sub(list(&pci::Access, at).count());
        let is_express = function.express.is_some();
        let found = extended(&pci::Access, at).filter(|_| is_express).nth(rest);
        let Some(found) = found else { return NOT_FOUND };
        let _ = write!(text, "{found}");
        call.reply_large(&PciCapabilityResults { id: found.id, extended: true, text: text.as_str() })
    }
}

fn describe<'w>(function: &Function, wrong: &'w str) -> PciFunctionResults<'w> {
    let (at, header): (Address, _) = (function.address, &function.header);
    let line = pci::line(at.number());
    let known = registry::known(at.number());
    let (phase, way, guarded, driver) = known.map_or((Phase::Free, Backend::Bounce, false, 0), |known| {
        let it = known.lock();
        let guarded = it.has_domain() && it.record.trust() == Trust::Proven;
        (it.record.phase(), it.backend(), guarded, it.driver)
    });
    PciFunctionResults {
        address: at.number(),
        vendor: header.vendor,
        device: header.device,
        class: header.class,
        header: header.kind,
        interrupt_line: header.line,
        next: at.number() + 1,
        interrupt_pin: header.pin,
        routed: line.is_some(),
        gsi: line.map_or(0, |line| line.gsi),
        secondary: header.buses.map_or(0, |buses| buses.secondary),
        subordinate: header.buses.map_or(0, |buses| buses.subordinate),
        msi: function.msi.map_or(0, |msi| u16::from(msi.vectors)),
        msix: function.msix.map_or(0, |msix| msix.vectors),
        command: pci::Access.read16(at, COMMAND),
        wrong,
        driver,
        state: state(phase),
        backend: backend(way),
        guarded,
        bridge: header.is_platform(),
    }
}
