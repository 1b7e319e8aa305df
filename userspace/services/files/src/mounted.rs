//! The volume, from the moment that its disk is there.

use crate::disk::Blocks;
use crate::server::{Server, refused, state};
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use capos_fs::{Error, Fs};
use capos_store::{DiskError, Limits, StoreError, Volume};
use core::future::pending;
use kit::device::Waiting;
use rt::generated::BlockDeviceClient;
use rt::{CallError, log};

/// How long nothing may be committed before the last commit is settled, and after how many such times it is where that never is.
const QUIET_NS: u64 = 100_000_000;
const RESTLESS: u32 = 50;

/// Of a disk.
pub type Files = Fs<Volume<Blocks>>;

/// Why there is no volume.
enum Missing {
    /// There is no disk any more, which the next of us may find.
    Disk(String),
    /// What is on it is no volume that we could serve. Looking again changes nothing.
    Content(Error),
}

impl From<StoreError> for Missing {
    fn from(error: StoreError) -> Missing {
        match error {
            StoreError::Disk { error: DiskError::Gone, .. } => Missing::Disk(format!("{error}")),
            error => Missing::Content(Error::Volume(error)),
        }
    }
}

impl From<Error> for Missing {
    fn from(error: Error) -> Missing {
        match error {
            Error::Volume(error) => error.into(),
            error => Missing::Content(error),
        }
    }
}

/// Mounts the volume, has it served, and keeps it until it is beyond repair: why.
pub async fn keep(server: Rc<Server>, device: Rc<BlockDeviceClient>, format: bool) -> String {
    let waiting = Waiting::begin();
    let mounted = mount(&server, &device, format).await;
    drop(waiting);
    match mounted {
        Ok(files) => {
            let files = Rc::new(files);
            server.has(Ok(Rc::clone(&files)));
            // What a crash left to be removed; meanwhile it is served.
            if let Err(error) = tidy(&files).await {
                log::warn(format_args!("what was removed before the last crash stays: {error}"));
            }
            format!("timer: {}", settle_when_quiet(&server, &files).await)
        }
        Err(Missing::Content(error)) => {
            log::warn(format_args!("no volume: {error}"));
            server.has(Err(refused(error)));
            pending().await
        }
        Err(Missing::Disk(why)) => why,
    }
}

/// Has each commit that no other follows soon count whatever the disk spoils of it later, and its nodes at two places (decision 0031). Once for each: of a disk
/// that does not take that, what was synced is there all the same. Only ends when there is no time any more.
async fn settle_when_quiet(server: &Server, files: &Files) -> CallError {
    let mut restless = 0;
    loop {
        let unsettled = server.unsettled.wait();
        let before = state(files);
        if server.settled.get() == before {
            unsettled.await;
            continue;
        }
        if let Err(error) = server.pause(QUIET_NS).await {
            return error;
        }
        restless += 1;
        if before == state(files) || restless >= RESTLESS {
            settle(server, files).await;
            restless = 0;
        }
    }
}

async fn settle(server: &Server, files: &Files) {
    let _ = files.settle_commit().await;
    let (_, known) = server.settled.get();
    let (commit, spoils) = state(files);
    server.settled.set((commit, spoils));
    if spoils != known {
        log::warn(format_args!(
            "the disk has spoiled {spoils} places since the mount; what was there is there once more"
        ));
    }
}

async fn tidy(files: &Files) -> Result<(), Error> {
    files.tidy().await?;
    files.tidy_snapshots().await
}

async fn mount(server: &Server, device: &Rc<BlockDeviceClient>, format: bool) -> Result<Files, Missing> {
    let gone = |error| Missing::Disk(format!("disk: {error}"));
    let blocks = Blocks::open(device).await.map_err(gone)?;
    if format && capos_store::is_blank(&blocks).await.map_err(|error| StoreError::Disk { block: 0, error })? {
        let no_bytes = |_| Missing::Disk(String::from("no random bytes"));
        capos_store::format(&blocks, server.proofs.uuid().map_err(no_bytes)?, None).await?;
    }
    let (volume, mounted) = Volume::mount(blocks, Limits::default()).await?;
    // Power may have gone before this the last time.
    if format && volume.is_empty() {
        Files::format(&volume, server.now()).await?;
    }
    log::info(format_args!("volume {:x} at commit {}", volume.uuid(), mounted.commit));
    for (slot, state) in mounted.losses() {
        log::warn(format_args!("superblock {slot} {state}"));
    }
    Ok(Fs::mount(volume).await?)
}
