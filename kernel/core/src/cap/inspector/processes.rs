//! Processes and processors.

use super::Reached;
use crate::task::process::{Process, Status};
use crate::task::{cpu, registry, schedule};
use capos_abi::ExceptionCode;
use capos_inspect::{End, Life, Name, Page, Process as Told, Processor, RESOURCES, Use};
use capos_mem::Resource;
use capos_schema::inspector::ListParams;
use core::sync::atomic::Ordering;
use kernel_hal::sync::Ref;
use kernel_hal::{cpu as machine, time};

/// As many as there is room for in one answer.
const MOST: usize = 19;

/// The processes, from an id on.
pub(super) fn list(params: &ListParams, page: &mut Page<'_, Told>) -> Result<Reached, ExceptionCode> {
    if params.index != 0 {
        return Err(ExceptionCode::InvalidArgument);
    }
    let most = if params.only { 1 } else { page.room().min(MOST) };
    let mut found = [const { None }; MOST];
    let registry::Look { changes, more } =
        registry::look(params.process, found.get_mut(..most).unwrap_or_default());
    let epoch = changes + 1;
    if params.epoch != 0 && params.epoch != epoch {
        return Err(ExceptionCode::WrongState);
    }
    let mut next = params.process;
    for process in found.iter().flatten() {
        if params.only && process.id != params.process {
            return Err(ExceptionCode::NotFound);
        }
        page.push(&describe(process));
        next = process.id + 1;
    }
    if params.only && next == params.process {
        return Err(ExceptionCode::NotFound);
    }
    Ok(Reached { process: next, index: 0, epoch, end: params.only || !more })
}

fn describe(process: &Ref<Process>) -> Told {
    let status = process.exit.lock().status;
    let life = {
        let threads = process.threads.lock();
        match (threads.started, threads.closed) {
            (_, true) => Life::Ends,
            (true, false) => Life::Runs,
            (false, false) => Life::Made,
        }
    };
    let share = process.share.lock().clone();
    let mut budget = [Use::default(); RESOURCES];
    for (told, resource) in budget.iter_mut().zip(Resource::ALL) {
        let account = &process.account;
        let (used, lent, limit) = (account.used(resource), account.lent(resource), account.limit(resource));
        *told = Use { used: used + spent(process, resource), lent, limit };
    }
    Told {
        id: process.id,
        cpu_ns: time::ticks_to_ns(schedule::time_of(process)),
        life,
        end: match status {
            None => End::None,
            Some(Status::Exited(code)) => End::Exited(code),
            Some(Status::Killed) => End::Killed,
            Some(Status::Faulted(vector)) => End::Faulted(vector),
        },
        priority: process.priority,
        cpu_percent: share.filter(|share| share.is_limited()).map_or(0, |share| share.percent()),
        name: Name::new(process.name.as_str()),
        budget,
    }
}

/// What is used of a resource that is not charged to the account, as it comes back with time.
fn spent(process: &Process, resource: Resource) -> u64 {
    match resource {
        Resource::LogBytes => process.log.lock().used(time::now_ns()),
        _ => 0,
    }
}

/// The processors, from a number on.
pub(super) fn processors(
    params: &ListParams,
    page: &mut Page<'_, Processor>,
) -> Result<Reached, ExceptionCode> {
    let count = machine::count() as u64;
    if params.only || params.process != 0 || params.index > count {
        return Err(ExceptionCode::InvalidArgument);
    }
    let mut index = params.index;
    while index < count && page.push(&describe_processor(index as usize)) {
        index += 1;
    }
    Ok(Reached { process: 0, index, epoch: 0, end: index == count })
}

fn describe_processor(id: usize) -> Processor {
    let cpu = cpu::of(id);
    Processor {
        number: id as u32,
        idle_ns: time::ticks_to_ns(schedule::idle_time_of(cpu)),
        switches: cpu.switches.load(Ordering::Relaxed),
        interrupts: cpu.interrupts.load(Ordering::Relaxed),
        syscalls: cpu.syscalls.load(Ordering::Relaxed),
        kicks: cpu.kicks.load(Ordering::Relaxed),
        shootdowns: machine::shootdowns(id),
    }
}
