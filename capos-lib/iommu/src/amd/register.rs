//! Registers of a unit and their bits (3.4).

/// Bytes of registers.
pub const WINDOW: usize = 0x4000;

/// Where the device table is, and how long.
pub const DEVICE_TABLE: usize = 0x00;
/// Where commands are.
pub const COMMANDS: usize = 0x08;
/// Where events are written.
pub const EVENTS: usize = 0x10;
/// Switches things on and off; see [`control`].
pub const CONTROL: usize = 0x18;
/// Memory that is not translated, for who starts a system.
pub const EXCLUSION: usize = 0x20;
/// What else it can do; see [`FORGETS_EVERYTHING`].
pub const FEATURES: usize = 0x30;
/// Which command the unit does next.
pub const COMMAND_HEAD: usize = 0x2000;
/// One past the last command.
pub const COMMAND_TAIL: usize = 0x2008;
/// The first event that nobody has read.
pub const EVENT_HEAD: usize = 0x2010;
/// One past the last event.
pub const EVENT_TAIL: usize = 0x2018;
/// What is on, and what happened; see [`status`].
pub const STATUS: usize = 0x2020;

/// Of [`FEATURES`]: it knows the command to forget everything (IASup).
pub const FORGETS_EVERYTHING: u64 = 1 << 6;

/// Bits of [`CONTROL`].
pub mod control {
    /// Translation, of interrupts too.
    pub const TRANSLATE: u64 = 1 << 0;
    /// Events are written.
    pub const EVENTS: u64 = 1 << 2;
    /// Reads of tables look into the processors' caches.
    pub const COHERENT: u64 = 1 << 10;
    /// Commands are done.
    pub const COMMANDS: u64 = 1 << 12;
}

/// Bits of [`STATUS`].
pub mod status {
    /// More events than room; writing it clears it.
    pub const OVERFLOW: u64 = 1 << 0;
    /// Events are written.
    pub const EVENTS: u64 = 1 << 3;
    /// Commands are done.
    pub const COMMANDS: u64 = 1 << 4;
}

/// Bytes of a buffer of 256 commands or events, each of 16 bytes.
pub const BUFFER: u64 = 4096;

/// What [`COMMANDS`] and [`EVENTS`] say of a buffer of 256 at `address` (3.4.1): its length is an exponent.
pub const fn buffer(address: u64) -> u64 {
    address | 8 << 56
}

/// What [`DEVICE_TABLE`] says of a table for every function of every bus: 512 pages, and that less one is written.
pub const fn device_table(address: u64) -> u64 {
    address | (DEVICE_TABLE_PAGES - 1)
}

/// Pages of a device table.
pub const DEVICE_TABLE_PAGES: u64 = 512;
