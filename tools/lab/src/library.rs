//! Finds the case files, reads and checks them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::case::{Accel, Boot, Canary, Case, Ends, Kind, Step};
use crate::disk;
use crate::matrix::{SubCase, expand};
use crate::wire;

/// All sub-cases below `root` (`<area>/<area>-<name>.toml`), in the order of their names. Every error is reported, with its file.
pub fn load(root: &Path) -> Result<Vec<SubCase>, Vec<String>> {
    let (mut cases, mut errors) = (Vec::new(), Vec::new());
    for file in case_files(root).map_err(|error| vec![error])? {
        match load_file(&file) {
            Ok(found) => cases.extend(found),
            Err(error) => errors.push(format!("{}: {error}", file.display())),
        }
    }
    if errors.is_empty() { Ok(cases) } else { Err(errors) }
}

fn case_files(root: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for area in list(root)? {
        if area.is_dir() {
            files.extend(
                list(&area)?.into_iter().filter(|path| path.extension().is_some_and(|ext| ext == "toml")),
            );
        }
    }
    Ok(files)
}

fn list(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", directory.display());
    let entries = fs::read_dir(directory).map_err(failed)?;
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(failed)?;
    paths.sort();
    Ok(paths)
}

fn load_file(path: &Path) -> Result<Vec<SubCase>, String> {
    let part = |part: Option<&std::ffi::OsStr>| part.and_then(|name| name.to_str()).map(str::to_owned);
    let name = part(path.file_stem()).ok_or("the file name is not UTF-8")?;
    let area = part(path.parent().and_then(Path::file_name)).ok_or("the file is in no area")?;
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    read(&name, &area, &text)
}

/// Reads and checks the text of one case file.
pub fn read(name: &str, area: &str, text: &str) -> Result<Vec<SubCase>, String> {
    if !name.starts_with(&format!("{area}-")) {
        return Err(format!("a case of area `{area}` is named `{area}-...`"));
    }
    let mut cases = expand(name, area, text.parse().map_err(|error: toml::de::Error| error.to_string())?)?;
    let mut names = BTreeSet::new();
    for case in &mut cases {
        check(&case.case).map_err(|error| format!("{}: {error}", case.name))?;
        if !names.insert(case.name.clone()) {
            return Err(format!("{} appears twice in the matrix", case.name));
        }
        case.case.session = written_out(&case.case.session);
    }
    Ok(cases)
}

/// Steps with what is to be done several times as often as it is.
fn written_out(session: &[Step]) -> Vec<Step> {
    let again = |step: &Step| match step.times {
        Some(times) => vec![step.steps.clone(); times].concat(),
        None => vec![step.clone()],
    };
    session.iter().flat_map(again).collect()
}

/// What serde cannot say: fields that need each other.
fn check(case: &Case) -> Result<(), String> {
    if case.why.trim().is_empty() {
        return Err("`why` is empty".into());
    }
    if !(1..=255).contains(&case.machine.cpus) {
        return Err(format!("{} processors: 1 to 255 are possible", case.machine.cpus));
    }
    if case.machine.kind == Kind::Microvm && case.machine.boot != Boot::Pvh {
        return Err("microvm boots by PVH only".into());
    }
    if case.machine.devices.iter().any(|device| device.trim().is_empty()) {
        return Err("devices: an empty one".into());
    }
    check_canary(case)?;
    disk::check(case)?;
    wire::check(case)?;
    check_system(case)?;
    case.session.iter().enumerate().try_for_each(|(at, step)| {
        check_step(step).map_err(|error| format!("step {} of the session: {error}", at + 1))
    })?;
    for allow in &case.allow {
        Regex::new(&allow.matches).map_err(|error| format!("allow `{}`: {error}", allow.reason))?;
    }
    if case.ends == Ends::Session && case.session.is_empty() && case.expect.is_empty() {
        return Err("ends with the session, but has none and expects nothing".into());
    }
    if case.twice && !(case.machine.icount && case.session.is_empty()) {
        return Err("`twice` needs icount = true and no session: typing is not repeatable".into());
    }
    Ok(())
}

