//! The date in the clock chip's registers (MC146818A datasheet), decoded.

/// Register values as read, with status register B.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    /// 0 to 59.
    pub second: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 23, or 1 to 12 with the top bit for the afternoon.
    pub hour: u8,
    /// 1 to 31.
    pub day: u8,
    /// 1 to 12.
    pub month: u8,
    /// 0 to 99.
    pub year: u8,
    /// Bit 1: 24-hour mode; bit 2: binary.
    pub status_b: u8,
}

const HOURS_24: u8 = 1 << 1;
const BINARY: u8 = 1 << 2;
const AFTERNOON: u8 = 1 << 7;

impl Reading {
    /// Seconds since 1970, years meaning 2000 to 2099. `None` when the values are no date.
    pub fn unix_seconds(&self) -> Option<u64> {
        let [second, minute, day, month, year] =
            [self.second, self.minute, self.day, self.month, self.year].map(|raw| self.number(raw));
        let hour = self.hour_of_day()?;
        let (second, minute, day) = (second?, minute?, day?);
        if second > 59 || minute > 59 || day == 0 || day > 31 {
            return None;
        }
        let days = days_from_1970(2000 + year?, month?, day)?;
        Some(((days * 24 + hour) * 60 + minute) * 60 + second)
    }

    fn number(&self, raw: u8) -> Option<u64> {
        if self.status_b & BINARY != 0 {
            return Some(u64::from(raw));
        }
        let (tens, ones) = (raw >> 4, raw & 0xf);
        (tens < 10 && ones < 10).then(|| u64::from(tens * 10 + ones))
    }

    fn hour_of_day(&self) -> Option<u64> {
        if self.status_b & HOURS_24 != 0 {
            return self.number(self.hour).filter(|hour| *hour < 24);
        }
        let hour = self.number(self.hour & !AFTERNOON).filter(|hour| (1..=12).contains(hour))?;
        Some(hour % 12 + if self.hour & AFTERNOON != 0 { 12 } else { 0 })
    }
}

/// Days of the Gregorian calendar since 1970-01-01, by counting years that begin in March.
fn days_from_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) {
        return None;
    }
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days_of_months = (153 * month + 2) / 5;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + days_of_months + day - 1;
    // Days from 0000-03-01 to 1970-01-01.
    days.checked_sub(719_468)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Reading;

    const BCD_24: Reading = Reading {
        second: 0x15,
        minute: 0x01,
        hour: 0x05,
        day: 0x21,
        month: 0x11,
        year: 0x26,
        status_b: 0x02,
    };

    #[test]
    fn bcd_and_binary_say_the_same() {
        let binary = Reading { second: 15, minute: 1, hour: 5, day: 21, month: 11, year: 26, status_b: 0x06 };
        assert_eq!(BCD_24.unix_seconds(), Some(1_795_237_275));
        assert_eq!(binary.unix_seconds(), BCD_24.unix_seconds());
    }

    #[test]
    fn afternoons_and_midnight_of_twelve_hour_clocks() {
        let at = |hour| Reading { hour, status_b: 0, ..BCD_24 }.unix_seconds().map(|s| s / 3600 % 24);
        assert_eq!(at(0x12), Some(0));
        assert_eq!(at(0x92), Some(12));
        assert_eq!(at(0x85), Some(17));
        assert_eq!(at(0x00), None);
    }

    #[test]
    fn leap_days_count() {
        let on = |month, day| Reading { day, month, year: 0x24, ..BCD_24 }.unix_seconds().unwrap() / 86_400;
        assert_eq!(on(0x03, 0x01) - on(0x02, 0x28), 2);
        assert_eq!(on(0x02, 0x29) - on(0x01, 0x01), 59);
    }

    #[test]
    fn nonsense_is_no_date() {
        let bad = [
            Reading { second: 0x60, ..BCD_24 },
            Reading { minute: 0xff, ..BCD_24 },
            Reading { hour: 0x24, ..BCD_24 },
            Reading { day: 0, ..BCD_24 },
            Reading { month: 0x13, ..BCD_24 },
            Reading { year: 0x0a, ..BCD_24 },
        ];
        assert!(bad.iter().all(|reading| reading.unix_seconds().is_none()));
    }
}
