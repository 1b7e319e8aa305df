//! What is counted while all records go by.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::finding::{Fault, Finding};
use crate::error::Error;
use crate::key::{self, ObjectId, Part};
use crate::name::Name;
use crate::record::{self, Domain, Entry, Hash, Kind, Object, Orphan, STRETCH_BLOCKS, Stretch, VolumeRecord};
use capos_store::Pointer;

/// What was seen of an object.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) object: Option<Object>,
    pub(super) entries: u64,
    pub(super) blocks: u64,
    /// The last block that is stored.
    pub(super) last: Option<u64>,
    /// Parts of which there was a record.
    pub(super) parts: Vec<Part>,
    pub(super) hash: Option<[u8; 32]>,
    /// Names that lead to it: who has them, and what they take it for.
    pub(super) names: u64,
    pub(super) named_by: Vec<(ObjectId, Kind)>,
    pub(super) orphan: Option<Orphan>,
    /// The hash that leads to it.
    pub(super) index: Option<[u8; 32]>,
}

/// What was seen of all.
#[derive(Default)]
pub(super) struct Books {
    pub(super) volume: Option<VolumeRecord>,
    pub(super) objects: BTreeMap<ObjectId, Seen>,
    pub(super) domains: BTreeMap<u32, Domain>,
    pub(super) findings: Vec<Finding>,
}

/// Most entries of one object that are remembered one by one: of a kind of which there is one, a second is wrong already.
const REMEMBERED: usize = 2;

impl Books {
    pub(super) fn find(&mut self, object: ObjectId, fault: Fault) {
        self.findings.push(Finding { object, fault });
    }

    fn seen(&mut self, object: ObjectId) -> &mut Seen {
        self.objects.entry(object).or_default()
    }

    /// Takes a record down.
    pub(super) fn enter(&mut self, key: &[u8], value: &[u8]) {
        let Some((object, part, rest)) = key::parse(key) else {
            return self.find(ObjectId::VOLUME, Fault::Key);
        };
        let done = match object {
            ObjectId::VOLUME => self.enter_own(part, rest, value),
            _ => self.enter_part(object, part, rest, value),
        };
        match done {
            Ok(()) => {}
            Err(Error::Name(fault)) => self.find(object, Fault::Name(fault)),
            Err(_) => self.find(object, Fault::Record(part)),
        }
    }

    /// A record of the volume itself.
    fn enter_own(&mut self, part: Part, rest: &[u8], value: &[u8]) -> Result<(), Error> {
        match part {
            Part::Object if rest.is_empty() => self.volume = Some(VolumeRecord::decode(value)?),
            Part::Domain => {
                let number = u32::from_be_bytes(rest.try_into().map_err(|_| Error::Corrupt)?);
                self.domains.insert(number, Domain::decode(value)?);
            }
            Part::Orphan => {
                let object = ObjectId(key::number(rest).ok_or(Error::Corrupt)?);
                self.seen(object).orphan = Some(Orphan::decode(value)?);
            }
            Part::Blob => {
                let object = record::decode_blob(value)?;
                let hash = rest.try_into().map_err(|_| Error::Corrupt)?;
                if self.seen(object).index.replace(hash).is_some() {
                    self.find(object, Fault::Index);
                }
            }
            _ => return Err(Error::Corrupt),
        }
        Ok(())
    }

    fn enter_part(&mut self, id: ObjectId, part: Part, rest: &[u8], value: &[u8]) -> Result<(), Error> {
        let seen = self.seen(id);
        if !seen.parts.contains(&part) {
            seen.parts.push(part);
        }
        match part {
            Part::Object if rest.is_empty() => seen.object = Some(Object::decode(value)?),
            Part::Hash if rest.is_empty() => seen.hash = Some(Hash::decode(value)?.hash),
            Part::Entry => {
                seen.entries = seen.entries.saturating_add(1);
                Name::new(rest)?;
                let entry = Entry::decode(value)?;
                let target = self.seen(entry.object);
                target.names = target.names.saturating_add(1);
                if target.named_by.len() < REMEMBERED || target.names_oddly(entry.kind) {
                    target.named_by.push((id, entry.kind));
                }
            }
            Part::Stretch => {
                let number = key::number(rest).ok_or(Error::Corrupt)?;
                let stretch = Stretch::decode(value)?;
                seen.blocks = seen.blocks.saturating_add(stretch.stored().count() as u64);
                let last = stretch.0.iter().rposition(|pointer| *pointer != Pointer::NONE).unwrap_or_default()
                    as u64;
                seen.last = Some(number.saturating_mul(STRETCH_BLOCKS).saturating_add(last));
            }
            _ => return Err(Error::Corrupt),
        }
        Ok(())
    }
}

impl Seen {
    /// Whether a name takes it for another kind than its first name did.
    fn names_oddly(&self, kind: Kind) -> bool {
        self.named_by.first().is_some_and(|(_, first)| *first != kind)
    }
}
