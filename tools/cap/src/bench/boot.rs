//! A boot, counted from reset until the shell prompts.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use lab::machine::args::{Role, Wiring, args};
use lab::machine::guest::{Guest, Signal, Sockets};
use lab::matrix::SubCase;
use lab::run::Kitchen;

use super::count::{Plugin, Series};
use super::measure::{Measured, unready};
use crate::exec::{Context, Failure};
use crate::kitchen::Pantry;
use crate::progress::Progress;

/// How long a boot may take when every instruction is counted.
const PATIENCE: Duration = Duration::from_secs(120);
/// What the shell shows when it is ready.
const PROMPT: &str = "capos> ";

/// QEMU counts what it executes when it records a run, firmware and loader included.
/// Beside that, what the plugin saw until the machine was turned off right after, while it idled.
pub fn to_shell(
    case: &SubCase,
    pantry: &Pantry,
    plugin: Option<&Plugin>,
    folder: &Path,
) -> Result<Measured, Failure> {
    fs::create_dir_all(folder).context(folder.display())?;
    let progress = Progress::start("boot to the shell, counted");
    let media = pantry.media(&case.case, &case.name, 1, folder).map_err(unready)?;
    let counts = folder.join("counts");
    let sockets = Sockets::new().context("sockets")?;
    let wiring = Wiring {
        role: Role::Attached,
        sockets: sockets.path().to_owned(),
        logs: folder.to_owned(),
        gdb: None,
        exit_on_reset: true,
        hold: false,
        plugin: plugin.map(|plugin| plugin.argument(&counts)),
        enter: Vec::new(),
    };
    let record = folder.join("replay");
    let counting = format!("shift=0,rr=record,rrfile={}", record.display());
    let line: Vec<String> = args(&case.case.machine, false, &media, None, &wiring)
        .into_iter()
        .map(|word| if word.starts_with("shift=") { counting.clone() } else { word })
        .collect();
    let mut guest = Guest::start(&line, &wiring, Vec::new()).map_err(Failure::new)?;
    let count = watch(&mut guest);
    // The plugin writes when QEMU leaves by itself.
    guest.finish(true);
    // Only the count is wanted, and the record of a boot is large.
    let _ = fs::remove_file(&record);
    progress.finish(count.is_ok());
    let beside = plugin.map(|_| Series::read(&counts)).transpose()?.and_then(|series| series.total());
    Ok(Measured { beside, ..Measured::plain("boot.shell", count? as f64, "instructions") })
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

#[cfg(test)]
mod tests {
    use super::count_of;

    #[test]
    fn the_monitor_tells_the_count() {
        assert_eq!(count_of(r#"{"return":{"mode":"record","icount":77,"filename":"x"}}"#), Some(77));
        assert_eq!(count_of(r#"{"event":"STOP"}"#), None);
    }
}
