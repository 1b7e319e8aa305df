//! Wires: where the network devices of a machine end. In the lab, in QEMU's own network of user mode, or at an interface in a network namespace
//! of the machine's own, in which real programs run. With trouble on it a wire goes through the lab whoever is at its end.

mod book;
mod frames;
mod hex;
mod peer;
mod ports;
mod trouble;
pub mod yard;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::case::{Case, Machine, Step};
use crate::machine::args::Wiring;
use book::Book;
pub use book::Job;
use hex::Template;
use peer::{Ends, Peer};
pub use ports::with_ports;
use trouble::Trouble;

/// One wire.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Wire {
    /// Who is at its other end.
    pub to: Far,
    /// What happens to frames on their way; also with nothing in it they go through the lab.
    #[serde(default)]
    pub trouble: Option<Trouble>,
    /// Ports of the guest, `80` or `udp:53`, each of which is a free port of this host's loopback address: `{port.n0.80}` in commands of the
    /// host. Of `user` only.
    #[serde(default)]
    pub forward: Vec<String>,
    /// Commands of the host that make the interface what it is, which has the wire's name. Of `tap` only.
    #[serde(default)]
    pub make: Vec<String>,
    /// Commands that run beside it as long as the machine does. What they say is in `NAME.beside`. Of `tap` only.
    #[serde(default)]
    pub beside: Vec<String>,
    /// Pairs of queues that its device may use. Of `tap` only, and not through the lab.
    #[serde(default = "one")]
    pub queues: u32,
}

fn one() -> u32 {
    1
}

/// Other ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Far {
    /// The lab: it answers frames of its own type, and what the session says.
    Lab,
    /// QEMU's network of user mode: DHCP, DNS, and connections of this host.
    User,
    /// An interface in a network namespace, where commands of the session run, too.
    Tap,
}

impl Wire {
    /// Whether its frames go through the lab.
    fn is_ours(&self) -> bool {
        self.to == Far::Lab || self.trouble.is_some()
    }
}

/// What a step of a session does with a wire. In the end it tells the wire's figures, as a line that is a JSON object; with nothing to do it only
/// does that.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct WireStep {
    /// Which one; not needed if there is one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub on: String,
    /// Sends this frame to the guest as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send: Option<String>,
    /// Waits until the guest has sent a frame with these bytes at these offsets, after the one that the last such step found.
    #[serde(rename = "await", skip_serializing_if = "Option::is_none")]
    pub awaits: Option<BTreeMap<String, String>>,
    /// Sends so many frames that the guest has to answer, and waits for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub echo: Option<u32>,
    /// Sends so many frames that are almost like the last that went over the wire.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flood: Option<u32>,
    /// The session goes on meanwhile: the next step with the wire that has nothing to do waits.
    #[serde(skip_serializing_if = "is_false")]
    pub meanwhile: bool,
    /// So many frames may go without the answer that the guest owes.
    #[serde(skip_serializing_if = "is_zero")]
    pub unanswered: u64,
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// Arguments of QEMU for the wires of a machine.
pub fn args(machine: &Machine, wiring: &Wiring) -> Vec<(&'static str, String)> {
    let numbered = machine.wires.iter().zip(0..);
    numbered.flat_map(|((name, wire), number)| netdevs(name, wire, number, wiring)).collect()
}

fn netdevs(name: &str, wire: &Wire, number: u32, wiring: &Wiring) -> Vec<(&'static str, String)> {
    let file = format!("{name}.pcap");
    // QEMU writes frames of an interface with the header that is between it and the device.
    let is_seen = wire.to != Far::Tap || wire.is_ours();
    let capture = is_seen.then(|| {
        let file = wiring.logs.join(file).display().to_string();
        ("-object", format!("filter-dump,id={name}-pcap,netdev={name},file={file}"))
    });
    let netdevs = match (wire.is_ours(), far(name, wire)) {
        (false, Some(far)) => vec![format!("{far},id={name}")],
        (_, None) => vec![datagrams(name, name, "nic", wiring)],
        (true, Some(far)) => vec![
            datagrams(name, name, "nic", wiring),
            datagrams(&format!("{name}-far"), name, "far", wiring),
            format!("{far},id={name}-end"),
            format!("hubport,id={name}-a,hubid={number},netdev={name}-far"),
            format!("hubport,id={name}-b,hubid={number},netdev={name}-end"),
        ],
    };
    netdevs.into_iter().map(|netdev| ("-netdev", netdev)).chain(capture).collect()
}

