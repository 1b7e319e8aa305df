//! What Cargo made, brought into `target/boot/`. Files that did not change are left alone, so that nothing after them is made
//! again.

use std::fs;
use std::path::Path;

use super::cargo::{HOST, KERNEL_TARGET};
use super::metadata::Programs;
use crate::exec::{Context, Failure};
use crate::house::House;

/// Copies kernel, loader and programs; removes programs that no longer exist.
pub fn binaries(house: &House, programs: &Programs) -> Result<(), Failure> {
    let (boot, files) = (house.boot(), house.boot().join("files"));
    fs::create_dir_all(&files).context(files.display())?;
    let kernel = house.target().join("kernel").join(KERNEL_TARGET).join("release");
    copy(&kernel.join("kernel"), &boot.join("kernel.elf"))?;
    copy(&kernel.join("handoff"), &boot.join("handoff.elf"))?;
    let user = house.target().join("user").join(HOST).join("program");
    for name in &programs.binaries {
        copy(&user.join(name), &files.join(name))?;
    }
    for entry in fs::read_dir(&files).context(files.display())? {
        let path = entry.context(files.display())?.path();
        let known =
            |name: &str| programs.binaries.iter().chain(&programs.others).any(|binary| binary == name);
        if !path.file_name().and_then(|name| name.to_str()).is_some_and(known) {
            fs::remove_file(&path).context(path.display())?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let bytes = fs::read(from).context(from.display())?;
    write_if_new(to, &bytes)
}

/// Writes a file unless it holds these bytes already.
pub fn write_if_new(to: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    fs::write(to, bytes).context(to.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_files_are_left_alone() {
        let path = std::env::temp_dir().join(format!("capos-stage-{}", std::process::id()));
        write_if_new(&path, b"one").unwrap();
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        write_if_new(&path, b"one").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
        write_if_new(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        fs::remove_file(path).unwrap();
    }
}
