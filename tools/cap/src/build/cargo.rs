//! The two invocations of Cargo, and their flags.

use std::path::PathBuf;
use std::process::Command;

use super::metadata::Programs;
use crate::exec::{Failure, ask, run};
use crate::house::House;

/// Target of kernel and loader: no floating point, no red zone.
pub const KERNEL_TARGET: &str = "x86_64-unknown-none";
/// Target of the programs: the host's own, since it has SSE; nothing of its operating system is linked.
pub const HOST: &str = "x86_64-unknown-linux-gnu";

/// How a program is linked: a plain static ELF64 at a fixed address, W^X by page, no C library and no start files.
const USER_LINK: [&str; 12] = [
    "-Clinker=rust-lld",
    "-Clinker-flavor=ld.lld",
    "-Clink-self-contained=no",
    "-Crelocation-model=static",
    "-Cpanic=abort",
    "-Cforce-frame-pointers=yes",
    "-Clink-arg=-nostdlib",
    "-Clink-arg=-static",
    "-Clink-arg=--image-base=0x400000",
    "-Clink-arg=-zmax-page-size=4096",
    "-Clink-arg=-zseparate-code",
    // The precompiled `alloc` names it in landing pads; a panic aborts, so nobody gets there.
    "-Clink-arg=--defsym=_Unwind_Resume=rust_eh_personality",
];

/// Cargo in the repository, deaf to flags and folders of the caller's environment: what is built depends on the tree alone.
pub fn cargo(house: &House) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(&house.root);
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "CARGO_TARGET_DIR",
        "CARGO_BUILD_RUSTFLAGS",
    ] {
        command.env_remove(name);
    }
    // Set by the `cargo run` that started us; it would confuse the inner one about which package it builds.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_PKG_"))
    {
        command.env_remove(name);
    }
    command
}

/// Builds the kernel and the loader.
pub fn kernel(house: &House) -> Result<(), Failure> {
    let mut command = cargo(house);
    command.args(["build", "--release", "--target", KERNEL_TARGET, "-p", "kernel", "-p", "handoff"]);
    command.arg("--target-dir").arg(house.target().join("kernel"));
    command.arg("--config").arg(config(KERNEL_TARGET, &kernel_flags(house)?));
    run("build kernel and loader", &mut command).map(drop)
}

/// Builds all programs.
pub fn user(house: &House, programs: &Programs) -> Result<(), Failure> {
    let mut command = cargo(house);
    command.args(["build", "--profile", "program", "--target", HOST]);
    command.arg("--target-dir").arg(house.target().join("user"));
    command.arg("--config").arg(user_config(house)?);
    for package in &programs.packages {
        command.args(["-p", package]);
    }
    run(&format!("build {} programs", programs.binaries.len()), &mut command).map(drop)
}

fn kernel_flags(house: &House) -> Result<Vec<String>, Failure> {
    let mut flags = remaps(house)?;
    flags.push("-Cforce-frame-pointers=yes".into());
    Ok(flags)
}

/// The flags of programs as a setting for Cargo, also for checking them.
pub fn user_config(house: &House) -> Result<String, Failure> {
    let mut flags = remaps(house)?;
    flags.extend(USER_LINK.map(str::to_owned));
    flags.push("--cfg=capos".into());
    Ok(config(HOST, &flags))
}

/// The same bytes wherever the tree, Cargo's home and the toolchain are.
fn remaps(house: &House) -> Result<Vec<String>, Failure> {
    let sysroot = ask(Command::new("rustc").current_dir(&house.root).args(["--print", "sysroot"]))?;
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = home.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let mut flags = vec![
        remap(&house.root.display().to_string(), "/capos"),
        remap(&format!("{}/lib/rustlib/src/rust", sysroot.trim()), "/rust"),
    ];
    flags.extend(cargo_home.map(|home| remap(&home.display().to_string(), "/cargo")));
    Ok(flags)
}

fn remap(from: &str, to: &str) -> String {
    format!("--remap-path-prefix={from}={to}")
}

/// Flags for one target by `--config`: unlike the environment they spare build scripts and keep the order.
fn config(target: &str, flags: &[String]) -> String {
    let quoted: Vec<String> =
        flags.iter().map(|flag| toml::Value::String(flag.clone()).to_string()).collect();
    format!("target.{target}.rustflags=[{}]", quoted.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_become_one_toml_value() {
        let text = config("t", &["--cfg=capos".into(), "-Ca=\"b\"".into()]);
        let parsed: toml::Table = text.parse().unwrap();
        let flags = parsed["target"]["t"]["rustflags"].as_array().unwrap();
        assert_eq!(flags[0].as_str(), Some("--cfg=capos"));
        assert_eq!(flags[1].as_str(), Some("-Ca=\"b\""));
    }
}
