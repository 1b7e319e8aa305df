//! Where distributions put OVMF.

use std::path::PathBuf;

const OVMF: [&str; 5] = [
    "/usr/share/ovmf/OVMF.fd",
    "/usr/share/OVMF/OVMF.fd",
    "/usr/share/qemu/OVMF.fd",
    "/usr/share/edk2/x64/OVMF.4m.fd",
    "/usr/share/edk2/ovmf/OVMF.fd",
];

/// The UEFI firmware: `OVMF` from the environment or the first of the usual places.
pub fn ovmf() -> Result<PathBuf, String> {
    let chosen = std::env::var_os("OVMF").map(PathBuf::from);
    let usual = OVMF.iter().map(PathBuf::from);
    chosen
        .into_iter()
        .chain(usual)
        .find(|path| path.is_file())
        .ok_or_else(|| "OVMF is not installed (package ovmf)".into())
}
