//! A namespace.

/// What is in it.
#[derive(Clone, Debug)]
pub struct Disk {
    /// Its number.
    pub id: u32,
    /// Binary logarithm of a sector's bytes.
    pub shift: u8,
    /// Bytes of metadata of each sector.
    pub metadata: u16,
    /// Which commands it has: 0 is NVM, 2 is zones.
    pub set: u8,
    /// It takes nothing that changes it.
    pub read_only: bool,
    /// What reads show.
    pub bytes: Vec<u8>,
    /// What is left when the power goes.
    pub medium: Vec<u8>,
    /// Sectors that were deallocated: first, and how many.
    pub discarded: Vec<(u64, u64)>,
}

impl Disk {
    /// So many sectors of 1 << `shift` bytes, all zero.
    pub fn new(id: u32, shift: u8, sectors: usize) -> Disk {
        let bytes = vec![0; sectors << shift];
        let medium = bytes.clone();
        Disk { id, shift, metadata: 0, set: 0, read_only: false, bytes, medium, discarded: Vec::new() }
    }

    /// Sectors.
    pub fn sectors(&self) -> u64 {
        self.bytes.len() as u64 >> self.shift
    }

    /// Where these sectors are, if there are all of them.
    pub fn place(&self, first: u64, count: u64) -> Option<std::ops::Range<usize>> {
        let end = first.checked_add(count).filter(|end| *end <= self.sectors())?;
        Some((first << self.shift) as usize..(end << self.shift) as usize)
    }

    /// Writes; to the medium, too, if nothing is kept back.
    pub fn write(&mut self, at: usize, bytes: &[u8], durable: bool) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        if durable {
            self.medium[at..at + bytes.len()].copy_from_slice(bytes);
        }
    }

    /// What the power leaves.
    pub fn lose_power(&mut self) {
        self.bytes.clone_from(&self.medium);
    }

    /// Everything is on the medium.
    pub fn flush(&mut self) {
        self.medium.clone_from(&self.bytes);
    }

    /// What Identify says of it (5.15.2.1).
    pub fn identify(&self) -> Vec<u8> {
        let mut page = vec![0; 4096];
        page[..8].copy_from_slice(&self.sectors().to_le_bytes());
        page[8..16].copy_from_slice(&self.sectors().to_le_bytes());
        // Two formats, of which it has the second.
        (page[25], page[26]) = (1, 1);
        page[99] = self.read_only.into();
        let format = u32::from(self.metadata) | u32::from(self.shift) << 16;
        page[132..136].copy_from_slice(&format.to_le_bytes());
        page
    }

    /// Its descriptors (5.15.2.3): a name, and which commands it has.
    pub fn descriptors(&self) -> Vec<u8> {
        let mut page = vec![0; 4096];
        (page[0], page[1]) = (3, 16);
        page[4..8].copy_from_slice(&self.id.to_be_bytes());
        (page[20], page[21], page[24]) = (4, 1, self.set);
        page
    }
}