/// Who is there, if not the lab.
fn far(name: &str, wire: &Wire) -> Option<String> {
    match wire.to {
        Far::Lab => None,
        Far::User => {
            let forward = wire.forward.iter().map(|port| {
                let (protocol, port) = ports::split(port);
                // QEMU takes a port that is free.
                format!(",hostfwd={protocol}:127.0.0.1:0-:{port}")
            });
            Some(format!("user{}", forward.collect::<String>()))
        }
        Far::Tap => {
            let queues = if wire.queues > 1 { format!(",queues={}", wire.queues) } else { String::new() };
            Some(format!("tap,ifname={name},script=no,downscript=no{queues}"))
        }
    }
}

fn datagrams(id: &str, wire: &str, end: &str, wiring: &Wiring) -> String {
    let (local, remote) = (socket(wiring, wire, end), socket(wiring, wire, "lab"));
    let (local, remote) = (local.display(), remote.display());
    format!("dgram,id={id},local.type=unix,local.path={local},remote.type=unix,remote.path={remote}")
}

fn socket(wiring: &Wiring, name: &str, end: &str) -> PathBuf {
    wiring.sockets.join(format!("{name}.{end}"))
}

/// The lab's ends of the wires of a machine.
#[derive(Default)]
pub struct Peers(BTreeMap<String, Peer>);

impl Peers {
    /// Of a machine that is about to be started.
    pub fn start(machine: &Machine, wiring: &Wiring, seed: u64) -> Result<Peers, String> {
        let ours = machine.wires.iter().filter(|(_, wire)| wire.is_ours());
        let start = |((name, wire), number): ((&String, &Wire), u64)| {
            let end = |end| socket(wiring, name, end);
            let far = (wire.to != Far::Lab).then(|| end("far"));
            let book = Book::new(wire.trouble.unwrap_or_default(), seed.wrapping_add(number));
            let peer = Peer::start(&Ends { lab: end("lab"), guest: end("nic"), far }, book);
            peer.map(|peer| (name.clone(), peer)).map_err(|error| format!("wire {name}: {error}"))
        };
        ours.zip(0..).map(start).collect::<Result<_, _>>().map(Peers)
    }

    fn peer(&self, on: &str) -> Result<(&String, &Peer), String> {
        let found = self.0.iter().find(|(name, _)| on.is_empty() || *name == on);
        found.ok_or_else(|| format!("wire {on} does not go through the lab"))
    }

    /// Begins what a step is to do.
    pub fn begin(&self, step: &WireStep) -> Result<(), String> {
        let (_, peer) = self.peer(&step.on)?;
        let frame = step.send.as_deref().map(hex::bytes).transpose()?;
        let jobs = step.echo.map(Job::Echo).into_iter().chain(step.flood.map(Job::Flood));
        peer.with(|book| {
            frame.into_iter().for_each(|frame| book.send(frame));
            jobs.for_each(|job| book.begin(job));
        });
        Ok(())
    }

    /// Whether that is done; what the wire's figures are.
    ///
    /// # Errors
    /// When it is done and the guest did not do what it had to.
    pub fn look(&self, step: &WireStep) -> Result<(bool, String), String> {
        let (name, peer) = self.peer(&step.on)?;
        let template = step.awaits.as_ref().map(Template::parse).transpose()?;
        let is_done = match &template {
            Some(template) => peer.with(|book| book.has_seen(template)),
            None => step.meanwhile || peer.is_done(),
        };
        let said = peer.with(|book| book.tell(name));
        if is_done && template.is_none() && !step.meanwhile {
            peer.with(|book| book.forgive(step.unanswered)).map_err(|why| format!("{why}: {said}"))?;
        }
        Ok((is_done, said))
    }

