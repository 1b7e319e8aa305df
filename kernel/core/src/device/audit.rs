//! Whether what the ledger says is what there is: in the function's configuration space, in its table of messages, in page tables.

use super::buffers::Dma;
use super::function::{Function, State};
use super::vectors::MASK;
use crate::task::process::Process;
use crate::task::registry;
use capos_abi::PAGE_SIZE;
use capos_ledger::{Books, Item, Phase};
use capos_pci::{COMMAND, Config, command};
use kernel_hal::mem::Frames;
use kernel_hal::sync::Ref;
use kernel_hal::{MappedRegisters, Width, iommu, irq, message, message_source, pci};

/// What was found of a function.
pub(crate) struct Findings {
    pub address: u32,
    pub books: Books,
    /// Pages that are kept for a device that is not quiet.
    pub kept_pages: u32,
    /// What does not agree; empty when all does.
    pub wrong: &'static str,
}

/// Goes over the books of the first function at or after `cursor` that was ever claimed.
pub(crate) fn at_or_after(cursor: u32) -> Option<Findings> {
    super::registry::at_or_after(cursor).map(|function| look_at(&function))
}

/// Goes over the books of one function. On a machine that is not at rest it may find a change under way.
pub(crate) fn look_at(function: &Function) -> Findings {
    let (mapped, stray) = mappings(function);
    let open = is_open(function);
    let mut state = function.lock();
    state.prune_lines();
    let mut books = Books::new();
    books.add(Item::MappedPages, mapped);
    books.add(Item::DmaPages, state.usage().1);
    books.add(Item::Vectors, state.lines.len() as u32);
    books.add(Item::Buffers, state.dma.as_ref().map_or(0, |dma| dma.named() as u32));
    books.add(Item::Queues, state.dma.as_ref().map_or(0, |dma| dma.queues.iter().flatten().count() as u32));
    let differs = state.record.books.compare(&books).map(|wrong| match wrong.item {
        Item::Vectors => "vectors",
        Item::Buffers | Item::DmaPages => "buffers",
        Item::Queues => "queues",
        Item::MappedPages => "mappings",
    });
    let kept_pages = state.kept.as_ref().map_or(0, |kept| Dma::usage(kept).1);
    let wrong = differs
        .or_else(|| is_master(function, &state).then_some("master"))
        .or_else(|| has_stray_message(function, &state).then_some("messages"))
        .or_else(|| has_stray_line(function, &state).then_some("line"))
        .or_else(|| has_other_vectors(function, &state).then_some("routes"))
        .or_else(|| reaches_other_memory(&state).then_some("iommu"))
        .or_else(|| (stray || open).then_some("mappings"));
    let in_place = state.dma.as_ref().and_then(|dma| dma.translation.is_in_place());
    drop(state);
    let wrong = wrong
        .or_else(|| is_attached_otherwise(function, in_place).then_some("domain"))
        .or_else(|| processes().any(|it| !it.space.has_right_tables()).then_some("tables"));
    Findings { address: function.address(), books, kept_pages, wrong: wrong.unwrap_or("") }
}

/// Whether it may reach memory against the ledger, or may not.
fn is_master(function: &Function, state: &State) -> bool {
    let enabled = pci::Access.read16(function.pci.address, COMMAND) & command::BUS_MASTER != 0;
    enabled != (state.record.phase() == Phase::Running)
}

/// Whether the IOMMU's tables have other pages for it than the ledger, or as many that are others.
fn reaches_other_memory(state: &State) -> bool {
    let Some(dma) = &state.dma else { return false };
    let shown = dma.translation.pages();
    shown.is_some_and(|pages| pages != dma.shown_pages() as u64 || !dma.shows_all())
}

impl State {
    /// Whether an IOMMU shows it something, and nothing else.
    pub fn has_domain(&self) -> bool {
        self.dma.as_ref().is_some_and(|dma| dma.translation.pages().is_some())
    }
}

/// Whether the IOMMU has something else for it than its domain, `in_place` if it has one, or anything though it has none.
fn is_attached_otherwise(function: &Function, in_place: Option<bool>) -> bool {
    let address = function.address();
    match in_place {
        Some(in_place) => !in_place,
        None => iommu::is_attached(address) && !another_has_its_domain(address),
    }
}

