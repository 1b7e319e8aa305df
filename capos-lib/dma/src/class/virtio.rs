//! What both interfaces of virtio (1.2) have in common: which devices, which features, and the order of a device's states.

use super::{GuardError, Verdict};

/// Device ids (5) whose requests carry no addresses beyond those of descriptors. A balloon, a graphics adapter, memory and file systems
/// take addresses within their requests, some of them past any IOMMU: no policy here reads those.
const ADMITTED: [u16; 9] = [
    1,  // network
    2,  // block
    3,  // console
    4,  // entropy
    8,  // SCSI host
    9,  // 9P
    18, // input
    19, // socket
    25, // sound
];

/// Whether drivers may have a virtio device of this id.
pub fn is_admitted(id: u16) -> bool {
    ADMITTED.contains(&id)
}

/// Bits of the device status (2.1).
pub mod status {
    /// The features were chosen.
    pub const FEATURES_OK: u8 = 8;
}

/// EVENT_IDX (6).
pub const EVENT_INDEX: u64 = 1 << 29;

/// ACCESS_PLATFORM (6): the device's addresses go through the IOMMU that there is.
pub const ACCESS_PLATFORM: u64 = 1 << 33;

/// Features that belong to rings and transports (6): all from 24 to 49. The other ones are the device's own.
const OF_RINGS: u64 = (1 << 50) - (1 << 24);

/// Those of them under which a ring is still what `virtq` copies and reads: NOTIFY_ON_EMPTY and ANY_LAYOUT of 0.9, EVENT_IDX, VERSION_1,
/// ACCESS_PLATFORM, ORDER_PLATFORM. Not so INDIRECT_DESC, RING_PACKED, IN_ORDER (chains end without saying so), NOTIFICATION_DATA,
/// RING_RESET.
const KNOWN: u64 = 1 << 24 | 1 << 27 | EVENT_INDEX | 1 << 32 | ACCESS_PLATFORM | 1 << 36;

/// What the driver and its device agreed upon since the last reset.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Control {
    /// Which half of the features comes next, in the modern interface.
    select: u64,
    /// What the driver chose.
    pub features: u64,
    status: u8,
    /// Features cannot change any more.
    frozen: bool,
}

impl Control {
    /// The driver chooses which half comes next.
    pub fn write_select(&mut self, value: u64) -> Verdict {
        self.select = value;
        Verdict::Write(value)
    }

    /// The driver chooses the features of the half that it selected.
    pub fn write_features(&mut self, value: u64) -> Result<Verdict, GuardError> {
        if self.frozen {
            return Err(GuardError::NotNow);
        }
        let shift = match self.select {
            0 => 0,
            1 => 32,
            // Bits beyond 63: there are none.
            _ => return if value == 0 { Ok(Verdict::Write(0)) } else { Err(GuardError::Features(value)) },
        };
        let wanted = (value & 0xffff_ffff) << shift;
        let refused = wanted & OF_RINGS & !KNOWN;
        if refused != 0 {
            return Err(GuardError::Features(refused));
        }
        self.features = self.features & !(0xffff_ffff << shift) | wanted;
        Ok(Verdict::Write(value))
    }

    /// The driver goes on: it sets bits of the status, or asks for a reset by writing 0.
    pub fn write_status(&mut self, value: u64) -> Result<Verdict, GuardError> {
        let status = value as u8;
        if status == 0 {
            // Nothing to forget: drivers begin so.
            return if *self == Control::default() { Ok(Verdict::Write(0)) } else { Ok(Verdict::Reset) };
        }
        if self.status & !status != 0 {
            return Err(GuardError::NotNow);
        }
        self.status = status;
        self.frozen |= status & status::FEATURES_OK != 0;
        Ok(Verdict::Write(value))
    }

    /// Whether the device may have queues: the features are known.
    pub fn is_ready(&self) -> bool {
        self.frozen
    }

    /// The driver cannot choose features any more: 0.9 has no step for that.
    pub fn freeze(&mut self) {
        self.frozen = true;
    }
}
