//! What is counted while all records go by.

use super::finding::{Fault, Finding};
use super::own::Own;
use super::window::Window;
use crate::error::Error;
use crate::key::{self, ObjectId, Part};
use crate::look;
use crate::name::Name;
use crate::record::{self, Domain, Entry, Hash, Kind, Orphan, VolumeRecord};
use crate::volume::View;

/// What was seen of an object.
#[derive(Default)]
pub struct Seen {
    /// What its record says.
    pub said: Option<Said>,
    /// A block that is stored behind its end.
    pub behind: Option<u64>,
    /// Its hash leads to it.
    pub indexed: bool,
    /// Names that lead to it.
    pub names: u64,
    /// Who has some of them, and what they take it for: the first, and another one that takes it for something else if there is any.
    pub named_by: [Option<(ObjectId, Kind)>; 2],
    pub orphan: Option<Orphan>,
}

/// What the record of an object says of other objects.
#[derive(Clone, Copy)]
pub struct Said {
    pub kind: Kind,
    pub links: u32,
    pub parent: ObjectId,
}

/// What a domain has, and what it says that it has.
#[derive(Default)]
pub struct Counted {
    pub found: Domain,
    pub said: Domain,
}

/// What was seen of those that are kept in mind, while all records went by.
pub struct Books<'f, F> {
    /// Where findings go.
    found: &'f mut F,
    /// Nothing went by before: what a record says of itself is judged now.
    pub is_first: bool,
    pub objects: Window<ObjectId, Seen>,
    pub domains: Window<u32, Counted>,
    pub volume: Option<VolumeRecord>,
    /// What the root is.
    pub root: Option<Kind>,
    /// All objects.
    pub count: u64,
    /// Whose records go by.
    own: Own,
}

impl<'f, F: FnMut(Finding)> Books<'f, F> {
    /// With room for so many objects.
    pub fn new(found: &'f mut F, most: usize) -> Self {
        Books {
            found,
            is_first: true,
            objects: Window::new(ObjectId::VOLUME, most),
            domains: Window::new(0, most),
            volume: None,
            root: None,
            count: 0,
            own: Own::default(),
        }
    }

    /// Whether everything that is next was judged before.
    pub const fn is_done(&self) -> bool {
        self.objects.is_done() && self.domains.is_done()
    }

    /// Something that is found once.
    pub fn find(&mut self, object: ObjectId, fault: Fault) {
        (self.found)(Finding { object, fault });
    }

    /// Something that every sweep finds.
    fn find_first(&mut self, object: ObjectId, fault: Fault) {
        if self.is_first {
            self.find(object, fault);
        }
    }

    /// Whether what is left of an object's records is of no use here.
    pub fn is_enough(&self, object: ObjectId, part: Part) -> bool {
        !self.is_first && object != ObjectId::VOLUME && part >= Part::Stretch && !self.objects.has(object)
    }

    /// Takes a record down.
    pub async fn enter(&mut self, view: &impl View, key: &[u8], value: &[u8]) -> Result<(), Error> {
        let Some((object, part, rest)) = key::parse(key) else {
            self.find_first(ObjectId::VOLUME, Fault::Key);
            return Ok(());
        };
        if object != self.own.id {
            self.end_object();
            self.own = Own::of(object);
        }
        let done = match object {
            ObjectId::VOLUME => self.enter_own(view, part, rest, value).await,
            _ => self.enter_part(view, object, part, rest, value).await,
        };
        match done {
            Err(Error::Name(fault)) => self.find_first(object, Fault::Name(fault)),
            Err(Error::Corrupt | Error::Version) => self.find_first(object, Fault::Record(part)),
            other => return other,
        }
        Ok(())
    }

