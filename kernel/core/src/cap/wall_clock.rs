//! `WallClock`: time of day.

use super::{Call, Outcome};
use capos_schema::wall_clock::{ClockSource, NowResults};
use kernel_hal::time;

/// The machine's clock.
#[derive(Clone)]
pub(crate) struct WallClock;

impl WallClock {
    pub(super) fn now(&self, call: &mut Call<'_>) -> Outcome {
        call.reply(&match time::wall_clock_ns() {
            Some(unix_ns) => NowResults { unix_ns, source: ClockSource::Rtc },
            None => NowResults { unix_ns: 0, source: ClockSource::None },
        })
    }
}
