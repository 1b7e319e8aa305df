//! Times, in nanoseconds since 1970-01-01 UTC. None for what is no time, or before that.

const SECOND: u64 = 1_000_000_000;

/// A day and a time of it.
struct Moment {
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

impl Moment {
    fn seconds(&self) -> Option<u64> {
        let is_one = (1970..=2255).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=31).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second < 61;
        // Years begin in March here, so that the day that is sometimes there comes last.
        let year = if self.month > 2 { self.year } else { self.year.saturating_sub(1) };
        let month = (self.month + 9) % 12;
        let leaps = year / 4 - year / 100 + year / 400;
        // 1970-01-01 is day 719,468 when 0000-03-01 is day 0.
        let days = (year * 365 + leaps + (month * 153 + 2) / 5 + self.day).saturating_sub(719_469);
        is_one.then_some(((days * 24 + self.hour) * 60 + self.minute) * 60 + self.second)
    }
}

/// As FAT has it. It knows no time zone: it is taken for UTC.
pub(crate) fn of_fat(date: u16, time: u16, hundredths: u8) -> Option<u64> {
    let (date, time) = (u64::from(date), u64::from(time));
    let moment = Moment {
        year: 1980 + (date >> 9),
        month: date >> 5 & 15,
        day: date & 31,
        hour: time >> 11,
        minute: time >> 5 & 63,
        second: (time & 31) * 2,
    };
    Some(moment.seconds()? * SECOND + u64::from(hundredths) * (SECOND / 100))
}

/// As a directory record of ISO 9660 has it (ECMA-119, 9.1.5): years since 1900, month, day, hour, minute, second, and quarters of an hour that
/// the clock there was ahead of UTC.
pub(crate) fn of_iso(record: [u8; 7]) -> Option<u64> {
    let [year, month, day, hour, minute, second, ahead] = record;
    let moment = Moment {
        year: 1900 + u64::from(year),
        month: month.into(),
        day: day.into(),
        hour: hour.into(),
        minute: minute.into(),
        second: second.into(),
    };
    let ahead = i64::from(ahead.cast_signed()) * 15 * 60;
    Some(moment.seconds()?.checked_add_signed(-ahead)? * SECOND)
}

#[cfg(test)]
mod tests {
    use super::{of_fat, of_iso};

    /// What `date -u -d ... +%s` says.
    #[test]
    fn days_are_counted_as_others_do() {
        let fat = |year: u16, month: u16, day: u16| (year - 1980) << 9 | month << 5 | day;
        for (day, seconds) in [
            (fat(1980, 1, 1), 315_532_800),
            (fat(2000, 2, 29), 951_782_400),
            (fat(2000, 3, 1), 951_868_800),
            (fat(2026, 11, 22), 1_795_305_600),
            (fat(2100, 3, 1), 4_107_542_400_u64),
        ] {
            assert_eq!(of_fat(day, 0, 0), Some(seconds * 1_000_000_000), "{day:#x}");
        }
        let noon = 12 << 11 | 34 << 5 | 28;
        assert_eq!(of_fat(fat(2026, 11, 22), noon, 150), Some(1_795_350_897_500_000_000));
        assert_eq!(of_iso([126, 11, 22, 12, 34, 56, 0]), Some(1_795_350_896_000_000_000));
        // Two hours ahead, and five behind.
        assert_eq!(of_iso([126, 11, 22, 14, 34, 56, 8]), Some(1_795_350_896_000_000_000));
        assert_eq!(of_iso([126, 11, 22, 7, 34, 56, 236]), Some(1_795_350_896_000_000_000));
    }

    #[test]
    fn what_is_no_time_is_none() {
        assert_eq!(of_fat(0, 0, 0), None);
        assert_eq!(of_fat(13 << 5 | 1, 0, 0), None);
        assert_eq!(of_fat(1 << 5 | 1, 24 << 11, 0), None);
        assert_eq!(of_iso([0; 7]), None);
        assert_eq!(of_iso([70, 1, 1, 0, 0, 0, 4]), None, "before 1970 in UTC");
    }
}
