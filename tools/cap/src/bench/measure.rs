//! Where figures come from: probes on a counting machine, QEMU's own count of a boot, and the sizes of files.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use lab::expect::Event;
use lab::glob::selects;
use lab::library;
use lab::machine::args::{Role, Wiring, args};
use lab::machine::guest::{Guest, Signal, Sockets};
use lab::matrix::SubCase;
use lab::run::{self, Kitchen, Options, Unready};

use crate::build::toolchain_file;
use crate::exec::{Context, Failure, ask};
use crate::house::House;
use crate::images;
use crate::kitchen::Pantry;
use crate::progress::Progress;

/// Name, value and unit.
pub type Measured = (String, u64, String);

/// The machine on which everything is counted; the anchors were taken on the same.
const MACHINE: &str = "[machine]\nicount = true\ncpu = 'max,-erms'\n";
const PROBE: &str = "why = 'figures'\nbudget = '10m'\n[system]\nuse = ['testport', 'probe-bench']\n";
const BOOT: &str =
    "why = 'figures'\nends = 'session'\nsession = [{ expect = '> ' }]\n[system]\nname = 'default'\n";
/// How long a boot may take when every instruction is counted.
const PATIENCE: Duration = Duration::from_secs(120);
/// What the shell shows when it is ready.
const PROMPT: &str = "capos> ";

/// All figures whose group `filter` can select.
pub fn all(house: &House, filter: &str) -> Result<Vec<Measured>, Failure> {
    let (probe, boot) = (case("bench-probe", PROBE)?, case("bench-boot", BOOT)?);
    let pantry = Pantry::stock(house, &[probe.clone(), boot.clone()])?;
    let folder = house.target().join("bench");
    let mut figures = Vec::new();
    let sizes = ["size.kernel", "size.loader", "size.iso", "size.raw"];
    if sizes.iter().any(|name| selects(filter, name)) {
        figures.extend(self::sizes(house)?);
    }
    if selects(filter, "boot.shell") {
        figures.push(boot_to_shell(&boot, &pantry, &folder.join("boot"))?);
    }
    if !["size.*", "boot.*", "boot.shell"].contains(&filter) {
        figures.extend(from_probe(&probe, &pantry, &folder.join("probe"))?);
    }
    Ok(figures)
}

fn case(name: &str, text: &str) -> Result<SubCase, Failure> {
    let mut cases = library::read(name, "bench", &format!("{text}{MACHINE}")).map_err(Failure::new)?;
    cases.pop().ok_or_else(|| Failure::new("no case"))
}

/// probe-bench counts by the TSC and reports `figure` events.
fn from_probe(case: &SubCase, pantry: &Pantry, folder: &Path) -> Result<Vec<Measured>, Failure> {
    fs::create_dir_all(folder).context(folder.display())?;
    let progress = Progress::start("figures of probe-bench");
    let result = run::run(case, pantry, 1, folder, Options::default());
    progress.finish(result.is_ok());
    result.map_err(unready)?;
    let path = folder.join("events.jsonl");
    let events = fs::read_to_string(&path).context(path.display())?;
    Ok(events.lines().filter_map(|line| figure(&Event::parse(line).ok()?)).collect())
}

fn figure(event: &Event) -> Option<Measured> {
    let value = event.fields.get("value")?.as_u64()?;
    (event.name == "figure").then_some((
        event.text("name")?.to_owned(),
        value,
        event.text("unit")?.to_owned(),
    ))
}

/// QEMU counts what it executes when it records a run, firmware and loader included.
fn boot_to_shell(case: &SubCase, pantry: &Pantry, folder: &Path) -> Result<Measured, Failure> {
    fs::create_dir_all(folder).context(folder.display())?;
    let progress = Progress::start("boot to the shell, counted");
    let media = pantry.media(&case.case, &case.name, 1, folder).map_err(unready)?;
    let sockets = Sockets::new().context("sockets")?;
    let wiring = Wiring {
        role: Role::Attached,
        sockets: sockets.path().to_owned(),
        logs: folder.to_owned(),
        gdb: None,
        exit_on_reset: true,
        hold: false,
    };
    let record = folder.join("replay");
    let counting = format!("shift=0,rr=record,rrfile={}", record.display());
    let line: Vec<String> = args(&case.case.machine, false, &media, None, &wiring)
        .into_iter()
        .map(|word| if word.starts_with("shift=") { counting.clone() } else { word })
        .collect();
    let mut guest = Guest::start(&line, &wiring).map_err(Failure::new)?;
    let count = watch(&mut guest);
    drop(guest);
    // Only the count is wanted, and the record of a boot is large.
    let _ = fs::remove_file(&record);
    progress.finish(count.is_ok());
    Ok(("boot.shell".into(), count?, "instructions".into()))
}

/// Asks for the count as soon as the prompt is there. The answer comes some thousand instructions later, which are noise beside a boot.
fn watch(guest: &mut Guest) -> Result<u64, Failure> {
    let start = Instant::now();
    let (mut serial, mut asked) = (Vec::new(), false);
    while start.elapsed() < PATIENCE {
        match guest.signal(Duration::from_millis(100)) {
            Signal::Serial(bytes) => serial.extend(bytes),
            Signal::Monitor(line) => {
                if let Some(count) = count_of(&line) {
                    return Ok(count);
                }
            }
            Signal::Gone => return Err(Failure::new("the machine left before the prompt")),
            Signal::Event(_) | Signal::Quiet => {}
        }
        if !asked && String::from_utf8_lossy(&serial).contains(PROMPT) {
            guest.command("{\"execute\":\"query-replay\"}\n").context("monitor")?;
            asked = true;
        }
    }
    let said = String::from_utf8_lossy(&serial);
    Err(Failure::new(format!("no count in {} s; the serial port said:\n{said}", PATIENCE.as_secs())))
}

fn count_of(line: &str) -> Option<u64> {
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    value.pointer("/return/icount")?.as_u64()
}

fn sizes(house: &House) -> Result<Vec<Measured>, Failure> {
    let images = images::make(house)?;
    let file = |path: &Path| fs::metadata(path).map(|data| data.len()).context(path.display());
    let bytes = |name: &str, value| (name.to_owned(), value, "bytes".to_owned());
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

fn unready(unready: Unready) -> Failure {
    match unready {
        Unready::Skip(reason) | Unready::Fail(reason) => Failure::new(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cases_are_sound() {
        assert!(case("bench-probe", PROBE).unwrap().case.machine.icount);
        assert_eq!(case("bench-boot", BOOT).unwrap().case.machine.cpu, "max,-erms");
    }

    #[test]
    fn figures_are_events_with_a_name_a_value_and_a_unit() {
        let event = |text: &str| figure(&Event::parse(text).unwrap());
        let good = event(r#"{"event":"figure","name":"call.kernel_null","value":246,"unit":"instructions"}"#);
        assert_eq!(good, Some(("call.kernel_null".into(), 246, "instructions".into())));
        assert_eq!(event(r#"{"event":"figure","name":"x","value":-1,"unit":"y"}"#), None);
        assert_eq!(event(r#"{"event":"check","name":"x","value":1,"unit":"y"}"#), None);
    }

    #[test]
    fn tools_are_understood() {
        assert_eq!(text_and_data("   text\tdata\tbss\tdec\n  1000\t  24\t 9\t1033\tfile\n"), Some(1024));
        assert_eq!(text_and_data("text\n"), None);
        assert_eq!(count_of(r#"{"return":{"mode":"record","icount":77,"filename":"x"}}"#), Some(77));
        assert_eq!(count_of(r#"{"event":"STOP"}"#), None);
    }
}
