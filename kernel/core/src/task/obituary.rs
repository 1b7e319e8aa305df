//! What the log has of a process that ended by an exception.
//!
//! It takes log bytes of that process, like whatever else it writes: who makes many children and has them fault drowns nobody, since the children's
//! log bytes are its own. When they do not suffice the record still is whole with whoever holds the handle, and says so.

use crate::log::{self, Level, Line};
use crate::task::process::{Crash, Process};
use capos_schema::process_handle::CrashLog;
use core::fmt::{self, Write};
use kernel_hal::time;

/// Writes the line; gives what there was room for.
pub(crate) fn write(process: &Process, crash: &Crash) -> CrashLog {
    let (name, vector) = (process.name.as_str(), crash.fault.vector);
    let whole = format_args!(
        "{name} (process {}): exception {vector} at {:#x}, address {:#x}",
        process.id, crash.registers.rip, crash.fault.address,
    );
    if afford(process, whole) {
        return CrashLog::Whole;
    }
    match afford(process, format_args!("{name}: exception {vector} (shortened)")) {
        true => CrashLog::Shortened,
        false => CrashLog::Missing,
    }
}

/// Writes a line, if the process can pay for it.
fn afford(process: &Process, text: fmt::Arguments<'_>) -> bool {
    let mut line = Line::new();
    // A name is short, so this fits.
    let _ = line.write_fmt(text);
    let affordable = process.log.lock().take(time::now_ns(), line.as_str().len() as u64);
    if affordable {
        log::append(0, "kernel", Level::Warn, line.as_str());
    }
    affordable
}
