//! What is in tables.

use super::{Step, Work};
use crate::cap::{Object, families};
use crate::task::process::Process;
use capos_abi::{CapId, ExceptionCode, MAX_CAP_SLOTS};
use capos_cap::{Entry, Mobility, Origin as Above};
use capos_inspect::{Capability, Kind, Leaves, Origin, Page, Slot};
use capos_schema::inspector::ListParams;

/// No table has more slots.
pub(super) fn check(params: &ListParams) -> Result<(), ExceptionCode> {
    if params.index > MAX_CAP_SLOTS as u64 { Err(ExceptionCode::InvalidArgument) } else { Ok(()) }
}

/// What a process holds from slot `from` on.
pub(super) fn look(process: &Process, from: u64, work: &mut Work, page: &mut Page<'_, Capability>) -> Step {
    let from = u32::try_from(from).unwrap_or(u32::MAX);
    let table = process.table.lock();
    // So that no table looks as if nobody had asked for its state.
    let epoch = table.changes() + 1;
    let count = work.0.min(table.span().saturating_sub(from as usize));
    work.spend(count);
    for (id, entry) in table.some(from, count) {
        if !page.push(&describe(process, id, entry)) {
            return Step { next: Some(u64::from(id.index())), epoch };
        }
    }
    let end = from as usize + count;
    Step { next: (end < table.span()).then_some(end as u64), epoch }
}

/// One capability; its table is locked.
fn describe(process: &Process, id: CapId, entry: &Entry<Object>) -> Capability {
    let (kind, object, detail) = about(process, &entry.object);
    let (above, family) = entry.node.map_or((Above::Nothing, 0), families::origin);
    Capability {
        at: Slot { process: process.id, slot: id.index() },
        interface: entry.interface,
        kind,
        object,
        detail,
        leaves: match entry.mobility {
            Mobility::Fixed => Leaves::Never,
            Mobility::MoveOnly => Leaves::Moves,
            Mobility::CopyOnly => Leaves::Copies,
            Mobility::Free => Leaves::Freely,
        },
        origin: match above {
            Above::Nothing => Origin::Root,
            Above::From(place) => Origin::From(Slot { process: place.table, slot: place.cap.index() }),
            Above::Gone => Origin::Gone,
        },
        family,
    }
}

/// What an object is, which of its kind, and what else there is to say of it.
fn about(holder: &Process, object: &Object) -> (Kind, u64, u64) {
    match object {
        Object::LogSink(_)
        | Object::LogReader(_)
        | Object::BootPackage(_)
        | Object::ProcessSpawner(_)
        | Object::Timer(_)
        | Object::WallClock(_)
        | Object::EntropySink(_)
        | Object::EntropySource(_)
        | Object::SystemInfo(_)
        | Object::Power(_)
        | Object::Inspector(_)
        | Object::InterruptController(_)
        | Object::DeviceManager(_)
        | Object::HardwareAuditLog(_) => (Kind::Kernel, 0, 0),
        // They never leave their process.
        Object::VirtualMemory(_) | Object::ThreadControl(_) | Object::EndpointFactory(_) => {
            (Kind::Own, holder.id, 0)
        }
        Object::Endpoint(right) => (Kind::Endpoint, right.endpoint.label(), 0),
        Object::Client(facet) => (Kind::Facet, facet.endpoint.label(), facet.badge),
        Object::MemoryObject(memory) => {
            let detail = (memory.pages() as u64) << 1 | u64::from(memory.writable());
            (Kind::Memory, memory.label(), detail)
        }
        Object::ProcessHandle(handle) => (Kind::Process, handle.process().id, 0),
        Object::ProcessDebug(debug) => (Kind::Debug, debug.process().id, 0),
        Object::ProcessWatch(watch) => (Kind::Watch, watch.process().id, 0),
        Object::Notification(notification) => (Kind::Notification, notification.label(), 0),
        Object::Signaller(signaller) => (Kind::Signaller, signaller.event().label(), signaller.bits()),
        Object::Alarm(alarm) => (Kind::Alarm, alarm.label(), 0),
        Object::IoPort(ports) => {
            let (base, length) = ports.extent();
            (Kind::Ports, 0, u64::from(base) | u64::from(length) << 16)
        }
        Object::Device(device) => (Kind::Device, u64::from(device.address()), 0),
        Object::DeviceMmio(window) => (Kind::Device, u64::from(window.address()), 0),
        Object::DmaPool(pool) => (Kind::Device, u64::from(pool.address()), 0),
        Object::DmaBuffer(buffer) => (Kind::Device, u64::from(buffer.address()), 0),
        Object::DeviceQueue(queue) => (Kind::Device, u64::from(queue.address()), 0),
        Object::Interrupt(line) => (Kind::Line, u64::from(line.number()), 0),
    }
}
