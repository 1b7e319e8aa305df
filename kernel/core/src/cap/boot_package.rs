//! `BootPackage`: the files that came with the kernel.

use super::memory_object::MemoryObject;
use super::{Call, Object, Outcome};
use capos_abi::ExceptionCode;
use capos_schema::boot_package::{CountResults, InfoParams, InfoResults, OpenParams, OpenResults};
use kernel_hal::boot;

/// All boot files.
#[derive(Clone)]
pub(crate) struct BootPackage;

impl BootPackage {
    pub(super) fn count(&self, call: &mut Call<'_>) -> Outcome {
        let files = u32::try_from(boot::info().modules.len()).unwrap_or(u32::MAX);
        call.reply(&CountResults { files })
    }

    pub(super) fn info(&self, call: &mut Call<'_>, params: InfoParams) -> Outcome {
        match boot::info().modules.get(params.index as usize) {
            Some(file) => call.reply_large(&InfoResults { size: file.length as u64, name: file.name }),
            None => Outcome::exception(ExceptionCode::NotFound),
        }
    }

    pub(super) fn open(&self, call: &mut Call<'_>, params: OpenParams<'_>) -> Outcome {
        let Some(file) = boot::info().modules.iter().find(|file| file.name == params.name) else {
            return Outcome::exception(ExceptionCode::NotFound);
        };
        match call.give_facet(Object::MemoryObject(MemoryObject::read_only_of(file.frames.clone()))) {
            Ok(()) => call.reply(&OpenResults { size: file.length as u64 }),
            Err(outcome) => outcome,
        }
    }
}
