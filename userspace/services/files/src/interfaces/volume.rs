//! `Volume`.

use super::{Whole, source};
use crate::found::Found;
use crate::server::{Call, refused, writable};
use crate::thing::{Names, Thing};
use alloc::format;
use capos_fs::{Note, ObjectId};
use capos_store::BLOCK;
use rt::generated::volume::{CheckReply, ListSnapshotsReply, OpenSnapshotAnswer, VolumeServer};
use rt::generated::{DirectoryClient, NamespaceClient, StoreClient};
use rt::schema::volume::{QuotaResults, SpaceResults};
use rt::{CallContext, Exception, ExceptionCode, Outgoing};

impl VolumeServer for Call<Whole> {
    async fn root(&self, _cx: &CallContext) -> Result<Outgoing, Exception> {
        let root = Names { id: ObjectId::ROOT, writable: true, at: None };
        self.files.hold(root.id);
        self.facet::<NamespaceClient>(Thing::Namespace(root))
    }

    async fn store(&self, _cx: &CallContext) -> Result<Outgoing, Exception> {
        self.facet::<StoreClient>(Thing::Store(true, None))
    }

    async fn space(&self, _cx: &CallContext) -> Result<SpaceResults, Exception> {
        let volume = self.files.volume();
        let space = volume.space();
        Ok(SpaceResults {
            blocks: space.total,
            // What is kept for removals nobody else can write.
            free: space.free.saturating_sub(space.reserve),
            held: space.held,
            block_size: BLOCK as u32,
            objects: self.files.objects().await.map_err(refused)?,
            commits: volume.commit_number(),
        })
    }

    async fn quota(&self, _cx: &CallContext, domain: u32) -> Result<QuotaResults, Exception> {
        let found = self.files.domain(domain).await.map_err(refused)?;
        Ok(QuotaResults {
            blocks: found.blocks,
            objects: found.objects,
            blocks_most: found.blocks_most,
            objects_most: found.objects_most,
        })
    }

    async fn set_quota(
        &self,
        _cx: &CallContext,
        domain: u32,
        blocks_most: u64,
        objects_most: u64,
    ) -> Result<(), Exception> {
        self.files.set_quota(domain, blocks_most, objects_most).await.map_err(refused)
    }

    async fn assign(
        &self,
        _cx: &CallContext,
        directory: DirectoryClient,
        domain: u32,
    ) -> Result<(), Exception> {
        match self.passed(async |challenge| directory.prove(challenge).await).await? {
            Thing::Directory(names) => {
                writable(names.writable)?;
                self.files.assign(names.id, domain).await.map_err(refused)
            }
            _ => Err(ExceptionCode::InvalidArgument.into()),
        }
    }

    async fn snapshot(&self, _cx: &CallContext, name: &str) -> Result<(), Exception> {
        self.files.keep(name, self.now()).await.map(drop).map_err(refused)
    }

    async fn list_snapshots(&self, _cx: &CallContext, after: &str) -> Result<ListSnapshotsReply, Exception> {
        let next = self.files.snapshots().into_iter().filter(|(_, note)| note.name.as_str() > after);
        let next = next.min_by(|(_, a), (_, b)| a.name.cmp(&b.name));
        let (commit, Note { at, name }) = next.ok_or(ExceptionCode::NotFound)?;
        Ok(ListSnapshotsReply { at_ns: at.ns, at: source(at), commit, name })
    }

    async fn open_snapshot(&self, _cx: &CallContext, name: &str) -> Result<OpenSnapshotAnswer, Exception> {
        let at = Some(self.files.named(name).ok_or(ExceptionCode::NotFound)?);
        let root = Names { id: ObjectId::ROOT, writable: false, at };
        let namespace = self.facet::<NamespaceClient>(Thing::Namespace(root))?;
        let store = self.facet::<StoreClient>(Thing::Store(false, at))?;
        Ok(OpenSnapshotAnswer { namespace, store })
    }

    async fn remove_snapshot(&self, _cx: &CallContext, name: &str) -> Result<(), Exception> {
        let snapshot = self.files.named(name).ok_or(ExceptionCode::NotFound)?;
        if self.server.open.is_open(snapshot) {
            return Err(ExceptionCode::WrongState.into());
        }
        self.files.delete_snapshot(snapshot).await.map_err(refused)
    }

    async fn grow(&self, _cx: &CallContext) -> Result<u64, Exception> {
        self.files.volume().disk().look_again().await.map_err(|error| error.handed_on())?;
        self.files.grow().await.map_err(refused)?;
        Ok(self.files.volume().space().blocks)
    }

    async fn sync(&self, _cx: &CallContext) -> Result<(), Exception> {
        Call::sync(self).await
    }

    async fn check(&self, _cx: &CallContext, cursor: u64) -> Result<CheckReply, Exception> {
        // All of it is one step: nobody changes anything meanwhile. The others tell what was found.
        let known = if cursor > 0 { self.server.found.borrow().get(cursor) } else { None };
        let wrong = match known {
            Some(known) => known,
            None => {
                let mut found = Found::from(cursor);
                self.files.check_each(&mut |wrong| found.add(wrong)).await.map_err(refused)?;
                let first = found.get(cursor).flatten();
                self.server.found.replace(found);
                first
            }
        };
        let finding = wrong.map(|wrong| format!("{wrong}")).unwrap_or_default();
        Ok(CheckReply { next: cursor.saturating_add(1), finding })
    }
}
