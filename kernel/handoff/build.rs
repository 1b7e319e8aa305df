//! Hands the linker script to the linker when the loader is built for the bare machine; a host build needs none.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=handoff.ld");
    let folder = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "none") {
        let script = Path::new(&folder).join("handoff.ld");
        println!("cargo:rustc-link-arg-bins=--script={}", script.display());
        // The target's default is a position independent executable; PVH and Multiboot2 load at the addresses in the file.
        println!("cargo:rustc-link-arg-bins=--no-pie");
        println!("cargo:rustc-link-arg-bins=--build-id=none");
    }
}
