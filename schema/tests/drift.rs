//! What `capnpc` made of the formats that lie on disks and in images is what `schema` says.
//!
//! `CAPOS_REGENERATE=1 cargo test -p capos-schema --test drift` writes it anew. Needs the `capnp` program, and passes with a
//! word about it where that is missing: the checked-in code is enough to build.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Schemas, and the crates that have their code.
const FORMATS: [(&str, &str); 3] =
    [("manifest", "manifest"), ("disk_superblock", "store"), ("volume_records", "fs")];

fn generate(schema: &Path, format: &str, into: &Path) -> String {
    capnpc::CompilerCommand::new()
        .src_prefix(schema)
        .file(schema.join(format!("{format}.capnp")))
        .output_path(into)
        .default_parent_module(vec!["generated".into()])
        .run()
        .unwrap();
    let text = fs::read_to_string(into.join(format!("{format}_capnp.rs"))).unwrap();
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
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let into = env::temp_dir().join(format!("capos-drift-{}", std::process::id()));
    fs::create_dir_all(&into).unwrap();
    let fresh = FORMATS.map(|(format, _)| generate(&here, format, &into));
    fs::remove_dir_all(&into).unwrap();
    for ((format, owner), fresh) in FORMATS.iter().zip(fresh) {
        let checked_in = here.join(format!("../capos-lib/{owner}/src/generated/{format}_capnp.rs"));
        if env::var_os("CAPOS_REGENERATE").is_some() {
            fs::write(&checked_in, &fresh).unwrap();
        }
        assert!(
            fs::read_to_string(&checked_in).unwrap() == fresh,
            "schema/{format}.capnp changed: CAPOS_REGENERATE=1 cargo test -p capos-schema --test drift"
        );
    }
}
