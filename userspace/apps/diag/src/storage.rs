//! Disks, what is on them, and how much room the machine's volume has.

use crate::machine::{LIMIT, item};
use crate::pci::named;
use crate::{Trouble, shapes};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use capos_text::{Report, Value};
use rt::generated::{DisksClient, VolumeClient};
use rt::schema::block_device::Content;

/// All of it. The volume is asked only when some disk has the one that is the machine's: it would wait for it otherwise.
pub(crate) async fn all(disks: &DisksClient, volume: Option<&VolumeClient>) -> Result<Vec<Report>, Trouble> {
    let (mut drives, mut parts, mut space) =
        (shapes::DISK.report(), shapes::PARTITION.report(), shapes::VOLUME.report());
    let mut is_there = false;
    let mut cursor = 0;
    for index in 0..LIMIT {
        let Some(disk) = item(disks.list(cursor).await)? else { break };
        // As whoever mounts it calls it.
        let name = format!("disk{index}");
        drives.row([
            Value::Text(name.clone()),
            Value::Text(named(disk.address)),
            Value::number(bytes(disk.sectors, disk.sector_size)),
            Value::Text(disk.model),
            Value::Text(disk.serial),
        ]);
        is_there |= partitions(disks, (disk.number, &name), disk.sector_size, &mut parts).await?;
        match disk.next {
            next if next > cursor => cursor = next,
            _ => break,
        }
    }
    if let (Some(volume), true) = (volume, is_there) {
        let known = volume.space().await?;
        let sizes = [known.blocks, known.free, known.held].map(|blocks| bytes(blocks, known.block_size));
        let counts = [known.objects, known.commits].map(Value::number);
        space.row(sizes.map(Value::number).into_iter().chain(counts));
    }
    Ok(alloc::vec![drives, parts, space])
}

/// What a disk is divided into, and whether the machine's volume is there.
async fn partitions(
    disks: &DisksClient,
    (disk, name): (u32, &str),
    sector_size: u32,
    report: &mut Report,
) -> Result<bool, Trouble> {
    let (mut cursor, mut is_there) = (0, false);
    for _ in 0..LIMIT {
        let Some(part) = item(disks.part(disk, cursor).await)? else { break };
        is_there |= part.taken && part.content == Content::Volume;
        report.row([
            Value::Text(match part.number {
                0 => String::from(name),
                number => format!("{name}.{number}"),
            }),
            Value::text(content(part.content)),
            Value::number(bytes(part.sectors, sector_size)),
            Value::Flag(part.taken),
            Value::Text(part.name),
        ]);
        match part.next {
            next if next > cursor => cursor = next,
            _ => break,
        }
    }
    Ok(is_there)
}

/// Bytes of so many pieces. What a device says of itself may be anything, and the product still fits.
fn bytes(count: u64, size: u32) -> i128 {
    i128::from(count) * i128::from(size)
}

/// What is on it, in words.
pub const fn content(content: Content) -> &'static str {
    match content {
        Content::Unknown => "-",
        Content::Volume => "capOS volume",
        Content::Fat => "FAT",
        Content::Iso9660 => "ISO 9660",
    }
}
