//! Figures of block devices: a disk with nothing behind it, read through the block service and its driver.

use std::path::Path;

use lab::glob::selects;
use lab::matrix::SubCase;

use super::count::Plugin;
use super::measure::{MACHINE, Measured, case, from_probe};
use crate::exec::Failure;
use crate::house::House;
use crate::kitchen::Pantry;

/// One machine, and what its figures are called.
struct Machine {
    driver: &'static str,
    /// Of QEMU's device, whose disk is `d0`.
    device: &'static str,
    /// An IOMMU was seen to hold the device, so that the driver's rings are the device's own.
    is_direct: bool,
    figures: &'static [&'static str],
    name: &'static str,
    suffix: &'static str,
}

const MACHINES: [Machine; 3] = [
    Machine {
        driver: "nvme",
        device: "nvme,serial=1,drive=d0,addr=5",
        is_direct: true,
        figures: &["nvme.randread4k.qd1", "nvme.randread4k.qd32", "nvme.seqread128k.qd4"],
        name: "nvme",
        suffix: "",
    },
    Machine {
        driver: "nvme",
        device: "nvme,serial=1,drive=d0,addr=5",
        is_direct: false,
        figures: &["nvme.randread4k.qd32.bounce"],
        name: "nvme",
        suffix: ".bounce",
    },
    Machine {
        driver: "virtio_blk",
        device: "virtio-blk-pci,drive=d0,addr=5,disable-legacy=on,iommu_platform=on",
        is_direct: true,
        figures: &["virtio_blk.randread4k.qd32"],
        name: "virtio_blk",
        suffix: "",
    },
];

impl Machine {
    fn case(&self) -> Result<SubCase, Failure> {
        let Machine { driver, device, is_direct, name, suffix, figures } = self;
        let (trusted, iommu) = match is_direct {
            true => ("command_line = 'interrupts=trusted'\n", "iommu = 'intel'\n"),
            false => ("", ""),
        };
        let only = if let [figure] = figures { format!("'--only={figure}', ") } else { String::new() };
        let system = format!(
            "why = 'figures'\nbudget = '10m'\n[system]\n{trusted}use = ['testport', 'devmgr', '{driver}', 'block', 'probe-bench']\n\
             [system.services.probe-bench]\nargs = [{only}'--disk={name}', '--suffix={suffix}']\n\
             [system.services.probe-bench.caps.disks]\nexport = {{ service = 'block', export = 'disks' }}\n\
             [system.services.block.caps.disks]\nexport = {{ service = '{driver}', export = 'disks' }}\n\
             [system.services.probe-bench.budget]\ndmaPages = 1024\nmemoryPages = 4096\n"
        );
        let disk = format!("devices = ['{device}']\n{iommu}[machine.disks.d0]\nsize = '1G'\nnull = true\n");
        case(
            &format!("bench-{name}{}", suffix.replace('.', "-")),
            &format!("{system}{MACHINE}waits = true\n{disk}"),
        )
    }
}

/// A volume on such a disk.
const FILES: [&str; 4] = ["file.read4k.cached", "file.write4k.sync", "store.put4k", "store.get4k"];
const VOLUME: &str = "why = 'figures'\nbudget = '10m'\n[system]\ncommand_line = 'interrupts=trusted'\n\
    use = ['testport', 'devmgr', 'nvme', 'block', 'files', 'probe-bench']\n\
    [system.services.block]\nargs = ['data=serial=1']\n[system.services.block.exports]\ndata = 'BlockDevice'\n\
    [system.services.block.caps.disks]\nexport = { service = 'nvme', export = 'disks' }\n\
    [system.services.files]\nargs = ['--format']\n\
    [system.services.files.caps.disk]\nexport = { service = 'block', export = 'data' }\n\
    [system.services.probe-bench.caps.root]\nexport = { service = 'files', export = 'root' }\n\
    [system.services.probe-bench.caps.store]\nexport = { service = 'files', export = 'store' }\n";
const DISK: &str =
    "devices = ['nvme,serial=1,drive=d0,addr=5']\niommu = 'intel'\n[machine.disks.d0]\nsize = '256M'\n";

fn volume() -> Result<SubCase, Failure> {
    case("bench-files", &format!("{VOLUME}{MACHINE}waits = true\n{DISK}"))
}

/// The machines.
pub fn cases() -> Result<Vec<SubCase>, Failure> {
    MACHINES.iter().map(Machine::case).chain([volume()]).collect()
}

/// All figures that `filter` selects.
pub fn all(
    house: &House,
    pantry: &Pantry,
    plugin: Option<&Plugin>,
    filter: &str,
    folder: &Path,
) -> Result<Vec<Measured>, Failure> {
    let mut figures = Vec::new();
    for machine in MACHINES.iter().filter(|machine| machine.figures.iter().any(|name| selects(filter, name)))
    {
        let case = machine.case()?;
        let found = from_probe(house, &case, pantry, plugin, &folder.join(&case.name))?;
        figures.extend(found.into_iter().filter(|found| machine.figures.contains(&found.name.as_str())));
    }
    if FILES.iter().any(|name| selects(filter, name)) {
        figures.extend(from_probe(house, &volume()?, pantry, plugin, &folder.join("bench-files"))?);
    }
    Ok(figures)
}
