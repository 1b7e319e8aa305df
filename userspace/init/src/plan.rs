//! Reads the manifest and checks it against this machine.

use crate::kernel::Kernel;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use capos_manifest::{Facts, Manifest, decode, validate};
use rt::CallError;
use rt::generated::{BootPackageClient, MemoryObjectClient};

/// Name of the manifest among the boot files.
const MANIFEST: &str = "manifest";

/// Largest manifest: far beyond any system, far below what would hurt.
const MAX_SIZE: u64 = 256 * 1024;

/// Bytes that one read of an object gives at most.
const READ: u64 = 3072;

/// A manifest that was found sound.
pub struct Plan {
    pub manifest: Manifest,
    /// As it lies on the boot medium, with its length in bytes.
    pub file: (MemoryObjectClient, u64),
}

/// Reads and checks; a refusal is one line per reason.
pub async fn load(kernel: &Kernel) -> Result<Plan, String> {
    let (bytes, file) = read(&kernel.boot, MANIFEST).await?;
    let manifest = decode(&bytes).map_err(|error| format!("manifest: {error}"))?;
    let facts = facts(kernel).await.map_err(|error| format!("manifest can not be checked: {error}"))?;
    let issues = validate(&manifest, &facts);
    if !issues.is_empty() {
        let lines: Vec<String> = issues.iter().map(ToString::to_string).collect();
        return Err(lines.join("\n"));
    }
    Ok(Plan { manifest, file })
}

/// What is there on this machine.
async fn facts(kernel: &Kernel) -> Result<Facts, CallError> {
    let mut files = Vec::new();
    for index in 0..kernel.boot.count().await? {
        files.push(kernel.boot.info(index).await?.name);
    }
    Ok(Facts::new(files, kernel.system.system().await?.free_pages))
}

/// A whole boot file, and where it lies.
async fn read(boot: &BootPackageClient, name: &str) -> Result<(Vec<u8>, (MemoryObjectClient, u64)), String> {
    let about = |error: CallError| format!("boot file `{name}`: {error}");
    let file = boot.open(name).await.map_err(about)?;
    if file.size > MAX_SIZE {
        return Err(format!("boot file `{name}` is too large for a manifest ({} bytes)", file.size));
    }
    let mut bytes: Vec<u8> = Vec::new();
    while (bytes.len() as u64) < file.size {
        let at = bytes.len() as u64;
        let part = file.object.read(at, (file.size - at).min(READ) as u32).await.map_err(about)?;
        if part.is_empty() {
            return Err(format!("boot file `{name}` ends early"));
        }
        bytes.extend(part);
    }
    Ok((bytes, (file.object, file.size)))
}
