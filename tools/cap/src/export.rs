//! `cap export`: the checked-in export of system.cue. And whoever evaluates it: installed when it is first needed.

use std::process::Command;

use cue::{CueError, Evaluator, Outcome};

use crate::exec::{Context, Failure};
use crate::house::House;

/// Makes the export anew, or only compares it. `Ok(false)` if it is not what system.cue says.
pub fn run(house: &House, check: bool) -> Result<bool, Failure> {
    if !check {
        install_evaluator(house)?;
    }
    let outcome = state(house, check)?;
    println!("{}: {}", cue::EXPORT, describe(outcome));
    Ok(outcome != Outcome::Stale)
}

/// What became of it.
pub fn state(house: &House, check: bool) -> Result<Outcome, Failure> {
    cue::export(&house.root, check).map_err(|error| Failure::new(error.to_string()))
}

/// In words.
pub fn describe(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::UpToDate => "is what system.cue says",
        Outcome::Stale => "is not what system.cue says; `cargo cap export` makes it so",
        Outcome::Written => "written",
        Outcome::Unverified => "was made from this system.cue; no CUE evaluator is here to make it again",
    }
}

/// The systems as the texts define them now.
pub fn load(house: &House) -> Result<cue::Systems, Failure> {
    let result = match cue::load(&house.root) {
        Err(CueError::OverlayNeedsEvaluator | CueError::StaleNeedsEvaluator) => {
            install_evaluator(house)?;
            cue::load(&house.root)
        }
        result => result,
    };
    result.map_err(|error| Failure::new(error.to_string()))
}

/// Installs what evaluates CUE where nothing does, and says what.
fn install_evaluator(house: &House) -> Result<(), Failure> {
    if Evaluator::find(&house.root).is_some() {
        return Ok(());
    }
    if !Evaluator::can_install() {
        let script = house.root.join("tools/cap/setup.sh");
        // If that is impossible it says why, and what is then missing is reported by whoever needs it.
        let _ = Command::new(&script).arg("--cue").status().context(script.display())?;
    }
    // What setup installed may be `cue` itself.
    if Evaluator::find(&house.root).is_some() || !Evaluator::can_install() {
        return Ok(());
    }
    eprintln!("installing the npm package {} into target/tools: it evaluates system.cue", Evaluator::PACKAGE);
    Evaluator::install(&house.root).map_err(|error| Failure::new(error.to_string()))
}
