//! The log of a controller's health (5.14.1.2).

use core::fmt;

/// Which log it is, and bytes of it.
pub const LOG: u8 = 0x02;
pub const BYTES: u32 = 512;

/// How the device says that it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Health {
    /// Bits: spare blocks are short, it is too hot or cold, it is not reliable, it is read-only, its memory's backup failed.
    pub warning: u8,
    /// Temperature, kelvin.
    pub temperature: u16,
    /// Of the spare blocks so many are left, in percent.
    pub spare: u8,
    /// Of its expected life so much is used, in percent.
    pub used: u8,
    /// Errors of the medium.
    pub media_errors: u64,
    /// Times that its power went without notice.
    pub unsafe_shutdowns: u64,
    /// Hours that it was on.
    pub hours: u64,
}

impl Health {
    /// From the log, of which `word` gives the eight bytes from an offset on. Of counters of sixteen bytes the lower half is enough.
    pub fn read(word: impl Fn(u32) -> u64) -> Health {
        let first = word(0);
        Health {
            warning: first as u8,
            temperature: (first >> 8) as u16,
            spare: (first >> 24) as u8,
            used: (first >> 40) as u8,
            hours: word(128),
            unsafe_shutdowns: word(144),
            media_errors: word(160),
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let celsius = i32::from(self.temperature) - 273;
        write!(f, "{celsius} °C, {} % used, {} % spare, ", self.used, self.spare)?;
        write!(f, "{} h, {} errors of the medium", self.hours, self.media_errors)?;
        if self.warning == 0 { Ok(()) } else { write!(f, ", warnings {:#x}", self.warning) }
    }
}

#[cfg(test)]
mod tests {
    use super::Health;

    #[test]
    fn each_number_is_where_the_log_has_it() {
        let health = Health::read(|at| match at {
            0 => 0x0000_3c05_5a01_2c04,
            128 => 7,
            144 => 3,
            160 => 9,
            _ => u64::MAX,
        });
        let expected = Health {
            warning: 4,
            temperature: 0x012c,
            spare: 0x5a,
            used: 0x3c,
            media_errors: 9,
            unsafe_shutdowns: 3,
            hours: 7,
        };
        assert_eq!(health, expected);
    }
}
