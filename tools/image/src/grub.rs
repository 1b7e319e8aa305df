//! Images that the distribution's GRUB boots: it loads handoff.elf by Multiboot2, with the kernel and each boot file as a module.
//!
//! GRUB's own images carry their whole configuration inside (`grub-mkimage --config`), run by its smallest parser, so that there is
//! nothing to find, no menu and no waiting. The medium is found by a file whose name is the fingerprint of the contents: with two
//! capOS media in a machine each boots itself.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::contents::{HANDOFF, KERNEL};
use crate::disk::{self, BIOS_FIRST, BOOT_CODE, Disk};
use crate::tool::{self, Scratch};
use crate::tree::{FOLDER, Tree, UEFI_LOADER};
use crate::{Contents, Error, Report, fat, iso};

const LIBRARY: &str = "/usr/lib/grub";
/// Where the BIOS boot image lies on an ISO.
const ISO_BIOS_IMAGE: &str = "boot/grub.img";

/// Kinds of images that GRUB is made into.
#[derive(Clone, Copy)]
enum Platform {
    BiosDisk,
    BiosIso,
    Uefi,
}

impl Platform {
    fn format(self) -> &'static str {
        match self {
            Platform::BiosDisk => "i386-pc",
            Platform::BiosIso => "i386-pc-eltorito",
            Platform::Uefi => "x86_64-efi",
        }
    }

    fn folder(self) -> PathBuf {
        let name = if matches!(self, Platform::Uefi) { "x86_64-efi" } else { "i386-pc" };
        Path::new(LIBRARY).join(name)
    }

    fn package(self) -> &'static str {
        if matches!(self, Platform::Uefi) { "grub-efi-amd64-bin" } else { "grub-pc-bin" }
    }

    fn modules(self) -> &'static [&'static str] {
        match self {
            Platform::BiosDisk => &["biosdisk", "part_gpt", "fat"],
            Platform::BiosIso => &["biosdisk", "part_gpt", "iso9660"],
            Platform::Uefi => &["part_gpt", "fat", "iso9660"],
        }
    }
}

/// Writes a hybrid ISO.
pub fn iso(contents: &Contents, handoff: &[u8], image: &Path) -> Result<Report, Error> {
    let scratch = Scratch::beside(image)?;
    let bios = core(contents, Platform::BiosIso, &scratch)?;
    let uefi = core(contents, Platform::Uefi, &scratch)?;
    let mark = mark(contents);

    let mut boot_tree = Tree::default();
    boot_tree.add(UEFI_LOADER, &uefi);
    let serial = contents.fingerprint() as u32;
    let boot_image = fat::volume(&boot_tree, fat::Use::BootImage, serial, &scratch)?;
    let boot_image = scratch.write("efi.img", &boot_image)?;

    let mut tree = Tree::of(contents);
    tree.add_handoff(handoff);
    tree.add(&mark, b"capOS\n");
    tree.add(ISO_BIOS_IMAGE, &bios);
    let root = scratch.join("root");
    tree.write(&root)?;

    let hybrid = Platform::BiosDisk.folder().join("boot_hybrid.img");
    tool::installed(&hybrid, "grub-pc-bin")?;
    let plain = |words: &'static str| words.split(' ').map(OsStr::new);
    let mut boot: Vec<&OsStr> = vec![OsStr::new("-b"), OsStr::new(ISO_BIOS_IMAGE)];
    boot.extend(plain("-no-emul-boot -boot-load-size 4 -boot-info-table --grub2-boot-info --grub2-mbr"));
    boot.push(hybrid.as_os_str());
    boot.extend(plain(
        "--protective-msdos-label -partition_cyl_align off -partition_offset 16 -append_partition 2 0xef",
    ));
    boot.push(boot_image.as_os_str());
    boot.extend(plain(
        "-appended_part_as_gpt -eltorito-alt-boot -e --interval:appended_partition_2:all:: -no-emul-boot",
    ));
    iso::write(&root, &boot, contents.fingerprint(), image)
}

