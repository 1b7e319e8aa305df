//! Commands: what a unit is to forget (2.4).

/// A command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// Forget the device table's entry of a function.
    Device(u16),
    /// Forget translations of a domain, tables on the way included.
    Domain(u16),
    /// Forget the table of interrupts of a function.
    Interrupts(u16),
    /// Forget everything; not every unit knows it.
    Everything,
}

const OPCODE: u32 = 60;

impl Command {
    /// As the buffer has it.
    pub fn words(self) -> [u64; 2] {
        /// All addresses: the size bit, with all others of the address but the uppermost set; and tables on the way (2.4.3).
        const ALL: u64 = 0x7fff_ffff_ffff_f000 | 0b11;
        match self {
            Command::Device(function) => [0x2 << OPCODE | u64::from(function), 0],
            Command::Domain(domain) => [0x3 << OPCODE | u64::from(domain) << 32, ALL],
            Command::Interrupts(function) => [0x5 << OPCODE | u64::from(function), 0],
            Command::Everything => [0x8 << OPCODE, 0],
        }
    }
}

/// Write `value` to `address` when all before is done.
pub fn wait(address: u64, value: u64) -> [u64; 2] {
    const STORE: u64 = 1;
    [0x1 << OPCODE | (address & 0x000f_ffff_ffff_fff8) | STORE, value]
}