    /// A record of the volume itself.
    async fn enter_own(
        &mut self,
        view: &impl View,
        part: Part,
        rest: &[u8],
        value: &[u8],
    ) -> Result<(), Error> {
        match part {
            Part::Object if rest.is_empty() => self.volume = Some(VolumeRecord::decode(value)?),
            Part::Domain => {
                let number = u32::from_be_bytes(rest.try_into().map_err(|_| Error::Corrupt)?);
                let said = Domain::decode(value)?;
                if let Some(counted) = self.domains.at(number) {
                    counted.said = said;
                }
            }
            Part::Orphan => {
                let object = ObjectId(key::number(rest).ok_or(Error::Corrupt)?);
                let orphan = Orphan::decode(value)?;
                if let Some(seen) = self.objects.at(object) {
                    seen.orphan = Some(orphan);
                }
            }
            Part::Blob => {
                let object = record::decode_blob(value)?;
                let hash = rest.try_into().map_err(|_| Error::Corrupt)?;
                if self.is_first && !is_blob_of(view, object, hash).await? {
                    self.find(object, Fault::Index);
                }
            }
            _ => return Err(Error::Corrupt),
        }
        Ok(())
    }

    async fn enter_part(
        &mut self,
        view: &impl View,
        id: ObjectId,
        part: Part,
        rest: &[u8],
        value: &[u8],
    ) -> Result<(), Error> {
        self.own.has(part);
        match part {
            Part::Hash if rest.is_empty() => {
                let hash = Hash::decode(value)?.hash;
                let is_kept = self.objects.at(id).is_some();
                if is_kept && view_blob(view, &hash).await? == Some(id) {
                    self.own.indexed = true;
                }
                Ok(())
            }
            Part::Entry => {
                self.own.entries = self.own.entries.saturating_add(1);
                Name::new(rest)?;
                self.enter_entry(id, Entry::decode(value)?);
                Ok(())
            }
            _ => self.own.enter(part, rest, value),
        }
    }

    fn enter_entry(&mut self, id: ObjectId, entry: Entry) {
        let holder = self.own.object.map(|object| object.kind);
        if holder.is_some_and(|kind| kind.has_names() && !kind.may_name(entry.kind)) {
            self.find_first(id, Fault::EntryKind(entry.object, entry.kind));
        }
        let Some(seen) = self.objects.at(entry.object) else { return };
        seen.names = seen.names.saturating_add(1);
        let name = Some((id, entry.kind));
        match &mut seen.named_by {
            [first @ None, _] => *first = name,
            [_, second @ None] => *second = name,
            // One that takes it for something else tells more.
            [Some((_, kind)), Some(second)] if second.1 == *kind && entry.kind != *kind => {
                *second = (id, entry.kind);
            }
            _ => {}
        }
    }

    /// All records of an object went by.
    pub fn end_object(&mut self) {
        let own = core::mem::take(&mut self.own);
        if !own.is_any() {
            return;
        }
        let Some(object) = own.object else {
            return self.find_first(own.id, Fault::Missing);
        };
        if let Some(counted) = self.domains.at(object.domain) {
            let found = &mut counted.found;
            found.blocks = found.blocks.saturating_add(object.blocks);
            found.objects = found.objects.saturating_add(1);
            // Whether it has so many is judged with what it says.
            let names = if object.kind.has_names() { own.entries } else { 0 };
            found.names = found.names.saturating_add(names);
        }
        if let Some(seen) = self.objects.at(own.id) {
            seen.said = Some(Said { kind: object.kind, links: object.links, parent: object.parent });
            seen.behind = own.behind(&object);
            seen.indexed = own.indexed;
        }
        if self.is_first {
            own.judge(&object, |fault| self.find(own.id, fault));
            self.count = self.count.saturating_add(1);
            if own.id == ObjectId::ROOT {
                self.root = Some(object.kind);
            }
            if own.id.0 >= self.volume.map_or(0, |volume| volume.next) {
                self.find(own.id, Fault::Number);
            }
        }
    }
}

/// Whether an object is the blob of a hash.
async fn is_blob_of(view: &impl View, object: ObjectId, hash: [u8; 32]) -> Result<bool, Error> {
    match look::blob_hash(view, object).await {
        Ok(found) => Ok(found == hash),
        Err(Error::NotFound | Error::Corrupt | Error::Kind) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The blob that a hash leads to.
async fn view_blob(view: &impl View, hash: &[u8; 32]) -> Result<Option<ObjectId>, Error> {
    match look::blob(view, hash).await {
        Err(Error::Corrupt) => Ok(None),
        other => other,
    }
}
