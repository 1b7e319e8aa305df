//! What is known about each figure before it is measured: `tools/cap/figures.toml`.

use std::fs;

use serde::{Deserialize, Serialize};

use crate::exec::{Context, Failure};
use crate::house::House;

/// A row of `figures.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// By which the probe reports it.
    pub name: String,
    /// What it measures.
    pub title: String,
    /// What it should stay below, or above where more is better.
    pub budget: Option<f64>,
    /// What it should stay below when it keeps that.
    pub then: Option<f64>,
    /// More is better.
    #[serde(default)]
    pub more: bool,
    /// It differs from run to run: nothing is compared with it.
    #[serde(default)]
    pub varies: bool,
    /// What others need.
    pub anchor: Option<Anchor>,
    /// How it is measured.
    pub how: String,
    /// What stands in the way while the budget is missed.
    pub why: Option<String>,
}

/// Somebody else's figure.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// Whose, and of what.
    pub who: String,
    /// In the unit of the figure.
    pub value: f64,
}

#[derive(Deserialize)]
struct File {
    figure: Vec<Known>,
}

/// Reads `figures.toml`.
pub fn read(house: &House) -> Result<Vec<Known>, Failure> {
    let path = house.root.join("tools/cap/figures.toml");
    parse(&fs::read_to_string(&path).context(path.display())?).context(path.display())
}

/// Its rows.
pub fn parse(text: &str) -> Result<Vec<Known>, toml::de::Error> {
    Ok(toml::from_str::<File>(text)?.figure)
}

impl Known {
    /// Whether the budget, if there is one, is kept.
    pub fn within(&self, value: f64) -> Option<bool> {
        self.budget.map(|budget| if self.more { value >= budget } else { value <= budget })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_in_the_tree_reads() {
        let known = parse(include_str!("../../figures.toml")).unwrap();
        let null = known.iter().find(|known| known.name == "call.kernel_null").unwrap();
        assert_eq!((null.within(246.0), null.within(247.0)), (Some(true), Some(false)));
        let scale = known.iter().find(|known| known.name == "smp.scale").unwrap();
        assert_eq!((scale.within(1.9), scale.within(1.8)), (Some(true), Some(false)));
    }
}
