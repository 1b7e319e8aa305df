//! `HardwareAuditLog`: what happened to devices.

use super::{Call, Outcome};
use crate::device::history;
use capos_abi::ExceptionCode;
use capos_ledger::Event;
use capos_schema::hardware_audit_log::{EndResults, HardwareEvent, ReadParams, ReadResults};

/// The right to read it.
#[derive(Clone)]
pub(crate) struct HardwareAuditLog;

/// The ledger's word, as callers know it.
fn event(event: Event) -> HardwareEvent {
    match event {
        Event::Claimed => HardwareEvent::Claimed,
        Event::Started => HardwareEvent::Started,
        Event::Reset => HardwareEvent::Reset,
        Event::GivenUp => HardwareEvent::GivenUp,
        Event::NotQuiet => HardwareEvent::NotQuiet,
        Event::Settled => HardwareEvent::Settled,
        Event::Gone => HardwareEvent::Gone,
        Event::Came => HardwareEvent::Came,
        Event::Proven => HardwareEvent::Proven,
        Event::RegisterRefused => HardwareEvent::RegisterRefused,
        Event::DescriptorRefused => HardwareEvent::DescriptorRefused,
        Event::BadCompletion => HardwareEvent::BadCompletion,
        Event::Blocked => HardwareEvent::Blocked,
        Event::Storm => HardwareEvent::Storm,
        Event::NoAnswer => HardwareEvent::NoAnswer,
    }
}

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
            event: event(entry.event),
        })
    }

    pub(super) fn end(&self, call: &mut Call<'_>) -> Outcome {
        call.reply(&EndResults { cursor: history::end() })
    }
}
