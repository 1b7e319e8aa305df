//! Figures of drivers: how long one is missed that was killed, what telling a device costs its driver behind an IOMMU, and how long they are.

use std::fs;
use std::path::Path;

use lab::glob::selects;
use lab::matrix::SubCase;

use super::count::Plugin;
use super::measure::{MACHINE, Measured, PROBE, case, from_probe};
use crate::exec::{Context, Failure};
use crate::house::House;
use crate::kitchen::Pantry;

/// A driver as a service among others.
const RESTART: &str = "why = 'figures'\nbudget = '10m'\n\
    allow = [{ rule = 'warning', match = 'rng is started again', reason = 'it is killed' }]\n\
    [system]\nuse = ['testport', 'devmgr', 'rng', 'probe-bench']\n\
    [system.services.probe-bench.caps.services]\nexport = { service = 'supervisor', export = 'services' }\n\
    [system.services.probe-bench.caps.entropy]\nexport = { service = 'rng', export = 'entropy' }\n";
const ENTROPY: &str = "devices = ['virtio-rng-pci,addr=5,disable-legacy=on']\n";
/// The same of a disk's, whose client goes through the block service: what was asked of the driver that is killed is asked of the next one.
const RESTART_NVME: &str = "why = 'figures'\nbudget = '10m'\n\
    allow = [{ rule = 'warning', match = 'nvme is started again|block: ', reason = 'it is killed' }]\n\
    [system]\nuse = ['testport', 'devmgr', 'nvme', 'block', 'probe-bench']\n\
    [system.services.block.caps.disks]\nexport = { service = 'nvme', export = 'disks' }\n\
    [system.services.probe-bench]\nargs = ['--restart=nvme']\n\
    [system.services.probe-bench.caps.services]\nexport = { service = 'supervisor', export = 'services' }\n\
    [system.services.probe-bench.caps.disks]\nexport = { service = 'block', export = 'disks' }\n\
    [system.services.probe-bench.budget]\ndmaPages = 1024\nmemoryPages = 4096\n";
const NVME: &str =
    "devices = ['nvme,serial=1,drive=d0,addr=5']\n[machine.disks.d0]\nsize = '1G'\nnull = true\n";
/// Where the driver's rings are the device's.
const DIRECT: &str =
    "iommu = 'amd'\ndevices = ['virtio-net-pci,addr=6,disable-legacy=on,iommu_platform=on']\n";

/// Folders whose lines are counted, by the figure.
const FOLDERS: [(&str, &[&str]); 3] = [
    ("lines.driver.rng", &["userspace/drivers/rng", "capos-lib/virtio"]),
    ("lines.driver.edu", &["userspace/drivers/edu", "capos-lib/edu"]),
    ("lines.ledger", &["capos-lib/ledger", "kernel/core/src/device"]),
];

/// All of them that `filter` selects.
pub fn all(
    house: &House,
    pantry: &Pantry,
    plugin: Option<&Plugin>,
    filter: &str,
    folder: &Path,
) -> Result<Vec<Measured>, Failure> {
    let mut figures = Vec::new();
    if ["driver.restart", "driver.restart.time"].iter().any(|name| selects(filter, name)) {
        figures.extend(from_probe(house, &restart()?, pantry, plugin, &folder.join("restart"))?);
    }
    if ["driver.restart.nvme", "driver.restart.nvme.time"].iter().any(|name| selects(filter, name)) {
        figures.extend(from_probe(house, &restart_nvme()?, pantry, plugin, &folder.join("restart-nvme"))?);
    }
    if selects(filter, "dma.publish.batch32.iommu") {
        let published = from_probe(house, &direct()?, pantry, plugin, &folder.join("direct"))?;
        let renamed = |measured: Measured| Measured { name: format!("{}.iommu", measured.name), ..measured };
        figures.extend(published.into_iter().map(renamed));
    }
    for (name, folders) in FOLDERS {
        let counts = folders.iter().map(|folder| lines(&house.root.join(folder)));
        let all: usize = counts.sum::<Result<usize, Failure>>()?;
        figures.push(Measured::plain(name, all as f64, "lines"));
    }
    Ok(figures)
}

/// The machines.
pub fn cases() -> Result<[SubCase; 3], Failure> {
    Ok([restart()?, restart_nvme()?, direct()?])
}

fn restart() -> Result<SubCase, Failure> {
    case("bench-restart", &format!("{RESTART}{MACHINE}{ENTROPY}"))
}

fn restart_nvme() -> Result<SubCase, Failure> {
    case("bench-restart-nvme", &format!("{RESTART_NVME}{MACHINE}{NVME}"))
}

fn direct() -> Result<SubCase, Failure> {
    let trusted = PROBE.replace("[system]\n", "[system]\ncommand_line = 'interrupts=trusted'\n");
    let only = "[system.services.probe-bench]\nargs = ['--only=dma.publish']\n";
    case("bench-direct", &format!("{trusted}{only}{MACHINE}{DIRECT}"))
}

/// Lines of the sources in a folder, apart from tests and what is empty.
fn lines(folder: &Path) -> Result<usize, Failure> {
    let mut count = 0;
    for entry in fs::read_dir(folder).context(folder.display())? {
        let path = entry.context(folder.display())?.path();
        let is_test = path.file_stem().is_some_and(|name| name == "tests");
        if is_test || path.ends_with("target") {
            continue;
        }
        if path.is_dir() {
            count += lines(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            count += lines_of(&fs::read_to_string(&path).context(path.display())?);
        }
    }
    Ok(count)
}

/// Tests are the last of a file.
fn lines_of(text: &str) -> usize {
    let code = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]"));
    code.filter(|line| !line.trim().is_empty()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cases_are_sound() {
        for case in cases().unwrap() {
            assert!(case.case.machine.icount && case.case.machine.cpu == "max,-erms", "{}", case.name);
        }
    }

    #[test]
    fn tests_and_empty_lines_do_not_count() {
        assert_eq!(lines_of("//! Why.\n\nfn f() {\n    g();\n}\n\n#[cfg(test)]\nmod tests {\n}\n"), 4);
    }

    #[test]
    fn a_driver_has_lines() {
        let lines =
            lines(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../userspace/drivers/rng"))).unwrap();
        assert!((100..2000).contains(&lines), "{lines}");
    }
}
