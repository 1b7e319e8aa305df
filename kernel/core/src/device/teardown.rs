//! Taking everything back that came from a function. There is one way, for reset, release, exit, kill, crash and unplug.
//!
//! First the device: it is forbidden to reach memory and to interrupt, so that it begins nothing any more, then its class's sequence is begun. A
//! device may go on writing where it was told to after that (QEMU's complete what is under way into memory that they have mapped), so what it was
//! given stays until it was seen to be quiet. Then what others hold: mappings of registers, interrupts. None of that is done with the function locked, but nobody can have
//! it meanwhile.

use super::buffers::Dma;
use super::function::{Function, Mapping, State};
use crate::cap::interrupt::Line;
use crate::task::registry;
use alloc::vec::Vec;
use capos_ledger::Event;
use capos_pci::{Config, change_command, command};
use kernel_hal::pci;
use kernel_hal::sync::Ref;
use kernel_hal::vm::AddressSpace;

/// What was taken from a function, to be given back when it is not locked.
#[must_use]
pub(crate) struct Taken {
    mappings: Vec<Mapping>,
    lines: Vec<Ref<Line>>,
    /// Only to be dropped, with nothing locked.
    _memory: [Option<Dma>; 2],
    quiet: bool,
}

/// Begins to make the device quiet, and takes everything from the function.
pub(crate) fn quiesce(function: &Function, state: &mut State) -> Taken {
    // A device that begins what it was told of while it is being reset may end it afterwards: QEMU 7.2's NVMe controller forgets such a request,
    // and dies of its end.
    silence(function);
    state.quieting.begin();
    // A device that does not answer is not quiet: that is all that matters here.
    let quiet = state.go_on().unwrap_or(false);
    let mut now = state.dma.take();
    if now.as_mut().is_some_and(|dma| !dma.translation.block()) {
        // What it may remember stays for ever, and nobody relies on it again.
        state.record.lose_iommu();
        function.note(Event::NoAnswer, state, 0);
    }
    // Who was promised registers and has not mapped them yet is refused: nobody maps what is somebody else's by then.
    state.mappings.iter().for_each(|mapping| mapping.lease.end());
    let mut memory = [state.kept.take(), now];
    if !quiet {
        // What it had first it may still write. Since then it was given nothing: one that is not quiet may not reach memory.
        state.kept = memory.iter_mut().find_map(Option::take);
    }
    Taken {
        mappings: core::mem::take(&mut state.mappings),
        lines: core::mem::take(&mut state.lines),
        _memory: memory,
        quiet,
    }
}

/// No more transfers and no more interrupts.
fn silence(function: &Function) {
    let (config, at) = (pci::Access, function.pci.address);
    if let Some(msix) = &function.pci.msix {
        msix.enable(&config, at, false, true);
    }
    if let Some(msi) = &function.pci.msi {
        msi.enable(&config, at, false);
    }
    change_command(&config, at, command::BUS_MASTER, command::NO_LINE);
    // What the device wrote before arrives before the answer to a read (PCI Express 5.0, 2.4.1).
    let _ = config.read32(at, 0);
}

impl Taken {
    /// Whether the device was seen to be quiet.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Takes it from those who have it. With nothing locked.
    pub fn give_back(self) {
        self.take(AddressSpace::withdraw);
    }

    /// The same when the device is gone. Its driver did nothing wrong, and hears of it by whatever it asks next: until then it finds what
    /// drivers find on a bus where nobody answers.
    pub fn give_back_gone(self) {
        self.take(AddressSpace::leave_ones);
    }

    fn take(self, unmap: impl Fn(&AddressSpace, u64) -> bool) {
        for mapping in &self.mappings {
            // Who is not in the registry has been taken apart.
            if let Some(process) = registry::find(mapping.process) {
                while unmap(&process.space, mapping.lease.number()) {}
            }
        }
        self.lines.iter().for_each(|line| line.cut());
    }
}
