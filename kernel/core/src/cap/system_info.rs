//! `SystemInfo`: what this machine is and what it is doing.

mod platform;

use super::interrupt;
use super::long::{self, Job};
use super::{Call, Outcome};
use crate::audit::census::{self, Kind};
use crate::audit::derivation::{Derivation, Walk};
use crate::task::process::Process;
use crate::task::{cpu, registry, schedule, timers};
use crate::{audit, boot, device};
use capos_abi::ExceptionCode;
use capos_ledger::Item;
use capos_mem::Resource;
use capos_schema::Encode;
use capos_schema::system_info::{
    AuditDeviceParams, AuditDeviceResults, AuditProcessParams, AuditProcessResults, AuditResults,
    BootResults, CapabilityParams, CapabilityResults, CpuParams, CpuResults, DerivationResults,
    FeaturesResults, IrqParams, IrqResults, MemoryRangeParams, MemoryRangeResults, ProcessParams,
    ProcessResults, ProcessState, SystemResults, TimersResults,
};
use core::sync::atomic::Ordering;
use kernel_hal::sync::Ref;
use kernel_hal::{cpu as machine, irq, mem, time};

/// The right to look.
#[derive(Clone)]
pub(crate) struct SystemInfo;

impl SystemInfo {
    pub(super) fn system(&self, call: &mut Call<'_>) -> Outcome {
        call.reply_large(&SystemResults {
            cpus: machine::count() as u32,
            uptime_ns: time::now_ns(),
            total_pages: mem::total_pages(),
            free_pages: mem::free_pages(),
            kernel_pages: mem::kernel_pages(),
            processes: registry::processes() as u32,
            threads: registry::threads() as u32,
            boot_seed: boot::seed(),
            version: env!("CARGO_PKG_VERSION"),
        })
    }

    pub(super) fn cpu(&self, call: &mut Call<'_>, params: CpuParams) -> Outcome {
        let id = params.index as usize;
        if id >= machine::count() {
            return NOT_FOUND;
        }
        let cpu = cpu::of(id);
        call.reply(&CpuResults {
            apic_id: machine::apic_id(id),
            idle_ns: time::ticks_to_ns(schedule::idle_time_of(cpu)),
            switches: cpu.switches.load(Ordering::Relaxed),
            interrupts: cpu.interrupts.load(Ordering::Relaxed),
            syscalls: cpu.syscalls.load(Ordering::Relaxed),
            ipis: cpu.kicks.load(Ordering::Relaxed),
            shootdowns: machine::shootdowns(id),
        })
    }

    pub(super) fn features(&self, call: &mut Call<'_>) -> Outcome {
        call.reply_large(&FeaturesResults { text: machine::features() })
    }

    pub(super) fn process(&self, call: &mut Call<'_>, params: ProcessParams) -> Outcome {
        match registry::at_or_after(params.cursor) {
            Some(process) => call.reply_large(&describe(&process)),
            None => NOT_FOUND,
        }
    }

    pub(super) fn memory_range(&self, call: &mut Call<'_>, params: MemoryRangeParams) -> Outcome {
        let range = kernel_hal::boot::info().memory.get(params.index as usize);
        or_not_found(call, range.map(|range| MemoryRangeResults { pages: range.pages, kind: range.kind }))
    }

    pub(super) fn irq(&self, call: &mut Call<'_>, params: IrqParams) -> Outcome {
        let info = irq::info(params.index as usize);
        let listener = info.and_then(|it| registry::find(interrupt::listener(it.gsi)));
        or_not_found(
            call,
            info.map(|it| IrqResults {
                gsi: it.gsi,
                vector: it.vector,
                count: it.count,
                masked: it.masked,
                owner: listener.as_deref().map_or("", |process| process.name.as_str()),
                cpu: it.cpu,
            }),
        )
    }

    pub(super) fn timers(&self, call: &mut Call<'_>) -> Outcome {
        call.reply_large(&TimersResults { source: time::describe() })
    }

