//! Plugins for QEMU's translator (tools/cap/plugin), compiled where they are needed.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::exec::{self, Context, Failure, ask};
use crate::house::House;

/// The last QEMU with the plugin interface that we use.
const LAST_QEMU: u64 = 8;

/// Compiles one; why not, where QEMU is too new for it.
pub fn build(house: &House, name: &str) -> Result<Result<PathBuf, String>, Failure> {
    let version = ask(Command::new(lab::machine::qemu()).arg("--version"))?;
    if major(&version).is_none_or(|major| major > LAST_QEMU) {
        return Ok(Err(format!("the plugin `{name}` is for QEMU up to {LAST_QEMU}")));
    }
    let folder = house.target().join("plugin");
    fs::create_dir_all(&folder).context(folder.display())?;
    let library = folder.join(name).with_extension("so");
    // Aside first: a machine may have the last one.
    let fresh = library.with_extension("new");
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden", "-o"]).arg(&fresh);
    exec::run("a plugin", cc.arg(house.root.join("tools/cap/plugin").join(name).with_extension("c")))?;
    fs::rename(&fresh, &library).context(library.display())?;
    Ok(Ok(library))
}

/// `QEMU emulator version 7.2.22 (...)` is 7.
fn major(version: &str) -> Option<u64> {
    version.split("version ").nth(1)?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_qemu() {
        assert_eq!(major("QEMU emulator version 7.2.22 (Debian 1:7.2)\n"), Some(7));
        assert_eq!(major("something else"), None);
    }
}
