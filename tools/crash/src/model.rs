//! What the operations mean, in the plainest way.

use std::collections::BTreeMap;

use capos_fs::{Error, Kind, Name};

use crate::dump::{Dump, Node, in_snapshot, quota};
use crate::op::{Op, pattern, split};

#[derive(Clone, Debug)]
struct Object {
    kind: Kind,
    links: u32,
    domain: u32,
    data: Vec<u8>,
    names: BTreeMap<String, u64>,
}

impl Object {
    fn empty(kind: Kind) -> Object {
        Object { kind, links: 0, domain: 0, data: Vec::new(), names: BTreeMap::new() }
    }
}

/// Names and bytes in memory.
#[derive(Clone, Debug)]
pub struct Model {
    objects: BTreeMap<u64, Object>,
    next: u64,
    /// What was to be seen then, of names.
    snapshots: BTreeMap<String, Dump>,
    quotas: BTreeMap<u32, (u64, u64)>,
    /// Most bytes of a file.
    most: u64,
}

const ROOT: u64 = 1;

impl Model {
    /// Of an empty volume on a disk of so many bytes.
    pub fn new(most: u64) -> Model {
        let root = Object { links: 1, ..Object::empty(Kind::Namespace) };
        let (snapshots, quotas) = (BTreeMap::new(), BTreeMap::new());
        Model { objects: BTreeMap::from([(ROOT, root)]), next: ROOT + 1, snapshots, quotas, most }
    }

    /// Everything that can be seen.
    pub fn dump(&self) -> Dump {
        let mut dump = self.names_now();
        let limited = self.quotas.iter().filter(|(_, most)| **most != (0, 0));
        let names = |domain| self.objects.values().filter(move |object| object.domain == domain);
        let names = |domain| names(domain).map(|object| object.names.len() as u64).sum();
        dump.extend(limited.map(|(domain, most)| quota(*domain, most.0, most.1, names(*domain))));
        for (name, then) in &self.snapshots {
            let prefix = in_snapshot(name);
            dump.extend(then.iter().map(|(path, node)| (format!("{prefix}{path}"), node.clone())));
        }
        dump
    }

    fn names_now(&self) -> Dump {
        let mut dump = Dump::new();
        let mut open = vec![(String::new(), ROOT)];
        while let Some((path, id)) = open.pop() {
            for (name, id) in self.objects.get(&id).into_iter().flat_map(|object| &object.names) {
                let path = format!("{path}{name}");
                let Some(object) = self.objects.get(id) else { continue };
                let Object { kind, links, domain, ref data, .. } = *object;
                let node = Node { kind, links, domain, data: data.clone() };
                dump.insert(path.clone(), node);
                open.push((format!("{path}/"), *id));
            }
        }
        dump
    }

    /// Does an operation, or says why it is refused.
    pub fn apply(&mut self, op: &Op) -> Result<(), Error> {
        match op {
            Op::Make(kind, path) => self.make(*kind, path).map(|_| ()),
            Op::Write(path, offset, length, value) => {
                let file = self.file(path)?;
                self.write(file, *offset, &pattern(*offset, *length, *value))
            }
            Op::Append(path, length, value) => {
                let file = self.file(path)?;
                let end = self.objects[&file].data.len() as u64;
                self.write(file, end, &pattern(end, *length, *value))
            }
            Op::Truncate(path, size) => {
                let file = self.file(path)?;
                if *size > self.most {
                    return Err(Error::Range);
                }
                self.data(file).resize(*size as usize, 0);
                Ok(())
            }
            Op::Clear(path, offset, length) => {
                let file = self.file(path)?;
                let data = self.data(file);
                let start = (*offset as usize).min(data.len());
                let end = (offset.saturating_add(*length) as usize).min(data.len());
                data[start..end.max(start)].fill(0);
                Ok(())
            }
            Op::Remove(path) => self.remove(path),
            Op::Rename(from, to, replace) => self.rename(from, to, *replace),
            Op::Blob(path, length, value) => self.blob(path, pattern(0, *length, *value)),
            Op::Bind(from, to, replace) => self.bind(from, to, *replace),
            Op::Hold(path) => {
                let (above, name) = self.place(path)?;
                let id = self.entry(above, name)?.ok_or(Error::NotFound)?;
                if self.objects[&id].kind == Kind::File { Ok(()) } else { Err(Error::Kind) }
            }
            Op::Snapshot(name) => {
                let now = self.names_now();
                let is_new = !self.snapshots.contains_key(name);
                self.snapshots.entry(name.clone()).or_insert(now);
                if is_new { Ok(()) } else { Err(Error::Exists) }
            }
            Op::Drop(name) => self.snapshots.remove(name).map(|_| ()).ok_or(Error::NotFound),
            Op::Assign(path, domain) => self.assign(path, *domain),
            Op::Quota(domain, blocks, objects) => {
                self.quotas.insert(*domain, (*blocks, *objects));
                Ok(())
            }
            Op::Collect | Op::Sync => Ok(()),
        }
    }

