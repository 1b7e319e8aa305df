//! When something was done, and how that was known.

/// How a time was known. The numbers are on disks and in `TimeSource` of schema/file.capnp.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u16)]
pub enum TimeSource {
    /// Nobody knew the time of day: it counts from the start of the machine.
    #[default]
    Unknown = 0,
    /// The firmware or the loader said so.
    Firmware = 1,
    /// The machine's clock did.
    Rtc = 2,
    /// A tool wrote it, by the clock of the machine that it ran on.
    Host = 3,
}

/// A moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stamp {
    /// Nanoseconds since 1970-01-01 UTC, or since the machine was started.
    pub ns: u64,
    /// Which of them, and from whom.
    pub source: TimeSource,
}

impl TimeSource {
    /// By its number.
    pub const fn from_number(number: u16) -> Option<TimeSource> {
        match number {
            0 => Some(TimeSource::Unknown),
            1 => Some(TimeSource::Firmware),
            2 => Some(TimeSource::Rtc),
            3 => Some(TimeSource::Host),
            _ => None,
        }
    }
}
