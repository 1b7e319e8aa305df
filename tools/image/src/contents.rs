//! What an image is made of.

use crate::Error;

/// What the kernel is called in every image.
pub const KERNEL: &str = "kernel.elf";

/// What our loader is called in the images that need it.
pub const HANDOFF: &str = "handoff.elf";

/// A file that the kernel finds by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootFile {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// Kernel, boot files and command line, checked: the names and the command line can stand in any boot loader's configuration.
#[derive(Clone, Debug)]
pub struct Contents {
    kernel: Vec<u8>,
    files: Vec<BootFile>,
    command_line: String,
}

impl Contents {
    /// Checks and sorts.
    pub fn new(kernel: Vec<u8>, mut files: Vec<BootFile>, command_line: &str) -> Result<Contents, Error> {
        files.sort_by(|left, right| left.name.cmp(&right.name));
        for file in &files {
            let reserved = [KERNEL, HANDOFF].contains(&file.name.as_str());
            if !is_good_name(&file.name) {
                return Err(Error::BadName(file.name.clone()));
            }
            if reserved || files.iter().filter(|other| other.name == file.name).count() > 1 {
                return Err(Error::DuplicateName(file.name.clone()));
            }
        }
        if !is_good_command_line(command_line) {
            return Err(Error::BadCommandLine(command_line.to_owned()));
        }
        Ok(Contents { kernel, files, command_line: command_line.to_owned() })
    }

    /// The kernel's ELF file.
    pub fn kernel(&self) -> &[u8] {
        &self.kernel
    }

    /// The boot files, sorted by name.
    pub fn files(&self) -> &[BootFile] {
        &self.files
    }

    /// The kernel's command line.
    pub fn command_line(&self) -> &str {
        &self.command_line
    }

    /// A number that other contents do not have: FNV-1a, 64 bits, over everything.
    pub fn fingerprint(&self) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325;
        let mut add = |bytes: &[u8]| {
            for &byte in (bytes.len() as u64).to_le_bytes().iter().chain(bytes) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
            }
        };
        add(&self.kernel);
        add(self.command_line.as_bytes());
        for file in &self.files {
            add(file.name.as_bytes());
            add(&file.data);
        }
        hash
    }
}

fn is_good_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte);
    (1..=64).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(is_plain)
}

fn is_good_command_line(line: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-=,:/".contains(&byte);
    line.is_empty() || line.split(' ').all(|word| !word.is_empty() && word.bytes().all(is_plain))
}
