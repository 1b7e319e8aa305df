//! Wall-clock time as people read it, without a time library: dates of the proleptic Gregorian calendar in UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Now, since 1970.
pub fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// `2026-11-21T02:30:05Z`.
pub fn iso(since_epoch: Duration) -> String {
    let seconds = since_epoch.as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// `2026-11-21-023005`: sorts by time and is a file name everywhere.
pub fn folder(since_epoch: Duration) -> String {
    iso(since_epoch).replace('T', "-").replace([':', 'Z'], "")
}

/// Year, month and day of a day number. Counts in eras of 400 years (146,097 days) that start on 1 March, so that the leap day
/// is the last of its year.
fn civil(day_number: u64) -> (u64, u64, u64) {
    let days = day_number + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_795_228_205, "2026-11-21T02:30:05Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(iso(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn folders_sort_by_time() {
        assert_eq!(folder(Duration::from_secs(1_795_228_205)), "2026-11-21-023005");
    }
}