fn check_canary(case: &Case) -> Result<(), String> {
    let looks = case.session.iter().flat_map(|step| std::iter::once(step).chain(&step.steps));
    let used =
        looks.filter(|step| step.canary.is_some() || step.hand.is_some() || step.device.is_some()).count()
            > 0;
    let debugged = case.session.iter().any(|step| step.gdb.is_some());
    let pulled = case.session.iter().flat_map(|step| std::iter::once(step).chain(&step.steps));
    let pulled = pulled.filter(|step| step.plug.is_some()).count() > 0;
    match (used, case.machine.canary) {
        // Both hold on to one QEMU.
        (_, true) if pulled => Err("a canary and a plug that is pulled do not go together".into()),
        _ if debugged && pulled => Err("gdb and a plug that is pulled do not go together".into()),
        // QEMU 7.2 gives up when a plugin is there and a breakpoint is met.
        (_, true) if debugged => Err("a canary and gdb do not go together".into()),
        (true, false) => Err("steps of the canary, but the machine has none".into()),
        (false, true) => Err("the machine has a canary that nobody looks at".into()),
        (_, true) if case.machine.accel != Accel::Tcg => {
            Err("a canary needs accel = \"tcg\": it is the translator that sees stores".into())
        }
        _ => Ok(()),
    }
}

fn check_system(case: &Case) -> Result<(), String> {
    let system = &case.system;
    let composed = !system.uses.is_empty() || !system.services.is_empty() || !system.with.is_empty();
    if system.name.is_some() && composed {
        return Err("system: either `name`, or `use` and `services`".into());
    }
    let special = composed || !case.fault.is_empty() || !system.command_line.is_empty();
    if case.machine.boot != Boot::Pvh
        && (special || system.name.as_deref().is_some_and(|name| name != "default"))
    {
        return Err(
            "boot paths other than pvh start the shipped images; they cannot change the system".into()
        );
    }
    Ok(())
}

