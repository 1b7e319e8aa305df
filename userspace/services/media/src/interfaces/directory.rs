//! `Directory`.

use super::{Call, denied, kind, only_reads, stamp};
use crate::server::Thing;
use alloc::rc::Rc;
use capos_media::Directory;
use rt::generated::DirectoryClient;
use rt::generated::directory::{DirectoryServer, ListReply};
use rt::schema::directory::{Creation, InfoResults, StatResults};
use rt::{CallContext, Exception, Outgoing};

impl DirectoryServer for Call<Rc<Directory>> {
    async fn info(&self, _cx: &CallContext) -> Result<InfoResults, Exception> {
        let entries = self.listing(&self.on).await?.count() as u64;
        let [(created_ns, created), (modified_ns, modified)] = [self.on.created, self.on.modified].map(stamp);
        let object = self.on.object;
        let (writable, domain) = (false, 0);
        Ok(InfoResults { object, entries, created_ns, modified_ns, created, modified, writable, domain })
    }

    async fn list(&self, _cx: &CallContext, after: &str) -> Result<ListReply, Exception> {
        let (page, end) = self.page(&self.on, after).await?;
        Ok(ListReply { count: page.count, end, records: page.records })
    }

    async fn stat(&self, _cx: &CallContext, name: &str) -> Result<StatResults, Exception> {
        let entry = self.find(&self.on, name).await?;
        let [(created_ns, created), (modified_ns, modified)] = [entry.created, entry.modified].map(stamp);
        let (object, size, stored) = (entry.object, entry.size, entry.size);
        let (kind, links, domain) = (kind(&entry), 1, 0);
        Ok(StatResults {
            kind,
            object,
            size,
            stored,
            created_ns,
            modified_ns,
            created,
            modified,
            links,
            domain,
        })
    }

    async fn open_file(
        &self,
        _cx: &CallContext,
        creation: Creation,
        writable: bool,
        name: &str,
    ) -> Result<Outgoing, Exception> {
        only_reads(creation, writable)?;
        self.file(&self.find(&self.on, name).await?)
    }

    async fn open_directory(
        &self,
        _cx: &CallContext,
        creation: Creation,
        writable: bool,
        name: &str,
    ) -> Result<Outgoing, Exception> {
        only_reads(creation, writable)?;
        self.directory(&self.on, &self.find(&self.on, name).await?)
    }

    async fn remove(&self, _cx: &CallContext, _name: &str) -> Result<(), Exception> {
        denied()
    }

    async fn rename(
        &self,
        _cx: &CallContext,
        _to: DirectoryClient,
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
        self.facet::<DirectoryClient>(Thing::Directory(Rc::clone(&self.on)))
    }

    async fn prove(&self, _cx: &CallContext, _challenge: u64) -> Result<(), Exception> {
        Ok(())
    }
}
