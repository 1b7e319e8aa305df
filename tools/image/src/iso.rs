//! ISO images, by xorriso: readable on BIOS and UEFI, from a disc and from a USB stick.

use std::path::Path;
use std::process::Command;

use crate::tool;
use crate::{Error, Report};

/// [`crate::EPOCH`] as xorriso writes it.
const DATE: &str = "2026010100000000";

/// Makes an ISO of the folder `root`. `boot` says how it boots.
pub fn write(
    root: &Path,
    boot: &[&std::ffi::OsStr],
    fingerprint: u64,
    image: &Path,
) -> Result<Report, Error> {
    let _ = std::fs::remove_file(image);
    let mut command = Command::new("xorriso");
    // Rational Rock Ridge: names as they are, owner and permissions the same for everybody who builds.
    command.args(["-as", "mkisofs", "-r", "-iso-level", "3", "-V", "CAPOS"]);
    command.arg(format!("--modification-date={DATE}"));
    command.args([
        "--set_all_file_dates",
        DATE,
        "--gpt_disk_guid",
        &format!("{fingerprint:016x}6361704f53000000"),
    ]);
    command.args(boot).arg("-o").arg(image).arg(root);
    tool::run(&mut command, "xorriso")?;
    Report::of(image)
}
