//! What a case file says, after its matrix was expanded: plain data, checked by serde. Unknown keys are errors, so that a typing
//! mistake never weakens a case.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::disk::{self, Disk};
use crate::expect::Expectation;
use crate::wire::{Wire, WireStep};

/// One run of a case: one machine, one system, one verdict.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What holds if this passes, and why anyone should care.
    pub why: String,
    /// Wall-clock time that the run may take.
    #[serde(default = "default_budget", deserialize_with = "duration")]
    pub budget: Duration,
    /// The machine to boot.
    #[serde(default)]
    pub machine: Machine,
    /// What to start on it.
    #[serde(default)]
    pub system: System,
    /// What a person at the serial port types and sees.
    #[serde(default)]
    pub session: Vec<Step>,
    /// Damage done to the boot files before the machine sees them.
    #[serde(default)]
    pub fault: Vec<Fault>,
    /// Events that must be seen, or must not.
    #[serde(default)]
    pub expect: Vec<Expectation>,
    /// Failures by default that this case provokes on purpose.
    #[serde(default)]
    pub allow: Vec<Allow>,
    /// How the run ends.
    #[serde(default)]
    pub ends: Ends,
    /// The code that the test port must end the run with.
    #[serde(default)]
    pub code: u8,
    /// The machine must reset and boot again during the session. How often is left open: SeaBIOS resets once more after a reset.
    #[serde(default)]
    pub reboots: bool,
    /// Why nobody can be asked for the ledger of devices at the end; empty when somebody can.
    pub unaudited: Option<String>,
    /// What is looked at when the machine is off: its disks.
    #[serde(default)]
    pub after: Vec<disk::Look>,
    /// Runs the same seed twice and compares what was seen, byte for byte.
    #[serde(default)]
    pub twice: bool,
}

/// The machine of a case.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Machine {
    /// Chipset.
    pub kind: Kind,
    /// How the kernel gets into memory.
    pub boot: Boot,
    /// Processors, 1 to 64.
    pub cpus: u32,
    /// Memory in MiB, or with the suffix `M` or `G`.
    #[serde(deserialize_with = "mebibytes")]
    pub memory: u32,
    /// QEMU's `-cpu`.
    pub cpu: String,
    /// Who executes the guest.
    pub accel: Accel,
    /// One TSC tick is one instruction; the same in every run.
    pub icount: bool,
    /// While nobody has anything to do time goes on by itself, instead of at once to the next alarm: what waits for the host is not to see hours pass.
    /// Only with `icount`.
    pub waits: bool,
    /// What stands between devices and memory. Only with `q35`.
    pub iommu: Iommu,
    /// Further devices: arguments of QEMU's `-device`.
    pub devices: Vec<String>,
    /// Slots of PCI Express report what comes and goes, for the steps `monitor` with `device_add` and `device_del`. Only with `q35`, which else tells
    /// by ACPI.
    pub hot_plug: bool,
    /// Random bytes that the lab knows, for a device with `rng=known`.
    pub entropy: bool,
    /// The same bytes as a disk, for a device with `drive=known`; what is written there is thrown away.
    pub disk: bool,
    /// Disks by name, for devices with `drive=NAME`. What is written stays there over resets.
    pub disks: BTreeMap<String, Disk>,
    /// Wires by name, for devices with `netdev=NAME`.
    pub wires: BTreeMap<String, Wire>,
    /// Memory lies in a file, and it is noted where processors store: the steps `canary` can tell what devices wrote.
    pub canary: bool,
    /// It mostly waits for time to pass, and others may run beside it, whatever processors it has.
    pub sleeps: bool,
}

impl Default for Machine {
    fn default() -> Self {
        Machine {
            kind: Kind::Q35,
            boot: Boot::Pvh,
            cpus: 1,
            memory: 256,
            cpu: "max".into(),
            accel: Accel::Tcg,
            icount: false,
            waits: false,
            iommu: Iommu::None,
            devices: Vec::new(),
            hot_plug: false,
            entropy: false,
            disk: false,
            disks: BTreeMap::new(),
            wires: BTreeMap::new(),
            canary: false,
            sleeps: false,
        }
    }
}

/// Chipsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// PCI Express with ECAM.
    Q35,
    /// i440FX: conventional PCI, no ECAM.
    Pc,
    /// No PCI at all.
    Microvm,
}

/// IOMMUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Iommu {
    /// None: devices reach all memory.
    None,
    /// Intel's, with addresses of 48 bits.
    Intel,
    /// With addresses of 39 bits, and so tables of three levels only.
    #[serde(rename = "intel-39")]
    Intel39,
    /// It remembers what is absent.
    IntelCaching,
    /// Devices may translate for themselves, if they are let.
    IntelIotlb,
    /// It does not remap interrupts.
    IntelPartial,
    /// AMD's.
    Amd,
    /// It does not remap interrupts.
    AmdPartial,
}

/// Ways in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Boot {
    /// QEMU loads handoff and the package directly.
    Pvh,
    /// GRUB and handoff from the ISO, SeaBIOS.
    GrubBiosIso,
    /// GRUB and handoff from the ISO, OVMF.
    GrubUefiIso,
    /// GRUB and handoff from the raw disk, SeaBIOS.
    GrubBiosDisk,
    /// GRUB and handoff from the raw disk, OVMF.
    GrubUefiDisk,
    /// Limine from an ISO, SeaBIOS.
    LimineBiosIso,
    /// Limine from an ISO, OVMF.
    LimineUefiIso,
    /// Limine from a raw disk, SeaBIOS.
    LimineBiosDisk,
    /// Limine from a raw disk, OVMF.
    LimineUefiDisk,
}

impl Boot {
    /// Whether OVMF runs before the loader.
    pub fn uefi(self) -> bool {
        matches!(self, Boot::GrubUefiIso | Boot::GrubUefiDisk | Boot::LimineUefiIso | Boot::LimineUefiDisk)
    }

    /// Whether Limine's binaries are needed.
    pub fn limine(self) -> bool {
        matches!(
            self,
            Boot::LimineBiosIso | Boot::LimineUefiIso | Boot::LimineBiosDisk | Boot::LimineUefiDisk
        )
    }

    /// Whether the medium is an optical disc.
    pub fn iso(self) -> bool {
        matches!(self, Boot::GrubBiosIso | Boot::GrubUefiIso | Boot::LimineBiosIso | Boot::LimineUefiIso)
    }
}

/// Who executes the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Accel {
    /// QEMU's translator: the same everywhere, so the default.
    Tcg,
    /// KVM, or a skip where a probe guest does not boot with it.
    Kvm,
    /// KVM where a probe guest boots with it, else TCG.
    Auto,
}

/// What runs on the machine.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct System {
    /// A system of `system.cue`, as shipped. Boot paths other than PVH carry `default`.
    pub name: Option<String>,
    /// Or services of `system.cue` by name, in this order.
    #[serde(rename = "use")]
    pub uses: Vec<String>,
    /// More services, or changes to those: the form of `system.cue`.
    pub services: BTreeMap<String, serde_json::Value>,
    /// Other fields of the system: `onPanic`, `seed`, `iommu`.
    pub with: BTreeMap<String, serde_json::Value>,
    /// With the programs that ship only, as images are: without the lab's probes.
    pub shipped: bool,
    /// The host's checks of the manifest are left out, so that init has to refuse it.
    pub unchecked: bool,
    /// Appended to the kernel's command line (PVH only).
    pub command_line: String,
}

