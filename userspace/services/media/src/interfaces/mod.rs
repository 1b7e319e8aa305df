//! Each interface, for one call.

mod directory;
mod file;
mod namespace;

use crate::server::{Medium, Server, Thing, refused};
use alloc::rc::Rc;
use capos_fs::Name;
use capos_media::{Directory, Entry, File, Kind, Listing};
use kit::listing::{Page, Record};
use kit::memory::Memory;
use rt::generated::{DirectoryClient, FileClient};
use rt::schema::directory::{Creation, EntryKind};
use rt::schema::file::TimeSource;
use rt::{CallContext, Client, Exception, ExceptionCode, Outgoing};

/// One call: of whom, and on what.
pub struct Call<T> {
    /// The service.
    pub server: Rc<Server>,
    /// The medium.
    pub medium: Rc<Medium>,
    /// Who calls.
    pub cx: CallContext,
    /// What was called.
    pub on: T,
}

/// A directory is called as a namespace.
pub struct Names(pub Rc<Directory>);

/// A file, through one facet.
pub struct Open {
    file: File,
    /// What was attached to the facet.
    memory: Memory,
}

impl<T> Call<T> {
    fn facet<C: Client + Into<Outgoing>>(&self, thing: Thing) -> Result<Outgoing, Exception> {
        Ok(self.server.facets.mint::<C>(&self.cx, thing)?.into())
    }

    async fn listing(&self, directory: &Directory) -> Result<Rc<Listing>, Exception> {
        self.medium.list(directory).await.map_err(refused)
    }

    /// Entries behind a name, as many as fit, and whether these are all. What hides further ones is told when all that are there were.
    async fn page(&self, directory: &Directory, after: &str) -> Result<(Page, bool), Exception> {
        let listing = self.listing(directory).await?;
        let left = listing.after(after);
        let mut page = Page::default();
        let added = left.iter().take_while(|entry| page.add(&record(entry))).count();
        match listing.damage() {
            Some(damage) if left.is_empty() => Err(refused(damage.clone())),
            damage => Ok((page, added == left.len() && damage.is_none())),
        }
    }

    /// What a name leads to.
    async fn find(&self, directory: &Directory, name: &str) -> Result<Entry, Exception> {
        Name::new(name.as_bytes()).map_err(|_| ExceptionCode::InvalidArgument)?;
        let listing = self.listing(directory).await?;
        listing.find(name).cloned().map_err(refused)
    }

    fn file(&self, entry: &Entry) -> Result<Outgoing, Exception> {
        let (file, memory) = (self.medium.file(entry).map_err(refused)?, Memory::default());
        self.facet::<FileClient>(Thing::File(Rc::new(Open { file, memory })))
    }

    fn directory(&self, above: &Rc<Directory>, entry: &Entry) -> Result<Outgoing, Exception> {
        let directory = self.medium.directory(above, entry).map_err(refused)?;
        self.facet::<DirectoryClient>(Thing::Directory(directory))
    }
}

/// Nothing can be changed here, nor made.
fn denied<T>() -> Result<T, Exception> {
    Err(ExceptionCode::Denied.into())
}

/// Refuses to open what would be there to be changed.
fn only_reads(creation: Creation, writable: bool) -> Result<(), Exception> {
    if writable || creation != Creation::Existing { denied() } else { Ok(()) }
}

fn kind(entry: &Entry) -> EntryKind {
    match entry.kind {
        Kind::File => EntryKind::File,
        Kind::Directory => EntryKind::Directory,
    }
}

/// A time as clients see it: whoever wrote the medium stamped it with their clock.
fn stamp(time: Option<u64>) -> (u64, TimeSource) {
    time.map_or((0, TimeSource::Unknown), |ns| (ns, TimeSource::Host))
}

fn record(entry: &Entry) -> Record<'_> {
    let (modified_ns, source) = stamp(entry.modified);
    Record {
        object: entry.object,
        size: entry.size,
        modified_ns,
        source,
        kind: kind(entry),
        name: &entry.name,
    }
}
