//! The generated code is what `schema/disk_superblock.capnp` says.
//!
//! `CAPOS_REGENERATE=1 cargo test -p capos-store --test drift` writes it anew. Needs the `capnp` program, and passes with a
//! word about it where that is missing: the checked-in code is enough to build.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn generate(schema: &Path, into: &Path) -> String {
    capnpc::CompilerCommand::new()
        .src_prefix(schema)
        .file(schema.join("disk_superblock.capnp"))
        .output_path(into)
        .default_parent_module(vec!["generated".into()])
        .run()
        .unwrap();
    let text = fs::read_to_string(into.join("disk_superblock_capnp.rs")).unwrap();
    // Which `capnp` made the request does not matter to what comes out.
    text.lines()
        .filter(|line| !line.starts_with("// capnp binary version"))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
#[cfg_attr(miri, ignore = "runs programs")]
fn the_generated_code_is_up_to_date() {
    if Command::new("capnp").arg("--version").output().is_err() {
        println!("not checked: there is no `capnp` on this machine");
        return;
    }
    let crate_folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let into = env::temp_dir().join(format!("capos-store-{}", std::process::id()));
    fs::create_dir_all(&into).unwrap();
    let fresh = generate(&crate_folder.join("../../schema"), &into);
    fs::remove_dir_all(&into).unwrap();
    let checked_in = crate_folder.join("src/generated/disk_superblock_capnp.rs");
    if env::var_os("CAPOS_REGENERATE").is_some() {
        fs::write(&checked_in, &fresh).unwrap();
    }
    assert!(
        fs::read_to_string(&checked_in).unwrap() == fresh,
        "schema/disk_superblock.capnp changed: CAPOS_REGENERATE=1 cargo test -p capos-store --test drift"
    );
}