    /// What guests did that is wrong, whatever was waited for.
    pub fn verdict(&self) -> Result<(), String> {
        let wrong = self.0.iter().filter_map(|(name, peer)| {
            peer.with(|book| book.verdict()).err().map(|why| format!("wire {name}: {why}"))
        });
        let wrong: Vec<String> = wrong.collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }
}

/// What went over them may be much; a case that passed needs it no more.
pub fn remove(machine: &Machine, logs: &Path) {
    for name in machine.wires.keys() {
        // If it stays, pruning takes it one day.
        let _ = std::fs::remove_file(logs.join(format!("{name}.pcap")));
    }
}

/// What serde cannot say.
pub fn check(case: &Case) -> Result<(), String> {
    for (name, wire) in &case.machine.wires {
        check_wire(name, wire, &case.machine).map_err(|error| format!("wire {name}: {error}"))?;
    }
    let has_tap = yard::is_needed(&case.machine);
    let steps = || case.session.iter().flat_map(|step| std::iter::once(step).chain(&step.steps));
    if has_tap && steps().any(|step| step.gdb.is_some()) {
        return Err("gdb does not reach a machine in a namespace of its own, where a tap is".into());
    }
    for command in steps().filter_map(|step| step.host.as_ref()).flatten() {
        ports::check(&case.machine, command)?;
    }
    steps().try_for_each(|step| check_step(step, &case.machine))
}

fn check_wire(name: &str, wire: &Wire, machine: &Machine) -> Result<(), String> {
    // As an interface it has no more than 15.
    if name.is_empty() || name.len() > 15 || !name.chars().all(|letter| letter.is_ascii_alphanumeric()) {
        return Err("a name is up to 15 letters and digits".into());
    }
    let netdev = format!("netdev={name}");
    let is_on_it = |device: &String| device.split(',').any(|part| part == netdev);
    if !machine.devices.iter().any(is_on_it) {
        return Err(format!("no device says {netdev}"));
    }
    wire.trouble.as_ref().map_or(Ok(()), Trouble::check)?;
    if wire.to != Far::User && !wire.forward.is_empty() {
        return Err("only `user` forwards ports".into());
    }
    wire.forward.iter().try_for_each(|port| ports::parse(port).map(|_| ()))?;
    if wire.to != Far::Tap && !(wire.make.is_empty() && wire.beside.is_empty() && wire.queues == 1) {
        return Err("only `tap` has `make`, `beside` and `queues`".into());
    }
    if wire.queues == 0 || (wire.queues > 1 && wire.is_ours()) {
        return Err("through the lab there is one pair of queues".into());
    }
    Ok(())
}

fn check_step(step: &Step, machine: &Machine) -> Result<(), String> {
    let Some(step) = &step.wire else { return Ok(()) };
    let verbs = [step.send.is_some(), step.awaits.is_some(), step.echo.is_some(), step.flood.is_some()];
    if verbs.iter().filter(|is| **is).count() > 1 {
        return Err("a step of a wire has one of send, await, echo, flood".into());
    }
    let ours = || machine.wires.iter().filter(|(_, wire)| wire.is_ours()).map(|(name, _)| name);
    match step.on.as_str() {
        "" if ours().count() != 1 => {
            return Err("a step of a wire says `on` which, if not just one goes through the lab".into());
        }
        "" => {}
        on if ours().any(|name| name == on) => {}
        on => return Err(format!("no wire {on} goes through the lab")),
    }
    if step.awaits.is_some() && (step.meanwhile || step.unanswered > 0) {
        return Err("a step that awaits a frame waits for that, and nothing else".into());
    }
    step.send.as_deref().map(hex::bytes).transpose()?;
    step.awaits.as_ref().map(Template::parse).transpose()?;
    Ok(())
}

#[cfg(test)]
mod tests;
