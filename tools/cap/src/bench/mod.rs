//! Figures: what operations cost in guest instructions, and how large things are, beside the budgets and what others need.
//!
//! Instructions are exact: under `-icount shift=0` one TSC tick is one instruction, in every run and under any load. So a figure
//! that is 3 % worse than the committed one is a regression, not noise. A plugin of QEMU counts the same regions, and what else
//! happens in them.

mod blocks;
mod boot;
mod count;
mod drivers;
mod known;
mod measure;
mod network;
mod page;
mod split;
mod together;

use std::collections::BTreeMap;
use std::fs;

use lab::glob::selects;
use serde::{Serialize, Serializer};

use crate::exec::{Context, Failure};
use crate::house::House;
use known::Known;
use measure::Measured;

/// Where figures are committed.
const PAGE: &str = "docs/figures.md";
/// How much worse than the committed figure an exact count may be.
const TOLERANCE: f64 = 1.03;

/// One measured figure.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// In `unit`.
    #[serde(serialize_with = "shortly")]
    pub value: f64,
    /// `instructions`, `bytes`, `times` or `%`.
    pub unit: String,
    /// What others need for the same.
    pub anchor: Option<known::Anchor>,
    /// How it was measured.
    pub how: String,
    /// What has to be known about this measurement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What was counted beside it, for each operation.
    pub beside: Option<count::Beside>,
    /// Which functions take how much of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<split::Part>,
}

/// Whole numbers without a point.
fn shortly<S: Serializer>(value: &f64, output: S) -> Result<S::Ok, S::Error> {
    if value.fract() == 0.0 { output.serialize_i64(*value as i64) } else { output.serialize_f64(*value) }
}

type Figures = BTreeMap<String, Figure>;

/// Measures what `filter` selects. With `check`, compares with docs/figures.md instead of writing it.
pub fn run(house: &House, filter: &str, check: bool) -> Result<bool, Failure> {
    let known = known::read(house)?;
    refuse_unknown(filter, &known)?;
    let figures = measured(house, filter, &known)?;
    let folder = house.target().join("bench");
    fs::create_dir_all(&folder).context(folder.display())?;
    lab::artefacts::write_json(&folder.join("figures.json"), &figures).context("figures.json")?;
    print!("{}", page::table(&figures, &known));
    if check {
        let (passed, worse) = judged(house, filter, &figures, &known);
        worse.iter().for_each(|text| println!("{text}"));
        println!("compared with the committed figures, not with the budgets:");
        println!("{passed} passed, {} failed, 0 skipped", worse.len());
        return Ok(worse.is_empty());
    }
    if filter == "*" {
        let path = house.root.join(PAGE);
        fs::write(&path, page::render(&figures, &known)).context(path.display())?;
        println!(
            "wrote {} and {}",
            house.short(&folder.join("figures.json")).display(),
            house.short(&path).display()
        );
    }
    Ok(true)
}

/// Compares all figures that repeat with docs/figures.md: how many are as good, and what is wrong with the others.
pub fn compare(house: &House) -> Result<(usize, Vec<String>), Failure> {
    let known = known::read(house)?;
    let steady: Vec<&str> = known.iter().filter(|row| !row.varies).map(|row| row.name.as_str()).collect();
    let filter = steady.join(",");
    let figures = measured(house, &filter, &known)?;
    Ok(judged(house, &filter, &figures, &known))
}

fn judged(house: &House, filter: &str, figures: &Figures, known: &[Known]) -> (usize, Vec<String>) {
    let worse = regressions(filter, figures, &committed(house), known);
    (figures.len().saturating_sub(worse.len()), worse)
}

fn measured(house: &House, filter: &str, known: &[Known]) -> Result<Figures, Failure> {
    let all = measure::all(house, filter)?.into_iter();
    let chosen = all.filter(|measured| selects(filter, &measured.name));
    Ok(chosen.map(|measured| (measured.name.clone(), figure(known, measured))).collect())
}

/// What docs/figures.md says.
fn committed(house: &House) -> BTreeMap<String, f64> {
    page::read(&fs::read_to_string(house.root.join(PAGE)).unwrap_or_default())
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
fn figure(known: &[Known], Measured { name, value, unit, beside, parts, note }: Measured) -> Figure {
    let row = known.iter().find(|known| known.name == name);
    Figure {
        value,
        unit,
        beside,
        parts,
        note,
        anchor: row.and_then(|row| row.anchor.clone()),
        how: row.map_or_else(|| "reported by a probe".to_owned(), |row| row.how.clone()),
    }
}

fn regressions(
    filter: &str,
    figures: &Figures,
    committed: &BTreeMap<String, f64>,
    known: &[Known],
) -> Vec<String> {
    let varies = |name: &str| known.iter().any(|known| known.varies && known.name == name);
    let compared = committed.iter().filter(|(name, _)| selects(filter, name) && !varies(name));
    compared
        .filter_map(|(name, old)| match figures.get(name) {
            None => Some(format!("regression: {name} was not measured, committed is {old}")),
            // A probe that fails says so, but not by a figure.
            Some(figure) if figure.value <= 0.0 && *old > 0.0 => {
                Some(format!("regression: {name} has no value"))
            }
            Some(figure) if figure.value > *old * TOLERANCE => {
                Some(format!("regression: {name} is {} {}, committed is {old}", figure.value, figure.unit))
            }
            Some(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(rows: &[(&str, f64)]) -> Figures {
        rows.iter()
            .map(|(name, value)| Measured::plain(name, *value, "instructions"))
            .map(|measured| (measured.name.clone(), figure(&[], measured)))
            .collect()
    }

    #[test]
    fn three_percent_is_the_limit() {
        let committed: BTreeMap<String, f64> = [("a".to_owned(), 1000.0)].into();
        assert!(regressions("*", &figures(&[("a", 1030.0)]), &committed, &[]).is_empty());
        assert!(regressions("*", &figures(&[("a", 500.0)]), &committed, &[]).is_empty());
        assert_eq!(regressions("*", &figures(&[("a", 1031.0)]), &committed, &[]).len(), 1);
    }

    #[test]
    fn what_is_gone_or_failed_is_no_improvement() {
        let committed: BTreeMap<String, f64> = [("a".to_owned(), 1000.0)].into();
        assert_eq!(regressions("*", &figures(&[]), &committed, &[]).len(), 1);
        assert_eq!(regressions("*", &figures(&[("a", 0.0)]), &committed, &[]).len(), 1);
        assert!(regressions("b", &figures(&[]), &committed, &[]).is_empty());
    }

    #[test]
    fn what_varies_is_not_compared() {
        let known = known::parse(include_str!("../../figures.toml")).unwrap();
        let committed: BTreeMap<String, f64> = [("smp.scale".to_owned(), 1.0)].into();
        assert!(regressions("*", &figures(&[("smp.scale", 2.0)]), &committed, &known).is_empty());
    }

    #[test]
    fn new_figures_regress_nothing() {
        assert!(regressions("*", &figures(&[("b", 9.0)]), &BTreeMap::new(), &[]).is_empty());
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
