//! What the books say when all records went by.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::books::{Books, Seen};
use super::finding::{Fault, Finding};
use crate::key::{ObjectId, Part};
use crate::look::BLOCK_BYTES;
use crate::record::{Domain, Kind, Object, Orphan};

impl Books {
    /// Everything that does not fit.
    pub(super) fn judge(mut self) -> Vec<Finding> {
        let objects = core::mem::take(&mut self.objects);
        for (id, seen) in &objects {
            match &seen.object {
                Some(object) => self.judge_object(*id, object, seen, &objects),
                None => self.judge_missing(*id, seen),
            }
        }
        if objects.get(&ObjectId::ROOT).and_then(|seen| seen.object).map(|root| root.kind)
            != Some(Kind::Namespace)
        {
            self.find(ObjectId::ROOT, Fault::Root);
        }
        self.judge_rings(&objects);
        self.judge_counts(&objects);
        self.findings
    }

    /// Somebody speaks of an object that is not there.
    fn judge_missing(&mut self, id: ObjectId, seen: &Seen) {
        if !seen.parts.is_empty() {
            self.find(id, Fault::Missing);
        }
        for (by, _) in &seen.named_by {
            self.find(*by, Fault::Dangling(id));
        }
        if seen.orphan.is_some() {
            self.find(id, Fault::Orphan);
        }
        if seen.index.is_some() {
            self.find(id, Fault::Index);
        }
    }

    fn judge_object(&mut self, id: ObjectId, object: &Object, seen: &Seen, all: &BTreeMap<ObjectId, Seen>) {
        let has_names = object.kind.has_names();
        for part in &seen.parts {
            let is_own = match part {
                Part::Object => true,
                Part::Entry => has_names,
                Part::Stretch => !has_names,
                Part::Hash => object.kind == Kind::Blob,
                _ => false,
            };
            if !is_own {
                self.find(id, Fault::Foreign(object.kind, *part));
            }
        }
        for (by, kind) in &seen.named_by {
            let holder = all.get(by).and_then(|seen| seen.object);
            if *kind != object.kind || holder.is_some_and(|holder| !holder.kind.may_name(*kind)) {
                self.find(*by, Fault::EntryKind(id, *kind));
            }
        }
        self.judge_names(id, object, seen);
        self.judge_bytes(id, object, seen);
    }

    fn judge_names(&mut self, id: ObjectId, object: &Object, seen: &Seen) {
        let said = u64::from(object.links);
        // The root is named by the volume, and a blob by its hash.
        let found = seen.names.saturating_add(u64::from(id == ObjectId::ROOT));
        let is_blob = object.kind == Kind::Blob;
        if !is_blob && found != said {
            self.find(id, Fault::Links { found, said });
        }
        match seen.orphan {
            Some(Orphan::Whole) if found > 0 || seen.index.is_some() => self.find(id, Fault::Orphan),
            Some(Orphan::From(_)) if object.kind != Kind::File => self.find(id, Fault::Orphan),
            None | Some(Orphan::From(_)) if !is_blob && found == 0 => self.find(id, Fault::Nameless),
            None if is_blob && (seen.index.is_none() || seen.hash.is_none()) => {
                self.find(id, Fault::Unindexed)
            }
            _ => {}
        }
        if seen.index.is_some() && (!is_blob || seen.index != seen.hash) {
            self.find(id, Fault::Index);
        }
        if !object.kind.has_names() {
            return;
        }
        if seen.entries != object.size {
            self.find(id, Fault::Entries { found: seen.entries, said: object.size });
        }
        let by = if id == ObjectId::ROOT {
            Some(ObjectId::VOLUME)
        } else {
            seen.named_by.first().map(|(by, _)| *by)
        };
        if let Some(found) = by.filter(|by| *by != object.parent) {
            self.find(id, Fault::Parent { found, said: object.parent });
        }
    }

    fn judge_bytes(&mut self, id: ObjectId, object: &Object, seen: &Seen) {
        if seen.blocks != object.blocks {
            self.find(id, Fault::Blocks { found: seen.blocks, said: object.blocks });
        }
        if let Some(last) = seen.last
            && !object.kind.has_names()
            && last >= object.size.div_ceil(BLOCK_BYTES)
            && seen.orphan.is_none()
        {
            self.find(id, Fault::Behind(last));
        }
    }

    /// Directories whose way up does not end at the root.
    fn judge_rings(&mut self, objects: &BTreeMap<ObjectId, Seen>) {
        let parent = |id: &ObjectId| objects.get(id).and_then(|seen| seen.object).map(|object| object.parent);
        let names = |seen: &Seen| seen.object.is_some_and(|object| object.kind.has_names());
        // What is known to reach the root.
        let mut sound: BTreeMap<ObjectId, bool> = BTreeMap::from([(ObjectId::VOLUME, true)]);
        for (id, _) in objects.iter().filter(|(_, seen)| names(seen)) {
            let mut way = Vec::new();
            let mut at = *id;
            let reaches = loop {
                if let Some(known) = sound.get(&at) {
                    break *known;
                }
                // Until this way is known to be sound it is not: coming here again is a ring.
                sound.insert(at, false);
                way.push(at);
                match parent(&at) {
                    Some(parent) => at = parent,
                    None => break false,
                }
            };
            if !reaches {
                self.find(*id, Fault::Ring);
            }
            sound.extend(way.into_iter().map(|at| (at, reaches)));
        }
    }

    fn judge_counts(&mut self, objects: &BTreeMap<ObjectId, Seen>) {
        let mut domains: BTreeMap<u32, Domain> = BTreeMap::new();
        let mut count = 0u64;
        let next = self.volume.map_or(0, |volume| volume.next);
        for (id, object) in objects.iter().filter_map(|(id, seen)| Some((id, seen.object?))) {
            let domain = domains.entry(object.domain).or_default();
            domain.blocks = domain.blocks.saturating_add(object.blocks);
            domain.objects = domain.objects.saturating_add(1);
            count = count.saturating_add(1);
            if id.0 >= next {
                self.find(*id, Fault::Number);
            }
        }
        let said = self.volume.map_or(0, |volume| volume.objects);
        if count != said {
            self.find(ObjectId::VOLUME, Fault::Objects { found: count, said });
        }
        let all: Vec<u32> = domains.keys().chain(self.domains.keys()).copied().collect();
        for number in all {
            let found = domains.get(&number).copied().unwrap_or_default();
            // Each is judged once, though two lists may have it.
            let said = self.domains.insert(number, found).unwrap_or_default();
            let domain = number;
            if found.blocks != said.blocks {
                let (found, said) = (found.blocks, said.blocks);
                self.find(ObjectId::VOLUME, Fault::DomainBlocks { domain, found, said });
            }
            if found.objects != said.objects {
                let (found, said) = (found.objects, said.objects);
                self.find(ObjectId::VOLUME, Fault::DomainObjects { domain, found, said });
            }
        }
    }
}
