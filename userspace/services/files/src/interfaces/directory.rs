//! `Directory`.

use super::{Directory, creation, kind, list, source};
use crate::server::{Call, refused, writable};
use crate::thing::{Names, Thing};
use capos_fs::{Creation, Kind, Path};
use rt::generated::DirectoryClient;
use rt::generated::directory::{DirectoryServer, ListReply};
use rt::schema::directory::{Creation as WireCreation, InfoResults, StatResults};
use rt::{CallContext, Exception, ExceptionCode, Outgoing};

impl Call<Directory> {
    /// Refuses what this facet may not do.
    fn may(&self, wire: WireCreation, asks_to_write: bool) -> Result<Creation, Exception> {
        let creation = creation(wire);
        if creation != Creation::Existing || asks_to_write {
            writable(self.on.0.writable)?;
        }
        Ok(creation)
    }
}

impl DirectoryServer for Call<Directory> {
    async fn info(&self, _cx: &CallContext) -> Result<InfoResults, Exception> {
        let object = self.source(self.on.0.at)?.stat(self.on.0.id).await.map_err(refused)?;
        Ok(InfoResults {
            object: self.on.0.id.0,
            entries: object.size,
            created_ns: object.created.ns,
            modified_ns: object.modified.ns,
            created: source(object.created),
            modified: source(object.modified),
            writable: self.on.0.writable,
            domain: object.domain,
        })
    }

    async fn list(&self, _cx: &CallContext, after: &str) -> Result<ListReply, Exception> {
        let (page, end) = list::page(&self.source(self.on.0.at)?, self.on.0.id, after).await?;
        Ok(ListReply { count: page.count, end, records: page.records })
    }

    async fn stat(&self, _cx: &CallContext, name: &str) -> Result<StatResults, Exception> {
        let names = self.source(self.on.0.at)?;
        let entry = names.lookup(self.on.0.id, name.as_bytes()).await.map_err(refused)?;
        let object = names.stat(entry.object).await.map_err(refused)?;
        Ok(StatResults {
            kind: kind(entry.kind),
            object: entry.object.0,
            size: object.size,
            stored: object.blocks * capos_store::BLOCK as u64,
            created_ns: object.created.ns,
            modified_ns: object.modified.ns,
            created: source(object.created),
            modified: source(object.modified),
            links: object.links,
            domain: object.domain,
        })
    }

    async fn open_file(
        &self,
        _cx: &CallContext,
        creation: WireCreation,
        writable: bool,
        name: &str,
    ) -> Result<Outgoing, Exception> {
        let creation = self.may(creation, writable)?;
        if creation == Creation::Always && !writable {
            return Err(ExceptionCode::InvalidArgument.into());
        }
        let id = self.opened(&self.on.0, name, Kind::File, creation).await?;
        self.file(id, writable, self.on.0.at)
    }

    async fn open_directory(
        &self,
        _cx: &CallContext,
        creation: WireCreation,
        writable: bool,
        name: &str,
    ) -> Result<Outgoing, Exception> {
        let creation = self.may(creation, writable)?;
        let id = self.opened(&self.on.0, name, Kind::Directory, creation).await?;
        let names = Names { id, writable, at: self.on.0.at };
        self.facet::<DirectoryClient>(Thing::Directory(names))
    }

    async fn remove(&self, _cx: &CallContext, name: &str) -> Result<(), Exception> {
        writable(self.on.0.writable)?;
        self.files.remove(self.on.0.id, name.as_bytes(), self.now()).await.map_err(refused)
    }

    async fn rename(
        &self,
        _cx: &CallContext,
        to: DirectoryClient,
        replace: bool,
        name: &str,
        new_name: &str,
    ) -> Result<(), Exception> {
        writable(self.on.0.writable)?;
        let passed = self.passed(async |challenge| to.prove(challenge).await).await?;
        let Thing::Directory(target) = passed else { return Err(ExceptionCode::InvalidArgument.into()) };
        writable(target.writable)?;
        let from = Path { directory: self.on.0.id, name: name.as_bytes() };
        let to = Path { directory: target.id, name: new_name.as_bytes() };
        self.files.rename(from, to, replace, self.now()).await.map_err(refused)
    }

    async fn sync(&self, _cx: &CallContext) -> Result<(), Exception> {
        Call::sync(self).await
    }

    async fn read_only(&self, _cx: &CallContext) -> Result<Outgoing, Exception> {
        self.hold(self.on.0.id, self.on.0.at);
        self.facet::<DirectoryClient>(Thing::Directory(Names { writable: false, ..self.on.0 }))
    }

    async fn prove(&self, _cx: &CallContext, challenge: u64) -> Result<(), Exception> {
        Call::prove(self, challenge);
        Ok(())
    }
}
