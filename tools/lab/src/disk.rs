//! Disks of machines: made before, driven by devices with `drive=NAME`, looked at afterwards by tools that know nothing of capOS.

use std::fs::File;
use std::path::{Path, PathBuf};

use nbd::Server;
use regex::Regex;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::case::{Case, Machine};
use crate::machine::args::Wiring;
use crate::wire::yard;

/// One disk.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Disk {
    /// Bytes, as in `64M` or `1T`: what is not written takes no room.
    #[serde(deserialize_with = "bytes")]
    pub size: u64,
    /// Nothing behind it: writes go nowhere and reads bring anything.
    #[serde(default)]
    pub null: bool,
    /// Nobody may write it, and its device says so.
    #[serde(default)]
    pub read_only: bool,
    /// What makes its content: commands for `sh`, in which `{disk}` is the file. The first that fails fails the case.
    #[serde(default)]
    pub make: Vec<String>,
    /// Errors that QEMU's blkdebug injects, as in `event=read_aio,errno=5,sector=8`.
    #[serde(default)]
    pub errors: Vec<String>,
    /// The lab itself serves it, with a cache that is lost when the plug is pulled, and notes in `NAME.log` what is written and flushed since
    /// the machine was started.
    #[serde(default)]
    pub recorded: bool,
}

/// A look at the disks when the machine is off.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// A command for `sh`, in which `{disk.NAME}` is that disk's file. It has to succeed.
    pub run: String,
    /// What it says has to match this.
    #[serde(rename = "match")]
    pub matches: Option<String>,
}

/// Where a disk lies.
fn file(logs: &Path, name: &str) -> PathBuf {
    logs.join(format!("{name}.disk"))
}

/// What QEMU is told of one.
pub fn blockdev(disk: &Disk, name: &str, wiring: &Wiring) -> String {
    if disk.null {
        return format!("driver=null-co,node-name={name},size={},read-zeroes=off", disk.size);
    }
    // The host does not crash: what QEMU was told to flush is safe without waiting for the host's disks. The lab's own are told.
    let (below, flush) = match disk.recorded {
        true => {
            let socket = socket(wiring, name).display().to_string();
            (
                [("driver", "nbd".into()), ("server.type", "unix".into()), ("server.path", socket)].to_vec(),
                "off",
            )
        }
        false => {
            let file = file(&wiring.logs, name).display().to_string();
            ([("driver", "file".into()), ("filename", file)].to_vec(), "on")
        }
    };
    let access = if disk.read_only { "read-only=on" } else { "discard=unmap" };
    let head = format!("driver=raw,node-name={name},{access},cache.direct=off,cache.no-flush={flush}");
    let below = |prefix: &str| {
        below.iter().map(|(key, value)| format!(",{prefix}.{key}={value}")).collect::<String>()
    };
    if disk.errors.is_empty() {
        return format!("{head}{}", below("file"));
    }
    let errors = disk.errors.iter().enumerate().flat_map(|(number, error)| {
        error.split(',').map(move |pair| format!(",file.inject-error.{number}.{pair}"))
    });
    // blkdebug is flushed, or no flush could fail; what is behind it is not.
    let caches = format!(",file.cache.no-flush=off,file.image.cache.no-flush={flush}");
    format!("{head},file.driver=blkdebug{}{caches}{}", below("file.image"), errors.collect::<String>())
}

/// Where the lab serves one.
fn socket(wiring: &Wiring, name: &str) -> PathBuf {
    wiring.sockets.join(format!("{name}.nbd"))
}

/// Serves what is recorded of a machine that is about to be started.
pub fn serve(machine: &Machine, wiring: &Wiring) -> Result<Vec<Server>, String> {
    let recorded = machine.disks.iter().filter(|(_, disk)| disk.recorded);
    let serve = |(name, _): (&String, &Disk)| {
        let log = wiring.logs.join(format!("{name}.log"));
        let server = Server::start(&file(&wiring.logs, name), &socket(wiring, name), &log);
        server.map_err(|error| format!("disk {name}: {error}"))
    };
    recorded.map(serve).collect()
}

/// Makes the disks of a machine.
pub fn provide(machine: &Machine, wiring: &Wiring) -> Result<(), String> {
    for (name, disk) in machine.disks.iter().filter(|(_, disk)| !disk.null) {
        let file = file(&wiring.logs, name);
        let made = File::create(&file).and_then(|file| file.set_len(disk.size));
        made.map_err(|error| format!("disk {name}: {error}"))?;
        for command in &disk.make {
            shell(&command.replace("{disk}", &file.display().to_string()), &wiring.logs, &[])
                .map_err(|error| format!("disk {name}: {error}"))?;
        }
    }
    Ok(())
}

