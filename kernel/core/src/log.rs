//! The kernel's log: one bounded buffer for kernel and processes, echoed to the raw console while the kernel still owns it.

pub(crate) use capos_log::{Level, Record};
use capos_log::{LogRing, NewRecord};
use core::fmt::{self, Write};
use kernel_hal::order::LockRank;
use kernel_hal::sync::Lock;
use kernel_hal::{console, time};

/// Bytes of log kept.
const CAPACITY: usize = 64 * 1024;

static LOG: Lock<LogRing<CAPACITY>> = Lock::new(LockRank::List, LogRing::new());

/// Appends a record of a process; 0 is the kernel.
pub(crate) fn append(process: u64, source: &str, level: Level, text: &str) {
    let time_ns = time::now_ns();
    LOG.lock().append(&NewRecord { time_ns, process, level, text });
    let mut line = Line::new();
    // A line that is too long for the console is cut there; the log has it whole.
    let mark = match level {
        Level::Error => "error: ",
        Level::Warn => "warning: ",
        Level::Info | Level::Debug => "",
    };
    let (seconds, micros) = (time_ns / 1_000_000_000, time_ns / 1000 % 1_000_000);
    let _ = writeln!(line, "[{seconds:5}.{micros:06}] {source}: {mark}{text}");
    console::write(line.as_str());
}

/// The first record at or after `cursor`, its text copied to `out`.
pub(crate) fn read(cursor: u64, out: &mut [u8]) -> Option<Record<'_>> {
    LOG.lock().read(cursor, out)
}

/// A line of the kernel itself.
pub(crate) fn info(text: fmt::Arguments<'_>) {
    kernel(Level::Info, text);
}

/// A line of the kernel itself about something that should not happen.
pub(crate) fn warn(text: fmt::Arguments<'_>) {
    kernel(Level::Warn, text);
}

fn kernel(level: Level, text: fmt::Arguments<'_>) {
    let mut line = Line::new();
    // As above.
    let _ = line.write_fmt(text);
    append(0, "kernel", level, line.as_str());
}

/// The newest records, for a panic report. Gives up if the lock is held: the panic may have happened under it.
pub(crate) fn write_tail(out: &mut dyn Write) {
    let Some(log) = LOG.try_lock::<true>() else { return };
    let mut cursor = log.tail_cursor(20);
    let mut text = [0; 256];
    while let Some(record) = log.read(cursor, &mut text) {
        let _ = writeln!(out, "  {:>12} ns  process {}: {}", record.time_ns, record.process, record.text);
        cursor = record.next;
    }
}

/// One line of text, cut when it is too long.
pub(crate) struct Line {
    bytes: [u8; 512],
    len: usize,
}

impl Line {
    /// An empty one.
    pub const fn new() -> Self {
        Line { bytes: [0; 512], len: 0 }
    }

    /// What was written.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.len).unwrap_or_default();
        match core::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                bytes.get(..error.valid_up_to()).and_then(|it| core::str::from_utf8(it).ok()).unwrap_or("")
            }
        }
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.get_mut(self.len..).unwrap_or_default();
        let len = text.len().min(room.len());
        if let (Some(to), Some(from)) = (room.get_mut(..len), text.as_bytes().get(..len)) {
            to.copy_from_slice(from);
        }
        self.len += len;
        if len == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}
