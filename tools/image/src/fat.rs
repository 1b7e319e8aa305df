//! FAT file systems, by mtools: UEFI's system partition, as large as its contents need.

use std::process::Command;

use crate::Error;
use crate::disk::SECTOR;
use crate::tool::{self, Scratch};
use crate::tree::Tree;

const MIB: u64 = 1 << 20;
/// A FAT with fewer clusters than this is no FAT32, whatever its header says; some firmware counts.
const LEAST_FAT32_CLUSTERS: u64 = 65_525 + 64;
/// From this many bytes on, clusters are a page: fewer of them, and more than FAT32 needs.
const LARGE: u64 = 512 * MIB;

/// What a volume is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// The system partition of a disk: FAT32, as the UEFI specification wants it there.
    Disk,
    /// The boot image of an ISO: the smallest FAT that holds it.
    BootImage,
}

/// A volume with these files. Its serial number is `serial`.
pub fn volume(tree: &Tree<'_>, purpose: Use, serial: u32, scratch: &Scratch) -> Result<Vec<u8>, Error> {
    let shape = Shape::new(tree, purpose);
    let image = scratch.write("fat.img", b"")?;
    let run = |tool: &str, arguments: &[&str]| {
        tool::run(Command::new(tool).arg("-i").arg(&image).args(arguments), "mtools")
    };
    let (sectors, per_cluster) = (shape.length / SECTOR, shape.cluster / SECTOR);
    let mut format = format!("-C -T {sectors} -c {per_cluster} -h 64 -s 32 -N {serial:08x} -v CAPOS");
    if purpose == Use::Disk {
        format += " -F";
    }
    let mut format: Vec<&str> = format.split(' ').collect();
    format.push("::");
    run("mformat", &format)?;

    let root = scratch.join("fat");
    tree.write(&root)?;
    for folder in tree.folders() {
        run("mmd", &[&format!("::/{folder}")])?;
    }
    // One file after the other, since the order in which they come decides where they lie.
    for (path, _) in tree.files() {
        run("mcopy", &[&root.join(path).to_string_lossy(), &format!("::/{path}")])?;
    }
    let bytes = std::fs::read(&image).map_err(|error| Error::io(&image, error))?;
    let _ = std::fs::remove_dir_all(&root);
    Ok(bytes)
}

/// Sizes of a volume.
struct Shape {
    cluster: u64,
    length: u64,
}

impl Shape {
    fn new(tree: &Tree<'_>, purpose: Use) -> Shape {
        let total: u64 = tree.files().map(|(_, data)| data.len() as u64).sum();
        let cluster = if total < LARGE { SECTOR } else { 4096 };
        // Folders: entries of 32 bytes, a handful for each long name.
        let entries: u64 = tree.files().map(|(path, _)| 6 + path.len() as u64 / 13).sum();
        let for_files: u64 = tree.files().map(|(_, data)| (data.len() as u64).div_ceil(cluster)).sum();
        let for_folders = tree.folders().len() as u64 * 2 + (entries * 32).div_ceil(cluster);
        let mut clusters = for_files + for_folders + 16;
        if purpose == Use::Disk {
            clusters = clusters.max(LEAST_FAT32_CLUSTERS);
        }
        // Two tables of four bytes a cluster, and room for the reserved sectors and the root folder of the small kinds.
        let tables = 2 * ((clusters + 2) * 4).next_multiple_of(SECTOR);
        let length = clusters * cluster + tables + 64 * SECTOR;
        Shape { cluster, length: length.next_multiple_of(if purpose == Use::Disk { MIB } else { 64 << 10 }) }
    }
}
