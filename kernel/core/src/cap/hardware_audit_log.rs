//! `HardwareAuditLog`: what happened to devices.

use super::{Call, Outcome};
use crate::device::history;
use capos_abi::ExceptionCode;
use capos_schema::hardware_audit_log::{EndResults, ReadParams, ReadResults};

/// The right to read it.
#[derive(Clone)]
pub(crate) struct HardwareAuditLog;

impl HardwareAuditLog {
    pub(super) fn read(&self, call: &mut Call<'_>, params: ReadParams) -> Outcome {
        let Some(read) = history::read(params.cursor) else {
            return Outcome::exception(ExceptionCode::NotFound);
        };
        let entry = read.entry;
        call.reply(&ReadResults {
            next: read.next,
            lost: read.lost,
            at_ns: entry.at_ns,
            detail: entry.detail,
            function: entry.function,
            generation: entry.generation,
            event: entry.event,
        })
    }

    pub(super) fn end(&self, call: &mut Call<'_>) -> Outcome {
        call.reply(&EndResults { cursor: history::end() })
    }
}
