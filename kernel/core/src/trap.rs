//! What happens to a CPU: the handlers that the machine calls. Each ends by settling who runs.

use crate::cap::interrupt;
use crate::device::{storm, wire};
use crate::ring::{enter, traced};
use crate::task::process::{BACKTRACE_MAX, Crash, Status};
use crate::task::thread::Thread;
use crate::task::trace::Record;
use crate::task::{cpu, debug, end, meter, obituary, reap, recall, schedule, timers};
use capos_schema::process_handle::{CrashLog, TraceKind};
use kernel_hal::order;
use kernel_hal::sync::Ref;
use kernel_hal::{Fault, Handlers, IrqLine};

/// The kernel's handlers.
pub(crate) const HANDLERS: Handlers =
    Handlers { syscall: enter::syscall, traced_syscall: traced::syscall, timer, kick, irq, fault };

fn timer() {
    cpu::count(&cpu::here().interrupts);
    timers::run_due();
    storm::check();
    meter::check(cpu::here());
    meter::check_period(cpu::here());
    reap::check(cpu::here());
    schedule::check_slice();
    schedule::settle(cpu::here());
}

fn kick() {
    cpu::count(&cpu::here().kicks);
    schedule::ask_for_rotation();
    schedule::settle(cpu::here());
}

fn irq(line: IrqLine) {
    cpu::count(&cpu::here().interrupts);
    let served = order::without_global(|| interrupt::fired(line));
    match served {
        Some(served) => served.end(),
        None => wire::fired(line),
    }
    schedule::settle(cpu::here());
}

/// User code did what the processor does not allow: who debugs its process has it then, or the process ends.
fn fault(fault: Fault) {
    if let Some(thread) = cpu::current()
        && !debug::fault(&thread, fault)
    {
        crash(&thread, fault);
    }
    schedule::settle(cpu::here());
}

/// The current thread's process ends by an exception and leaves a record of it.
pub(crate) fn crash(thread: &Ref<Thread>, fault: Fault) {
    leave_record(thread, fault);
    end(thread, Status::Faulted(fault.vector));
}

/// The current thread's process ends.
pub(crate) fn end(thread: &Ref<Thread>, status: Status) {
    end::end_process(&thread.process, status);
    // When another thread has begun the end, this one has not been stopped yet; it must not run into the same again.
    if !thread.is_dead() {
        end::stop_current(thread.clone());
    }
}

/// Keeps what a thread was doing when it raised an exception.
pub(crate) fn leave_record(thread: &Thread, fault: Fault) {
    let process = &thread.process;
    let mut crash = record(thread, fault);
    crash.log = obituary::write(process, &crash);
    recall::last_calls(process, Some(thread));
    let method = u16::from(fault.vector);
    let arguments = [crash.registers.rip, fault.address];
    process.trace.add(thread.id, &Record { kind: TraceKind::Faulted, op: 0, method, arguments });
    process.exit.lock().crash.get_or_insert(crash);
}

fn record(thread: &Thread, fault: Fault) -> Crash {
    let mut crash = Crash {
        fault,
        registers: thread.context.registers(),
        thread: thread.id,
        backtrace: [0; BACKTRACE_MAX],
        depth: 0,
        log: CrashLog::Missing,
    };
    walk_frames(thread, &mut crash);
    crash
}

/// Follows the chain of frame pointers: each frame holds its caller's and, above it, the return address. The chain is the
/// program's own data and may be nonsense; it must rise, and it is read through the kernel's bookkeeping, not through its mapping.
fn walk_frames(thread: &Thread, crash: &mut Crash) {
    let mut frame = crash.registers.rbp;
    for place in &mut crash.backtrace {
        let mut words = [0; 16];
        if !frame.is_multiple_of(8) || thread.process.space.peek(frame, &mut words).is_err() {
            return;
        }
        let [caller, address] = halves(&words);
        if address == 0 {
            return;
        }
        *place = address;
        crash.depth += 1;
        if caller <= frame {
            return;
        }
        frame = caller;
    }
}

fn halves(words: &[u8; 16]) -> [u64; 2] {
    let whole = u128::from_le_bytes(*words);
    [whole as u64, (whole >> 64) as u64]
}