/// Has a command do something with the disks of a machine, or with the machine itself; `enter` stands before `sh`.
pub fn run(machine: &Machine, command: &str, logs: &Path, enter: &[String]) -> Result<(), String> {
    shell(&with_disks(machine, command, logs), logs, enter)
        .map(|_| ())
        .map_err(|error| format!("`{command}`: {error}"))
}

/// Looks at the disks of a machine that is off.
pub fn look(case: &Case, logs: &Path) -> Vec<String> {
    let looks = case.after.iter().map(|look| {
        let said = shell(&with_disks(&case.machine, &look.run, logs), logs, &[])?;
        let wanted = look.matches.as_deref().unwrap_or("");
        let regex = Regex::new(wanted).map_err(|error| error.to_string())?;
        if regex.is_match(&said) {
            Ok(())
        } else {
            Err(format!("`{wanted}` is not in what it said:\n{said}"))
        }
    });
    let reasons = looks.zip(&case.after).filter_map(|(done, look)| Some((done.err()?, look)));
    reasons.map(|(reason, look)| format!("after it: `{}`: {reason}", look.run)).collect()
}

/// They are large; a case that passed needs them no more.
pub fn remove(machine: &Machine, logs: &Path) {
    for name in machine.disks.keys() {
        // If it stays, pruning takes it one day.
        let _ = std::fs::remove_file(file(logs, name));
        let _ = std::fs::remove_file(logs.join(format!("{name}.log")));
    }
}