/// One step of the session. Exactly one of the verbs is set; [`crate::library`] checks that.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// Waits for this text.
    pub expect: Option<String>,
    /// Waits for this regular expression.
    #[serde(rename = "match")]
    pub matches: Option<String>,
    /// Waits for a line that is a JSON object with these fields.
    pub json: Option<BTreeMap<String, serde_json::Value>>,
    /// Waits for this event of the test port, unless it has come already.
    pub event: Option<String>,
    /// Sends the text and a carriage return.
    #[serde(rename = "type")]
    pub types: Option<String>,
    /// Sends exactly these characters.
    pub send: Option<String>,
    /// This text must not have appeared in what the last waiting step passed over.
    pub absent: Option<String>,
    /// Waits until nothing has arrived for so long.
    #[serde(deserialize_with = "maybe_duration", serialize_with = "seconds")]
    pub quiet: Option<Duration>,
    /// Does something to the machine.
    #[serde(rename = "do")]
    pub action: Option<Action>,
    /// Looks into the machine from outside; what is seen there arrives as text.
    pub look: Option<Look>,
    /// Lines for QEMU's monitor, which do something that the system could not: what they answer is not looked at. Behind `qmp` is a command of its protocol
    /// with `name=value` for each argument.
    pub monitor: Option<Vec<String>>,
    /// Commands for `sh` on the host while the machine runs, as those of `after`: they break disks that the lab serves, and talk to the machine. If it has
    /// a wire with a tap they run in the namespace where that is.
    pub host: Option<Vec<String>>,
    /// Has gdb attach to the machine and carry out these commands; what it says arrives as text, and when it is done it lets go.
    pub gdb: Option<Vec<String>>,
    /// Looks at all memory from outside, and fails if a device wrote or read where it must not.
    pub canary: Option<Canary>,
    /// What the end of the canary must find wrong instead: a case that shows that it sees.
    pub sees: Option<String>,
    /// Does with memory what no device may do.
    pub hand: Option<Hand>,
    /// Does in the place of a virtio device what that does not do.
    pub device: Option<Misdeed>,
    /// These steps, `times` times; [`crate::library`] writes them out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// How often.
    pub times: Option<usize>,
    /// Does something with a wire.
    pub wire: Option<WireStep>,
    /// Pulls the plug, and starts the machine again.
    pub plug: Option<Plug>,
    /// How long a waiting step may take.
    #[serde(deserialize_with = "maybe_duration", serialize_with = "seconds")]
    pub within: Option<Duration>,
}

/// QEMU is killed, what disks had in their caches is lost, and the machine is started again with the same disks.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Plug {
    /// By chance, up to so long after the step before was done.
    #[serde(deserialize_with = "duration")]
    pub within: Duration,
    /// Commands for `sh`, while the machine is off; as those of `after`.
    pub run: Vec<String>,
}

/// What a step can do to the machine from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Pulls the reset line.
    Reset,
    /// A non-maskable interrupt to every processor.
    Nmi,
    /// Presses the power button.
    Powerdown,
    /// Stops all processors.
    Stop,
    /// Lets them go on.
    Continue,
}

/// Where a step can look, past everything that the system says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Look {
    /// Registers of all processors, as QEMU writes them.
    Registers,
    /// The page tables in use by the first processor: how many pages, and how many of them are as no page should be.
    Pages,
    /// PCI functions and what they decode, compared with the lines of `diag pci --json` that the step before passed over.
    Pci,
    /// Devices that may do DMA.
    Masters,
}

/// The two looks of a canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Canary {
    /// Takes note of all memory.
    Begin,
    /// Compares it.
    End,
}

/// What the lab's own hand does to memory that nobody uses: of each rule of the canary, what breaks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Hand {
    /// Writes one byte, as a device would.
    Byte,
    /// Puts the bait where no grant is.
    Bait,
    /// Puts the secret where it was not planted.
    Secret,
}

/// What the lab does in the place of a virtio device, as soon as that has used all that its driver gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Misdeed {
    /// Nothing: the device is through.
    Nothing,
    /// Its last completion names a descriptor that there is not.
    UnknownId,
    /// It names one that the device was not given.
    NotGiven,
    /// It names that of the one before.
    Twice,
    /// It says more bytes than the buffer has.
    TooLong,
    /// The index of its completions is too large by more than the queue has entries.
    Jump,
    /// It is too small by as much.
    Back,
    /// It writes to the buffers that it gave back.
    Late,
    /// It would write to what it was told before it was taken from its driver, and reaches none of it where an IOMMU is.
    Gone,
}

/// Damage to one boot file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Boot file name.
    pub file: String,
    /// What happens to it.
    #[serde(flatten)]
    pub damage: Damage,
}

/// Kinds of damage.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Damage {
    /// Keeps only the first so many bytes.
    Truncate(usize),
    /// Inverts the bits of the byte at this offset.
    Flip(usize),
    /// The file is not there; the value says why that matters.
    Remove(String),
    /// The file holds this text instead.
    Replace(String),
    /// The file holds what this boot file holds.
    Like(String),
}

/// A failure by default that is expected here.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// Which rule gives way.
    pub rule: Rule,
    /// Only where the line or the event matches this regular expression.
    #[serde(rename = "match")]
    pub matches: String,
    /// Why that is right in this case.
    pub reason: String,
}

