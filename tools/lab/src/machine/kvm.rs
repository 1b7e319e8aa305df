//! Whether KVM really works here: `/dev/kvm` can exist and not run a guest, so a probe guest of one sector is booted.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A boot sector in 16-bit code: `mov al, 0x2a; out 0xf4, al; 1: hlt; jmp 1b`. Port 0xf4 is QEMU's exit device.
const PROBE: [u8; 7] = [0xb0, 0x2a, 0xe6, 0xf4, 0xf4, 0xeb, 0xfd];
/// What QEMU exits with then: `(0x2a << 1) | 1`.
const PROBE_STATUS: i32 = 0x55;
/// SeaBIOS does not boot from a disk of one sector.
const DISK: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(10);

/// `Ok` if the probe guest ran under KVM, else why not. The answer is remembered.
pub fn works() -> Result<(), String> {
    static ANSWER: OnceLock<Result<(), String>> = OnceLock::new();
    ANSWER.get_or_init(probe).clone()
}

fn probe() -> Result<(), String> {
    if !Path::new("/dev/kvm").exists() {
        return Err("this host has no /dev/kvm".into());
    }
    let image = std::env::temp_dir().join(format!("capos-kvm-probe-{}", std::process::id()));
    let result = fs::write(&image, disk()).map_err(|error| error.to_string()).and_then(|()| boot(&image));
    // Best effort: a file of 512 bytes in the temporary directory.
    let _ = fs::remove_file(&image);
    result
}

fn disk() -> Vec<u8> {
    let mut disk = PROBE.to_vec();
    disk.resize(510, 0);
    disk.extend([0x55, 0xaa]);
    disk.resize(DISK, 0);
    disk
}

fn boot(image: &Path) -> Result<(), String> {
    let mut child = Command::new(super::qemu())
        .args([
            "-nodefaults",
            "-display",
            "none",
            "-machine",
            "pc",
            "-accel",
            "kvm",
            "-cpu",
            "max",
            "-m",
            "16M",
        ])
        .arg("-no-reboot")
        .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"])
        .arg("-drive")
        .arg(format!("file={},format=raw,snapshot=on", image.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{}: {error}", super::qemu()))?;
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            let ran = status.code() == Some(PROBE_STATUS);
            return if ran { Ok(()) } else { Err("/dev/kvm exists but does not run a guest".into()) };
        }
        if start.elapsed() > PATIENCE {
            // The process is ours and just answered to its id.
            let _ = child.kill();
            let _ = child.wait();
            return Err("a probe guest hangs under KVM".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_is_a_boot_sector() {
        let disk = disk();
        assert_eq!((disk.len(), &disk[510..512]), (DISK, &[0x55, 0xaa][..]));
        assert_eq!(PROBE_STATUS, (i32::from(PROBE[1]) << 1) | 1);
    }
}
