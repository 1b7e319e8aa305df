//! What the books say when all records went by.

use super::books::{Books, Said, Seen};
use super::finding::{Fault, Finding};
use super::rings::Rings;
use crate::error::Error;
use crate::key::ObjectId;
use crate::record::{Kind, Orphan};
use crate::volume::View;

impl<F: FnMut(Finding)> Books<'_, F> {
    /// Everything that does not fit of those that are kept in mind. Those that did not fit are next.
    pub async fn judge(&mut self, view: &impl View, most: usize) -> Result<(), Error> {
        let next = self.objects.next();
        let objects = core::mem::replace(&mut self.objects, next);
        for (id, seen) in objects.things() {
            match seen.said {
                Some(said) => self.judge_object(*id, said, seen),
                None => self.judge_missing(*id, seen),
            }
        }
        let mut rings = Rings::new(view, objects.things(), most);
        for (id, _) in objects.things().iter().filter(|(_, seen)| seen.has_names()) {
            if let Some(fault) = rings.look(*id).await? {
                self.find(*id, fault);
            }
        }
        if self.is_first {
            self.judge_volume();
        }
        self.judge_domains();
        Ok(())
    }

    /// Somebody speaks of an object that is not there.
    fn judge_missing(&mut self, id: ObjectId, seen: &Seen) {
        for (by, _) in seen.named_by.iter().flatten() {
            self.find(*by, Fault::Dangling(id));
        }
        if seen.orphan.is_some() {
            self.find(id, Fault::Orphan);
        }
    }

    fn judge_object(&mut self, id: ObjectId, said: Said, seen: &Seen) {
        for (by, kind) in seen.named_by.iter().flatten().filter(|(_, kind)| *kind != said.kind) {
            self.find(*by, Fault::EntryKind(id, *kind));
        }
        // The root is named by the volume, and a blob by its hash.
        let found = seen.names.saturating_add(u64::from(id == ObjectId::ROOT));
        let is_blob = said.kind == Kind::Blob;
        if !is_blob && found != u64::from(said.links) {
            self.find(id, Fault::Links { found, said: said.links.into() });
        }
        match seen.orphan {
            Some(Orphan::Whole) if found > 0 || seen.indexed => self.find(id, Fault::Orphan),
            Some(Orphan::From(_)) if said.kind != Kind::File => self.find(id, Fault::Orphan),
            None | Some(Orphan::From(_)) if !is_blob && found == 0 => self.find(id, Fault::Nameless),
            None if is_blob && !seen.indexed => self.find(id, Fault::Unindexed),
            _ => {}
        }
        if let Some(last) = seen.behind.filter(|_| seen.orphan.is_none()) {
            self.find(id, Fault::Behind(last));
        }
        let by = if id == ObjectId::ROOT { Some(ObjectId::VOLUME) } else { seen.first_by() };
        if let Some(found) = by.filter(|by| said.kind.has_names() && *by != said.parent) {
            self.find(id, Fault::Parent { found, said: said.parent });
        }
    }

    fn judge_volume(&mut self) {
        if self.root != Some(Kind::Namespace) {
            self.find(ObjectId::ROOT, Fault::Root);
        }
        let (found, said) = (self.count, self.volume.map_or(0, |volume| volume.objects));
        if found != said {
            self.find(ObjectId::VOLUME, Fault::Objects { found, said });
        }
    }

    fn judge_domains(&mut self) {
        let counts_names = self.volume.is_some_and(|volume| volume.counts_names);
        let next = self.domains.next();
        let domains = core::mem::replace(&mut self.domains, next);
        for (domain, counted) in domains.things() {
            let (domain, found, said) = (*domain, counted.found, counted.said);
            if found.blocks != said.blocks {
                let (found, said) = (found.blocks, said.blocks);
                self.find(ObjectId::VOLUME, Fault::DomainBlocks { domain, found, said });
            }
            if found.objects != said.objects {
                let (found, said) = (found.objects, said.objects);
                self.find(ObjectId::VOLUME, Fault::DomainObjects { domain, found, said });
            }
            if counts_names && found.names != said.names {
                let (found, said) = (found.names, said.names);
                self.find(ObjectId::VOLUME, Fault::DomainNames { domain, found, said });
            }
        }
    }
}

impl Seen {
    fn has_names(&self) -> bool {
        self.said.is_some_and(|said| said.kind.has_names())
    }

    /// Who has its first name.
    fn first_by(&self) -> Option<ObjectId> {
        self.named_by.first().copied().flatten().map(|(by, _)| by)
    }
}
