//! Capability identifiers as user code sees them.

/// Names one entry of the calling process's capability table: 24 bits of slot index, 32 bits of generation.
///
/// The generation changes whenever a slot is emptied, so an id that outlived its capability is refused instead of naming the
/// slot's next tenant. The top byte is zero in an id; [`TransferSlot`] uses it. Generations start at 1, so the all-zero value
/// names nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(transparent)]
pub struct CapId(u64);

impl CapId {
    /// Names nothing; refused everywhere.
    pub const NULL: CapId = CapId(0);
    /// The calling process's own `VirtualMemory`.
    pub const SELF_MEMORY: CapId = CapId::new(0, 1);
    /// The calling process's own `ThreadControl`.
    pub const SELF_THREADS: CapId = CapId::new(1, 1);
    /// The calling process's own `EndpointFactory`.
    pub const SELF_ENDPOINTS: CapId = CapId::new(2, 1);
    /// Slot of the first capability granted by the parent; grant `n` has id `CapId::granted(n)`.
    pub const FIRST_GRANT: u32 = 3;

    /// Bits of the slot index, below those of the generation.
    pub const INDEX_BITS: u32 = 24;

    /// Builds an id; only the low 24 bits of `index` count.
    pub const fn new(index: u32, generation: u32) -> Self {
        CapId(((index as u64) & 0xff_ffff) | ((generation as u64) << Self::INDEX_BITS))
    }

    /// The id under which a new process finds the `n`th capability its parent granted.
    pub const fn granted(n: u32) -> Self {
        CapId::new(Self::FIRST_GRANT + n, 1)
    }

    /// From a raw word. The top byte is ignored.
    pub const fn from_raw(raw: u64) -> Self {
        CapId(raw & 0x00ff_ffff_ffff_ffff)
    }

    /// The raw word.
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// Slot index.
    pub const fn index(self) -> u32 {
        (self.0 & 0xff_ffff) as u32
    }

    /// Generation that the slot had when the id was made.
    pub const fn generation(self) -> u32 {
        (self.0 >> Self::INDEX_BITS) as u32
    }
}

/// What happens to the sender's entry when a capability is transferred.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransferMode {
    /// The sender keeps its entry.
    Copy,
    /// The sender's entry is emptied in the same transaction.
    Move,
}

/// One word of the capability array beside a message: a [`CapId`] with the transfer mode in the top byte.
///
/// On the way in the kernel writes plain [`CapId`]s (top byte zero) into the receiver's array.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(transparent)]
pub struct TransferSlot(pub u64);

impl TransferSlot {
    /// Send a copy.
    pub const fn copy(id: CapId) -> Self {
        TransferSlot(id.raw())
    }

    /// Send it away.
    pub const fn moved(id: CapId) -> Self {
        TransferSlot(id.raw() | (1 << 56))
    }

    /// The capability named.
    pub const fn id(self) -> CapId {
        CapId::from_raw(self.0)
    }

    /// The mode, or `None` when the top byte is not one of ours.
    pub const fn mode(self) -> Option<TransferMode> {
        match self.0 >> 56 {
            0 => Some(TransferMode::Copy),
            1 => Some(TransferMode::Move),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CapId, TransferMode, TransferSlot};

    #[test]
    fn an_id_gives_back_what_it_was_made_of() {
        for (index, generation) in [(0, 1), (5, 7), (0xff_ffff, u32::MAX), (0x80_0000, 0x8000_0000)] {
            let id = CapId::new(index, generation);
            assert_eq!((id.index(), id.generation()), (index, generation));
            assert_eq!(CapId::from_raw(id.raw()), id);
        }
    }

    #[test]
    fn an_id_leaves_the_top_byte_alone() {
        assert_eq!(CapId::new(u32::MAX, u32::MAX).raw(), 0x00ff_ffff_ffff_ffff);
        assert_eq!(CapId::from_raw(u64::MAX).raw(), 0x00ff_ffff_ffff_ffff);
    }

    #[test]
    fn the_null_id_has_no_generation_that_a_slot_ever_has() {
        assert_eq!((CapId::NULL.raw(), CapId::NULL.generation()), (0, 0));
        assert_eq!(CapId::default(), CapId::NULL);
    }

    #[test]
    fn grants_follow_the_process_s_own_capabilities() {
        let own = [CapId::SELF_MEMORY, CapId::SELF_THREADS, CapId::SELF_ENDPOINTS, CapId::granted(0)];
        for (index, id) in (0..).zip(own) {
            assert_eq!((id.index(), id.generation()), (index, 1));
        }
        assert_eq!(CapId::granted(4).index(), CapId::FIRST_GRANT + 4);
    }

    #[test]
    fn a_slot_keeps_id_and_mode_apart() {
        let id = CapId::new(0xff_ffff, u32::MAX);
        let (copy, moved) = (TransferSlot::copy(id), TransferSlot::moved(id));
        assert_eq!((copy.id(), copy.mode()), (id, Some(TransferMode::Copy)));
        assert_eq!((moved.id(), moved.mode()), (id, Some(TransferMode::Move)));
    }

    #[test]
    fn a_plain_id_is_a_copy() {
        let id = CapId::new(3, 9);
        assert_eq!(TransferSlot(id.raw()), TransferSlot::copy(id));
    }

    #[test]
    fn unknown_modes_are_refused() {
        for top in 2..=255u64 {
            assert_eq!(TransferSlot(top << 56 | 1).mode(), None);
        }
    }
}
