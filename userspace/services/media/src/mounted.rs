//! The medium, from the moment that its disk is there.

use crate::disk::Disk;
use crate::server::{Server, refused};
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use capos_media::{Error, Media, SourceError};
use rt::generated::BlockDeviceClient;
use rt::log;

/// Has the medium served until it is gone: why. What has no format that is known here, or is too much damaged, is served as well: by answers that say so.
pub async fn keep(server: Rc<Server>, device: BlockDeviceClient) -> String {
    let disk = match Disk::open(device).await {
        Ok(disk) => disk,
        Err(error) => return format!("disk: {error}"),
    };
    match Media::open(disk.clone()).await {
        Ok(media) => {
            log::info(format_args!("{}", media.format()));
            server.has(Ok(Rc::new(media)));
        }
        Err(Error::Source(SourceError::Gone)) => return format!("disk: {}", SourceError::Gone),
        Err(error) => {
            log::warn(format_args!("{error}"));
            server.has(Err(refused(error)));
        }
    }
    disk.ended().await;
    format!("disk: {}", SourceError::Gone)
}