fn check_step(step: &Step) -> Result<(), String> {
    let verbs = [
        step.expect.is_some(),
        step.matches.is_some(),
        step.json.is_some(),
        step.event.is_some(),
        step.types.is_some(),
        step.send.is_some(),
        step.absent.is_some(),
        step.quiet.is_some(),
        step.action.is_some(),
        step.look.is_some(),
        step.monitor.is_some(),
        step.gdb.is_some(),
        step.canary.is_some(),
        step.hand.is_some(),
        step.device.is_some(),
        step.wire.is_some(),
        step.plug.is_some(),
        step.host.is_some(),
        !step.steps.is_empty(),
    ];
    if verbs.iter().filter(|set| **set).count() != 1 {
        return Err(
            "needs exactly one of expect, match, json, event, type, send, absent, quiet, do, look, monitor, host, gdb, canary, hand, device, wire, plug, steps".into()
        );
    }
    if step.times.is_some() == step.steps.is_empty() {
        return Err("`times` and `steps` belong together".into());
    }
    for inner in &step.steps {
        check_step(inner)?;
        if !inner.steps.is_empty() {
            return Err("`steps` in `steps`: once is enough".into());
        }
    }
    let waits = [
        step.expect.is_some(),
        step.matches.is_some(),
        step.json.is_some(),
        step.event.is_some(),
        step.wire.is_some(),
    ];
    if step.within.is_some() && !waits.contains(&true) {
        return Err("`within` belongs to a step that waits".into());
    }
    if step.sees.is_some() && step.canary != Some(Canary::End) {
        return Err("`sees` belongs to the end of the canary".into());
    }
    for pattern in step.matches.iter().chain(&step.sees) {
        Regex::new(pattern).map_err(|error| error.to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        read("x-y", "x", text).unwrap_err()
    }

    #[test]
    fn names_start_with_their_area() {
        assert!(read("y", "x", "why = 'a'").unwrap_err().contains("`x-...`"));
        assert_eq!(read("x-y", "x", "why = 'a'").unwrap().len(), 1);
    }

    #[test]
    fn a_reason_to_exist_is_needed() {
        assert!(refusal("why = ' '").contains("why"));
        assert!(refusal("budget = '1s'").contains("why"));
    }

    #[test]
    fn a_canary_is_looked_at_and_there() {
        let looking = "why = 'a'\nends = 'session'\nsession = [{ canary = 'begin' }]";
        assert!(refusal(looking).contains("has none"));
        let with = format!("{looking}\n[machine]\ncanary = true");
        assert!(read("x-y", "x", &with).is_ok());
        assert!(refusal(&format!("{with}\naccel = 'auto'")).contains("tcg"));
        assert!(refusal("why = 'a'\n[machine]\ncanary = true").contains("nobody"));
        assert!(refusal(&with.replace("}]", "}, { gdb = ['c'] }]")).contains("gdb"));
        assert!(refusal(&with.replace("}]", "}, { plug = {} }]")).contains("plug"));
        assert!(refusal("why = 'a'\nsession = [{ gdb = ['c'] }, { plug = {} }]").contains("gdb"));
        assert!(refusal(&with.replace("'begin'", "'begin', sees = 'x'")).contains("sees"));
    }

    #[test]
    fn devices_have_a_name() {
        assert!(refusal("why = 'a'\n[machine]\ndevices = ['edu', ' ']").contains("devices"));
        assert!(read("x-y", "x", "why = 'a'\n[machine]\ndevices = ['edu']").is_ok());
    }

    #[test]
    fn steps_have_one_verb() {
        assert!(refusal("why = 'a'\nsession = [{ within = '1s' }]").contains("step 1"));
        assert!(
            refusal("why = 'a'\nsession = [{ expect = 'a' }, { expect = 'a', send = 'b' }]")
                .contains("step 2")
        );
        assert!(refusal("why = 'a'\nsession = [{ send = 'a', within = '1s' }]").contains("within"));
        assert!(refusal("why = 'a'\nsession = [{ match = '(' }]").contains("step 1"));
        assert!(refusal("why = 'a'\nsession = [{ steps = [{ send = 'a' }] }]").contains("times"));
        assert!(refusal("why = 'a'\nsession = [{ send = 'a', times = 3 }]").contains("times"));
        assert!(
            refusal("why = 'a'\nsession = [{ times = 2, steps = [{ match = '(' }] }]").contains("step 1")
        );
        let twice = "{ times = 2, steps = [{ send = 'a' }] }";
        assert!(
            refusal(&format!("why = 'a'\nsession = [{{ times = 2, steps = [{twice}] }}]")).contains("once")
        );
    }

    #[test]
    fn steps_are_written_out_as_often_as_they_are_to_be_done() {
        let text = "why = 'a'\nends = 'session'\nsession = [{ send = 'a' }, { times = 2, steps = [{ send = 'b' }, { expect = 'c' }] }]";
        let cases = read("x-y", "x", text).unwrap();
        let sent: Vec<Option<&str>> = cases[0].case.session.iter().map(|step| step.send.as_deref()).collect();
        assert_eq!(sent, [Some("a"), Some("b"), None, Some("b"), None]);
    }

    #[test]
    fn images_are_booted_as_shipped() {
        let iso = "why = 'a'\n[machine]\nboot = 'grub-bios-iso'\n";
        assert!(read("x-y", "x", iso).is_ok());
        assert!(refusal(&format!("{iso}[system]\nuse = ['serial']")).contains("shipped"));
        assert!(refusal(&format!("{iso}[system]\nname = 'diag'")).contains("shipped"));
    }

    #[test]
    fn impossible_machines_are_refused() {
        assert!(refusal("why = 'a'\n[machine]\ncpus = 0").contains("processors"));
        assert!(refusal("why = 'a'\n[machine]\nkind = 'microvm'\nboot = 'grub-bios-iso'").contains("PVH"));
    }

    #[test]
    fn twice_needs_determinism() {
        assert!(refusal("why = 'a'\ntwice = true").contains("icount"));
        assert!(read("x-y", "x", "why = 'a'\ntwice = true\n[machine]\nicount = true").is_ok());
    }

    #[test]
    fn equal_sub_cases_are_refused() {
        assert!(refusal("why = 'a'\n[matrix]\ncpus = [1, 1]").contains("twice"));
    }

    #[test]
    fn the_cases_in_the_tree_are_sound() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
        if let Err(errors) = load(&root) {
            panic!("{}", errors.join("\n"));
        }
    }
}
