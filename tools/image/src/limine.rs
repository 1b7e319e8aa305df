//! Images that Limine boots, where its binaries are on this machine. No registry that we use carries them; distributions do.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::contents::KERNEL;
use crate::disk::{BIOS_NUMBER, BOOT_CODE, Disk};
use crate::tool::{self, Scratch};
use crate::tree::{FOLDER, Tree, UEFI_LOADER};
use crate::{Contents, Error, Report, fat, iso};

/// The variable that names the folder with the binaries.
pub const VARIABLE: &str = "LIMINE_DIR";

/// Where distributions put them.
const FOLDERS: [&str; 2] = ["/usr/share/limine", "/usr/local/share/limine"];

const BIOS_STAGE: &str = "limine-bios.sys";
const BIOS_CD: &str = "limine-bios-cd.bin";
const UEFI_CD: &str = "limine-uefi-cd.bin";
const UEFI: &str = "BOOTX64.EFI";
/// Where Limine looks for its second stage and its configuration.
const HOME: &str = "boot/limine";

/// Why there are no Limine images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimineAbsent {
    /// In words.
    pub reason: String,
}

impl fmt::Display for LimineAbsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for LimineAbsent {}

/// Limine's binaries.
#[derive(Clone, Debug)]
pub struct Limine {
    bios_stage: Vec<u8>,
    bios_cd: Vec<u8>,
    uefi_cd: Vec<u8>,
    uefi: Vec<u8>,
    deploy: PathBuf,
}

impl Limine {
    /// Looks where `LIMINE_DIR` says, or in the system's share folders.
    pub fn find() -> Result<Limine, LimineAbsent> {
        let named = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = named.or_else(|| FOLDERS.iter().map(PathBuf::from).find(|folder| folder.is_dir()));
        let Some(folder) = folder else {
            let places = FOLDERS.join(" and ");
            return Err(absent(format!("{VARIABLE} is not set and {places} do not exist")));
        };
        Limine::open(&folder)
    }

    /// Reads the binaries in a folder.
    pub fn open(folder: &Path) -> Result<Limine, LimineAbsent> {
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|error| absent(format!("{}: {error}", path.display())))
        };
        Ok(Limine {
            bios_stage: read(BIOS_STAGE)?,
            bios_cd: read(BIOS_CD)?,
            uefi_cd: read(UEFI_CD)?,
            uefi: read(UEFI)?,
            deploy: find_deploy(folder)?,
        })
    }

    /// Writes a hybrid ISO.
    pub fn iso(&self, contents: &Contents, image: &Path) -> Result<Report, Error> {
        let scratch = Scratch::beside(image)?;
        let configuration = configuration(contents);
        let (bios_cd, uefi_cd) = (format!("{HOME}/{BIOS_CD}"), format!("{HOME}/{UEFI_CD}"));
        let mut tree = self.tree(contents, &configuration);
        tree.add(&bios_cd, &self.bios_cd);
        tree.add(&uefi_cd, &self.uefi_cd);
        let root = scratch.join("root");
        tree.write(&root)?;
        let boot = format!(
            "-b {bios_cd} -no-emul-boot -boot-load-size 4 -boot-info-table --efi-boot {uefi_cd} \
             -efi-boot-part --efi-boot-image --protective-msdos-label"
        );
        let boot: Vec<&OsStr> = boot.split_whitespace().map(OsStr::new).collect();
        iso::write(&root, &boot, contents.fingerprint(), image)?;
        self.install(image, None)
    }

    /// Writes a raw disk that boots on BIOS and UEFI.
    pub fn disk(&self, contents: &Contents, image: &Path) -> Result<Report, Error> {
        let scratch = Scratch::beside(image)?;
        let configuration = configuration(contents);
        let tree = self.tree(contents, &configuration);
        let fingerprint = contents.fingerprint();
        let system = fat::volume(&tree, fat::Use::Disk, fingerprint as u32, &scratch)?;
        Disk { fingerprint, boot_code: [0; BOOT_CODE], bios: Vec::new(), system }.write(image)?;
        self.install(image, Some(BIOS_NUMBER))
    }

    fn tree<'a>(&'a self, contents: &'a Contents, configuration: &'a str) -> Tree<'a> {
        let mut tree = Tree::of(contents);
        tree.add(&format!("{HOME}/limine.conf"), configuration.as_bytes());
        tree.add(&format!("{HOME}/{BIOS_STAGE}"), &self.bios_stage);
        tree.add(UEFI_LOADER, &self.uefi);
        tree
    }

    /// Lets Limine's own tool write its boot code for BIOS machines.
    fn install(&self, image: &Path, partition: Option<u32>) -> Result<Report, Error> {
        let mut command = Command::new(&self.deploy);
        command.arg("bios-install").arg(image).args(partition.map(|number| number.to_string()));
        tool::run(&mut command, "limine")?;
        Report::of(image)
    }
}

/// The tool that makes a disk bootable by BIOS: beside the binaries, where `make install` puts it, or on the path.
fn find_deploy(folder: &Path) -> Result<PathBuf, LimineAbsent> {
    let installed = folder.join("../../bin/limine");
    let beside = [folder.join("limine"), installed].into_iter().find(|path| path.is_file());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path =
        || std::env::split_paths(&path).map(|folder| folder.join("limine")).find(|path| path.is_file());
    beside.or_else(on_path).ok_or_else(|| {
        absent(format!(
            "the tool `limine` is neither in {} nor on the path: build it there with make",
            folder.display()
        ))
    })
}

/// The configuration in the syntax of Limine 8 and later. No address randomisation: runs shall repeat.
fn configuration(contents: &Contents) -> String {
    let mut text = format!(
        "timeout: 0\nquiet: yes\n\n/capOS\n    protocol: limine\n    kernel_path: boot():/{FOLDER}/{KERNEL}\n    kaslr: no\n"
    );
    if !contents.command_line().is_empty() {
        text += &format!("    cmdline: {}\n", contents.command_line());
    }
    for file in contents.files() {
        text += &format!("    module_path: boot():/{FOLDER}/{}\n", file.name);
    }
    text
}

fn absent(reason: String) -> LimineAbsent {
    LimineAbsent { reason }
}
