//! What is generated, and where it lies in the repository.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::emit::{HEADER, dispatch, messages, pages, user};
use crate::fault::{Fault, Faults};
use crate::model::Schema;
use crate::source::Sources;
use crate::{lock, lower, request};

/// Where modules of `capos-schema` go.
const SCHEMA_DIR: &str = "schema/src/generated";
/// The kernel's dispatch table.
const DISPATCH: &str = "kernel/core/src/cap/dispatch.rs";
/// Where modules of `rt` go.
const USER_DIR: &str = "userspace/rt/src/generated";
/// The book's pages.
const PAGES_DIR: &str = "docs/src/interfaces";
/// The book's table of contents, of which only the interfaces are ours.
const CONTENTS: &str = "docs/src/SUMMARY.md";

/// Folders that hold nothing but outputs, so that what is too much in them can be told.
const OWN_DIRS: [&str; 3] = [SCHEMA_DIR, USER_DIR, PAGES_DIR];

/// Path from the repository's root to content.
pub type Outputs = BTreeMap<String, String>;

/// Paths of the schema files, from the repository's root.
pub fn schema_files(root: &Path) -> Result<Vec<String>, Fault> {
    let failed = |error| Fault::of_file("schema", format!("cannot be listed: {error}"));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(root.join("schema")).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".capnp") {
            files.push(format!("schema/{name}"));
        }
    }
    files.sort();
    Ok(files)
}

/// Reads the schema of the repository at `root`, and holds it to what it promised before.
pub fn load(root: &Path) -> Result<Schema, Faults> {
    let schema = parse(root)?;
    // Without a lock file nothing was promised yet.
    let promised = std::fs::read_to_string(root.join(lock::PATH)).unwrap_or_default();
    lock::check(&schema, lock::PATH, &promised)?;
    Ok(schema)
}

/// Reads the schema of the repository at `root`.
pub fn parse(root: &Path) -> Result<Schema, Faults> {
    let files = schema_files(root)?;
    let request = request::compile(root, &files)?;
    lower::lower(&request, &Sources::read(root, &files))
}

/// Everything that follows from a schema, formatted.
pub fn generate(root: &Path, schema: &Schema) -> Result<Outputs, Faults> {
    let mut outputs = Outputs::new();
    outputs.insert(format!("{SCHEMA_DIR}/mod.rs"), messages::index(schema));
    for module in messages::modules(schema) {
        outputs.insert(format!("{SCHEMA_DIR}/{module}.rs"), messages::module(schema, module));
    }
    outputs.insert(format!("{USER_DIR}/mod.rs"), user::index(schema));
    for interface in &schema.interfaces {
        outputs.insert(format!("{USER_DIR}/{}.rs", interface.module), user::module(interface));
    }
    outputs.insert(DISPATCH.to_owned(), dispatch::dispatch(schema));
    outputs.insert(format!("{PAGES_DIR}/index.md"), pages::index(schema));
    for interface in &schema.interfaces {
        outputs.insert(format!("{PAGES_DIR}/{}.md", interface.module), pages::page(schema, interface));
    }
    let contents = std::fs::read_to_string(root.join(CONTENTS)).unwrap_or_default();
    if let Some(contents) = pages::contents(schema, &contents) {
        outputs.insert(CONTENTS.to_owned(), contents);
    }
    outputs.insert(lock::PATH.to_owned(), lock::render(schema));
    for (path, content) in &mut outputs {
        if path.ends_with(".rs") {
            *content = rustfmt(root, content).map_err(|error| Fault::of_file(path.clone(), error))?;
        }
    }
    Ok(outputs)
}

/// Files that differ from what is generated, and why.
pub fn differences(root: &Path, outputs: &Outputs) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (path, content) in outputs {
        match std::fs::read_to_string(root.join(path)) {
            Ok(found) if found == *content => {}
            Ok(_) => faults.push(Fault::of_file(path.clone(), "differs from the schema")),
            Err(_) => faults.push(Fault::of_file(path.clone(), "is missing")),
        }
    }
    let left_over = stray(root, outputs).into_iter();
    faults.extend(left_over.map(|path| Fault::of_file(path, "follows from no schema file any more")));
    faults
}

/// Writes what differs, removes what is left over, and gives the paths of both.
pub fn write(root: &Path, outputs: &Outputs) -> Result<Vec<String>, Faults> {
    let failed = |path: &str, error| Fault::of_file(path, format!("cannot be written: {error}"));
    let mut touched = Vec::new();
    for (path, content) in outputs {
        let full = root.join(path);
        if std::fs::read_to_string(&full).is_ok_and(|found| found == *content) {
            continue;
        }
        let parent = full.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&full, content))
            .map_err(|error| failed(path, error))?;
        touched.push(path.clone());
    }
    for path in stray(root, outputs) {
        std::fs::remove_file(root.join(&path)).map_err(|error| failed(&path, error))?;
        touched.push(path);
    }
    Ok(touched)
}

/// Generated files of former runs that are no output now.
fn stray(root: &Path, outputs: &Outputs) -> Vec<String> {
    let mut found = Vec::new();
    for dir in OWN_DIRS {
        let Ok(entries) = std::fs::read_dir(root.join(dir)) else { continue };
        for entry in entries.flatten() {
            let path = format!("{dir}/{}", entry.file_name().to_string_lossy());
            let generated = std::fs::read_to_string(entry.path()).is_ok_and(|text| text.contains(HEADER));
            if generated && !outputs.contains_key(&path) {
                found.push(path);
            }
        }
    }
    found
}

/// Formats Rust as the repository does.
fn rustfmt(root: &Path, code: &str) -> Result<String, String> {
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--emit", "stdout", "--quiet"])
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run rustfmt: {error}"))?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(code.as_bytes()).map_err(|error| format!("rustfmt: {error}"))?;
    }
    let output = child.wait_with_output().map_err(|error| format!("rustfmt: {error}"))?;
    if !output.status.success() {
        return Err(format!("generated code does not parse; {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("rustfmt: {error}"))
}
