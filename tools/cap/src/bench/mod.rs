//! Figures: what operations cost in guest instructions, and how large things are, beside the budgets and what others need.
//!
//! Instructions are exact: under `-icount shift=0` one TSC tick is one instruction, in every run and under any load. So a figure
//! that is 3 % worse than the committed one is a regression, not noise.

mod known;
mod measure;
mod page;

use std::collections::BTreeMap;
use std::fs;

use lab::glob::selects;
use serde::Serialize;

use crate::exec::{Context, Failure};
use crate::house::House;
use known::Known;

/// How much worse than the committed figure an exact count may be.
const TOLERANCE: f64 = 1.03;

/// One measured figure.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// In `unit`.
    pub value: u64,
    /// `instructions` or `bytes`.
    pub unit: String,
    /// What others need for the same.
    pub anchor: Option<known::Anchor>,
    /// How it was measured.
    pub how: String,
}

type Figures = BTreeMap<String, Figure>;

/// Measures what `filter` selects. With `check`, compares with docs/figures.md instead of writing it.
pub fn run(house: &House, filter: &str, check: bool) -> Result<bool, Failure> {
    let known = known::read(house)?;
    refuse_unknown(filter, &known)?;
    let figures: Figures = measure::all(house, filter)?
        .into_iter()
        .filter(|(name, ..)| selects(filter, name))
        .map(|(name, value, unit)| (name.clone(), figure(&known, &name, value, unit)))
        .collect();
    let folder = house.target().join("bench");
    fs::create_dir_all(&folder).context(folder.display())?;
    lab::artefacts::write_json(&folder.join("figures.json"), &figures).context("figures.json")?;
    print!("{}", page::table(&figures, &known));
    let path = house.root.join("docs/figures.md");
    let committed = page::read(&fs::read_to_string(&path).unwrap_or_default());
    if check {
        return Ok(compare(&figures, &committed));
    }
    if filter == "*" {
        fs::write(&path, page::render(&figures, &known)).context(path.display())?;
        println!(
            "wrote {} and {}",
            house.short(&folder.join("figures.json")).display(),
            house.short(&path).display()
        );
    }
    Ok(true)
}

/// A filter that selects nothing would measure for minutes to say so. Every figure is in figures.toml, which a test compares with
/// the committed page.
fn refuse_unknown(filter: &str, known: &[Known]) -> Result<(), Failure> {
    if known.iter().any(|known| selects(filter, &known.name)) {
        return Ok(());
    }
    let names: Vec<&str> = known.iter().map(|known| known.name.as_str()).collect();
    Err(Failure::new(format!("no figure matches `{filter}`; there are {}", names.join(" "))))
}

/// Probes may measure more than is known; those figures have neither budget nor anchor.
fn figure(known: &[Known], name: &str, value: u64, unit: String) -> Figure {
    let row = known.iter().find(|known| known.name == name);
    Figure {
        value,
        unit,
        anchor: row.and_then(|row| row.anchor.clone()),
        how: row.map_or_else(|| "reported by a probe".to_owned(), |row| row.how.clone()),
    }
}

fn compare(figures: &Figures, committed: &BTreeMap<String, u64>) -> bool {
    let worse = regressions(figures, committed);
    worse.iter().for_each(|text| println!("{text}"));
    println!("{} passed, {} failed, 0 skipped", figures.len().saturating_sub(worse.len()), worse.len());
    worse.is_empty()
}

fn regressions(figures: &Figures, committed: &BTreeMap<String, u64>) -> Vec<String> {
    let compared = figures.iter().filter_map(|(name, figure)| Some((name, figure, *committed.get(name)?)));
    compared
        .filter(|(_, figure, old)| figure.value as f64 > *old as f64 * TOLERANCE)
        .map(|(name, figure, old)| {
            format!("regression: {name} is {} {}, committed is {old}", figure.value, figure.unit)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(rows: &[(&str, u64)]) -> Figures {
        rows.iter()
            .map(|(name, value)| ((*name).to_owned(), figure(&[], name, *value, "instructions".into())))
            .collect()
    }

    #[test]
    fn three_percent_is_the_limit() {
        let committed: BTreeMap<String, u64> = [("a".to_owned(), 1000)].into();
        assert!(regressions(&figures(&[("a", 1030)]), &committed).is_empty());
        assert!(regressions(&figures(&[("a", 500)]), &committed).is_empty());
        assert_eq!(regressions(&figures(&[("a", 1031)]), &committed).len(), 1);
    }

    #[test]
    fn new_figures_regress_nothing() {
        assert!(regressions(&figures(&[("b", 9)]), &BTreeMap::new()).is_empty());
    }

    #[test]
    fn a_filter_without_a_figure_is_refused() {
        let known = known::parse(include_str!("../../figures.toml")).unwrap();
        for filter in ["*", "size.*", "boot.shell", "nosuch,ipc.*"] {
            refuse_unknown(filter, &known).unwrap();
        }
        for filter in ["nosuch", "size", "nosuch,neither"] {
            let text = refuse_unknown(filter, &known).unwrap_err().to_string();
            assert!(
                text.starts_with(&format!("no figure matches `{filter}`; there are boot.shell ")),
                "{text}"
            );
        }
    }

    #[test]
    fn every_committed_figure_is_known() {
        let known = known::parse(include_str!("../../figures.toml")).unwrap();
        for name in page::read(include_str!("../../../../docs/figures.md")).keys() {
            assert!(known.iter().any(|known| known.name == *name), "{name}");
        }
    }
}