/// Writes a raw disk that boots on BIOS and UEFI.
pub fn disk(contents: &Contents, handoff: &[u8], image: &Path) -> Result<Report, Error> {
    let scratch = Scratch::beside(image)?;
    let mut bios = core(contents, Platform::BiosDisk, &scratch)?;
    chain_core(&mut bios)?;
    let uefi = core(contents, Platform::Uefi, &scratch)?;
    let mark = mark(contents);

    let mut tree = Tree::of(contents);
    tree.add_handoff(handoff);
    tree.add(&mark, b"capOS\n");
    tree.add(UEFI_LOADER, &uefi);
    let fingerprint = contents.fingerprint();
    let system = fat::volume(&tree, fat::Use::Disk, fingerprint as u32, &scratch)?;
    Disk { fingerprint, boot_code: boot_code()?, bios, system }.write(image)
}

/// GRUB with its configuration inside.
fn core(contents: &Contents, platform: Platform, scratch: &Scratch) -> Result<Vec<u8>, Error> {
    let folder = platform.folder();
    tool::installed(&folder.join("kernel.img"), platform.package())?;
    let config = scratch.write("grub.cfg", configuration(contents).as_bytes())?;
    let output = scratch.join("core.img");
    let mut command = Command::new("grub-mkimage");
    command.args(["--format", platform.format(), "--prefix", "/boot/grub", "--directory"]).arg(&folder);
    command.arg("--config").arg(&config).arg("--output").arg(&output);
    command.args(platform.modules()).args(["multiboot2", "search_fs_file", "boot"]);
    tool::run(&mut command, "grub-common")?;
    std::fs::read(&output).map_err(|error| Error::io(&output, error))
}

fn configuration(contents: &Contents) -> String {
    let mut text = format!("search.file /{} root\n", mark(contents));
    text += &format!("multiboot2 /{FOLDER}/{HANDOFF} {}\n", contents.command_line());
    let names = std::iter::once(KERNEL).chain(contents.files().iter().map(|file| file.name.as_str()));
    for name in names {
        text += &format!("module2 /{FOLDER}/{name} {name}\n");
    }
    text + "boot\n"
}

/// The file by which GRUB finds the medium.
fn mark(contents: &Contents) -> String {
    format!("{FOLDER}/{:016x}.id", contents.fingerprint())
}

/// The first sector of the disk, which loads the first sector of [`core`] from the BIOS boot partition. What `grub-bios-setup`
/// patches into it (grub 2.06, include/grub/i386/pc/boot.h): the sector to load, and that the BIOS's drive number can be trusted.
fn boot_code() -> Result<[u8; BOOT_CODE], Error> {
    const KERNEL_SECTOR: usize = 0x5c;
    const DRIVE_CHECK: usize = 0x66;
    let code = tool::installed(&Platform::BiosDisk.folder().join("boot.img"), "grub-pc-bin")?;
    let mut code: [u8; BOOT_CODE] =
        code.get(..BOOT_CODE).and_then(|code| code.try_into().ok()).ok_or_else(|| short("boot.img"))?;
    code[KERNEL_SECTOR..KERNEL_SECTOR + 8].copy_from_slice(&BIOS_FIRST.to_le_bytes());
    code[DRIVE_CHECK..DRIVE_CHECK + 2].copy_from_slice(&[0x90, 0x90]);
    Ok(code)
}

/// Tells the first sector of [`core`] where its other sectors are: one run, right behind it. The list's first entry ends the sector.
fn chain_core(core: &mut [u8]) -> Result<(), Error> {
    const FIRST_ENTRY: usize = disk::SECTOR as usize - 12;
    let rest = (core.len() as u64).div_ceil(disk::SECTOR) - 1;
    let rest = u16::try_from(rest).map_err(|_| Error::Layout("GRUB's core is too large".to_owned()))?;
    let entry = core.get_mut(FIRST_ENTRY..FIRST_ENTRY + 10).ok_or_else(|| short("core.img"))?;
    entry[..8].copy_from_slice(&(BIOS_FIRST + 1).to_le_bytes());
    entry[8..].copy_from_slice(&rest.to_le_bytes());
    Ok(())
}

fn short(what: &str) -> Error {
    Error::Layout(format!("GRUB's {what} is too short"))
}