    pub(super) fn audit(&self, call: &mut Call<'_>) -> Outcome {
        call.reply_large(&AuditResults {
            heap_bytes: mem::heap_bytes(),
            processes: census::count(Kind::Process),
            threads: census::count(Kind::Thread),
            endpoints: census::count(Kind::Endpoint),
            facets: census::count(Kind::Facet),
            notifications: census::count(Kind::Notification),
            alarms: timers::count() as u64,
        })
    }

    pub(super) fn audit_process(&self, call: &mut Call<'_>, params: AuditProcessParams) -> Outcome {
        let Some(process) = registry::at_or_after(params.cursor) else { return NOT_FOUND };
        let found = audit::look_at(&process);
        let (account, pages) = (&process.account, Resource::MemoryPages);
        call.reply_large(&AuditProcessResults {
            id: process.id,
            threads: found.threads,
            slots: found.slots,
            pending: found.pending,
            raised: found.raised,
            calls: found.calls,
            receives: found.receives,
            regions: process.space.regions(),
            mapped_pages: process.space.mapped_pages(),
            own_pages: account.own(pages),
            lent_pages: account.lent(pages),
            orphaned_pages: found.orphaned_pages,
            own_entries: account.own(Resource::EndpointEntries),
            wrong: found.wrong().as_str(),
        })
    }

    pub(super) fn audit_device(&self, call: &mut Call<'_>, params: AuditDeviceParams) -> Outcome {
        let Some(found) = device::audit::at_or_after(params.cursor) else { return NOT_FOUND };
        call.reply_large(&AuditDeviceResults {
            address: found.address,
            mapped_pages: found.books.count(Item::MappedPages),
            vectors: found.books.count(Item::Vectors),
            buffers: found.books.count(Item::Buffers),
            queues: found.books.count(Item::Queues),
            kept_pages: found.kept_pages,
            next: found.address + 1,
            wrong: found.wrong,
        })
    }

    pub(super) fn capability(&self, call: &mut Call<'_>, params: CapabilityParams) -> Outcome {
        let process = registry::at_or_after(params.process).filter(|process| process.id == params.process);
        let held = process.and_then(|process| audit::held(&process, params.slot));
        or_not_found(call, held.map(|held| CapabilityResults { slot: held.slot, interface: held.interface }))
    }

    pub(super) fn derivation(&self, call: &mut Call<'_>) -> Outcome {
        go_on(call, Walk::begin())
    }

    pub(super) fn boot(&self, call: &mut Call<'_>) -> Outcome {
        let mut text = boot::Words::new();
        boot::describe(&mut text);
        call.reply_large(&BootResults { text: text.as_str() })
    }
}

/// Takes the next step of `derivation`.
pub(super) fn go_on(call: &mut Call<'_>, mut walk: Walk) -> Outcome {
    match walk.step() {
        None => long::leave_call(call, |buffers| Job::Derivation { buffers, walk }),
        Some(Derivation { held, alive, leases, dead, wrong }) => {
            call.reply(&DerivationResults { held, alive, dead, wrong, leases })
        }
    }
}

const NOT_FOUND: Outcome = Outcome::exception(ExceptionCode::NotFound);

fn or_not_found(call: &mut Call<'_>, answer: Option<impl Encode>) -> Outcome {
    answer.map_or(NOT_FOUND, |answer| call.reply_large(&answer))
}

fn describe(process: &Ref<Process>) -> ProcessResults<'_> {
    let (threads, started, closed) = {
        let threads = process.threads.lock();
        (threads.list.len() as u32, threads.started, threads.closed)
    };
    let slots = process.table.lock().len() as u32;
    let account = &process.account;
    let share = process.share.lock().clone();
    ProcessResults {
        id: process.id,
        state: match (started, closed) {
            (_, true) => ProcessState::Ended,
            (true, false) => ProcessState::Running,
            (false, false) => ProcessState::Created,
        },
        threads,
        pages: account.used(Resource::MemoryPages),
        page_limit: account.limit(Resource::MemoryPages),
        slots,
        slot_limit: u32::try_from(account.limit(Resource::CapSlots)).unwrap_or(u32::MAX),
        cpu_ns: time::ticks_to_ns(schedule::time_of(process)),
        name: process.name.as_str(),
        cpu_percent: share.filter(|share| share.is_limited()).map_or(0, |share| share.percent()),
    }
}
