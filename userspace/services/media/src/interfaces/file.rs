//! `File`.

use super::{Call, Open, denied, stamp};
use crate::server::{Thing, refused};
use alloc::rc::Rc;
use alloc::vec::Vec;
use kit::memory::{INLINE, read};
use rt::generated::file::FileServer;
use rt::generated::{FileClient, MemoryObjectClient};
use rt::schema::file::{NextResults, StatResults};
use rt::{CallContext, Exception, ExceptionCode, Outgoing};

impl Call<Rc<Open>> {
    async fn read_to(&self, offset: u64, to: &mut [u8]) -> Result<usize, Exception> {
        self.medium.read(&self.on.file, offset, to).await.map_err(refused)
    }
}

impl FileServer for Call<Rc<Open>> {
    async fn stat(&self, _cx: &CallContext) -> Result<StatResults, Exception> {
        let file = &self.on.file;
        let [(created_ns, created), (modified_ns, modified)] = [file.created, file.modified].map(stamp);
        let (object, size, stored) = (file.object, file.size, file.size);
        let (writable, links, domain) = (false, 1, 0);
        Ok(StatResults {
            object,
            size,
            stored,
            created_ns,
            modified_ns,
            created,
            modified,
            writable,
            links,
            domain,
        })
    }

    async fn read(&self, _cx: &CallContext, offset: u64, length: u32) -> Result<Vec<u8>, Exception> {
        read(length.min(INLINE), async |to| self.read_to(offset, to).await).await
    }

    async fn write(&self, _cx: &CallContext, _offset: u64, _data: &[u8]) -> Result<(), Exception> {
        denied()
    }

    async fn append(&self, _cx: &CallContext, _data: &[u8]) -> Result<u64, Exception> {
        denied()
    }

    async fn truncate(&self, _cx: &CallContext, _size: u64) -> Result<(), Exception> {
        denied()
    }

    async fn clear(&self, _cx: &CallContext, _offset: u64, _length: u64) -> Result<(), Exception> {
        denied()
    }

    /// All of it is stored, in one run.
    async fn next(&self, _cx: &CallContext, offset: u64) -> Result<NextResults, Exception> {
        let length = self.on.file.size;
        if offset < length {
            Ok(NextResults { start: 0, length })
        } else {
            Err(ExceptionCode::NotFound.into())
        }
    }

    async fn sync(&self, _cx: &CallContext) -> Result<(), Exception> {
        Ok(())
    }

    async fn attach(&self, _cx: &CallContext, memory: MemoryObjectClient) -> Result<(), Exception> {
        self.on.memory.attach(&memory)
    }

    async fn read_into(
        &self,
        _cx: &CallContext,
        offset: u64,
        at: u64,
        length: u32,
    ) -> Result<u32, Exception> {
        let from = async |to: &mut [u8]| self.read_to(offset, to).await;
        self.on.memory.read_into(at, length, from).await
    }

    async fn write_from(
        &self,
        _cx: &CallContext,
        _offset: u64,
        _at: u64,
        _length: u32,
    ) -> Result<(), Exception> {
        denied()
    }

    async fn read_only(&self, _cx: &CallContext) -> Result<Outgoing, Exception> {
        let Open { file, .. } = &*self.on;
        let memory = Default::default();
        self.facet::<FileClient>(Thing::File(Rc::new(Open { file: file.clone(), memory })))
    }

    async fn prove(&self, _cx: &CallContext, _challenge: u64) -> Result<(), Exception> {
        Ok(())
    }
}
