//! Shows the log's warnings and errors on the terminal as they come, when the manifest asks for it.

use crate::server::Server;
use alloc::format;
use alloc::rc::Rc;
use rt::generated::{LogReaderClient, TimerClient};
use rt::schema::log_sink::LogLevel;

/// How often to look.
const PERIOD_NS: u64 = 250_000_000;

/// What is older than this when it begins, an instance before it has shown.
const RECENT_NS: u64 = 1_000_000_000;

/// Who writes these lines: no client has this badge, since the upper half names an export.
const NOBODY: u64 = u64::MAX;

/// Looks until log or clock are gone.
pub async fn show(server: Rc<Server>, reader: LogReaderClient, timer: TimerClient) {
    let Ok(began) = timer.now().await else { return };
    let mut cursor = 0;
    loop {
        let Ok(record) = reader.read(cursor).await else { return };
        cursor = record.next;
        if record.found {
            let recent = record.time_ns.saturating_add(RECENT_NS) >= began;
            if recent && (record.level == LogLevel::Error || record.level == LogLevel::Warn) {
                let _ = server.print(NOBODY, &format!("log: {}\n", record.text)).await;
            }
            continue;
        }
        let Ok(now) = timer.now().await else { return };
        if timer.sleep_until(now.saturating_add(PERIOD_NS)).await.is_err() {
            return;
        }
    }
}
