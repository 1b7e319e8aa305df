//! Everything that boots, into `target/boot/`: kernel, loader, programs, manifests and packages.
//!
//! Two invocations of Cargo, each with a target folder of its own so that neither throws the other's work away: one for
//! `x86_64-unknown-none`, one for the programs. What they make is the same on every machine: paths are mapped away.

mod cargo;
mod metadata;
mod stage;

use std::path::PathBuf;

use crate::exec::{Context, Failure};
use crate::house::House;
use crate::systems::Systems;

pub use metadata::{Programs, Scope, packages, programs, userspace};

/// Checks system.cue, builds the kernel, the loader and the programs in scope, and puts them into `target/boot/`. Returns the
/// programs' names, and the systems as they were checked.
pub fn build(house: &House, scope: Scope) -> Result<(Programs, Systems), Failure> {
    let programs = metadata::programs(house, scope)?;
    let systems = Systems::load(house, &programs)?;
    compile(house, &programs, &systems)?;
    Ok((programs, systems))
}

/// The long part. It takes the systems as a sign that they were loaded, and so found sound: else what is built would not start.
pub fn compile(house: &House, programs: &Programs, _sound: &Systems) -> Result<(), Failure> {
    let _turn = house.turn()?;
    cargo::kernel(house)?;
    cargo::user(house, programs)?;
    stage::binaries(house, programs)
}

/// A file of the host's toolchain: `llvm-objcopy` and its like.
pub fn toolchain_file(name: &str) -> Result<PathBuf, Failure> {
    let mut command = std::process::Command::new("rustc");
    let sysroot = crate::exec::ask(command.args(["--print", "sysroot"])).context("rustc")?;
    let path = PathBuf::from(sysroot.trim()).join("lib/rustlib").join(cargo::HOST).join("bin").join(name);
    match path.is_file() {
        true => Ok(path),
        false => Err(Failure::new(format!("{name} is not installed: rustup component add llvm-tools"))),
    }
}

pub use cargo::{HOST, KERNEL_TARGET, cargo, user_config};
pub use stage::{kernel_with_symbols, programs_with_symbols, write_if_new};
