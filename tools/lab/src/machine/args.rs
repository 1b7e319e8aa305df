//! QEMU's command line for a machine, as a plain function.

use std::path::{Path, PathBuf};

use super::entropy;
use crate::canary;
use crate::case::{Iommu, Kind, Machine};
use crate::disk;
use crate::wire;

/// What the machine boots from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Media {
    /// A PVH loader, the boot package and the kernel's command line.
    Pvh {
        /// handoff.elf.
        loader: PathBuf,
        /// The cpio of kernel and boot files.
        package: PathBuf,
        /// For the kernel.
        command_line: String,
    },
    /// An ISO in the optical drive.
    Cdrom(PathBuf),
    /// A raw disk; writes are thrown away.
    Disk(PathBuf),
}

/// Who listens on the sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// COM1 and the test port are FIFOs, which hold 64 KiB however they are written; a socket holds few hundred single bytes, and a
    /// serial port that cannot write drops them. QEMU ends when the lab does.
    Attached,
    /// QEMU listens, the lab comes and goes.
    Detached,
}

/// Where the machine's lines end.
#[derive(Clone, Debug)]
pub struct Wiring {
    /// Who listens.
    pub role: Role,
    /// A directory for sockets: short, since their paths are limited to 108 bytes.
    pub sockets: PathBuf,
    /// A directory for logs.
    pub logs: PathBuf,
    /// Port of a gdb stub.
    pub gdb: Option<u16>,
    /// The machine leaves QEMU when it resets.
    pub exit_on_reset: bool,
    /// QEMU stays when the machine turns itself off.
    pub hold: bool,
    /// A plugin and its arguments.
    pub plugin: Option<String>,
    /// Words before QEMU's name that have it run in a namespace.
    pub enter: Vec<String>,
}

impl Wiring {
    /// COM1: a socket, or FIFOs of that name with `.in` and `.out` behind it.
    pub fn serial(&self) -> PathBuf {
        self.sockets.join("serial")
    }

    /// What COM1 said.
    pub fn serial_log(&self) -> PathBuf {
        self.logs.join("serial.log")
    }

    /// The test port: FIFOs, or a file.
    pub fn events(&self) -> PathBuf {
        match self.role {
            Role::Attached => self.sockets.join("events"),
            Role::Detached => self.logs.join("events.jsonl"),
        }
    }

    /// QEMU's monitor.
    pub fn monitor(&self) -> PathBuf {
        self.sockets.join("monitor")
    }

    fn serial_device(&self) -> String {
        let (log, line) = (self.serial_log(), self.serial());
        match self.role {
            Role::Attached => format!("pipe,id=serial,path={}", line.display()),
            Role::Detached => {
                format!(
                    "socket,id=serial,path={},server=on,wait=off,logfile={}",
                    line.display(),
                    log.display()
                )
            }
        }
    }

    fn monitor_device(&self) -> String {
        let listen = match self.role {
            Role::Attached => "server=off",
            Role::Detached => "server=on,wait=off",
        };
        format!("socket,id=monitor,path={},{listen}", self.monitor().display())
    }
}

/// The whole command line after the program's name.
pub fn args(
    machine: &Machine,
    kvm: bool,
    media: &Media,
    firmware: Option<&Path>,
    wiring: &Wiring,
) -> Vec<String> {
    let mut line = Line::default();
    line.add("-nodefaults").add("-no-user-config").pair("-display", "none");
    let memory = if machine.canary { format!(",memory-backend={}", canary::NAME) } else { String::new() };
    line.pair("-machine", format!("{}{memory}", chipset(machine.kind)));
    line.pair("-accel", accelerator(machine, kvm));
    line.pair("-cpu", &machine.cpu).pair("-smp", machine.cpus).pair("-m", format!("{}M", machine.memory));
    if machine.canary {
        line.pair(
            "-object",
            format!("memory-backend-memfd,id={},size={}M,share=on", canary::NAME, machine.memory),
        );
    }
    if machine.icount {
        line.pair("-icount", if machine.waits { "shift=0,sleep=on" } else { "shift=0,sleep=off" })
            .pair("-rtc", "base=2026-01-01T00:00:00,clock=vm")
            .pair("-seed", 1);
    }
    if machine.hot_plug {
        line.pair("-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off");
    }
    // Before all devices, which take it as they find it.
    if let Some(iommu) = iommu(machine.iommu) {
        line.pair("-device", iommu);
    }
    if let Some(firmware) = firmware {
        line.pair("-bios", firmware.display());
    }
    boot(&mut line, media);
    wires(&mut line, wiring);
    if machine.entropy {
        line.pair("-object", format!("rng-random,id=known,filename={}", entropy::file(wiring).display()));
    }
    if machine.disk {
        let file = entropy::file(wiring);
        line.pair("-drive", format!("if=none,id=known,format=raw,snapshot=on,file={}", file.display()));
    }
    for (name, disk) in &machine.disks {
        line.pair("-blockdev", disk::blockdev(disk, name, wiring));
    }
    for (option, value) in wire::args(machine, wiring) {
        line.pair(option, value);
    }
    for device in &machine.devices {
        line.pair("-device", device);
    }
    line.0
}

