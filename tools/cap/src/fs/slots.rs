//! What is said of superblocks that are not as they should be.

use capos_store::{BLOCK, Mounted, SlotState};

use super::Files;

/// What a disk writes as a whole, whatever stops it.
const SECTOR: usize = 512;
/// Of a superblock, before its record: a mark, a checksum, and how long the record is.
const HEAD: usize = 24;

/// Something about one slot.
#[derive(Debug)]
pub struct Remark {
    /// For people.
    pub text: String,
    /// Whether it is wrong. What a power cut or a volume that grew may leave is not.
    pub is_wrong: bool,
    /// Whether the last commit may be lost with it.
    pub is_loss: bool,
}

/// All that is to be said about them. A power cut in the middle of a commit leaves its superblock torn, or before the rest of it; only in one slot,
/// since commits come one after the other. A disk that spoils the last commit may leave the same, and nobody can tell then.
pub fn remarks(files: &Files, mounted: &Mounted) -> Vec<Remark> {
    let blocks = files.volume().space().blocks;
    let slots = capos_store::Slots::ALL.into_iter().zip(&mounted.slots).filter(|(slot, _)| *slot < blocks);
    let cut = |slot: u64, state: &SlotState| match state {
        SlotState::Incomplete { .. } => true,
        SlotState::Checksum => may_be_torn(files, slot),
        _ => false,
    };
    let is_one = slots.clone().filter(|(slot, state)| cut(*slot, state)).count() == 1;
    let remark = |(slot, state): (u64, &SlotState)| {
        let (why, is_wrong) = match state {
            SlotState::Absent | SlotState::Sound(_) => return None,
            // It gets one with a commit after the volume became large enough to have it.
            SlotState::Blank => (", as where a volume has just grown", false),
            state if is_one && cut(slot, state) => {
                (", as after a power cut in the middle of a commit", false)
            }
            _ => ("", true),
        };
        let text = format!("superblock {slot} {state}{why}: commit {} counts", mounted.commit);
        Some(Remark { text, is_wrong, is_loss: is_wrong || state.is_loss() })
    };
    slots.filter_map(remark).collect()
}

/// Whether the record of a superblock is longer than what is written as a whole.
fn may_be_torn(files: &Files, slot: u64) -> bool {
    let mut head = [0; HEAD];
    if files.volume().disk().read_at(slot * BLOCK as u64, &mut head).is_err() {
        return false;
    }
    let length = head.last_chunk().map_or(0, |length| u64::from_le_bytes(*length));
    length > (SECTOR - HEAD) as u64
}

/// Says on standard error that what is looked at, or changed, may not be what was written last.
pub fn warn(name: &str, files: &Files, mounted: &Mounted) {
    for remark in remarks(files, mounted).iter().filter(|remark| remark.is_loss) {
        eprintln!("warning: {name}: {}, and the last one may be lost", remark.text);
    }
}
