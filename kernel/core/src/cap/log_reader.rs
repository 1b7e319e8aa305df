//! `LogReader`: the kernel's log, read side.

use super::{Call, Outcome};
use crate::log::{self, Level};
use capos_schema::log_reader::{ReadParams, ReadResults};
use capos_schema::log_sink::LogLevel;

/// The read side.
#[derive(Clone)]
pub(crate) struct LogReader;

impl LogReader {
    pub(super) fn read(&self, call: &mut Call<'_>, params: ReadParams) -> Outcome {
        let mut text = [0; super::log_sink::TEXT_MAX];
        let answer = match log::read(params.cursor, &mut text) {
            Some(record) => ReadResults {
                found: true,
                next: record.next,
                lost: record.lost,
                time_ns: record.time_ns,
                process: record.process,
                level: wire(record.level),
                text: record.text,
            },
            None => ReadResults {
                found: false,
                next: params.cursor,
                lost: 0,
                time_ns: 0,
                process: 0,
                level: LogLevel::Info,
                text: "",
            },
        };
        call.reply_large(&answer)
    }
}

fn wire(level: Level) -> LogLevel {
    match level {
        Level::Error => LogLevel::Error,
        Level::Warn => LogLevel::Warn,
        Level::Info => LogLevel::Info,
        Level::Debug => LogLevel::Debug,
    }
}