    fn data(&mut self, id: u64) -> &mut Vec<u8> {
        &mut self.objects.get_mut(&id).expect("it was found").data
    }

    fn names(&mut self, id: u64) -> &mut BTreeMap<String, u64> {
        &mut self.objects.get_mut(&id).expect("it was found").names
    }

    /// What is under a name of something that must have names.
    fn entry(&self, above: u64, name: &str) -> Result<Option<u64>, Error> {
        Name::new(name.as_bytes())?;
        let object = self.objects.get(&above).ok_or(Error::NotFound)?;
        if !object.kind.has_names() {
            return Err(Error::Kind);
        }
        Ok(object.names.get(name).copied())
    }

    fn find(&self, path: &str) -> Result<u64, Error> {
        path.split('/').try_fold(ROOT, |at, name| self.entry(at, name)?.ok_or(Error::NotFound))
    }

    fn place<'a>(&self, path: &'a str) -> Result<(u64, &'a str), Error> {
        let (above, name) = split(path);
        Ok((above.map_or(Ok(ROOT), |above| self.find(above))?, name))
    }

    fn file(&self, path: &str) -> Result<u64, Error> {
        let id = self.find(path)?;
        if self.objects[&id].kind == Kind::File { Ok(id) } else { Err(Error::Kind) }
    }

    fn make(&mut self, kind: Kind, path: &str) -> Result<u64, Error> {
        let (above, name) = self.place(path)?;
        if self.entry(above, name)?.is_some() {
            return Err(Error::Exists);
        }
        if !self.objects[&above].kind.may_name(kind) {
            return Err(Error::Kind);
        }
        let domain = self.objects[&above].domain;
        Ok(self.add(above, name, Object { links: 1, domain, ..Object::empty(kind) }))
    }

    fn assign(&mut self, path: &str, domain: u32) -> Result<(), Error> {
        let id = self.find(path)?;
        let object = self.objects.get_mut(&id).ok_or(Error::NotFound)?;
        match (object.kind.has_names(), object.names.is_empty()) {
            (false, _) => Err(Error::Kind),
            (true, false) => Err(Error::NotEmpty),
            (true, true) => {
                object.domain = domain;
                Ok(())
            }
        }
    }

    fn add(&mut self, above: u64, name: &str, object: Object) -> u64 {
        let id = self.next;
        self.next += 1;
        self.objects.insert(id, object);
        self.names(above).insert(name.to_owned(), id);
        id
    }

    fn write(&mut self, file: u64, offset: u64, data: &[u8]) -> Result<(), Error> {
        let end = offset + data.len() as u64;
        if end.div_ceil(4096) * 4096 > self.most {
            return Err(Error::Range);
        }
        if data.is_empty() {
            return Ok(());
        }
        let place = self.data(file);
        place.resize(place.len().max(end as usize), 0);
        place[offset as usize..end as usize].copy_from_slice(data);
        Ok(())
    }

    fn remove(&mut self, path: &str) -> Result<(), Error> {
        let (above, name) = self.place(path)?;
        let id = self.entry(above, name)?.ok_or(Error::NotFound)?;
        if !self.objects[&id].names.is_empty() {
            return Err(Error::NotEmpty);
        }
        self.names(above).remove(name);
        self.unlink(id);
        Ok(())
    }

    fn unlink(&mut self, id: u64) {
        let Some(object) = self.objects.get_mut(&id).filter(|object| object.kind != Kind::Blob) else {
            return;
        };
        object.links -= 1;
        if object.links == 0 {
            self.objects.remove(&id);
        }
    }

    fn rename(&mut self, from: &str, to: &str, replace: bool) -> Result<(), Error> {
        let (source, name) = self.place(from)?;
        let (target, new_name) = self.place(to)?;
        Name::new(new_name.as_bytes())?;
        let id = self.entry(source, name)?.ok_or(Error::NotFound)?;
        if (source, name) == (target, new_name) {
            return Ok(());
        }
        let old = self.entry(target, new_name)?;
        let kind = self.objects[&id].kind;
        if let Some(old) = old {
            if !replace {
                return Err(Error::Exists);
            }
            if self.objects[&old].kind != kind {
                return Err(Error::Kind);
            }
        }
        if !self.objects[&target].kind.may_name(kind) {
            return Err(Error::Kind);
        }
        if self.objects[&source].domain != self.objects[&target].domain {
            return Err(Error::Domain);
        }
        if kind.has_names() && source != target && self.is_below(target, id) {
            return Err(Error::Cycle);
        }
        if old.is_some_and(|old| !self.objects[&old].names.is_empty()) {
            return Err(Error::NotEmpty);
        }
        self.names(source).remove(name);
        self.names(target).insert(new_name.to_owned(), id);
        if let Some(old) = old {
            self.unlink(old);
        }
        Ok(())
    }

    fn is_below(&self, id: u64, above: u64) -> bool {
        let mut open = vec![above];
        while let Some(at) = open.pop() {
            if at == id {
                return true;
            }
            open.extend(self.objects.get(&at).into_iter().flat_map(|object| object.names.values()));
        }
        false
    }

    fn blob(&mut self, path: &str, data: Vec<u8>) -> Result<(), Error> {
        let (above, name) = self.place(path)?;
        if data.len().div_ceil(4096) as u64 * 4096 > self.most {
            return Err(Error::Range);
        }
        let taken = self.entry(above, name)?.is_some();
        if self.objects[&above].kind != Kind::Namespace {
            return Err(Error::Kind);
        }
        if taken {
            return Err(Error::Exists);
        }
        self.add(above, name, Object { data, ..Object::empty(Kind::Blob) });
        Ok(())
    }

    fn bind(&mut self, from: &str, to: &str, replace: bool) -> Result<(), Error> {
        let id = self.find(from)?;
        let (above, name) = self.place(to)?;
        let old = self.entry(above, name)?;
        let kind = self.objects[&id].kind;
        if kind.has_names() || self.objects[&above].kind != Kind::Namespace {
            return Err(Error::Kind);
        }
        if let Some(old) = old {
            if !replace {
                return Err(Error::Exists);
            }
            // Equal blobs are one.
            if old == id || (kind == Kind::Blob && self.objects[&old].data == self.objects[&id].data) {
                return Ok(());
            }
            if self.objects[&old].kind != kind {
                return Err(Error::Kind);
            }
        }
        self.names(above).insert(name.to_owned(), id);
        if kind == Kind::File {
            self.objects.get_mut(&id).expect("it was found").links += 1;
        }
        if let Some(old) = old {
            self.unlink(old);
        }
        Ok(())
    }
}
