//! `Store`.

use super::Store;
use crate::server::{Call, refused, writable};
use crate::thing::{Thing, Writer};
use alloc::rc::Rc;
use core::cell::RefCell;
use kit::memory::Memory;
use rt::generated::store::{PutAnswer, StoreServer};
use rt::generated::{BlobWriterClient, StoreClient};
use rt::schema::store::CollectResults;
use rt::{CallContext, Exception, ExceptionCode, Outgoing};

impl StoreServer for Call<Store> {
    async fn put(&self, _cx: &CallContext, data: &[u8]) -> Result<PutAnswer, Exception> {
        writable(self.on.writable)?;
        let (id, hash) = self.files.put_blob(data, self.now()).await.map_err(refused)?;
        Ok(PutAnswer { blob: self.blob(id, None)?, hash: hash.to_vec() })
    }

    async fn begin(&self, _cx: &CallContext) -> Result<Outgoing, Exception> {
        writable(self.on.writable)?;
        let writer = self.files.begin_blob(self.now()).await.map_err(refused)?;
        let writer = Writer { writer: RefCell::new(Some(writer)), memory: Memory::default() };
        self.facet::<BlobWriterClient>(Thing::Writer(Rc::new(writer)))
    }

    async fn get(&self, _cx: &CallContext, hash: &[u8]) -> Result<Outgoing, Exception> {
        let hash = hash.try_into().map_err(|_| ExceptionCode::InvalidArgument)?;
        let id = self.source(self.on.at)?.get_blob(hash).await.map_err(refused)?;
        self.blob(id, self.on.at)
    }

    async fn collect(&self, _cx: &CallContext) -> Result<CollectResults, Exception> {
        writable(self.on.writable)?;
        let collected = self.files.collect().await.map_err(refused)?;
        Ok(CollectResults { blobs: collected.blobs, bytes: collected.bytes })
    }

    async fn read_only(&self, _cx: &CallContext) -> Result<Outgoing, Exception> {
        self.facet::<StoreClient>(Thing::Store(false, self.on.at))
    }
}
