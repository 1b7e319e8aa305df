//! What Cargo made, brought into `target/boot/` without what only debuggers read. Files that did not change are left alone, so that
//! nothing after them is made again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cargo::{HOST, KERNEL_TARGET};
use super::metadata::Programs;
use super::toolchain_file;
use crate::exec::{Context, Failure, ask};
use crate::house::House;

/// Copies kernel, loader and programs; removes programs that no longer exist.
pub fn binaries(house: &House, programs: &Programs) -> Result<(), Failure> {
    let (boot, files) = (house.boot(), house.boot().join("files"));
    fs::create_dir_all(&files).context(files.display())?;
    let kernel = kernel_with_symbols(house);
    strip(&kernel, &boot.join("kernel.elf"))?;
    strip(&kernel.with_file_name("handoff"), &boot.join("handoff.elf"))?;
    let user = programs_with_symbols(house);
    for name in &programs.binaries {
        strip(&user.join(name), &files.join(name))?;
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

/// The kernel as the linker left it, for debuggers.
pub fn kernel_with_symbols(house: &House) -> PathBuf {
    house.target().join("kernel").join(KERNEL_TARGET).join("release").join("kernel")
}

/// Where the programs lie as the linker left them, by name.
pub fn programs_with_symbols(house: &House) -> PathBuf {
    house.target().join("user").join(HOST).join("program")
}

/// The names of functions stay: `symbolize` and the profiler read them from the very file that ran.
fn strip(from: &Path, to: &Path) -> Result<(), Failure> {
    let stripped = to.with_extension("stripped");
    let mut command = Command::new(toolchain_file("llvm-objcopy")?);
    ask(command.arg("--strip-debug").arg(from).arg(&stripped))?;
    let bytes = fs::read(&stripped).context(stripped.display())?;
    fs::remove_file(&stripped).context(stripped.display())?;
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
