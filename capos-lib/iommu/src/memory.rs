//! Memory for tables, as an argument.

/// Tables of 512 words, each a page, named by their physical addresses.
pub trait Memory {
    /// A table in which all is zero. `None` when there is no memory.
    fn take(&mut self) -> Option<u64>;

    /// Nothing names this table any more. The unit may still look at it until it has been told to forget, so it must stay as it is until then.
    fn give(&mut self, table: u64);

    /// Word `index` of a table.
    fn read(&self, table: u64, index: usize) -> u64;

    /// Sets word `index` of a table, at once and in a way that the unit sees.
    fn write(&mut self, table: u64, index: usize, value: u64);
}
