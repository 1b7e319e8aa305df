//! What a volume is told of the blocks that files have, when it is checked.

use alloc::vec::Vec;

use crate::key::{self, ObjectId, Part};
use crate::record::Stretch;
use capos_store::{Disk, Finding, Findings, Pointer, StoreError, Volume};

/// Takes findings down.
#[derive(Default)]
struct Notes(Vec<Finding>);

impl Findings for Notes {
    fn pointers(&mut self, key: &[u8], value: &[u8], pointers: &mut Vec<Pointer>) {
        let is_own = |object: ObjectId| object != ObjectId::VOLUME;
        if let Some((_, Part::Stretch, _)) = key::parse(key).filter(|(object, ..)| is_own(*object))
            && let Ok(stretch) = Stretch::decode(value)
        {
            pointers.extend(stretch.stored());
        }
    }

    fn found(&mut self, finding: Finding) {
        self.0.push(finding);
    }
}

/// What is wrong with the blocks of a volume, all of which are read.
pub(super) async fn blocks<D: Disk>(volume: &Volume<D>) -> Result<Vec<Finding>, StoreError> {
    let mut notes = Notes::default();
    volume.check(&mut notes, true).await?;
    Ok(notes.0)
}
