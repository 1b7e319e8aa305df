//! Where figures come from: probes on a counting machine, QEMU's own count of a boot, and the sizes of files.

use std::fs;
use std::path::Path;
use std::process::Command;

use lab::expect::Event;
use lab::glob::selects;
use lab::library;
use lab::matrix::SubCase;
use lab::run::{self, Options, Unready};

use super::count::{Beside, Plugin, Series};
use super::split::{Functions, Measure, Part};
use super::{blocks, boot, drivers, network, together};
use crate::build::toolchain_file;
use crate::exec::{Context, Failure, ask};
use crate::house::House;
use crate::images;
use crate::kitchen::Pantry;
use crate::progress::Progress;

/// A figure as it was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// As in figures.toml.
    pub name: String,
    /// In `unit`.
    pub value: f64,
    /// `instructions`, `bytes`, `times` or `%`.
    pub unit: String,
    /// What was counted beside it.
    pub beside: Option<Beside>,
    /// Which functions take how much of it.
    pub parts: Vec<Part>,
    /// What has to be known about this measurement.
    pub note: Option<String>,
}

impl Measured {
    /// Nothing beside it.
    pub fn plain(name: &str, value: f64, unit: &str) -> Measured {
        Measured { name: name.into(), value, unit: unit.into(), beside: None, parts: Vec::new(), note: None }
    }
}

/// The machine on which everything is counted; the anchors were taken on the same.
pub const MACHINE: &str = "[machine]\nicount = true\ncpu = 'max,-erms'\n";
pub const PROBE: &str = "why = 'figures'\nbudget = '10m'\n[system]\nuse = ['testport', 'probe-bench']\n\
    [system.services.probe-bench.caps.devices]\nkernel = 'devices'\n\
    [system.services.probe-bench.budget]\ndmaPages = 64\nvectors = 4\n";
/// What it measures devices with.
const DEVICES: &str = "devices = ['e1000e,addr=5', 'virtio-net-pci,addr=6,disable-legacy=on', \
    'virtio-rng-pci,addr=7,disable-legacy=on,max-bytes=1024,period=2']\n";
const BOOT: &str = "why = 'figures'\nends = 'session'\nsession = [{ expect = '> ' }]\n[system]\nname = 'default'\nshipped = true\n";

/// Instructions of marking a region and reading the clock.
const MARKING: f64 = 12.0;
/// By what part of a figure the two ways of counting may differ.
const AGREEMENT: f64 = 0.01;

/// All figures whose group `filter` can select.
pub fn all(house: &House, filter: &str) -> Result<Vec<Measured>, Failure> {
    let probe = case("bench-probe", &format!("{PROBE}{MACHINE}{DEVICES}"))?;
    let boot = case("bench-boot", &format!("{BOOT}{MACHINE}"))?;
    let mut cases = vec![probe.clone(), boot.clone()];
    cases.extend(drivers::cases()?);
    cases.extend(blocks::cases()?);
    cases.extend(network::cases()?);
    let pantry = Pantry::stock(house, &cases)?;
    let folder = house.target().join("bench");
    let mut figures = Vec::new();
    let sizes = ["size.kernel", "size.loader", "size.iso", "size.raw"];
    if sizes.iter().any(|name| selects(filter, name)) {
        figures.extend(self::sizes(house)?);
    }
    if filter == "size.*" {
        return Ok(figures);
    }
    let plugin = Plugin::build(house)?;
    if selects(filter, "boot.shell") {
        figures.push(boot::to_shell(&boot, &pantry, plugin.as_ref(), &folder.join("boot"))?);
    }
    if ["boot.*", "boot.shell"].contains(&filter) {
        return Ok(figures);
    }
    if wants_probe(filter) {
        figures.extend(from_probe(house, &probe, &pantry, plugin.as_ref(), &folder.join("probe"))?);
    }
    figures.extend(drivers::all(house, &pantry, plugin.as_ref(), filter, &folder)?);
    figures.extend(blocks::all(house, &pantry, plugin.as_ref(), filter, &folder)?);
    figures.extend(network::all(house, &pantry, plugin.as_ref(), filter, &folder)?);
    figures.extend(together::all(&pantry, plugin.as_ref(), filter, &folder)?);
    Ok(figures)
}

