//! How the kernel sees that an IOMMU translates for a function, before it lets a driver rely on it.
//!
//! A device with rings shows it by completing something, as it finds its ring by the IOMMU only. One without is told to write somewhere: into
//! memory that only the kernel and the device reach, and that it finds by the IOMMU only.

use super::Refused;
use super::buffers::Dma;
use super::function::{Function, State};
use super::memory::Memory;
use super::translation::Translation;
use capos_abi::{ExceptionCode, PAGE_SIZE};
use capos_ledger::{Backend, Event, Item, Trust};
use kernel_hal::account::Account;
use kernel_hal::sync::Ref;

/// What the memory holds until the device writes there.
const UNTOUCHED: u64 = 0x5ea1_ed5e_a1ed_5ea1;

/// Memory for a device to write to.
pub(crate) struct Proof {
    token: u64,
    pub memory: Memory,
    decoy: Memory,
}

impl Proof {
    /// Nobody gets any of it.
    pub fn closed(&self) -> impl Iterator<Item = (&Memory, usize)> {
        [&self.memory, &self.decoy].into_iter().map(|memory| (memory, memory.pages()))
    }

    /// Whether the device finds it, by the IOMMU's own tables.
    pub fn is_shown(&self, translation: &Translation) -> bool {
        translation.shows_at(self.decoy.physical(), &self.memory)
    }

    fn was_touched(&self) -> bool {
        (0..PAGE_SIZE).step_by(8).any(|offset| self.memory.word(offset) != Some(UNTOUCHED))
    }
}

impl Dma {
    /// Pages that it takes.
    pub fn proof_pages(&self) -> usize {
        self.proof.as_ref().map_or(0, |_| 2)
    }
}

impl Function {
    /// The token of memory that the device is to write to, and how many bytes there are.
    pub fn proof(&self, generation: u32, account: &Ref<Account>) -> Result<(u64, usize), Refused> {
        let bits = {
            let mut state = self.of(generation)?;
            let dma = state.dma()?;
            if let Some(proof) = &dma.proof {
                return Ok((proof.token, PAGE_SIZE));
            }
            if !dma.translation.is_unproven() {
                return Err(ExceptionCode::Unsupported);
            }
            dma.space.bits
        };
        let (memory, decoy) = (Memory::new(1, bits, account)?, Memory::new(1, bits, account)?);
        memory.fill(UNTOUCHED);
        let mut made = Some((memory, decoy));
        let token = self.of(generation)?.enter_proof(&mut made);
        // What was not taken goes with nothing locked.
        drop(made);
        token.map(|token| (token, PAGE_SIZE))
    }

    /// Whether the IOMMU was seen to translate for it.
    pub fn prove(&self, generation: u32) -> Result<bool, Refused> {
        let mut state = self.of(generation)?;
        let proof = state.dma.as_ref().and_then(|dma| dma.proof.as_ref());
        if proof.is_some_and(Proof::was_touched) {
            self.proven(&mut state);
        }
        Ok(state.record.trust() == Trust::Proven)
    }

    /// It was seen.
    pub(super) fn proven(&self, state: &mut State) {
        if state.record.trust() == Trust::Unproven {
            state.record.proven();
            self.note(Event::Proven, state, 0);
        }
    }

    /// Its driver says that it does not, and goes on without. The function stays behind the IOMMU all the same.
    pub fn distrust(&self, generation: u32) -> Result<(), Refused> {
        let mut state = self.of(generation)?;
        if state.backend() == Backend::Unproven {
            state.record.distrust();
        }
        Ok(())
    }
}

impl State {
    fn enter_proof(&mut self, made: &mut Option<(Memory, Memory)>) -> Result<u64, Refused> {
        let dma = self.dma()?;
        if dma.proof.is_some() {
            return Err(ExceptionCode::Exists);
        }
        let Some((memory, decoy)) = made.take() else { return Err(ExceptionCode::InvalidArgument) };
        let entered = dma.token_for(1, decoy.physical()).and_then(|token| {
            let shown = dma.translation.show_instead(&decoy, &memory);
            shown.map(|()| token).inspect_err(|_| {
                let _ = dma.pool.remove(token);
            })
        });
        match entered {
            Ok(token) => {
                dma.proof = Some(Proof { token, memory, decoy });
                let pages = dma.proof_pages() as u32;
                self.record.books.add(Item::DmaPages, pages);
                Ok(token)
            }
            Err(refused) => {
                *made = Some((memory, decoy));
                Err(refused)
            }
        }
    }
}
