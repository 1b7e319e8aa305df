//! Records for the kernel's log, through the capability granted as `log`. Without it they go nowhere.

use crate::cap::Cap;
use crate::env::Env;
use crate::generated::log_sink::LogSinkClient;
use capos_abi::CapId;
use capos_schema::log_sink::{self, LogLevel};
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU64, Ordering};

/// Longest text of a record.
const MAX_TEXT: usize = 1024;

static SINK: AtomicU64 = AtomicU64::new(0);

/// Remembers the log sink among the grants.
#[cfg_attr(not(capos), expect(dead_code, reason = "called by the entry, which exists only on capOS"))]
pub(crate) fn find_sink(env: &Env) {
    let sink =
        env.granted().find(|granted| granted.name == "log" && granted.interface == log_sink::INTERFACE_ID);
    if let Some(granted) = sink {
        SINK.store(granted.id.raw(), Ordering::Relaxed);
    }
}

/// The log sink, if we have one.
pub fn sink() -> Option<CapId> {
    match SINK.load(Ordering::Relaxed) {
        0 => None,
        raw => Some(CapId::from_raw(raw)),
    }
}

/// Something failed.
pub fn error(text: fmt::Arguments<'_>) {
    write(LogLevel::Error, text);
}

/// Something is not as it should be.
pub fn warn(text: fmt::Arguments<'_>) {
    write(LogLevel::Warn, text);
}

/// Something worth knowing happened.
pub fn info(text: fmt::Arguments<'_>) {
    write(LogLevel::Info, text);
}

/// For whoever looks for a fault.
pub fn debug(text: fmt::Arguments<'_>) {
    write(LogLevel::Debug, text);
}

fn write(level: LogLevel, text: fmt::Arguments<'_>) {
    let Some(id) = sink() else { return };
    let mut line = Line::new();
    let _ = line.write_fmt(text);
    let client = LogSinkClient::from(Cap::from_id(id));
    // A refused record is counted by the kernel; nobody else could be told.
    let _ = client.write_blocking(level, line.as_str());
    // The grant belongs to the environment, not to this record.
    client.into_cap().into_id();
}

/// A text of bounded length; the rest is cut.
pub(crate) struct Line {
    bytes: [u8; MAX_TEXT],
    len: usize,
}

impl Line {
    pub(crate) const fn new() -> Self {
        Line { bytes: [0; MAX_TEXT], len: 0 }
    }

    pub(crate) fn as_str(&self) -> &str {
        core::str::from_utf8(self.bytes.get(..self.len).unwrap_or(&[])).unwrap_or("")
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MAX_TEXT - self.len;
        let mut take = text.len().min(room);
        while !text.is_char_boundary(take) {
            take -= 1;
        }
        if let (Some(to), Some(from)) =
            (self.bytes.get_mut(self.len..self.len + take), text.as_bytes().get(..take))
        {
            to.copy_from_slice(from);
            self.len += take;
        }
        Ok(())
    }
}
