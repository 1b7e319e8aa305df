//! A repository with nothing but a schema, in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// The fixture's repository.
pub fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixture")
}

/// Is removed when dropped.
pub struct Repo(PathBuf);

impl Repo {
    /// A repository whose only interface file of its own is `schema/car.capnp`.
    pub fn with(car: &str) -> Self {
        let name = format!("gen-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let repo = Repo(std::env::temp_dir().join(name));
        std::fs::create_dir_all(repo.0.join("schema")).expect("the temporary folder is writable");
        std::fs::copy(fixture().join("schema/capos.capnp"), repo.0.join("schema/capos.capnp"))
            .expect("it is there");
        repo.put(
            "schema/car.capnp",
            &format!("@0xd11c0de0f00d1001;\nusing Capos = import \"capos.capnp\";\n{car}"),
        );
        repo
    }

    /// Its root.
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// Writes a file.
    pub fn put(&self, path: &str, text: &str) {
        std::fs::write(self.0.join(path), text).expect("the temporary folder is writable");
    }

    /// Reads a file.
    pub fn get(&self, path: &str) -> String {
        std::fs::read_to_string(self.0.join(path)).unwrap_or_default()
    }

    /// Replaces text in the schema.
    pub fn change(&self, from: &str, to: &str) {
        let text = self.get("schema/car.capnp");
        assert!(text.contains(from), "{from} is there to be replaced");
        self.put("schema/car.capnp", &text.replace(from, to));
    }

    /// Runs the generator in it; gives its output, or its complaints.
    pub fn gen_(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gen"));
        let output = command.args(arguments).current_dir(&self.0).output().expect("the generator runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }
}

impl Drop for Repo {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
