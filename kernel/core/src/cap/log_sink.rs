//! `LogSink`: the kernel's log, write side.

use super::{Call, Outcome};
use crate::log::{self, Level};
use capos_abi::ExceptionCode;
use capos_schema::log_sink::{LogLevel, WriteParams};
use kernel_hal::time;

/// Longest text of one record, bytes.
pub(crate) const TEXT_MAX: usize = 1024;

/// The write side. There is one log; who writes is known from the call.
#[derive(Clone)]
pub(crate) struct LogSink;

impl LogSink {
    pub(super) fn write(&self, call: &mut Call<'_>, params: WriteParams<'_>) -> Outcome {
        if params.text.len() > TEXT_MAX {
            return Outcome::exception(ExceptionCode::InvalidArgument);
        }
        let process = call.process();
        let affordable = process.log.lock().take(time::now_ns(), params.text.len() as u64);
        if !affordable {
            return Outcome::exception(ExceptionCode::BudgetExhausted);
        }
        let level = match params.level {
            LogLevel::Error => Level::Error,
            LogLevel::Warn => Level::Warn,
            LogLevel::Info => Level::Info,
            LogLevel::Debug => Level::Debug,
        };
        log::append(process.id, process.name.as_str(), level, params.text);
        Outcome::EMPTY
    }
}
