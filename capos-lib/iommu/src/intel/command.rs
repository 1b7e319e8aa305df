//! Commands: what a unit is to forget (6.5.2).

/// A command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// Forget which function has which tables.
    Contexts,
    /// Forget translations of a domain, tables on the way included. What is under way is waited for.
    Domain(u16),
    /// Forget all translations.
    Translations,
    /// Forget an entry of the table of interrupts.
    Interrupt(u8),
    /// Forget all of them.
    Interrupts,
}

/// Reads and writes that are under way are to be done first (6.5.2.3, DR and DW).
const DRAIN: u64 = 1 << 6 | 1 << 7;

impl Command {
    /// As the queue has it.
    pub fn words(self) -> [u64; 2] {
        // The type, and what is meant: 1 is all, 2 a domain; of interrupts 0 is all, 1 some.
        let low = match self {
            Command::Contexts => 0x1 | 1 << 4,
            Command::Translations => 0x2 | 1 << 4 | DRAIN,
            Command::Domain(domain) => 0x2 | 2 << 4 | DRAIN | u64::from(domain) << 16,
            Command::Interrupts => 0x4,
            Command::Interrupt(index) => 0x4 | 1 << 4 | u64::from(index) << 32,
        };
        [low, 0]
    }
}

/// Write `value` to `address` when all before is done.
pub fn wait(address: u64, value: u32) -> [u64; 2] {
    const WRITE: u64 = 1 << 5;
    [0x5 | WRITE | u64::from(value) << 32, address & !3]
}
