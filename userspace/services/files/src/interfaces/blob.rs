//! `Blob`, and `BlobWriter`.

use super::Blob;
use crate::server::{Call, refused};
use crate::thing::Writer;
use alloc::rc::Rc;
use alloc::vec::Vec;
use kit::memory::INLINE;
use rt::generated::MemoryObjectClient;
use rt::generated::blob::{BlobServer, InfoReply};
use rt::generated::blob_writer::{BlobWriterServer, FinishAnswer};
use rt::{CallContext, Exception, ExceptionCode};

impl BlobServer for Call<Blob> {
    async fn info(&self, _cx: &CallContext) -> Result<InfoReply, Exception> {
        let source = self.source(self.on.0.at)?;
        let size = source.stat(self.on.0.id).await.map_err(refused)?.size;
        let hash = source.blob_hash(self.on.0.id).await.map_err(refused)?.to_vec();
        Ok(InfoReply { size, hash })
    }

    async fn read(&self, _cx: &CallContext, offset: u64, length: u32) -> Result<Vec<u8>, Exception> {
        self.bytes_of(&self.on.0, offset, length.min(INLINE)).await
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

    async fn prove(&self, _cx: &CallContext, challenge: u64) -> Result<(), Exception> {
        Call::prove(self, challenge);
        Ok(())
    }
}

impl Call<Rc<Writer>> {
    /// The writer is taken out while it is at work: who writes twice at a time is told so.
    async fn add(&self, data: &[u8]) -> Result<(), Exception> {
        let mut writer = self.on.writer.take().ok_or(ExceptionCode::WrongState)?;
        let written = self.files.write_blob(&mut writer, data, self.now()).await;
        self.on.writer.replace(Some(writer));
        written.map_err(refused)
    }
}

impl BlobWriterServer for Call<Rc<Writer>> {
    async fn write(&self, _cx: &CallContext, data: &[u8]) -> Result<(), Exception> {
        self.add(data).await
    }

    async fn attach(&self, _cx: &CallContext, memory: MemoryObjectClient) -> Result<(), Exception> {
        self.on.memory.attach(&memory)
    }

    async fn write_from(&self, _cx: &CallContext, at: u64, length: u32) -> Result<(), Exception> {
        let bytes = self.on.memory.bytes(at, length)?;
        self.add(&bytes).await
    }

    async fn finish(&self, _cx: &CallContext) -> Result<FinishAnswer, Exception> {
        let writer = self.on.writer.take().ok_or(ExceptionCode::WrongState)?;
        let (id, hash) = self.files.finish_blob(writer).await.map_err(refused)?;
        Ok(FinishAnswer { blob: self.blob(id, None)?, hash: hash.to_vec() })
    }
}