/// Whether some part of the filter may mean what probe-bench measures.
fn wants_probe(filter: &str) -> bool {
    let is_other = |part: &str| {
        ["smp.", "driver.", "lines.", "nvme.", "virtio_blk.", "file.", "store.", "net."]
            .iter()
            .any(|group| part.starts_with(group))
    };
    filter.split(',').any(|part| !is_other(part))
}

/// One machine and what runs on it.
pub fn case(name: &str, text: &str) -> Result<SubCase, Failure> {
    let mut cases = library::read(name, "bench", text).map_err(Failure::new)?;
    cases.pop().ok_or_else(|| Failure::new("no case"))
}

/// probe-bench counts by the TSC and reports `figure` events; the plugin counts the same regions.
pub fn from_probe(
    house: &House,
    case: &SubCase,
    pantry: &Pantry,
    plugin: Option<&Plugin>,
    folder: &Path,
) -> Result<Vec<Measured>, Failure> {
    let (events, series) = watch("figures of probe-bench", case, pantry, plugin, folder)?;
    let functions = Functions::read(house)?;
    let counted = series.as_ref().map(|series| (series, &functions));
    events.iter().filter_map(|event| figure(event, counted)).map(agreed).collect()
}

/// Runs a probe: what it reported, and what the plugin counted.
pub fn watch(
    what: &str,
    case: &SubCase,
    pantry: &Pantry,
    plugin: Option<&Plugin>,
    folder: &Path,
) -> Result<(Vec<Event>, Option<Series>), Failure> {
    fs::create_dir_all(folder).context(folder.display())?;
    let progress = Progress::start(what);
    let counts = folder.join("counts");
    let options = Options { hold: false, plugin: plugin.map(|plugin| plugin.argument(&counts)) };
    let result = run::run(case, pantry, 1, folder, options);
    progress.finish(result.is_ok());
    result.map_err(unready)?;
    let series = plugin.map(|_| Series::read(&counts)).transpose()?;
    let path = folder.join("events.jsonl");
    let text = fs::read_to_string(&path).context(path.display())?;
    Ok((text.lines().filter_map(|line| Event::parse(line).ok()).collect(), series))
}

fn figure(event: &Event, counted: Option<(&Series, &Functions)>) -> Option<Measured> {
    let number = |name: &str| number(event, name);
    let beside = || counted?.0.beside(number("series")?, number("less"), number("operations")?);
    let parts = || {
        let (series, functions) = counted?;
        let measure = |of| {
            let one = series.beside(of, None, number("operations")?)?;
            Some(Measure { series: of, instructions: one.instructions() })
        };
        Some(functions.split(series, measure(number("series")?)?, number("less").and_then(measure)))
    };
    (event.name == "figure").then_some(Measured {
        name: event.text("name")?.to_owned(),
        // Without one it is the host that counts.
        value: number("value")
            .map(|value| value as f64)
            .or_else(|| Some(counted_value(beside()?.instructions())))?,
        unit: event.text("unit")?.to_owned(),
        beside: beside(),
        parts: parts().unwrap_or_default(),
        note: None,
    })
}

/// What only the host counted. Of what is told for each byte the digits behind the point are what changes.
fn counted_value(instructions: f64) -> f64 {
    let digits = if instructions < 100.0 { 100.0 } else { 1.0 };
    (instructions * digits).round() / digits
}

fn number(event: &Event, name: &str) -> Option<u64> {
    event.fields.get(name)?.as_u64()
}

