//! Starting the other processors.
//!
//! The loader has them waiting, each watching an address. Each gets its stacks first, then the address of [`capos_ap_entry`].

use super::boot::requests;
use super::boot::sequence::continue_on;
use super::cpu::{self, MAX_CPUS, control, local, tables::ist};
use super::paging::PAGE;
use super::paging::kernel::{self, STACK_BASE, map_fresh};
use super::traps::entry::capos_resume;
use super::traps::vectors;
use super::{apic, start, time, traps};
use core::ops::Range;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use limine::mp::Cpu;

const MAIN_PAGES: u64 = 16;
const IST_PAGES: u64 = 4;
/// Distance of two CPUs' stacks.
const STRIDE: u64 = 1 << 20;
/// How long a CPU may take to come up. Only a broken one takes long, but an emulator on a busy host may take its time.
const PATIENCE_NS: u64 = 10_000_000_000;

/// Tops of the stacks of one CPU.
#[derive(Clone, Copy)]
pub struct Stacks {
    pub main: u64,
    pub ist: [u64; ist::COUNT],
}

fn stack_range(cpu: usize, n: u64) -> Range<u64> {
    let pages = if n == 0 { MAIN_PAGES } else { IST_PAGES };
    // Below each stack there is at least one unmapped page.
    let start = STACK_BASE + cpu as u64 * STRIDE + n * (MAIN_PAGES + 1) * PAGE + PAGE;
    start..start + pages * PAGE
}

fn stacks_of(cpu: usize) -> Stacks {
    let top = |n| stack_range(cpu, n).end;
    Stacks { main: top(0), ist: [top(1), top(2), top(3), top(4)] }
}

/// The stack of CPU `cpu` that `address` lies in.
pub fn stack_around(cpu: usize, address: u64) -> Option<Range<u64>> {
    (0..=ist::COUNT as u64).map(|n| stack_range(cpu, n)).find(|stack| stack.contains(&address))
}

/// Whether `address` lies in the region of the stacks, but in none of them.
pub fn is_guard(address: u64) -> bool {
    let Some(offset) = address.checked_sub(STACK_BASE) else { return false };
    let cpu = (offset / STRIDE) as usize;
    cpu < MAX_CPUS && stack_around(cpu, address).is_none()
}

/// Maps the stacks of a CPU. `None` when there is no memory.
pub fn make_stacks(cpu: usize) -> Option<Stacks> {
    for n in 0..=ist::COUNT as u64 {
        stack_range(cpu, n).step_by(PAGE as usize).try_for_each(map_fresh).ok()?;
    }
    Some(stacks_of(cpu))
}

/// The executing processor becomes CPU 0.
pub fn adopt_boot_cpu() {
    let apic_id = requests::PROCESSORS.get_response().map_or(0, limine::response::MpResponse::bsp_lapic_id);
    adopt(0, apic_id);
}

fn adopt(cpu: usize, apic_id: u32) {
    let stacks = stacks_of(cpu);
    // SAFETY: each processor comes here once with its own number, whose stacks were mapped for it alone.
    unsafe {
        // Loading the segment registers clears GS base, so the tables come first.
        if let Some(local) = local::of(cpu) {
            local.tables.load(stacks.ist);
        }
        local::adopt(cpu, apic_id, stacks.main);
    }
    traps::load();
}

/// Sets the executing CPU up, as far as all CPUs are the same.
pub fn begin_cpu() {
    control::init();
    apic::init_cpu();
    local::this().apic_id.store(apic::id(), Ordering::Relaxed);
}

/// Starts all other processors, one after the other, and waits for each. Processors beyond [`MAX_CPUS`] are left alone, and so
/// are one that does not come up and those after it. Returns whether all have: those that have not still run the loader's code.
pub fn start_others() -> bool {
    let Some(response) = requests::PROCESSORS.get_response() else { return true };
    let boot_cpu = response.bsp_lapic_id();
    let mut count = 1;
    for cpu in response.cpus().iter().filter(|cpu| cpu.lapic_id != boot_cpu) {
        if count == MAX_CPUS || make_stacks(count).is_none() {
            break;
        }
        NEXT.store(count, Ordering::Release);
        NEXT_STACK.store(stacks_of(count).main, Ordering::Release);
        cpu.goto_address.write(capos_ap_entry);
        if !wait_for(count) {
            // It may still come, and then it is to find its number and stacks unused: nobody is started after it.
            break;
        }
        count += 1;
    }
    cpu::set_count(count, response.cpus().len());
    count >= response.cpus().len()
}

static NEXT: AtomicUsize = AtomicUsize::new(0);
static NEXT_STACK: AtomicU64 = AtomicU64::new(0);

fn wait_for(cpu: usize) -> bool {
    let Some(local) = local::of(cpu) else { return false };
    let until = time::now_ns() + PATIENCE_NS;
    while !local.online.load(Ordering::Acquire) {
        if time::now_ns() > until {
            return false;
        }
        core::hint::spin_loop();
    }
    true
}

/// Where the loader sends a processor, on the loader's tables and stack.
unsafe extern "C" fn capos_ap_entry(_: &Cpu) -> ! {
    control::enable_no_execute();
    kernel::load();
    // SAFETY: the boot CPU mapped this stack for us and waits until we are on it.
    unsafe { continue_on(NEXT_STACK.load(Ordering::Acquire), begin_other) }
}

extern "sysv64" fn begin_other() -> ! {
    let cpu = NEXT.load(Ordering::Acquire);
    adopt(cpu, 0);
    begin_cpu();
    time::init_cpu();
    local::this().online.store(true, Ordering::Release);
    // Idles until `release_others`.
    // SAFETY: GS base is this CPU's structure.
    unsafe { capos_resume() }
}

/// Lets the other processors call the kernel core.
pub fn release_others() {
    debug_assert!(start::try_handlers().is_some());
    for cpu in 1..cpu::count() {
        apic::send(cpu::apic_id(cpu), vectors::KICK);
    }
}
