//! Raw disks: GPT, a BIOS boot partition, and UEFI's system partition with everything else.

use std::collections::BTreeMap;
use std::io::{Cursor, Seek, SeekFrom, Write};
use std::path::Path;

use gpt::GptConfig;
use gpt::mbr::ProtectiveMBR;
use gpt::partition::Partition;
use gpt::partition_types::{BIOS, EFI, Type};
use uuid::Uuid;

use crate::{Error, Report};

/// Size of a sector.
pub const SECTOR: u64 = 512;
/// First sector of the BIOS boot partition.
pub const BIOS_FIRST: u64 = 2048;
/// Sectors of the BIOS boot partition.
pub const BIOS_SECTORS: u64 = 2048;
/// First sector of the system partition.
pub const SYSTEM_FIRST: u64 = BIOS_FIRST + BIOS_SECTORS;
/// The partition number of the BIOS boot partition.
pub const BIOS_NUMBER: u32 = 1;

const MIB: u64 = 1 << 20;
/// What a master boot record has room for.
pub const BOOT_CODE: usize = 440;

/// What goes onto a disk.
pub struct Disk {
    /// Number from which all identifiers are made.
    pub fingerprint: u64,
    /// Code in the master boot record.
    pub boot_code: [u8; BOOT_CODE],
    /// Contents of the BIOS boot partition.
    pub bios: Vec<u8>,
    /// The system partition: a FAT volume.
    pub system: Vec<u8>,
}

impl Disk {
    /// Writes the disk; what is all zero becomes a hole.
    pub fn write(self, path: &Path) -> Result<Report, Error> {
        let system_sectors = (self.system.len() as u64).div_ceil(SECTOR);
        if self.bios.len() as u64 > BIOS_SECTORS * SECTOR {
            return Err(Error::Layout(format!("boot code of {} bytes", self.bios.len())));
        }
        // A MiB at the end has the table's second copy.
        let length = (SYSTEM_FIRST + system_sectors) * SECTOR + MIB;
        let mut bytes = vec![0; length.next_multiple_of(MIB) as usize];
        place(&mut bytes, BIOS_FIRST, &self.bios);
        place(&mut bytes, SYSTEM_FIRST, &self.system);
        let bytes = self.partition(bytes, system_sectors)?;
        write_sparse(path, &bytes).map_err(|error| Error::io(path, error))?;
        Report::of(path)
    }

    fn partition(&self, bytes: Vec<u8>, system_sectors: u64) -> Result<Vec<u8>, Error> {
        let mut device = Cursor::new(bytes);
        let sectors = device.get_ref().len() as u64 / SECTOR;
        let mut record = ProtectiveMBR::with_lb_size(u32::try_from(sectors - 1).unwrap_or(u32::MAX));
        record.set_bootcode(self.boot_code);
        record.overwrite_lba0(&mut device).map_err(layout)?;

        let mut disk = GptConfig::new()
            .writable(true)
            .create_from_device(device, Some(self.identifier(0)))
            .map_err(layout)?;
        let partitions = BTreeMap::from([
            (BIOS_NUMBER, self.entry(BIOS_NUMBER, "BIOS boot", BIOS, BIOS_FIRST, BIOS_SECTORS)),
            (2, self.entry(2, "EFI system", EFI, SYSTEM_FIRST, system_sectors)),
        ]);
        disk.update_partitions(partitions).map_err(layout)?;
        Ok(disk.write().map_err(layout)?.into_inner())
    }

    fn entry(&self, number: u32, name: &str, kind: Type, first: u64, sectors: u64) -> Partition {
        Partition {
            part_type_guid: kind,
            part_guid: self.identifier(number),
            first_lba: first,
            last_lba: first + sectors - 1,
            flags: 0,
            name: name.to_owned(),
        }
    }

    /// Identifier of the disk, number 0, or of a partition: the fingerprint, dressed as a random UUID.
    fn identifier(&self, number: u32) -> Uuid {
        uuid::Builder::from_random_bytes(
            (u128::from(self.fingerprint) << 64 | 0x6361_704f_5300_0000 | u128::from(number)).to_be_bytes(),
        )
        .into_uuid()
    }
}

fn place(bytes: &mut [u8], sector: u64, data: &[u8]) {
    let at = (sector * SECTOR) as usize;
    bytes[at..at + data.len()].copy_from_slice(data);
}

/// Writes a file of which most is zero: the zeros are not written.
fn write_sparse(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    const BLOCK: usize = 64 << 10;
    let mut file = std::fs::File::create(path)?;
    file.set_len(bytes.len() as u64)?;
    for (index, block) in bytes.chunks(BLOCK).enumerate() {
        if block.iter().any(|&byte| byte != 0) {
            file.seek(SeekFrom::Start((index * BLOCK) as u64))?;
            file.write_all(block)?;
        }
    }
    Ok(())
}

fn layout(error: impl std::fmt::Display) -> Error {
    Error::Layout(format!("GPT: {error}"))
}
