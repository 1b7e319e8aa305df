//! How much was given out of a function, and whether that is what is found elsewhere.

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Item {
    /// Pages of registers that were given out to be mapped. Who has them may take some out himself, and tells nobody.
    MappedPages = 0,
    /// Interrupt vectors.
    Vectors = 1,
    /// Buffers that somebody has.
    Buffers = 2,
    /// Pages of buffers, those that the device is not through with after their end included, of rings and of what is put in their places.
    DmaPages = 3,
    /// Queues.
    Queues = 4,
}

const ITEMS: usize = 5;

impl Item {
    /// Every item, in the order of their numbers.
    pub const ALL: [Item; ITEMS] =
        [Item::MappedPages, Item::Vectors, Item::Buffers, Item::DmaPages, Item::Queues];
}

/// What was given out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Books {
    counts: [u32; ITEMS],
}

/// What does not agree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wrong {
    /// What was counted.
    pub item: Item,
    /// How much the ledger says.
    pub booked: u32,
    /// How much there is.
    pub found: u32,
}

impl Books {
    /// Nothing was.
    pub const fn new() -> Self {
        Books { counts: [0; ITEMS] }
    }

    /// How much of an item was given out.
    pub fn count(&self, item: Item) -> u32 {
        // In bounds: the numbers of the items are those of the places.
        self.counts[item as usize]
    }

    /// So much more was.
    pub fn add(&mut self, item: Item, amount: u32) {
        let count = &mut self.counts[item as usize];
        *count = count.saturating_add(amount);
    }

    /// So much was taken back. More than there is would be a defect of the caller's, and then the count is zero.
    pub fn take(&mut self, item: Item, amount: u32) {
        let count = &mut self.counts[item as usize];
        debug_assert!(*count >= amount, "{amount} {item:?} taken back, {count} given out");
        *count = count.saturating_sub(amount);
    }

    /// Whether nothing is out.
    pub fn are_empty(&self) -> bool {
        *self == Books::new()
    }

    /// The first item of which `found` has not as much as was given out; of pages that are mapped, more.
    pub fn compare(&self, found: &Books) -> Option<Wrong> {
        Item::ALL.into_iter().find_map(|item| {
            let (booked, found) = (self.count(item), found.count(item));
            let agree = if item == Item::MappedPages { found <= booked } else { found == booked };
            (!agree).then_some(Wrong { item, booked, found })
        })
    }
}