/// What serde cannot say.
pub fn check(case: &Case) -> Result<(), String> {
    for (name, disk) in &case.machine.disks {
        let is_plain = name.chars().all(|letter| letter.is_ascii_alphanumeric());
        if !is_plain || name == "known" || name.is_empty() {
            return Err(format!("disk `{name}`: letters and digits, and not `known`"));
        }
        if disk.null && !(disk.make.is_empty() && disk.errors.is_empty() && !disk.recorded) {
            return Err(format!("disk {name}: there is nothing behind it, and so nothing in it"));
        }
        let drive = format!("drive={name}");
        let is_driven = |device: &String| device.split(',').any(|part| part == drive);
        if !case.machine.devices.iter().any(is_driven) {
            return Err(format!("disk {name}: no device says {drive}"));
        }
        if disk.errors.iter().flat_map(|error| error.split(',')).any(|pair| !pair.contains('=')) {
            return Err(format!("disk {name}: errors are as in `event=read_aio,errno=5`"));
        }
    }
    let steps = || case.session.iter().flat_map(|step| std::iter::once(step).chain(&step.steps));
    let pulled = steps().filter_map(|step| step.plug.as_ref()).flat_map(|plug| &plug.run);
    for command in steps().filter_map(|step| step.host.as_ref()).flatten().chain(pulled) {
        if with_disks(&case.machine, command, Path::new("")).contains("{disk") {
            return Err(format!("`{command}` names a disk that there is not"));
        }
    }
    for look in &case.after {
        if with_disks(&case.machine, &look.run, Path::new("")).contains("{disk") {
            return Err(format!("after it: `{}` names a disk that there is not", look.run));
        }
        Regex::new(look.matches.as_deref().unwrap_or("")).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn with_disks(machine: &Machine, command: &str, logs: &Path) -> String {
    machine.disks.keys().fold(command.to_owned(), |command, name| {
        command.replace(&format!("{{disk.{name}}}"), &file(logs, name).display().to_string())
    })
}

/// What a command says, if it succeeds.
fn shell(command: &str, folder: &Path, enter: &[String]) -> Result<String, String> {
    let mut sh = yard::command(enter, "sh");
    sh.args(["-euc", command]).current_dir(folder);
    // Who runs the lab has commands for disks of our own. Its file may have been built anew since.
    sh.env("CAP", format!("/proc/{}/exe", std::process::id()));
    let done = sh.output();
    let done = done.map_err(|error| format!("sh: {error}"))?;
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    if done.status.success() { Ok(said) } else { Err(format!("it fails ({}):\n{said}", done.status)) }
}

fn bytes<'de, D: Deserializer<'de>>(input: D) -> Result<u64, D::Error> {
    let text = String::deserialize(input)?;
    parse_size(&text)
        .ok_or_else(|| de::Error::custom(format!("`{text}` is not a disk's size like 64M or 1T")))
}

/// `64M` in bytes: whole sectors.
pub fn parse_size(text: &str) -> Option<u64> {
    let at = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let shift = match unit {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift).filter(|size| *size > 0 && size % 512 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::read;

    const CASE: &str = "why = 'x'\nends = 'session'\nsession = [{ expect = 'x' }]\n";

    fn case(text: &str) -> Result<Case, String> {
        read("blk-x", "blk", &format!("{CASE}{text}")).map(|mut cases| cases.remove(0).case)
    }

    fn wiring(logs: &Path) -> Wiring {
        use crate::machine::args::Role;
        let (sockets, logs) = (logs.to_owned(), logs.to_owned());
        let role = Role::Attached;
        let enter = Vec::new();
        Wiring { role, sockets, logs, gdb: None, exit_on_reset: false, hold: false, plugin: None, enter }
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(
            (parse_size("64M"), parse_size("1T"), parse_size("512")),
            (Some(64 << 20), Some(1 << 40), Some(512))
        );
        for wrong in ["", "M", "0", "100", "-1M", "1P", "1.5G", "99999999999T"] {
            assert_eq!(parse_size(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_disk_is_made_driven_and_looked_at() {
        let folder = std::env::temp_dir().join(format!("capos-lab-disk-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let case = case(
            "after = [{ run = 'head -c 3 {disk.d0}', match = '^abc$' }, { run = 'head -c 3 {disk.d0}', match = 'xyz' }, { run = 'false' }]\n\
             [machine]\ndevices = ['nvme,serial=1,drive=d0']\n\
             [machine.disks.d0]\nsize = '1M'\nmake = ['printf abc | dd of={disk} conv=notrunc']\nerrors = ['event=none,errno=5']\n",
        )
        .unwrap();
        let wiring = wiring(&folder);
        provide(&case.machine, &wiring).unwrap();
        assert_eq!(std::fs::metadata(folder.join("d0.disk")).unwrap().len(), 1 << 20);
        let told = blockdev(&case.machine.disks["d0"], "d0", &wiring);
        assert!(
            told.contains("blkdebug")
                && told.ends_with("file.inject-error.0.event=none,file.inject-error.0.errno=5")
        );
        let plain = Disk { errors: Vec::new(), ..case.machine.disks["d0"].clone() };
        assert!(blockdev(&plain, "d0", &wiring).contains(",discard=unmap,"));
        let served = blockdev(&Disk { recorded: true, ..plain.clone() }, "d0", &wiring);
        assert!(
            served.contains("no-flush=off,file.driver=nbd,file.server.type=unix,file.server.path="),
            "{served}"
        );
        let both = Disk { recorded: true, ..case.machine.disks["d0"].clone() };
        assert!(
            blockdev(&both, "d0", &wiring).contains("blkdebug,file.image.driver=nbd,file.image.server.type")
        );
        let closed = Disk { read_only: true, ..plain };
        assert!(blockdev(&closed, "d0", &wiring).contains(",read-only=on,"));
        let reasons = look(&case, &folder);
        assert_eq!(reasons.len(), 2, "{reasons:?}");
        assert!(reasons[0].contains("xyz") && reasons[1].contains("it fails"), "{reasons:?}");
        remove(&case.machine, &folder);
        assert!(!folder.join("d0.disk").exists());
        let broken = Disk { make: vec!["exit 3".into()], ..case.machine.disks["d0"].clone() };
        let machine = Machine { disks: [("d0".into(), broken)].into(), ..case.machine.clone() };
        assert!(provide(&machine, &wiring).is_err_and(|error| error.contains("fails")));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let driven = "[machine]\ndevices = ['nvme,drive=d0']\n[machine.disks.d0]\nsize = '1M'\n";
        assert!(case(driven).is_ok());
        for (wrong, why) in [
            ("[machine.disks.d0]\nsize = '1M'\n", "no device says"),
            ("[machine]\ndevices = ['nvme,drive=d00']\n[machine.disks.d0]\nsize = '1M'\n", "no device says"),
            (&format!("{driven}null = true\nmake = ['true']\n"), "nothing behind it"),
            (&format!("{driven}errors = ['here']\n"), "errors are as in"),
            (&driven.replace("d0", "known"), "letters and digits"),
            (&format!("after = [{{ run = 'cat {{disk.d1}}' }}]\n{driven}"), "there is not"),
            (&driven.replace("size", "null = true\nrecorded = true\nsize"), "nothing behind it"),
            (&driven.replace("1M", "1X"), "not a disk's size"),
        ] {
            assert!(case(wrong).is_err_and(|error| error.contains(why)), "{wrong}: {:?}", case(wrong).err());
        }
    }
}
