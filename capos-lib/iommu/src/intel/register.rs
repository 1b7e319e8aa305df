//! Registers of a unit and their bits (11.4).

/// Bytes of registers that every unit has, before it says where its records of faults are.
pub const WINDOW: usize = 0x1000;

/// What it can do.
pub const CAPABILITIES: usize = 0x08;
/// What else it can do.
pub const EXTENDED_CAPABILITIES: usize = 0x10;
/// Switches things on and off; see [`command`].
pub const COMMAND: usize = 0x18;
/// What is on.
pub const STATUS: usize = 0x1c;
/// Where the root table is.
pub const ROOT_TABLE: usize = 0x20;
/// Which kinds of faults there were; see [`fault`].
pub const FAULT_STATUS: usize = 0x34;
/// Whether faults interrupt.
pub const FAULT_CONTROL: usize = 0x38;
/// What faults write to interrupt.
pub const FAULT_DATA: usize = 0x3c;
/// Where they write it.
pub const FAULT_ADDRESS: usize = 0x40;
/// The upper half of that.
pub const FAULT_UPPER_ADDRESS: usize = 0x44;
/// Memory that no device may reach, for who starts a system.
pub const PROTECTED_MEMORY: usize = 0x64;
/// Which command the unit does next.
pub const QUEUE_HEAD: usize = 0x80;
/// One past the last command.
pub const QUEUE_TAIL: usize = 0x88;
/// Where commands are.
pub const QUEUE_ADDRESS: usize = 0x90;
/// Where entries of interrupts are.
pub const INTERRUPT_TABLE: usize = 0xb8;

/// Bits of [`COMMAND`] and [`STATUS`], where they have the same places.
pub mod command {
    /// Translation.
    pub const TRANSLATE: u32 = 1 << 31;
    /// Takes over the root table; once.
    pub const SET_ROOT: u32 = 1 << 30;
    /// Commands come in a queue.
    pub const QUEUE: u32 = 1 << 26;
    /// Interrupts have entries.
    pub const INTERRUPTS: u32 = 1 << 25;
    /// Takes over the table of interrupts; once.
    pub const SET_INTERRUPTS: u32 = 1 << 24;
    /// Interrupts of the old format pass.
    pub const COMPATIBLE: u32 = 1 << 23;
    /// Of the status: what stays as it is while one bit of the command is changed. The others happen once (11.4.4.1).
    pub const LASTING: u32 = TRANSLATE | QUEUE | INTERRUPTS | COMPATIBLE;
}

/// Bits of [`FAULT_STATUS`] and [`FAULT_CONTROL`].
pub mod fault {
    /// More faults than records; writing it clears it.
    pub const OVERFLOW: u32 = 1 << 0;
    /// Some record is in use.
    pub const PENDING: u32 = 1 << 1;
    /// A command that the unit does not know, and one that a device did not answer; writing them clears them.
    pub const QUEUE_ERRORS: u32 = 0b111 << 4;
    /// No interrupt.
    pub const MASKED: u32 = 1 << 31;
}

/// Interrupts have processors with ids of 32 bits, in [`INTERRUPT_TABLE`].
pub const EXTENDED_IDS: u64 = 1 << 11;
/// Size field of [`INTERRUPT_TABLE`]: 2^(n + 1) entries.
pub const INTERRUPT_TABLE_SIZE: u64 = crate::INTERRUPT_ENTRIES.trailing_zeros() as u64 - 1;
/// Of [`PROTECTED_MEMORY`]: on, asked for and true.
pub const PROTECTION_ON: u32 = 1 << 31;
/// The same, as the unit answers.
pub const PROTECTION_STATUS: u32 = 1 << 0;
