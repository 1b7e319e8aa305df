//! What happened to devices, by the hardware audit log.

use crate::logs::count_of;
use crate::machine::item;
use crate::pci::named;
use crate::{Trouble, shapes};
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use capos_text::{Report, Value};
use rt::generated::HardwareAuditLogClient;
use rt::schema::hardware_audit_log::{HardwareEvent, ReadResults};

/// Events looked at: devices that go on must not keep us for ever.
const LOOKED_AT: usize = 100_000;

/// The last events, and what there was before them.
pub(crate) async fn last(log: &HardwareAuditLogClient, count: Option<&str>) -> Result<Vec<Report>, Trouble> {
    let count = count_of(count)?.min(Report::MAX_ROWS);
    let (mut kept, mut lost, mut cursor) = (VecDeque::new(), 0u64, 0);
    for _ in 0..LOOKED_AT {
        let Some(event) = item(log.read(cursor).await)?.filter(|event| event.next > cursor) else { break };
        (cursor, lost) = (event.next, lost.saturating_add(event.lost));
        kept.push_back(event);
        if kept.len() > count {
            kept.pop_front();
        }
    }
    let mut report = shapes::HARDWARE.report();
    for event in &kept {
        report.row([
            Value::number(event.next.saturating_sub(1)),
            Value::Span(event.at_ns),
            Value::Text(function(event)),
            Value::number(event.generation),
            Value::text(event.event.name()),
            Value::Text(detail(event)),
        ]);
    }
    let known = shapes::HARDWARE_LOG.of_one([
        Value::number(cursor),
        Value::number(lost),
        Value::number(kept.len() as u64),
    ]);
    Ok(alloc::vec![report, known])
}

/// Of no function are interrupts by line, and what IOMMUs lost.
fn function(event: &ReadResults) -> String {
    if event.function > u16::MAX.into() { String::new() } else { named(event.function) }
}

/// What `detail` says of such an event (schema/hardware_audit_log.capnp).
fn detail(event: &ReadResults) -> String {
    let (high, low) = (event.detail >> 32, event.detail & 0xffff_ffff);
    match event.event {
        HardwareEvent::Claimed => format!("owner {:#x}", event.detail),
        HardwareEvent::RegisterRefused => format!("window {high}, offset {low:#x}"),
        HardwareEvent::DescriptorRefused => format!("queue {high}, descriptor {low}"),
        HardwareEvent::BadCompletion => format!("queue {high}"),
        HardwareEvent::Blocked => format!("at {:#x}", event.detail),
        HardwareEvent::FaultsLost => format!("{} times", event.detail),
        HardwareEvent::Storm if event.function > u16::MAX.into() => format!("line {}", event.detail),
        HardwareEvent::Storm => format!("message {}", event.detail),
        _ if event.detail == 0 => String::new(),
        _ => format!("{:#x}", event.detail),
    }
}

#[cfg(test)]
mod tests {
    use super::{detail, function};
    use alloc::string::String;
    use rt::schema::hardware_audit_log::{HardwareEvent, ReadResults};

    fn shown(event: HardwareEvent, of: u32, what: u64) -> (String, String) {
        let event =
            ReadResults { next: 1, lost: 0, at_ns: 0, detail: what, function: of, generation: 1, event };
        (function(&event), detail(&event))
    }

    #[test]
    fn details_are_said_in_words() {
        let refused = shown(HardwareEvent::RegisterRefused, 0x28, 2 << 32 | 0x14);
        assert_eq!(refused, ("00:05.0".into(), "window 2, offset 0x14".into()));
        assert_eq!(shown(HardwareEvent::DescriptorRefused, 0x28, 1 << 32 | 7).1, "queue 1, descriptor 7");
        assert_eq!(shown(HardwareEvent::Storm, u32::MAX, 11), ("".into(), "line 11".into()));
        assert_eq!(shown(HardwareEvent::FaultsLost, u32::MAX, 3), ("".into(), "3 times".into()));
        assert_eq!(shown(HardwareEvent::Started, 0x28, 0).1, "");
    }
}
