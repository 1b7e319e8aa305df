//! Sizes and times in words.

use alloc::format;
use alloc::string::String;

const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];

/// Bytes with three figures or so: `512 B`, `1.5 MiB`, `96 MiB`.
pub fn size(bytes: u64) -> String {
    let mut unit = 0;
    let mut whole = bytes;
    let mut rest = 0;
    while whole >= 1024 && unit + 1 < UNITS.len() {
        rest = whole % 1024;
        whole /= 1024;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or("B");
    let tenth = rest * 10 / 1024;
    if unit == 0 || whole >= 100 || tenth == 0 {
        format!("{whole} {name}")
    } else {
        format!("{whole}.{tenth} {name}")
    }
}

/// Pages of 4 KiB as bytes.
pub fn pages(count: u64) -> String {
    size(count.saturating_mul(4096))
}

/// A span of time: `250 ns`, `1.25 ms`, `3.5 s`, `2 min 5 s`, `3 h 0 min`, `2 d 4 h`.
pub fn duration(ns: u64) -> String {
    let s = ns / 1_000_000_000;
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => decimal(ns, 1_000, "µs"),
        1_000_000..1_000_000_000 => decimal(ns, 1_000_000, "ms"),
        1_000_000_000..60_000_000_000 => decimal(ns, 1_000_000_000, "s"),
        _ if s < 3_600 => format!("{} min {} s", s / 60, s % 60),
        _ if s < 86_400 => format!("{} h {} min", s / 3_600, s / 60 % 60),
        _ => format!("{} d {} h", s / 86_400, s / 3_600 % 24),
    }
}

fn decimal(ns: u64, unit: u64, name: &str) -> String {
    let whole = ns / unit;
    let hundredths = ns % unit * 100 / unit;
    match (whole, hundredths) {
        (_, 0) => format!("{whole} {name}"),
        (0..10, _) => format!("{whole}.{hundredths:02} {name}"),
        _ => format!("{whole}.{} {name}", hundredths / 10),
    }
}

/// A time of day in UTC, as ISO 8601 has it with a space: `2026-11-21 02:31:07`.
pub fn timestamp(unix_ns: u64) -> String {
    let seconds = unix_ns / 1_000_000_000;
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", of_day / 3_600, of_day / 60 % 60, of_day % 60)
}

/// A time of day as HTTP has it: `Sat, 21 Nov 2026 02:31:07 GMT`.
pub fn http_date(unix_s: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, of_day) = (unix_s / 86_400, unix_s % 86_400);
    let (year, month, day) = date(days);
    let named = |names: &[&'static str], n: u64| names.get(n as usize).copied().unwrap_or_default();
    let (name, month) = (named(&DAYS, days % 7), named(&MONTHS, month - 1));
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{name}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// Year, month and day of a number of days since 1970-01-01. Counts in eras of 400 years that begin on a 1 March, so that the
/// leap day is the last of its year.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}
