//! Hands the linker script to the linker when the kernel is built for the machine.

fn main() {
    let target = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    println!("cargo::rerun-if-changed=kernel.ld");
    if target == "none" {
        println!("cargo::rustc-link-arg-bins=-T{folder}/kernel.ld");
        // Where the loader does not move the image, it is complete even without being relocated.
        println!("cargo::rustc-link-arg-bins=--apply-dynamic-relocs");
        println!("cargo::rustc-link-arg-bins=--build-id=none");
    }
}
