//! What an object's own records say, which lie together.

use super::finding::Fault;
use crate::error::Error;
use crate::key::{self, ObjectId, Part};
use crate::look::BLOCK_BYTES;
use crate::record::{Kind, Object, STRETCH_BLOCKS, Stretch};
use capos_store::Pointer;

/// Parts that an object may have records of.
const PARTS: [Part; 7] =
    [Part::Object, Part::Entry, Part::Stretch, Part::Hash, Part::Domain, Part::Orphan, Part::Blob];

/// Of one object.
#[derive(Default)]
pub struct Own {
    pub id: ObjectId,
    pub object: Option<Object>,
    pub entries: u64,
    /// Its hash leads to it.
    pub indexed: bool,
    blocks: u64,
    /// The last block that is stored.
    last: Option<u64>,
    /// Of which parts there are records: a bit for each.
    parts: u8,
}

impl Own {
    /// Of which nothing is known yet.
    pub fn of(id: ObjectId) -> Own {
        Own { id, ..Own::default() }
    }

    /// There is a record of a part.
    pub fn has(&mut self, part: Part) {
        self.parts |= 1u8.wrapping_shl(part as u32);
    }

    /// Whether there is any.
    pub const fn is_any(&self) -> bool {
        self.parts != 0
    }

    /// Takes a record down that is about nothing else.
    pub fn enter(&mut self, part: Part, rest: &[u8], value: &[u8]) -> Result<(), Error> {
        match part {
            Part::Object if rest.is_empty() => self.object = Some(Object::decode(value)?),
            Part::Stretch => {
                let number = key::number(rest).ok_or(Error::Corrupt)?;
                let stretch = Stretch::decode(value)?;
                self.blocks = self.blocks.saturating_add(stretch.stored().count() as u64);
                let last = stretch.0.iter().rposition(|pointer| *pointer != Pointer::NONE).unwrap_or_default()
                    as u64;
                self.last = Some(number.saturating_mul(STRETCH_BLOCKS).saturating_add(last));
            }
            _ => return Err(Error::Corrupt),
        }
        Ok(())
    }

    /// What does not fit, whatever others say.
    pub fn judge(&self, object: &Object, mut find: impl FnMut(Fault)) {
        let has_names = object.kind.has_names();
        for part in PARTS.into_iter().filter(|part| self.parts.wrapping_shr(*part as u32) & 1 != 0) {
            let is_own = match part {
                Part::Object => true,
                Part::Entry => has_names,
                Part::Stretch => !has_names,
                Part::Hash => object.kind == Kind::Blob,
                _ => false,
            };
            if !is_own {
                find(Fault::Foreign(object.kind, part));
            }
        }
        if has_names && self.entries != object.size {
            find(Fault::Entries { found: self.entries, said: object.size });
        }
        if self.blocks != object.blocks {
            find(Fault::Blocks { found: self.blocks, said: object.blocks });
        }
    }

    /// The last block, if it is stored behind the end. That is fine while somebody removes it.
    pub fn behind(&self, object: &Object) -> Option<u64> {
        let is_behind = |last: &u64| *last >= object.size.div_ceil(BLOCK_BYTES);
        self.last.filter(is_behind).filter(|_| !object.kind.has_names())
    }
}
