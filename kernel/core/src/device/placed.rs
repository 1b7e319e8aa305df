//! The memory of a ring, and where the device finds it.

use super::Refused;
use super::memory::Memory;
use super::queue::refused;
use super::translation::Translation;
use super::windows::{Reach, Window};
use capos_abi::ExceptionCode;
use capos_dma::class::{self, Bell, Class, Register};
use capos_dma::pool::Pool;
use kernel_hal::account::Account;
use kernel_hal::sync::Ref;

/// How the device comes to it.
#[derive(Clone, Copy)]
pub(crate) struct Way {
    /// Bits of the device's addresses.
    pub bits: u32,
    /// It is not known yet whether the IOMMU translates.
    pub unproven: bool,
    /// The driver's is the device's.
    pub direct: bool,
}

/// What the device has of a ring.
pub(crate) struct Placed {
    pub real: Memory,
    /// Where the device is told that the real one is, if it is to be seen whether it finds it by the IOMMU.
    decoy: Option<Memory>,
    direct: bool,
    /// What it is for the device. If it is the driver's it has a token, which is known when it is shown.
    address: u64,
    /// By what the device is told of something new.
    pub bell: Bell,
}

impl Placed {
    /// Nothing of it is the device's yet.
    pub fn new(pages: usize, way: Way, account: &Ref<Account>) -> Result<Placed, Refused> {
        let real = Memory::new(pages, way.bits, account)?;
        let decoy = way.unproven.then(|| Memory::new(pages, way.bits, account)).transpose()?;
        let address = decoy.as_ref().unwrap_or(&real).physical();
        // There is none before the device was told of the ring.
        let bell = Bell { register: Register { bar: u8::MAX, offset: 0, width: 1 }, value: 0 };
        Ok(Placed { real, decoy, direct: way.direct, address, bell })
    }

    /// What it is for the device.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Tells the device where it is, with so many entries, or has it ready for the command that does: completions begin `completions` bytes behind
    /// its begin, if they have a place of their own.
    pub fn attach(
        &mut self,
        class: &mut Class,
        windows: &[Window],
        index: u16,
        (size, completions): (u16, Option<u32>),
        (pool, translation): (&mut Pool, &mut Translation),
    ) -> Result<(), Refused> {
        let base = self.show(pool, translation)?;
        let completions = completions.map_or(0, |offset| base.wrapping_add(offset.into()));
        let ring = class::Ring { size, base, completions, translated: self.is_translated() };
        match class.attach(&mut Reach(windows), index, ring) {
            Ok(bell) => {
                self.bell = bell;
                Ok(())
            }
            Err(error) => {
                self.hide(pool, translation);
                Err(refused(error))
            }
        }
    }

    /// Shows it to the device; the address that the device is to be told.
    fn show(&mut self, pool: &mut Pool, translation: &mut Translation) -> Result<u64, Refused> {
        // A driver that gets along without an IOMMU does so with one: there it is a buffer.
        if !pool.takes(self.real.pages() as u64) {
            return Err(ExceptionCode::InvalidArgument);
        }
        if let Some(decoy) = &self.decoy {
            translation.show_instead(decoy, &self.real)?;
            return Ok(self.address);
        }
        if !self.direct {
            translation.show(0, &self.real)?;
            return Ok(self.address);
        }
        // It has a token as buffers have: a driver that names it there spoils nothing but its own.
        let token = pool.insert(self.real.pages() as u64, self.real.physical());
        let token = token.map_err(|_| ExceptionCode::InvalidArgument)?;
        translation.show(token, &self.real).inspect_err(|_| {
            let _ = pool.remove(token);
        })?;
        self.address = token;
        Ok(token)
    }

    /// Whether the device finds it, by the IOMMU's own tables.
    pub fn is_shown(&self, translation: &Translation) -> bool {
        translation.shows_at(self.address, &self.real)
    }

    /// The device was not told of it after all.
    fn hide(&self, pool: &mut Pool, translation: &mut Translation) {
        match &self.decoy {
            Some(decoy) => translation.hide_instead(decoy),
            // If the IOMMU does not say so it keeps the frames for ever.
            None => drop(translation.hide(self.address, &self.real)),
        }
        if self.direct {
            let _ = pool.remove(self.address);
        }
    }

    /// Whether only an IOMMU leads there: what the device did there shows that it translates.
    pub fn is_proof(&self) -> bool {
        self.decoy.is_some()
    }

    /// Whether the device comes to it by an IOMMU that translates.
    fn is_translated(&self) -> bool {
        self.direct || self.is_proof()
    }

    /// Memory of it that its driver does not get, but for pages from some page on, to be read: what the device writes, from `first` on.
    pub fn closed(&self, first: usize) -> impl Iterator<Item = (&Memory, usize)> {
        let real = (!self.direct).then_some((&self.real, first));
        real.into_iter().chain(self.decoy.as_ref().map(|decoy| (decoy, decoy.pages())))
    }

    /// Pages that it takes.
    pub fn pages(&self) -> usize {
        self.real.pages() + self.decoy.as_ref().map_or(0, Memory::pages)
    }
}