/// The rules that fail a case by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// The kernel panicked.
    Panic,
    /// A warning or error in the system's log. That a service died and is started again is one.
    Warning,
    /// An audit counted something that nobody owns.
    Leak,
}

/// How a run ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ends {
    /// The test port ends it with `code`.
    #[default]
    Finish,
    /// The session and the expectations are done; the lab turns the machine off.
    Session,
    /// The guest turns the machine off.
    Poweroff,
    /// The guest resets the machine.
    Reset,
}

fn default_budget() -> Duration {
    Duration::from_secs(60)
}

/// Reads `250ms`, `20s` or `2m`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().ok()?;
    match text.get(digits.len()..)? {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        _ => None,
    }
}

/// Reads `256`, `256M` or `6G` as MiB.
pub fn parse_mebibytes(text: &str) -> Option<u32> {
    let (digits, factor) = match text.strip_suffix('G') {
        Some(digits) => (digits, 1024),
        None => (text.strip_suffix('M').unwrap_or(text), 1),
    };
    digits.parse::<u32>().ok()?.checked_mul(factor).filter(|&mebibytes| mebibytes > 0)
}

pub(crate) fn duration<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(input)?;
    parse_duration(&text)
        .ok_or_else(|| de::Error::custom(format!("`{text}` is not a time like 250ms, 20s or 2m")))
}

fn maybe_duration<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Duration>, D::Error> {
    duration(input).map(Some)
}

fn seconds<S: serde::Serializer>(value: &Option<Duration>, output: S) -> Result<S::Ok, S::Error> {
    value.map(|time| time.as_secs_f64()).serialize(output)
}

fn mebibytes<'de, D: Deserializer<'de>>(input: D) -> Result<u32, D::Error> {
    let value = serde_json::Value::deserialize(input)?;
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    parse_mebibytes(&text)
        .ok_or_else(|| de::Error::custom(format!("`{text}` is not a memory size like 256M or 6G")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(parse_duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse_duration("20s"), Some(Duration::from_secs(20)));
        assert_eq!(parse_duration("2m"), Some(Duration::from_secs(120)));
        for wrong in ["", "20", "s", "-1s", "2h", "1.5s"] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn memory_sizes() {
        assert_eq!(parse_mebibytes("96M"), Some(96));
        assert_eq!(parse_mebibytes("6G"), Some(6144));
        assert_eq!(parse_mebibytes("128"), Some(128));
        for wrong in ["", "G", "0", "-1", "9999999G", "1K"] {
            assert_eq!(parse_mebibytes(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn defaults_are_a_small_q35_by_pvh() {
        let case: Case = toml::from_str("why = \"x\"").unwrap();
        assert_eq!(case.machine.kind, Kind::Q35);
        assert_eq!(case.machine.boot, Boot::Pvh);
        assert_eq!(case.machine.memory, 256);
        assert_eq!(case.ends, Ends::Finish);
        assert_eq!(case.budget, Duration::from_secs(60));
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<Case>("why = \"x\"\nbudgett = \"1s\"").is_err());
        assert!(toml::from_str::<Case>("why = \"x\"\n[machine]\ncpu_count = 2").is_err());
        assert!(toml::from_str::<Case>("why = \"x\"\nsession = [{ expects = \"y\" }]").is_err());
    }

    #[test]
    fn faults_read_in_each_form() {
        let text = "why = \"x\"\n\
                    fault = [{ file = \"init\", truncate = 100 }, { file = \"m\", flip = 3 }, { file = \"s\", remove = \"y\" }]";
        let case: Case = toml::from_str(text).unwrap();
        let damage: Vec<_> = case.fault.into_iter().map(|fault| fault.damage).collect();
        assert_eq!(damage, [Damage::Truncate(100), Damage::Flip(3), Damage::Remove("y".into())]);
    }

    #[test]
    fn boot_paths_know_their_needs() {
        assert!(Boot::LimineUefiDisk.uefi() && Boot::LimineUefiDisk.limine() && !Boot::LimineUefiDisk.iso());
        assert!(Boot::GrubBiosIso.iso() && !Boot::GrubBiosIso.uefi() && !Boot::GrubBiosIso.limine());
        assert!(!Boot::Pvh.iso());
    }
}
