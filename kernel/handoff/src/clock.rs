//! The date that the CMOS clock shows, as UNIX time, for the boot time response.

/// What the clock's registers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers {
    /// Registers 0, 2, 4, 7, 8, 9: second, minute, hour, day, month, year of the century.
    pub fields: [u8; 6],
    /// Register B: bit 2 binary, bit 1 24 hours.
    pub status_b: u8,
}

/// Seconds since 1970, or nothing if the registers hold no date. A machine without the clock reads as all ones.
pub fn unix_time(registers: Registers) -> Option<i64> {
    let binary = registers.status_b & 4 != 0;
    let [second, minute, raw_hour, day, month, year] = registers.fields;
    let number = |raw: u8| if binary { raw } else { (raw >> 4) * 10 + (raw & 0xf) };
    let afternoon = raw_hour & 0x80 != 0;
    let mut hour = number(raw_hour & 0x7f);
    if registers.status_b & 2 == 0 {
        hour = hour % 12 + if afternoon { 12 } else { 0 };
    }
    let (second, minute, day, month) = (number(second), number(minute), number(day), number(month));
    // There was no machine of this kind before 2000 with a clock that we would believe.
    let year = 2000 + i64::from(number(year));
    let good =
        second < 60 && minute < 60 && hour < 24 && (1..=31).contains(&day) && (1..=12).contains(&month);
    let days = days_since_1970(year, i64::from(month), i64::from(day));
    good.then_some(days * 86_400 + i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second))
}

/// Days of the Gregorian calendar, counted in years that start in March so that the leap day comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bcd(fields: [u8; 6]) -> Option<i64> {
        unix_time(Registers { fields, status_b: 2 })
    }

    #[test]
    fn dates_are_counted() {
        assert_eq!(bcd([0, 0, 0, 1, 1, 0]), Some(946_684_800));
        assert_eq!(bcd([0x59, 0x59, 0x23, 0x29, 0x02, 0x24]), Some(1_709_251_199));
        assert_eq!(bcd([0, 0, 0, 1, 3, 0x24]), Some(1_709_251_200));
    }

    #[test]
    fn binary_and_twelve_hours_are_understood() {
        let binary = Registers { fields: [30, 45, 0x80 | 3, 20, 11, 26], status_b: 4 };
        let plain = Registers { fields: [30, 45, 15, 20, 11, 26], status_b: 6 };
        assert_eq!(unix_time(binary), unix_time(plain));
        let midnight = Registers { fields: [0, 0, 12, 1, 1, 0], status_b: 4 };
        assert_eq!(unix_time(midnight), Some(946_684_800));
    }

    #[test]
    fn a_missing_clock_is_no_date() {
        assert_eq!(unix_time(Registers { fields: [0xff; 6], status_b: 0xff }), None);
        assert_eq!(unix_time(Registers { fields: [0; 6], status_b: 2 }), None);
    }

    proptest::proptest! {
        #[test]
        fn any_registers_are_read_without_panic(fields: [u8; 6], status_b: u8) {
            let _ = unix_time(Registers { fields, status_b });
        }
    }
}
