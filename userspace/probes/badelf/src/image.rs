//! A copy of a program that can be spoilt and mended.

use alloc::vec::Vec;
use probe::child::Program;
use probe::mutate::Patches;
use probe::{Limits, Nursery};
use rt::CallError;
use rt::abi::PAGE_SIZE;
use rt::generated::{MemoryObjectClient, ProcessHandleClient};
use rt::threads::memory;

/// Bytes that one `read` or `write` moves.
const STEP: u64 = 3072;

/// The copy.
pub struct Image {
    object: MemoryObjectClient,
    size: u64,
    /// The first bytes as they were: patches stay within.
    head: Vec<u8>,
}

impl Image {
    /// Of a program.
    pub fn copy(program: &Program) -> Result<Image, CallError> {
        let object = memory().create_object_blocking(program.size.next_multiple_of(PAGE_SIZE as u64))?;
        let mut head = Vec::new();
        let mut offset = 0;
        while offset < program.size {
            let data = program.object.read_blocking(offset, STEP.min(program.size - offset) as u32)?;
            object.write_blocking(offset, &data)?;
            offset += data.len() as u64;
            if head.is_empty() {
                head = data;
            }
        }
        Ok(Image { object, size: program.size, head })
    }

    /// Bytes of the good program.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Writes patches over it.
    pub fn apply(&self, patches: &Patches) -> Result<(), CallError> {
        for patch in patches.iter() {
            let bytes = patch.value.to_le_bytes();
            self.object.write_blocking(patch.offset, bytes.get(..patch.len).unwrap_or_default())?;
        }
        Ok(())
    }

    /// Writes back what was under them.
    pub fn restore(&self, patches: &Patches) -> Result<(), CallError> {
        for patch in patches.iter() {
            let start = patch.offset as usize;
            let bytes = self.head.get(start..start + patch.len).unwrap_or_default();
            self.object.write_blocking(patch.offset, bytes)?;
        }
        Ok(())
    }

    /// Offers it, as it is now, to the spawner.
    pub fn offer(
        &self,
        nursery: &Nursery,
        patches: &Patches,
        limits: &Limits,
    ) -> Result<ProcessHandleClient, CallError> {
        nursery.spawner().create_blocking(&self.object, limits.params(patches.size, "spoilt"))
    }
}