fn chipset(kind: Kind) -> &'static str {
    match kind {
        Kind::Q35 => "q35",
        Kind::Pc => "pc",
        Kind::Microvm => "microvm,isa-serial=on,rtc=on",
    }
}

/// It as a device of QEMU; it has to come before all others.
pub fn iommu(iommu: Iommu) -> Option<&'static str> {
    Some(match iommu {
        Iommu::None => return None,
        Iommu::Intel => "intel-iommu,intremap=on,aw-bits=48",
        Iommu::Intel39 => "intel-iommu,intremap=on,aw-bits=39",
        Iommu::IntelCaching => "intel-iommu,intremap=on,aw-bits=48,caching-mode=on",
        Iommu::IntelIotlb => "intel-iommu,intremap=on,aw-bits=48,device-iotlb=on",
        Iommu::IntelPartial => "intel-iommu,intremap=off,aw-bits=48",
        Iommu::Amd => "amd-iommu,intremap=on",
        Iommu::AmdPartial => "amd-iommu,intremap=off",
    })
}

/// Several processors run on several host threads, except where time is counted in instructions.
fn accelerator(machine: &Machine, kvm: bool) -> &'static str {
    match (kvm, machine.icount) {
        (true, _) => "kvm",
        (false, true) => "tcg,thread=single",
        (false, false) => "tcg",
    }
}

fn boot(line: &mut Line, media: &Media) {
    match media {
        Media::Pvh { loader, package, command_line } => {
            line.pair("-kernel", loader.display()).pair("-initrd", package.display());
            if !command_line.is_empty() {
                line.pair("-append", command_line);
            }
        }
        Media::Cdrom(image) => {
            line.pair("-cdrom", image.display()).pair("-boot", "d");
        }
        Media::Disk(image) => {
            line.pair("-drive", format!("file={},format=raw,snapshot=on", image.display()));
        }
    }
}

fn wires(line: &mut Line, wiring: &Wiring) {
    line.pair("-chardev", wiring.serial_device()).pair("-serial", "chardev:serial");
    let backend = if wiring.role == Role::Attached { "pipe" } else { "file" };
    line.pair("-chardev", format!("{backend},id=events,path={}", wiring.events().display()));
    line.pair("-device", "isa-debugcon,iobase=0xe9,chardev=events");
    line.pair("-device", "isa-debug-exit,iobase=0xf4,iosize=0x04");
    line.pair("-chardev", wiring.monitor_device());
    line.pair("-mon", "chardev=monitor,mode=control");
    if wiring.exit_on_reset {
        line.add("-no-reboot");
    }
    if wiring.hold {
        line.add("-no-shutdown");
    }
    if let Some(plugin) = &wiring.plugin {
        line.pair("-plugin", plugin);
    }
    if let Some(port) = wiring.gdb {
        line.pair("-gdb", format!("tcp:127.0.0.1:{port}"));
    }
}

#[derive(Default)]
struct Line(Vec<String>);

impl Line {
    fn add(&mut self, word: impl ToString) -> &mut Line {
        self.0.push(word.to_string());
        self
    }

