//! Names: made, looked up and taken away.

use crate::change::Change;
use crate::clean::Doom;
use crate::error::Error;
use crate::fs::Fs;
use crate::key::{self, EntryKey, ObjectId};
use crate::look::{self, Listing, Run};
use crate::name::Name;
use crate::record::{Entry, Hash, Kind, Object, Orphan};
use crate::time::Stamp;
use crate::volume::{View as _, Volume};
use capos_store::{BLOCK, Disk};

/// What is done about a name that is there, or not. As in schema/directory.capnp.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Creation {
    /// It must be there.
    Existing,
    /// It is made if it is not there.
    Missing,
    /// It is made, and must not be there.
    Always,
}

/// The directory of an operation, and what is there under the name.
pub(crate) struct Place<'a> {
    pub(crate) id: ObjectId,
    pub(crate) name: Name<'a>,
    pub(crate) directory: Object,
    pub(crate) entry: Option<Entry>,
}

impl Place<'_> {
    /// The entry, which must be there.
    pub(crate) fn there(&self) -> Result<Entry, Error> {
        self.entry.ok_or(Error::NotFound)
    }

    /// The key of the entry.
    pub(crate) fn key(&self) -> EntryKey {
        EntryKey::new(self.id, self.name)
    }

    /// Writes the directory's record, with so many entries more.
    pub(crate) fn touch(&self, change: &mut Change, entries: i64, now: Stamp) {
        change.names.domain = self.directory.domain;
        change.names.more = change.names.more.saturating_add(entries);
        let size = self.directory.size.saturating_add_signed(entries);
        change.put(&key::object(self.id), &Object { size, modified: now, ..self.directory }.encode());
    }
}

impl<V: Volume> Fs<V> {
    /// What a name leads to.
    ///
    /// # Errors
    /// `NotFound`; `Kind` when `directory` is none.
    pub async fn lookup(&self, directory: ObjectId, name: &[u8]) -> Result<Entry, Error> {
        let name = Name::new(name)?;
        let _look = self.tree.look().await;
        look::names(&self.view, directory).await?;
        look::entry(&self.view, directory, name).await?.ok_or(Error::NotFound)
    }

    /// What is known of an object.
    ///
    /// # Errors
    /// `NotFound` when it is gone.
    pub async fn stat(&self, object: ObjectId) -> Result<Object, Error> {
        let _look = self.tree.look().await;
        look::object(&self.view, object).await
    }

    /// Up to `most` names behind `after`, which is empty for the first.
    ///
    /// # Errors
    /// `Kind` when `directory` is none.
    pub async fn list(&self, directory: ObjectId, after: &[u8], most: usize) -> Result<Listing, Error> {
        let _look = self.tree.look().await;
        look::list(&self.view, directory, after, most).await
    }

    /// Reads bytes of a file or blob; how many there were. What was never written is zeros.
    ///
    /// # Errors
    /// `Kind` when it has no bytes.
    pub async fn read(&self, object: ObjectId, offset: u64, to: &mut [u8]) -> Result<usize, Error> {
        let _look = self.tree.look().await;
        if let Some((pointer, range)) = self.view.piece(object, offset, to.len())
            && (range.len(), to.len()) == (BLOCK, BLOCK)
        {
            self.view.read_data(&[pointer], to).await?;
            return Ok(to.len());
        }
        look::read(&self.view, object, offset, to).await
    }

    /// The first run of stored bytes at or behind `offset`, or its begin.
    ///
    /// # Errors
    /// `Kind` when it has no bytes.
    pub async fn run(&self, object: ObjectId, offset: u64) -> Result<Option<Run>, Error> {
        let _look = self.tree.look().await;
        look::run(&self.view, object, offset).await
    }

    /// Opens what a name leads to, which is or becomes a `kind`, and holds it until [`Fs::release`].
    ///
    /// # Errors
    /// As `creation` says; `Kind` when the name leads to something else, or `directory` cannot have such names.
    pub async fn open(
        &self,
        directory: ObjectId,
        name: &[u8],
        kind: Kind,
        creation: Creation,
        now: Stamp,
    ) -> Result<Entry, Error> {
        let name = Name::new(name)?;
        if creation == Creation::Existing {
            let _look = self.tree.look().await;
            look::names(&self.view, directory).await?;
            let entry = look::entry(&self.view, directory, name).await?.ok_or(Error::NotFound)?;
            self.hold(look::expect(entry, kind)?.object);
            return Ok(entry);
        }
        let _turn = self.begin().await?;
        let place = self.place(directory, name).await?;
        let entry = match place.entry {
            Some(_) if creation == Creation::Always => return Err(Error::Exists),
            Some(entry) => look::expect(entry, kind)?,
            None => self.create(&place, kind, now).await?,
        };
        self.hold(entry.object);
        Ok(entry)
    }

