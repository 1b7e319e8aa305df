//! The boot files' memory: nobody else may have it, and each file starts on a page of its own.

use loader::boot::{Boot, Files, Span};
use loader::map::{Kind, Want};
use loader::physical::Physical;
use loader::{PAGE, Refusal};

use super::memory::{self, Direct};

/// Takes out of the usable memory what is in use: `itself`, the boot information, the boot files.
pub fn claim(boot: &mut Boot<'_>, itself: Span) -> Result<(), Refusal> {
    let Boot { memory, files, package, information, .. } = boot;
    for span in information.iter().copied().chain([itself]) {
        memory.claim_usable_parts(span.at, span.length, Kind::Reclaimable)?;
    }
    let in_files = files.all().iter().map(|file| Span { at: file.at, length: file.length });
    for span in package.iter().copied().chain(in_files) {
        memory.claim_usable_parts(span.at, span.length, Kind::KernelAndModules)?;
    }
    Ok(())
}

/// Moves each boot file that does not start on a page, or whose pages firmware wants too, to fresh pages.
pub fn settle(boot: &mut Boot<'static>, direct: &Direct) -> Result<(), Refusal> {
    let Boot { memory, files, .. } = boot;
    for file in files.all_mut() {
        if file.at % PAGE == 0 && memory.is_all(file.at, file.length, Kind::KernelAndModules) {
            continue;
        }
        let from =
            direct.bytes(file.at, file.length).ok_or(Refusal::OutOfMemory("a boot file", file.length))?;
        let want = Want::pages(file.length.max(1), Kind::KernelAndModules);
        let (at, to) = memory::allocate(memory, want, "a boot file")?;
        to[..from.len()].copy_from_slice(from);
        file.at = at;
    }
    Ok(())
}

/// Zeroes the rest of each file's last page, which the kernel may show to processes. In a package the next file's header lies there,
/// so this comes after everything has been told.
pub fn clear_tails(files: &Files<'_>) {
    for file in files.all() {
        memory::clear_tail(file.at, file.length);
    }
}
