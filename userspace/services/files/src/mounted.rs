//! The volume, from the moment that its disk is there.

use crate::disk::Blocks;
use crate::server::Server;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec;
use capos_fs::Fs;
use capos_store::{BLOCK, Disk, DiskError, Limits, Volume};
use core::future::pending;
use kit::device::Waiting;
use rt::generated::BlockDeviceClient;
use rt::log;

/// Blocks from the beginning that are looked at.
const LOOK: usize = 16;

/// Of a disk.
pub type Files = Fs<Volume<Blocks>>;

/// Mounts the volume, has it served, and keeps it until it is beyond repair: why.
pub async fn keep(server: Rc<Server>, device: BlockDeviceClient, format: bool) -> String {
    let waiting = Waiting::begin();
    let files = match mount(&server, &device, format).await {
        Ok(files) => Rc::new(files),
        Err(why) => return why,
    };
    drop(waiting);
    server.has(Rc::clone(&files));
    // What a crash left to be removed; meanwhile it is served.
    if let Err(error) = files.tidy().await {
        log::warn(format_args!("what was removed before the last crash stays: {error}"));
    }
    pending().await
}

async fn mount(server: &Server, device: &BlockDeviceClient, format: bool) -> Result<Files, String> {
    let blocks = Blocks::open(device).await.map_err(|error| format!("disk: {error}"))?;
    let format = format && is_blank(&blocks).await.map_err(|error| format!("{error}"))?;
    if format {
        let uuid = server.proofs.uuid().map_err(|_| String::from("no random bytes"))?;
        capos_store::format(&blocks, uuid, None).await.map_err(|error| format!("{error}"))?;
    }
    let (volume, mounted) =
        Volume::mount(blocks, Limits::default()).await.map_err(|error| format!("{error}"))?;
    if format {
        Files::format(&volume, server.now()).await.map_err(|error| format!("{error}"))?;
    }
    log::info(format_args!("volume {:x} at commit {}", volume.uuid(), mounted.commit));
    Fs::mount(volume).await.map_err(|error| format!("{error}"))
}

/// Whether nothing is where every format has something: it is never the volume of somebody that is made anew.
async fn is_blank(disk: &Blocks) -> Result<bool, DiskError> {
    let mut begin = vec![0; LOOK * BLOCK];
    disk.read(0, &mut begin).await?;
    Ok(begin.iter().all(|byte| *byte == 0))
}
