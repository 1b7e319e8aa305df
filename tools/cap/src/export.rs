//! `cap export`: the checked-in export of system.cue.

use cue::Outcome;

use crate::exec::Failure;
use crate::house::House;

/// Makes the export anew, or only compares it. `Ok(false)` if it is not what system.cue says.
pub fn run(house: &House, check: bool) -> Result<bool, Failure> {
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
        Outcome::Stale => "is not what system.cue says; `cap export` makes it so",
        Outcome::Written => "written",
        Outcome::Unverified => "was made from this system.cue; no CUE evaluator is here to make it again",
    }
}
