//! The end of the log.

use crate::{Trouble, shapes};
use alloc::collections::VecDeque;
use alloc::string::String;
use capos_text::{Report, Value};
use rt::generated::LogReaderClient;
use rt::schema::log_sink::LogLevel;

/// Records shown without a count.
const USUAL: usize = 32;

/// Records looked at: whoever floods the log must not keep us for ever.
const LOOKED_AT: usize = 100_000;

/// Name of a level.
pub fn level_name(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
    }
}

/// How many records were asked for.
pub(crate) fn count_of(word: Option<&str>) -> Result<usize, Trouble> {
    word.map_or(Ok(USUAL), |word| word.parse().map_err(|_| Trouble::NoNumber(String::from(word))))
}

pub(crate) async fn last(reader: &LogReaderClient, count: Option<&str>) -> Result<Report, Trouble> {
    let count = count_of(count)?;
    let mut records = VecDeque::new();
    let mut cursor = 0;
    for _ in 0..LOOKED_AT {
        let record = reader.read(cursor).await?;
        if !record.found || record.next <= cursor {
            break;
        }
        cursor = record.next;
        if records.len() >= count.min(Report::MAX_ROWS) {
            records.pop_front();
        }
        records.push_back(record);
    }
    let mut report = shapes::LOG.report();
    for record in records.into_iter().take(count) {
        report.row([
            Value::Span(record.time_ns),
            Value::number(record.process),
            Value::text(level_name(record.level)),
            Value::Text(record.text),
        ]);
    }
    Ok(report)
}
