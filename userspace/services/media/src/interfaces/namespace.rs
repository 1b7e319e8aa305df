//! `Namespace`: a directory under another interface, since that is what everything begins with.

use super::{Call, Names, denied, kind, only_reads};
use crate::server::Thing;
use alloc::rc::Rc;
use capos_media::Kind;
use rt::generated::namespace::{ListReply, NamespaceServer, ResolveAnswer};
use rt::generated::{BlobClient, DirectoryClient, FileClient, NamespaceClient};
use rt::schema::directory::Creation;
use rt::{CallContext, Exception, ExceptionCode, Outgoing};

impl NamespaceServer for Call<Names> {
    async fn list(&self, _cx: &CallContext, after: &str) -> Result<ListReply, Exception> {
        let (page, end) = self.page(&self.on.0, after).await?;
        Ok(ListReply { count: page.count, end, records: page.records })
    }

    async fn resolve(
        &self,
        _cx: &CallContext,
        writable: bool,
        name: &str,
    ) -> Result<ResolveAnswer, Exception> {
        only_reads(Creation::Existing, writable)?;
        let entry = self.find(&self.on.0, name).await?;
        let object = match entry.kind {
            Kind::File => self.file(&entry)?,
            Kind::Directory => self.directory(&self.on.0, &entry)?,
        };
        Ok(ResolveAnswer { kind: kind(&entry), object })
    }

    async fn bind_blob(
        &self,
        _cx: &CallContext,
        _blob: BlobClient,
        _replace: bool,
        _name: &str,
    ) -> Result<(), Exception> {
        denied()
    }

    async fn bind_file(
        &self,
        _cx: &CallContext,
        _file: FileClient,
        _replace: bool,
        _name: &str,
    ) -> Result<(), Exception> {
        denied()
    }

    async fn open_directory(
        &self,
        _cx: &CallContext,
        creation: Creation,
        name: &str,
    ) -> Result<Outgoing, Exception> {
        only_reads(creation, false)?;
        self.directory(&self.on.0, &self.find(&self.on.0, name).await?)
    }

    /// A medium has none but this.
    async fn open_namespace(
        &self,
        _cx: &CallContext,
        creation: Creation,
        name: &str,
    ) -> Result<Outgoing, Exception> {
        only_reads(creation, false)?;
        self.find(&self.on.0, name).await?;
        Err(ExceptionCode::WrongState.into())
    }

    async fn remove(&self, _cx: &CallContext, _name: &str) -> Result<(), Exception> {
        denied()
    }

    async fn rename(
        &self,
        _cx: &CallContext,
        _replace: bool,
        _name: &str,
        _new_name: &str,
    ) -> Result<(), Exception> {
        denied()
    }

    async fn sync(&self, _cx: &CallContext) -> Result<(), Exception> {
        Ok(())
    }

    async fn read_only(&self, _cx: &CallContext) -> Result<Outgoing, Exception> {
        self.facet::<NamespaceClient>(Thing::Namespace(Rc::clone(&self.on.0)))
    }

    async fn prove(&self, _cx: &CallContext, _challenge: u64) -> Result<(), Exception> {
        Ok(())
    }

    async fn directory(&self, _cx: &CallContext) -> Result<Outgoing, Exception> {
        self.facet::<DirectoryClient>(Thing::Directory(Rc::clone(&self.on.0)))
    }
}
