//! What several interfaces have in common.

use crate::server::{Call, refused};
use crate::thing::{Bytes, Names};
use alloc::vec::Vec;
use capos_fs::{Creation, Error, Kind, ObjectId};
use kit::memory::read;
use rt::Exception;

impl<T> Call<T> {
    /// Bytes of a file or blob: fewer at the end.
    pub(super) async fn bytes_of(
        &self,
        bytes: &Bytes,
        offset: u64,
        length: u32,
    ) -> Result<Vec<u8>, Exception> {
        let source = self.source(bytes.at)?;
        read(length, async |to| source.read(bytes.id, offset, to).await.map_err(refused)).await
    }

    /// The same, into the memory that was attached to the facet: how many.
    pub(super) async fn bytes_into(
        &self,
        bytes: &Bytes,
        offset: u64,
        at: u64,
        length: u32,
    ) -> Result<u32, Exception> {
        let source = self.source(bytes.at)?;
        let from = async |to: &mut [u8]| source.read(bytes.id, offset, to).await.map_err(refused);
        bytes.memory.read_into(at, length, from).await
    }

    /// What a name leads to, which is or becomes a `kind`; held, if that can be.
    pub(super) async fn opened(
        &self,
        names: &Names,
        name: &str,
        kind: Kind,
        creation: Creation,
    ) -> Result<ObjectId, Exception> {
        if names.at.is_some() {
            let entry = self.source(names.at)?.lookup(names.id, name.as_bytes()).await.map_err(refused)?;
            return if entry.kind == kind { Ok(entry.object) } else { Err(refused(Error::Kind)) };
        }
        let opened = self.files.open(names.id, name.as_bytes(), kind, creation, self.now()).await;
        Ok(opened.map_err(refused)?.object)
    }

    /// Holds what is there, once more; what was needs nobody to hold it.
    pub(super) fn hold(&self, id: ObjectId, at: Option<u64>) {
        if at.is_none() {
            self.files.hold(id);
        }
    }
}
