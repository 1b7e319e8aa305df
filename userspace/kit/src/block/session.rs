//! A client's end of a session.

use crate::asker::Asker;
use crate::port;
use capos_block::{DEPTHS, Geometry};
use core::ops::Deref;
use rt::CallError;
use rt::generated::{BlockDeviceClient, BlockSessionClient};
use rt::schema::block_device::InfoResults;

/// Bytes of the memory of both queues of a session.
pub fn queues_size(entries: u32) -> Result<u64, CallError> {
    port::queues_size(entries, &DEPTHS)
}

/// What a device is like, by what its server says; `None` when there are none like that.
pub fn geometry(info: &InfoResults) -> Option<Geometry> {
    let InfoResults { sectors, sector_size, most, read_only, cache, discard, zero, .. } = *info;
    let is_size = sector_size.is_power_of_two() && (512..=4096).contains(&sector_size);
    let sector_shift = sector_size.trailing_zeros() as u8;
    let geometry = Geometry { sectors, sector_shift, most, read_only, cache, discard, zero };
    (is_size && sectors > 0 && most > 0).then_some(geometry)
}

/// Whether that device can be the one of which its server said `before`: it may have become larger since.
pub fn continues(info: &InfoResults, before: &InfoResults) -> bool {
    info.sectors >= before.sectors && InfoResults { sectors: before.sectors, ..*info } == *before
}

/// A session with a device, as long as its server lives.
pub(super) struct Session {
    asker: Asker,
    control: BlockSessionClient,
}

impl Session {
    /// Begins one of so many entries; with which arrival of the device.
    pub async fn open(device: &BlockDeviceClient, entries: u32) -> Result<(Session, u32), CallError> {
        let opened = Asker::open(entries, &DEPTHS, async |memory, doorbell| {
            let reply = device.open(memory, doorbell, entries).await?;
            Ok((reply.doorbell, (reply.session, reply.arrival)))
        });
        let (asker, (control, arrival)) = opened.await?;
        Ok((Session { asker, control }, arrival))
    }

    /// By which memory is attached.
    pub fn control(&self) -> &BlockSessionClient {
        &self.control
    }
}

impl Deref for Session {
    type Target = Asker;

    fn deref(&self) -> &Asker {
        &self.asker
    }
}