    fn pair(&mut self, option: &str, value: impl ToString) -> &mut Line {
        self.add(option).add(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wiring(role: Role) -> Wiring {
        Wiring {
            role,
            sockets: "/tmp/s".into(),
            logs: "/logs".into(),
            gdb: None,
            exit_on_reset: true,
            hold: false,
            plugin: None,
            enter: Vec::new(),
        }
    }

    fn line(machine: &Machine, media: &Media) -> String {
        args(machine, false, media, None, &wiring(Role::Attached)).join(" ")
    }

    fn pvh() -> Media {
        Media::Pvh { loader: "h.elf".into(), package: "p.cpio".into(), command_line: "panic=halt".into() }
    }

    #[test]
    fn a_default_machine() {
        let line = line(&Machine::default(), &pvh());
        for part in [
            "-machine q35",
            "-smp 1",
            "-m 256M",
            "-cpu max",
            "-accel tcg ",
            "-no-reboot",
            "-append panic=halt",
        ] {
            assert!(line.contains(part), "{part} is not in {line}");
        }
        assert!(!line.contains("-icount") && !line.contains("-gdb") && !line.contains("-no-shutdown"));
    }

    #[test]
    fn random_bytes_come_from_a_file() {
        let devices = ["virtio-rng-pci,rng=known".to_owned()].to_vec();
        let line = line(&Machine { devices, entropy: true, ..Machine::default() }, &pvh());
        let object = "-object rng-random,id=known,filename=/tmp/s/entropy -device virtio-rng-pci,rng=known";
        assert!(line.contains(object), "{line}");
    }

    #[test]
    fn slots_report_by_themselves_where_things_come_and_go() {
        assert!(!line(&Machine::default(), &pvh()).contains("hotplug"));
        let line = line(&Machine { hot_plug: true, ..Machine::default() }, &pvh());
        assert!(line.contains("-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"));
    }

    #[test]
    fn memory_lies_in_a_file_for_a_canary() {
        let line = line(&Machine { canary: true, ..Machine::default() }, &pvh());
        assert!(line.contains("-machine q35,memory-backend=ram "), "{line}");
        assert!(line.contains("-object memory-backend-memfd,id=ram,size=256M,share=on"), "{line}");
    }

    #[test]
    fn further_devices_come_in_their_order() {
        let devices = ["pcie-root-port,id=root1".to_owned(), "edu,bus=root1".to_owned()].to_vec();
        let line = line(&Machine { devices, ..Machine::default() }, &pvh());
        assert!(line.ends_with("-device pcie-root-port,id=root1 -device edu,bus=root1"), "{line}");
    }

    #[test]
    fn counting_takes_one_thread_and_a_fixed_date() {
        let line = line(&Machine { icount: true, ..Machine::default() }, &pvh());
        assert!(
            line.contains("shift=0,sleep=off") && line.contains("thread=single") && line.contains("clock=vm")
        );
    }

    #[test]
    fn an_iommu_comes_before_all_devices() {
        let machine = Machine { iommu: Iommu::Amd, ..Machine::default() };
        let line = line(&machine, &pvh());
        let first = line.find("-device").map(|at| line.split_at(at).1).unwrap_or_default();
        assert!(first.starts_with("-device amd-iommu,intremap=on -kernel"), "{first}");
        let none = args(&Machine::default(), false, &pvh(), None, &wiring(Role::Attached));
        assert!(!none.join(" ").contains("iommu"));
    }

    #[test]
    fn media() {
        assert!(line(&Machine::default(), &Media::Cdrom("c.iso".into())).contains("-cdrom c.iso -boot d"));
        assert!(line(&Machine::default(), &Media::Disk("d.raw".into())).contains("snapshot=on"));
    }

    #[test]
    fn lines_by_role() {
        let attached = args(&Machine::default(), false, &pvh(), None, &wiring(Role::Attached)).join(" ");
        assert!(attached.contains("pipe,id=serial,path=/tmp/s/serial"), "{attached}");
        assert!(attached.contains("path=/tmp/s/monitor,server=off"), "{attached}");
        let detached = args(&Machine::default(), false, &pvh(), None, &wiring(Role::Detached)).join(" ");
        assert!(
            detached.contains("path=/tmp/s/serial,server=on") && detached.contains("path=/logs/events.jsonl")
        );
    }

    #[test]
    fn firmware_gdb_and_hold() {
        let wiring = Wiring { gdb: Some(1234), hold: true, exit_on_reset: false, ..wiring(Role::Attached) };
        let line = args(&Machine::default(), true, &pvh(), Some(Path::new("/o.fd")), &wiring).join(" ");
        assert!(
            line.contains("-bios /o.fd")
                && line.contains("tcp:127.0.0.1:1234")
                && line.contains("-no-shutdown")
        );
        assert!(line.contains("-accel kvm") && !line.contains("-no-reboot"));
    }
}
