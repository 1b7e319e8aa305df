//! Who runs: every processor that the MADT names, started and parked, with its record in the responses.

use loader::Refusal;
use loader::acpi::{self, MadtEntry};
use loader::limine::Feature;
use loader::limine::answer::{self, Processors};
use loader::limine::arena::Arena;

use super::apic::LocalApic;
use super::parking::Trampoline;
use super::serial::say;
use super::start::{Kernel, Loader};

/// Most processors that are started.
pub const MOST_PROCESSORS: usize = 256;
/// The highest APIC id that the xAPIC can reach.
const MOST_XAPIC_ID: u32 = 254;

/// The processors that run.
pub struct Crew {
    apic: LocalApic,
    apic_ids: [u32; MOST_PROCESSORS],
    records: [u64; MOST_PROCESSORS],
    count: usize,
}

impl Crew {
    /// Starts all processors, if the kernel asks for them and there is an APIC to do it with.
    pub fn gather(
        loader: &mut Loader,
        kernel: &Kernel,
        arena: &mut Arena<'_>,
    ) -> Result<Option<Crew>, Refusal> {
        let Some(flags) = kernel.requests.member(kernel.image, Feature::Processors, 0) else {
            return Ok(None);
        };
        let Some(apic) = LocalApic::open(&loader.features, flags & 1 != 0) else { return Ok(None) };
        let mut crew = Crew { apic, apic_ids: [0; MOST_PROCESSORS], records: [0; MOST_PROCESSORS], count: 0 };
        let own = apic.id();
        let mut trampoline = None;
        for (uid, apic_id) in listed(loader, own, apic.x2apic) {
            if crew.has(apic_id) {
                continue;
            }
            if crew.count == MOST_PROCESSORS {
                say(format_args!("only the first {MOST_PROCESSORS} processors are started"));
                break;
            }
            let record = answer::processor_record(arena, uid, apic_id)?;
            if apic_id == own || crew.start(loader, &mut trampoline, apic_id, record, kernel.stack_length)? {
                crew.enlist(apic_id, record);
            }
        }
        Ok(Some(crew))
    }

    /// What the response says.
    pub fn tell(&self) -> Processors<'_> {
        Processors {
            x2apic: self.apic.x2apic,
            boot_apic_id: self.apic.id(),
            records: self.records.get(..self.count).unwrap_or(&[]),
        }
    }

    /// Starts one; a processor that does not come is said and left out.
    fn start(
        &self,
        loader: &mut Loader,
        trampoline: &mut Option<Trampoline>,
        apic_id: u32,
        record: u64,
        stack_length: u64,
    ) -> Result<bool, Refusal> {
        let stack = loader.new_stack(stack_length)?;
        let trampoline = match trampoline {
            Some(trampoline) => trampoline,
            none => none.insert(Trampoline::install(loader)?),
        };
        let came = trampoline.start(&self.apic, apic_id, stack, record);
        if !came {
            say(format_args!("processor {apic_id} does not start"));
        }
        Ok(came)
    }

    fn has(&self, apic_id: u32) -> bool {
        self.apic_ids.iter().take(self.count).any(|&other| other == apic_id)
    }

    fn enlist(&mut self, apic_id: u32, record: u64) {
        if let (Some(id), Some(place)) = (self.apic_ids.get_mut(self.count), self.records.get_mut(self.count))
        {
            (*id, *place) = (apic_id, record);
            self.count += 1;
        }
    }
}

/// The processors that can be reached: number and APIC id. The one that boots is always among them, even without tables.
fn listed(loader: &Loader, own: u32, x2apic: bool) -> impl Iterator<Item = (u32, u32)> + use<> {
    let entries = loader.root.map(|root| acpi::madt(&loader.direct, root)).into_iter().flatten();
    let listed = entries.filter_map(move |entry| match entry {
        MadtEntry::Processor { uid, apic_id } if x2apic || apic_id <= MOST_XAPIC_ID => Some((uid, apic_id)),
        _ => None,
    });
    let mut without_own = listed.clone();
    let missing = without_own.all(|(_, apic_id)| apic_id != own).then_some((0, own));
    missing.into_iter().chain(listed)
}
