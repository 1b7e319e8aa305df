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

    /// Builds an id; only the low 24 bits of `index` count.
    pub const fn new(index: u32, generation: u32) -> Self {
        CapId(((index as u64) & 0xff_ffff) | ((generation as u64) << 24))
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
        (self.0 >> 24) as u32
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
