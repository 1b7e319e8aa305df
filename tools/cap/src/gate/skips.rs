//! What may be skipped, in one place: `.ci/skips.toml`. A skip that no row there covers fails the gate.

use std::fs;

use lab::glob::selects;
use serde::Deserialize;

use super::Row;
use crate::exec::{Context, Failure};
use crate::house::House;

/// The rows of `.ci/skips.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skips {
    skip: Vec<Allowed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowed {
    /// The step of the gate.
    step: String,
    /// What is skipped: the part of the reason before the first `: `, as a pattern.
    what: String,
    /// Why that is no hole.
    #[serde(rename = "reason")]
    _reason: String,
}

/// Reads the file.
pub fn read(house: &House) -> Result<Skips, Failure> {
    let path = house.root.join(".ci/skips.toml");
    let text = fs::read_to_string(&path).context(path.display())?;
    toml::from_str(&text).context(path.display())
}

impl Skips {
    /// The skips that no row allows.
    pub fn refused(&self, rows: &[Row]) -> Vec<String> {
        let skips = rows
            .iter()
            .flat_map(|row| row.outcome.tally.skipped.iter().map(move |reason| (row.name, reason)));
        let refused = skips.filter(|(step, reason)| !self.allows(step, reason));
        refused
            .map(|(step, reason)| format!("skip not allowed by .ci/skips.toml: {step}: {reason}"))
            .collect()
    }

    fn allows(&self, step: &str, reason: &str) -> bool {
        let what = reason.split(": ").next().unwrap_or(reason);
        self.skip.iter().any(|allowed| allowed.step == step && selects(&allowed.what, what))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Tally, counts};
    use super::*;

    #[test]
    fn only_listed_skips_are_allowed() {
        let skips: Skips = toml::from_str(
            "[[skip]]\nstep = 'lab'\nwhat = 'boot-limine*'\nreason = 'no binaries'\n\
             [[skip]]\nstep = 'miri'\nwhat = 'miri'\nreason = 'no nightly'\n",
        )
        .unwrap();
        let row =
            |name, reason: &str| Row { name, time: Duration::ZERO, outcome: Tally::skip(reason).into() };
        assert!(skips.refused(&[row("lab", "boot-limine[boot=limine-bios-iso]: no binaries")]).is_empty());
        assert!(skips.refused(&[row("miri", "miri: not installed")]).is_empty());
        assert_eq!(skips.refused(&[row("lab", "boot-paths: OVMF is not installed")]).len(), 1);
        assert_eq!(skips.refused(&[row("fuzz", "miri: not installed")]).len(), 1);
    }

    #[test]
    fn the_rows_of_this_house_cover_what_its_steps_say() {
        let skips: Skips = toml::from_str(include_str!("../../../../.ci/skips.toml")).unwrap();
        let ignored = counts::of(
            "test table::fills ... ignored, all slots\n\
             test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n",
        );
        let row = |name, tally: Tally| Row { name, time: Duration::ZERO, outcome: tally.into() };
        assert_eq!(skips.refused(&[row("miri", ignored.clone())]), Vec::<String>::new());
        assert_eq!(skips.refused(&[row("test-lib", ignored)]).len(), 1);
    }
}