/// Whether the domain is that of another function that is the same one to the IOMMU.
fn another_has_its_domain(address: u32) -> bool {
    let is_one = |other: &Function| other.address() != address && iommu::are_one(address, other.address());
    super::registry::from(0).any(|other| is_one(&other) && other.lock().has_domain())
}

/// Whether the vector table has other interrupts of it than the ledger, or what one goes through says something else than it was told.
fn has_other_vectors(function: &Function, state: &State) -> bool {
    let table = || (0..).map_while(irq::info);
    let is_its = |number: u32| message_source(number).is_some_and(|it| it.0 == function.address());
    let has = |number: u32| state.lines.iter().any(|line| line.number() == number);
    !state.lines.iter().all(|line| irq::is_as_told(line.number()))
        || table().any(|it| is_its(it.gsi) && !has(it.gsi))
}

/// Whether it may signal by its line, which nobody has.
fn has_stray_line(function: &Function, state: &State) -> bool {
    let may_signal = pci::Access.read16(function.pci.address, COMMAND) & command::NO_LINE == 0;
    function.pci.header.pin != 0 && may_signal && state.lines.iter().all(|line| !line.is_shared())
}

/// Whether a message is on that nobody has.
fn has_stray_message(function: &Function, state: &State) -> bool {
    let (msi, owned) = (function.pci.msi, state.lines.iter().any(|line| !line.is_shared()));
    if msi.is_some_and(|msi| msi.sends(&pci::Access, function.pci.address))
        && (state.messages.is_some() || !owned)
    {
        return true;
    }
    let Some(msix) = function.pci.msix.filter(|msix| msix.is_enabled(&pci::Access, function.pci.address))
    else {
        return false;
    };
    let Some(table) = state.messages else { return false };
    (0..msix.vectors).any(|index| {
        let word = msix.entry(index).and_then(|entry| table.read(entry + MASK, Width::Four).ok());
        let number = message(function.address(), index);
        word.is_some_and(|word| word & 1 == 0) && !state.lines.iter().any(|line| line.number() == number)
    })
}

/// All processes.
fn processes() -> impl Iterator<Item = Ref<Process>> {
    let mut cursor = 0;
    core::iter::from_fn(move || {
        let process = registry::at_or_after(cursor)?;
        cursor = process.id + 1;
        Some(process)
    })
}

/// Pages of its registers that are mapped, and whether registers are mapped somewhere that nobody gave out there.
fn mappings(function: &Function) -> (u32, bool) {
    let (mut mapped, mut stray) = (0, false);
    for process in processes() {
        for found in (0..).map_while(|index| process.space.registers(index)) {
            if has_lent(function, process.id, &found) {
                mapped += found.pages as u32;
            } else {
                stray |= !super::registry::from(0).any(|it| has_lent(&it, process.id, &found));
            }
        }
    }
    (mapped, stray)
}

/// Whether registers that a process has were given to it by this function: there, so many, and so protected.
fn has_lent(function: &Function, process: u64, found: &MappedRegisters) -> bool {
    let bytes = |pages: usize| (pages * PAGE_SIZE) as u64;
    function.lock().mappings.iter().any(|lent| {
        let bar = function.pci.bars.get(usize::from(lent.bar)).copied().flatten();
        let first = bar.map_or(0, |bar| bar.base.saturating_add(lent.offset));
        (lent.lease.number(), lent.process) == (found.lease, process)
            && first <= found.address
            && found.address.saturating_add(bytes(found.pages)) <= first.saturating_add(bytes(lent.pages))
            && (lent.writable || !found.writable)
    })
}

/// Whether some process has memory that is the device's and the kernel's alone. With nothing locked.
fn is_open(function: &Function) -> bool {
    (0..).map_while(|index| closed(function, index)).any(|(frames, from)| {
        let allowed = |first: usize, writable: bool| first >= from && !writable;
        processes().any(|it| it.space.shows_other(&frames, allowed))
    })
}

/// Number `index` of such memory, and from which page on its driver may read it.
fn closed(function: &Function, index: usize) -> Option<(Ref<Frames>, usize)> {
    let state = function.lock();
    let closed = [&state.dma, &state.kept].into_iter().flatten().flat_map(Dma::closed);
    closed.map(|(memory, from)| (memory.frames().clone(), from)).nth(index)
}
