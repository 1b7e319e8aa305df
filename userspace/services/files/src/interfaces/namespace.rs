//! `Namespace`.

use super::{Namespace, creation, kind, list};
use crate::server::{Call, refused, writable};
use crate::thing::{Names, Thing};
use capos_fs::{Creation, Kind, ObjectId, Path};
use rt::generated::namespace::{ListReply, NamespaceServer, ResolveAnswer};
use rt::generated::{BlobClient, DirectoryClient, FileClient, NamespaceClient};
use rt::schema::directory::Creation as WireCreation;
use rt::{CallContext, Exception, ExceptionCode, Outgoing};

impl Call<Namespace> {
    /// A facet of what is held.
    fn facet_of(&self, id: ObjectId, kind: Kind, writable: bool) -> Result<Outgoing, Exception> {
        let at = self.on.0.at;
        let names = Names { id, writable, at };
        match kind {
            Kind::File => self.file(id, writable, at),
            Kind::Blob => self.blob(id, at),
            Kind::Directory => self.facet::<DirectoryClient>(Thing::Directory(names)),
            Kind::Namespace => self.facet::<NamespaceClient>(Thing::Namespace(names)),
        }
    }

    async fn open(&self, name: &str, kind: Kind, wire: WireCreation) -> Result<Outgoing, Exception> {
        let creation = creation(wire);
        if creation != Creation::Existing {
            writable(self.on.0.writable)?;
        }
        let id = self.opened(&self.on.0, name, kind, creation).await?;
        self.facet_of(id, kind, self.on.0.writable)
    }

    async fn bind(&self, name: &str, id: ObjectId, replace: bool) -> Result<(), Exception> {
        self.files.bind(self.on.0.id, name.as_bytes(), id, replace, self.now()).await.map_err(refused)
    }
}

impl NamespaceServer for Call<Namespace> {
    async fn list(&self, _cx: &CallContext, after: &str) -> Result<ListReply, Exception> {
        let (page, end) = list::page(&self.source(self.on.0.at)?, self.on.0.id, after).await?;
        Ok(ListReply { count: page.count, end, records: page.records })
    }

    async fn resolve(
        &self,
        _cx: &CallContext,
        writable: bool,
        name: &str,
    ) -> Result<ResolveAnswer, Exception> {
        if writable {
            crate::server::writable(self.on.0.writable)?;
        }
        let found =
            self.source(self.on.0.at)?.lookup(self.on.0.id, name.as_bytes()).await.map_err(refused)?.kind;
        // By now the name may lead to something else, of another kind even: then it is of the wrong kind, and who asks again finds that.
        let id = self.opened(&self.on.0, name, found, Creation::Existing).await?;
        Ok(ResolveAnswer { kind: kind(found), object: self.facet_of(id, found, writable)? })
    }

    async fn bind_blob(
        &self,
        _cx: &CallContext,
        blob: BlobClient,
        replace: bool,
        name: &str,
    ) -> Result<(), Exception> {
        writable(self.on.0.writable)?;
        match self.passed(async |challenge| blob.prove(challenge).await).await? {
            // What a snapshot calls by that number may be something else by now.
            Thing::Blob(blob) if blob.at.is_none() => self.bind(name, blob.id, replace).await,
            _ => Err(ExceptionCode::InvalidArgument.into()),
        }
    }

    async fn bind_file(
        &self,
        _cx: &CallContext,
        file: FileClient,
        replace: bool,
        name: &str,
    ) -> Result<(), Exception> {
        writable(self.on.0.writable)?;
        match self.passed(async |challenge| file.prove(challenge).await).await? {
            Thing::File(file) => {
                writable(file.writable)?;
                self.bind(name, file.id, replace).await
            }
            _ => Err(ExceptionCode::InvalidArgument.into()),
        }
    }

    async fn open_directory(
        &self,
        _cx: &CallContext,
        creation: WireCreation,
        name: &str,
    ) -> Result<Outgoing, Exception> {
        self.open(name, Kind::Directory, creation).await
    }

    async fn open_namespace(
        &self,
        _cx: &CallContext,
        creation: WireCreation,
        name: &str,
    ) -> Result<Outgoing, Exception> {
        self.open(name, Kind::Namespace, creation).await
    }

    async fn remove(&self, _cx: &CallContext, name: &str) -> Result<(), Exception> {
        writable(self.on.0.writable)?;
        self.files.remove(self.on.0.id, name.as_bytes(), self.now()).await.map_err(refused)
    }

    async fn rename(
        &self,
        _cx: &CallContext,
        replace: bool,
        name: &str,
        new_name: &str,
    ) -> Result<(), Exception> {
        writable(self.on.0.writable)?;
        let path = |name| Path { directory: self.on.0.id, name };
        let (from, to) = (path(name.as_bytes()), path(new_name.as_bytes()));
        self.files.rename(from, to, replace, self.now()).await.map_err(refused)
    }

    async fn sync(&self, _cx: &CallContext) -> Result<(), Exception> {
        Call::sync(self).await
    }

    async fn read_only(&self, _cx: &CallContext) -> Result<Outgoing, Exception> {
        self.hold(self.on.0.id, self.on.0.at);
        self.facet_of(self.on.0.id, Kind::Namespace, false)
    }

    async fn prove(&self, _cx: &CallContext, challenge: u64) -> Result<(), Exception> {
        Call::prove(self, challenge);
        Ok(())
    }

    async fn directory(&self, _cx: &CallContext) -> Result<Outgoing, Exception> {
        self.hold(self.on.0.id, self.on.0.at);
        self.facet_of(self.on.0.id, Kind::Directory, self.on.0.writable)
    }
}