/// Two ways of counting the same, the processor's clock and the plugin, must agree but for the instructions that mark and read.
fn agreed(figure: Measured) -> Result<Measured, Failure> {
    let Some(beside) = figure.beside else { return Ok(figure) };
    let (clock, seen) = (figure.value, beside.instructions());
    match (seen - clock).abs() <= MARKING + clock * AGREEMENT {
        true => Ok(figure),
        false => Err(Failure::new(format!("{}: {clock} by the clock, but {seen} were seen", figure.name))),
    }
}

fn sizes(house: &House) -> Result<Vec<Measured>, Failure> {
    let images = images::make(house)?;
    let file = |path: &Path| fs::metadata(path).map(|data| data.len()).context(path.display());
    let bytes = |name: &str, value: u64| Measured::plain(name, value as f64, "bytes");
    Ok(vec![
        bytes("size.kernel", loaded(&house.boot().join("kernel.elf"))?),
        bytes("size.loader", loaded(&house.boot().join("handoff.elf"))?),
        bytes("size.iso", file(&images.iso)?),
        bytes("size.raw", file(&images.raw)?),
    ])
}

/// Text and data as `size` counts them: what is in memory and in the file; zeroed memory is not.
fn loaded(elf: &Path) -> Result<u64, Failure> {
    let listing = ask(Command::new(toolchain_file("llvm-size")?).arg(elf))?;
    text_and_data(&listing)
        .ok_or_else(|| Failure::new(format!("llvm-size of {} is unreadable: {listing}", elf.display())))
}

fn text_and_data(listing: &str) -> Option<u64> {
    let mut columns = listing.lines().nth(1)?.split_whitespace().map(str::parse::<u64>);
    Some(columns.next()?.ok()? + columns.next()?.ok()?)
}

pub fn unready(unready: Unready) -> Failure {
    match unready {
        Unready::Skip(reason) | Unready::Fail(reason) => Failure::new(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cases_are_sound() {
        for text in [PROBE, BOOT] {
            let machine = case("bench-case", &format!("{text}{MACHINE}")).unwrap().case.machine;
            assert!(machine.icount && machine.cpu == "max,-erms");
        }
    }

    #[test]
    fn each_part_of_a_filter_counts() {
        assert!(wants_probe("*") && wants_probe("ipc.*") && wants_probe("driver.*,dma.*"));
        assert!(!wants_probe("smp.*") && !wants_probe("lines.*,driver.restart"));
    }

    #[test]
    fn figures_are_events_with_a_name_a_value_and_a_unit() {
        let event = |text: &str| figure(&Event::parse(text).unwrap(), None);
        let good = event(r#"{"event":"figure","name":"call.kernel_null","value":246,"unit":"instructions"}"#);
        assert_eq!(good, Some(measured(246.0, None)));
        assert_eq!(event(r#"{"event":"figure","name":"x","value":-1,"unit":"y"}"#), None);
        assert_eq!(event(r#"{"event":"check","name":"x","value":1,"unit":"y"}"#), None);
    }

    fn measured(value: f64, beside: Option<Beside>) -> Measured {
        Measured { beside, ..Measured::plain("call.kernel_null", value, "instructions") }
    }

    #[test]
    fn what_is_little_has_digits() {
        assert_eq!([3.7284, 99.999, 26_132.4].map(counted_value), [3.73, 100.0, 26_132.0]);
    }

    #[test]
    fn two_ways_of_counting_must_agree() {
        let seen = |user| Some(Beside { user, kernel: 1000.0, ..Beside::default() });
        assert!(agreed(measured(1100.0, None)).is_ok() && agreed(measured(1100.0, seen(120.0))).is_ok());
        let text = agreed(measured(1100.0, seen(140.0))).unwrap_err().to_string();
        assert_eq!(text, "call.kernel_null: 1100 by the clock, but 1140 were seen");
        assert!(agreed(measured(1100.0, seen(60.0))).is_err());
    }

    #[test]
    fn tools_are_understood() {
        assert_eq!(text_and_data("   text\tdata\tbss\tdec\n  1000\t  24\t 9\t1033\tfile\n"), Some(1024));
        assert_eq!(text_and_data("text\n"), None);
    }
}
