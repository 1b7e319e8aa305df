//! `File`.

use super::{File, source};
use crate::server::{Call, refused, writable};
use alloc::vec::Vec;
use kit::memory::INLINE;
use rt::generated::MemoryObjectClient;
use rt::generated::file::FileServer;
use rt::schema::file::{NextResults, StatResults};
use rt::{CallContext, Exception, ExceptionCode, Outgoing};

impl Call<File> {
    async fn overwrite(&self, offset: u64, data: &[u8]) -> Result<(), Exception> {
        writable(self.on.0.writable)?;
        self.files.write(self.on.0.id, offset, data, self.now()).await.map_err(refused)
    }
}

impl FileServer for Call<File> {
    async fn stat(&self, _cx: &CallContext) -> Result<StatResults, Exception> {
        let object = self.source(self.on.0.at)?.stat(self.on.0.id).await.map_err(refused)?;
        Ok(StatResults {
            object: self.on.0.id.0,
            size: object.size,
            stored: object.blocks * capos_store::BLOCK as u64,
            created_ns: object.created.ns,
            modified_ns: object.modified.ns,
            created: source(object.created),
            modified: source(object.modified),
            writable: self.on.0.writable,
            links: object.links,
            domain: object.domain,
        })
    }

    async fn read(&self, _cx: &CallContext, offset: u64, length: u32) -> Result<Vec<u8>, Exception> {
        self.bytes_of(&self.on.0, offset, length.min(INLINE)).await
    }

    async fn write(&self, _cx: &CallContext, offset: u64, data: &[u8]) -> Result<(), Exception> {
        self.overwrite(offset, data).await
    }

    async fn append(&self, _cx: &CallContext, data: &[u8]) -> Result<u64, Exception> {
        writable(self.on.0.writable)?;
        self.files.append(self.on.0.id, data, self.now()).await.map_err(refused)
    }

    async fn truncate(&self, _cx: &CallContext, size: u64) -> Result<(), Exception> {
        writable(self.on.0.writable)?;
        self.files.truncate(self.on.0.id, size, self.now()).await.map_err(refused)
    }

    async fn clear(&self, _cx: &CallContext, offset: u64, length: u64) -> Result<(), Exception> {
        writable(self.on.0.writable)?;
        self.files.clear(self.on.0.id, offset, length, self.now()).await.map_err(refused)
    }

    async fn next(&self, _cx: &CallContext, offset: u64) -> Result<NextResults, Exception> {
        let run = self.source(self.on.0.at)?.run(self.on.0.id, offset).await.map_err(refused)?;
        let run = run.ok_or(ExceptionCode::NotFound)?;
        Ok(NextResults { start: run.start, length: run.length })
    }

    async fn sync(&self, _cx: &CallContext) -> Result<(), Exception> {
        Call::sync(self).await
    }

    async fn attach(&self, _cx: &CallContext, memory: MemoryObjectClient) -> Result<(), Exception> {
        self.on.0.memory.attach(&memory)
    }

    async fn read_into(
        &self,
        _cx: &CallContext,
        offset: u64,
        at: u64,
        length: u32,
    ) -> Result<u32, Exception> {
        self.bytes_into(&self.on.0, offset, at, length).await
    }

    async fn write_from(
        &self,
        _cx: &CallContext,
        offset: u64,
        at: u64,
        length: u32,
    ) -> Result<(), Exception> {
        writable(self.on.0.writable)?;
        let bytes = self.on.0.memory.bytes(at, length)?;
        self.overwrite(offset, &bytes).await
    }

    async fn read_only(&self, _cx: &CallContext) -> Result<Outgoing, Exception> {
        self.hold(self.on.0.id, self.on.0.at);
        self.file(self.on.0.id, false, self.on.0.at)
    }

    async fn prove(&self, _cx: &CallContext, challenge: u64) -> Result<(), Exception> {
        Call::prove(self, challenge);
        Ok(())
    }
}
