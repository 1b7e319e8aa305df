//! `cap run`: the shipped system in QEMU, its serial port in this terminal.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use lab::case::parse_mebibytes;
use lab::machine::args::iommu;
use lab::machine::{firmware, kvm, qemu};

use crate::build::{self, Programs, Scope};
use crate::command_line::{FsVerb, Image, Iommu, RunOptions};
use crate::exec::{Context, Failure};
use crate::house::House;
use crate::systems::Systems;
use crate::{fs, images, package};

/// Builds what is missing and boots it; returns when QEMU does.
pub fn run(house: &House, options: &RunOptions) -> Result<bool, Failure> {
    let memory = memory(&options.memory)?;
    // Only what ships, if that is enough: a change of the runtime makes all programs anew.
    let scope = if options.system == "default" { Scope::Shipped } else { Scope::All };
    let programs = build::programs(house, scope)?;
    let systems = Systems::load(house, &programs)?;
    let way_out = systems.way_out(&options.system)?;
    let mut command = Command::new(qemu());
    // KVM only where a probe guest really ran: the device node can exist and not work.
    command.args(hardware(options, memory, kvm::works().is_ok()));
    if matches!(options.system.as_str(), "default" | PAGE) && !options.no_disk {
        command.args(disk(house, &options.disk)?);
    }
    if let Some(image) = &options.disk2 {
        command.args(second(house, image)?);
    }
    if options.uefi {
        command.arg("-bios").arg(firmware::ovmf().map_err(Failure::new)?);
    }
    medium(house, options, &programs, &systems, &mut command)?;
    if options.system == PAGE {
        let port = free_port()?;
        command.args(adapter(port));
        eprintln!("the machine's page: http://localhost:{port}/");
    }
    eprintln!("{}", hint(way_out));
    let status = command.status().context(qemu())?;
    Ok(status.success())
}

/// The system that serves a page.
const PAGE: &str = "web";

/// A port of this host that nobody has: the usual one, if it is to be had.
fn free_port() -> Result<u16, Failure> {
    let listen = |port| TcpListener::bind(("127.0.0.1", port));
    let listener = listen(8080).or_else(|_| listen(0)).context("127.0.0.1")?;
    Ok(listener.local_addr().context("127.0.0.1")?.port())
}

/// A network adapter, at which that port of this host is the guest's port of the page.
fn adapter(port: u16) -> [String; 4] {
    let netdev = format!("user,id=net,hostfwd=tcp:127.0.0.1:{port}-:80");
    ["-netdev", &netdev, "-device", "virtio-net-pci,netdev=net"].map(String::from)
}

/// The machine, without what it boots from.
fn hardware(options: &RunOptions, memory: u32, kvm: bool) -> Vec<String> {
    let iommu = iommu(match options.iommu {
        Iommu::None => lab::case::Iommu::None,
        Iommu::Intel => lab::case::Iommu::Intel,
        Iommu::Amd => lab::case::Iommu::Amd,
    });
    // KVM's own I/O APIC knows nothing of an IOMMU.
    let machine = if kvm && iommu.is_some() { "q35,kernel-irqchip=split" } else { "q35" };
    let (accel, cpus, memory) =
        (if kvm { "kvm" } else { "tcg" }, options.cpus.to_string(), format!("{memory}M"));
    let mut line: Vec<&str> =
        vec!["-nodefaults", "-no-user-config", "-display", "none", "-serial", "mon:stdio"];
    line.extend(["-machine", machine, "-cpu", "max", "-smp", &cpus, "-m", &memory, "-accel", accel]);
    // Devices come and go by slots of PCI Express, not by AML (decision 0028).
    line.extend(["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"]);
    let devices = options.device.iter().map(String::as_str);
    line.extend(iommu.into_iter().chain(devices).flat_map(|device| ["-device", device]));
    line.into_iter().map(String::from).collect()
}

/// Below this firmware says nothing, and nor can we: with a little more the loader says what it lacks.
const LEAST_MEBIBYTES: u32 = 4;

fn memory(asked: &str) -> Result<u32, Failure> {
    let mebibytes = parse_mebibytes(asked)
        .ok_or_else(|| Failure::new(format!("`{asked}` is not a memory size like 256M or 6G")))?;
    match mebibytes < LEAST_MEBIBYTES {
        true => {
            Err(Failure::new(format!("{asked} of memory is less than a PC boots with, {LEAST_MEBIBYTES}M")))
        }
        false => Ok(mebibytes),
    }
}

/// Bytes of the disk; what was never written takes no room.
const DISK: &str = "1G";

/// A disk with a volume, which is made if it is not there.
fn disk(house: &House, image: &Path) -> Result<Vec<String>, Failure> {
    let path = house.root.join(image);
    if !path.exists() {
        let image = Image { image: path.clone(), partition: None };
        fs::carry_out(&FsVerb::Mkfs { image, size: Some(String::from(DISK)), force: false })?;
    }
    Ok(drive(&path, "disk", "nvme,drive=disk,serial=capOS-disk"))
}