    pub(crate) async fn place<'a>(&self, id: ObjectId, name: Name<'a>) -> Result<Place<'a>, Error> {
        let directory = look::names(&self.view, id).await?;
        let entry = look::entry(&self.view, id, name).await?;
        Ok(Place { id, name, directory, entry })
    }

    async fn create(&self, place: &Place<'_>, kind: Kind, now: Stamp) -> Result<Entry, Error> {
        // A blob is made of its bytes, and named by `bind`.
        if kind == Kind::Blob || !place.directory.kind.may_name(kind) {
            return Err(Error::Kind);
        }
        let domain = place.directory.domain;
        let mut change = Change::of(domain, 0, 1);
        self.room(change.charge).await?;
        let entry = Entry { kind, object: self.new_id() };
        let object = Object { parent: place.id, ..Object::new(kind, domain, now) };
        change.put(&key::object(entry.object), &object.encode());
        change.put(place.key().bytes(), &entry.encode());
        place.touch(&mut change, 1, now);
        self.room_for_names(change.names).await?;
        self.apply(change).await?;
        Ok(entry)
    }

    /// The number of the next object; it is used up by a change that is charged with one.
    pub(crate) fn new_id(&self) -> ObjectId {
        ObjectId(self.state.borrow().volume.next)
    }

    /// Takes a name away, and what it leads to if that has no other and nobody holds it.
    ///
    /// # Errors
    /// `NotEmpty` for a directory that is not.
    pub async fn remove(&self, directory: ObjectId, name: &[u8], now: Stamp) -> Result<(), Error> {
        let name = Name::new(name)?;
        let turn = self.begin().await?;
        let place = self.place(directory, name).await?;
        let entry = place.there()?;
        let alone = self.tree.change().await;
        let doom = self.doom(entry).await?;
        let mut change = doom.change();
        change.removal = true;
        change.remove(place.key().bytes());
        place.touch(&mut change, -1, now);
        self.apply_alone(alone, change).await?;
        self.doomed(&doom);
        drop(turn);
        self.clean(entry.object).await;
        Ok(())
    }

    /// Gives a file or a blob one more name, in a namespace. With `replace` that may be the name of another of the kind.
    ///
    /// # Errors
    /// `Kind` when it is neither; `Exists`; `Quota` when the namespace's domain may have no more names.
    pub async fn bind(
        &self,
        namespace: ObjectId,
        name: &[u8],
        id: ObjectId,
        replace: bool,
        now: Stamp,
    ) -> Result<(), Error> {
        let name = Name::new(name)?;
        let turn = self.begin().await?;
        let place = self.place(namespace, name).await?;
        let object = look::bytes(&self.view, id).await?;
        if place.directory.kind != Kind::Namespace {
            return Err(Error::Kind);
        }
        let old = match place.entry {
            Some(_) if !replace => return Err(Error::Exists),
            Some(old) if old.object == id => return Ok(()),
            Some(old) => Some(look::expect(old, object.kind)?),
            None => None,
        };
        // A file that is held and has no name is to stay now. Without the first it is going already, and so is a blob that is none yet.
        let is_orphan = self.state.borrow().orphans.get(&id) == Some(&Orphan::Whole);
        if is_orphan && (object.kind == Kind::Blob || !self.is_held(id)) {
            return Err(Error::NotFound);
        }
        let alone = self.tree.change().await;
        let doom = self.doom_old(old).await?;
        let mut change = doom.as_ref().map(Doom::change).unwrap_or_default();
        change.put(place.key().bytes(), &Entry { kind: object.kind, object: id }.encode());
        if object.kind == Kind::Blob {
            self.mark(&mut change, id).await?;
        } else {
            let links = object.links.checked_add(1).ok_or(Error::Range)?;
            change.put(&key::object(id), &Object { links, ..object }.encode());
            if is_orphan {
                change.remove(&key::orphan(id));
            }
        }
        place.touch(&mut change, i64::from(old.is_none()), now);
        self.room_for_names(change.names).await?;
        self.apply_alone(alone, change).await?;
        if is_orphan {
            self.state.borrow_mut().orphans.remove(&id);
        }
        doom.iter().for_each(|doom| self.doomed(doom));
        drop(turn);
        if let Some(old) = old {
            self.clean(old.object).await;
        }
        Ok(())
    }

    pub(crate) async fn doom_old(&self, old: Option<Entry>) -> Result<Option<Doom>, Error> {
        match old {
            Some(old) => self.doom(old).await.map(Some),
            None => Ok(None),
        }
    }

    /// Notes that a blob was seen to be named in the collection that is under way.
    pub(crate) async fn mark(&self, change: &mut Change, blob: ObjectId) -> Result<(), Error> {
        let mark = self.state.borrow().volume.collection;
        let hash = look::hash(&self.view, blob).await?;
        if hash.mark != mark {
            change.put(&key::hash(blob), &Hash { mark, ..hash }.encode());
        }
        Ok(())
    }

    /// Makes whatever will be in an empty directory or namespace count for a domain.
    ///
    /// # Errors
    /// `NotEmpty`, `Kind`; `Quota` when the domain has no room for the directory.
    pub async fn assign(&self, directory: ObjectId, domain: u32) -> Result<(), Error> {
        let _turn = self.begin().await?;
        let object = look::names(&self.view, directory).await?;
        if object.size > 0 {
            return Err(Error::NotEmpty);
        }
        let mut change = Change::of(domain, 0, 1);
        self.room(change.charge).await?;
        change.put(&key::object(directory), &Object { domain, ..object }.encode());
        self.apply(change).await?;
        self.apply(Change::of(object.domain, 0, -1)).await
    }
}

impl<D: Disk> Fs<capos_store::Volume<D>> {
    /// Looks at up to `length` bytes of a file or blob, fewer at its end, if they lie in one block that is in memory and nobody changes anything. What
    /// waits for nothing needs no task: else it is for [`Fs::read`].
    pub fn read_here<T>(
        &self,
        object: ObjectId,
        offset: u64,
        length: usize,
        look: impl FnOnce(&[u8]) -> T,
    ) -> Option<T> {
        let _look = self.tree.try_look()?;
        let (pointer, range) = self.view.piece(object, offset, length)?;
        self.volume().here(&pointer, |block| block.get(range).map(look))?
    }
}
