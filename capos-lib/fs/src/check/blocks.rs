//! What a volume is told of the blocks that files have, when it is checked.

use alloc::vec::Vec;

use super::Wrong;
use crate::key::{self, ObjectId, Part};
use crate::record::Stretch;
use capos_store::{Disk, Finding, Findings, Pointer, StoreError, Volume};

/// Hands findings on.
struct Notes<'f, F>(&'f mut F);

impl<F: FnMut(Wrong)> Findings for Notes<'_, F> {
    fn pointers(&mut self, key: &[u8], value: &[u8], pointers: &mut Vec<Pointer>) {
        let is_own = |object: ObjectId| object != ObjectId::VOLUME;
        if let Some((_, Part::Stretch, _)) = key::parse(key).filter(|(object, ..)| is_own(*object))
            && let Ok(stretch) = Stretch::decode(value)
        {
            pointers.extend(stretch.stored());
        }
    }

    fn found(&mut self, finding: Finding) {
        (self.0)(Wrong::Block(finding));
    }
}

/// What is wrong with the blocks of a volume, all of which are read.
pub async fn blocks<D: Disk>(volume: &Volume<D>, found: &mut impl FnMut(Wrong)) -> Result<(), StoreError> {
    volume.check(&mut Notes(found), true).await
}