/// A disk that somebody made.
fn second(house: &House, image: &Path) -> Result<Vec<String>, Failure> {
    let path = house.root.join(image);
    if !path.exists() {
        let path = path.display();
        return Err(Failure::new(format!(
            "{path} is not there; `cargo cap fs mkfs {path} --size 64M` makes a volume"
        )));
    }
    Ok(drive(&path, "disk2", "virtio-blk-pci,drive=disk2,serial=capOS-disk2"))
}

/// An image as the disk of a device.
fn drive(path: &Path, id: &str, device: &str) -> Vec<String> {
    // QEMU's options have commas between.
    let file = path.display().to_string().replace(',', ",,");
    let drive = format!("if=none,id={id},format=raw,discard=unmap,file={file}");
    ["-drive", &drive, "-device", device].map(String::from).to_vec()
}

/// How to get out again.
fn hint(way_out: Option<&str>) -> String {
    let typed = way_out.map(|word| format!(", or type `{word}`")).unwrap_or_default();
    format!("leave with Ctrl-A X{typed}; Ctrl-A C is QEMU's monitor")
}

/// The ISO ships the default system; any other one boots as a package.
fn medium(
    house: &House,
    options: &RunOptions,
    programs: &Programs,
    systems: &Systems,
    command: &mut Command,
) -> Result<(), Failure> {
    let from_iso = options.system == "default" && !options.pvh;
    if options.uefi && !from_iso {
        return Err(Failure::new("UEFI boots the ISO only; leave --pvh and --system out"));
    }
    build::compile(house, programs, systems)?;
    if from_iso {
        let images = images::of_built(house, programs, systems)?;
        command.arg("-cdrom").arg(images.preferred()).args(["-boot", "d"]);
        return Ok(());
    }
    let bytes = package::Package::new(house, programs, systems.manifest(&options.system)?)?.bytes()?;
    let path = house.boot().join(format!("{}.cpio", options.system));
    build::write_if_new(&path, &bytes)?;
    command.arg("-kernel").arg(house.boot().join("handoff.elf")).arg("-initrd").arg(path);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{disk, hardware, hint, memory, second};
    use crate::command_line::{CommandLine, FsVerb, Image, Verb};
    use crate::fs;
    use crate::house::House;
    use clap::Parser;
    use std::path::Path;

    fn line(typed: &str, kvm: bool) -> String {
        let words = ["cap", "run"].into_iter().chain(typed.split_whitespace());
        let Verb::Run(options) = CommandLine::parse_from(words).verb else { panic!() };
        hardware(&options, 512, kvm).join(" ")
    }

    #[test]
    fn devices_come_after_the_iommu_that_is_to_hold_them() {
        let line = line("--device edu --device virtio-rng-pci,addr=5 --iommu amd", false);
        assert!(line.contains("-machine q35 "), "{line}");
        assert!(
            line.ends_with("-device amd-iommu,intremap=on -device edu -device virtio-rng-pci,addr=5"),
            "{line}"
        );
    }

    #[test]
    fn kvm_leaves_interrupts_to_the_iommu() {
        assert!(line("--iommu intel", true).contains("-machine q35,kernel-irqchip=split "));
        assert!(line("", true).contains("-machine q35 "));
    }

    #[test]
    fn a_disk_is_made_once_and_kept() {
        let root = std::env::temp_dir().join(format!("cap-run-disk-{}", std::process::id()));
        std::fs::create_dir_all(&root).unwrap();
        let house = House { root: root.clone() };
        let (path, line) = (root.join("a,b.img"), disk(&house, Path::new("a,b.img")).unwrap());
        assert_eq!(line[3], "nvme,drive=disk,serial=capOS-disk");
        assert!(line[1].ends_with("/a,,b.img"), "{line:?}");
        let check = |path: &Path| Image { image: path.into(), partition: None };
        assert!(fs::carry_out(&FsVerb::Check { image: check(&path) }).unwrap());
        // Somebody's bytes: they stay, and it is not for `run` to say that they are no volume.
        std::fs::write(&path, b"mine").unwrap();
        assert_eq!(disk(&house, Path::new("a,b.img")).unwrap(), line);
        assert_eq!(std::fs::read(&path).unwrap(), b"mine");
        // A second one is somebody's, or a mistake.
        assert_eq!(
            second(&house, Path::new("a,b.img")).unwrap()[3],
            "virtio-blk-pci,drive=disk2,serial=capOS-disk2"
        );
        let missing = second(&house, Path::new("b.img")).unwrap_err().to_string();
        assert!(missing.contains("b.img is not there"), "{missing}");
        assert!(!root.join("b.img").exists());
        std::fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn memory_is_a_size_with_which_a_machine_says_something() {
        assert_eq!((memory("4M").ok(), memory("6G").ok()), (Some(4), Some(6144)));
        assert!(memory("1M").unwrap_err().to_string().starts_with("1M of memory is less than"));
        assert!(memory("much").unwrap_err().to_string().contains("not a memory size"));
    }

    #[test]
    fn only_what_works_is_hinted() {
        assert_eq!(hint(Some("halt")), "leave with Ctrl-A X, or type `halt`; Ctrl-A C is QEMU's monitor");
        assert_eq!(hint(None), "leave with Ctrl-A X; Ctrl-A C is QEMU's monitor");
    }
}
