//! The machine is turned on, and the plug is pulled.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nbd::Server;

use super::{Bench, TICK, Watch};
use crate::case::{Machine, Plug};
use crate::machine::args::{Role, Wiring, args};
use crate::machine::entropy;
use crate::machine::guest::{Guest, Sockets};
use crate::wire::Peers;
use crate::wire::yard::Yard;
use crate::{canary, disk, hand};

/// A machine that was turned on.
pub(super) struct On {
    pub guest: Guest,
    pub wiring: Wiring,
    /// Removed when dropped.
    pub sockets: Sockets,
    /// Disks that the lab serves.
    pub disks: Vec<Server>,
    /// Its ends of wires.
    pub peers: Peers,
    /// Where interfaces are.
    pub yard: Option<Yard>,
}

impl Bench<'_> {
    /// Turns it on; `provide` makes its disks, or finds them as they are.
    pub(super) fn power_on(
        &self,
        folder: &Path,
        provide: impl FnOnce(&Machine, &Wiring) -> Result<(), String>,
    ) -> Result<On, String> {
        let machine = &self.case.machine;
        let sockets = Sockets::new().map_err(|error| format!("sockets: {error}"))?;
        let mut wiring = self.wiring(folder, &sockets)?;
        let yard = Yard::make(machine, &wiring)?;
        wiring.enter = yard.as_ref().map(Yard::enter).unwrap_or_default();
        entropy::provide(machine, &wiring)?;
        canary::provide(machine, &wiring)?;
        provide(machine, &wiring)?;
        let args = args(machine, self.kvm, &self.media, self.firmware.as_deref(), &wiring);
        fs::write(folder.join("qemu.args"), args.join("\n") + "\n").map_err(|error| error.to_string())?;
        let disks = disk::serve(machine, &wiring)?;
        let peers = Peers::start(machine, &wiring, self.seed)?;
        let guest = Guest::start(&args, &wiring, disks.iter().map(Server::marker).collect())?;
        Ok(On { guest, wiring, sockets, disks, peers, yard })
    }

    fn wiring(&self, folder: &Path, sockets: &Sockets) -> Result<Wiring, String> {
        let debugged = self.case.session.iter().any(|step| step.gdb.is_some());
        let stub = (self.options.hold || debugged).then(hand::free_port).transpose();
        let mut wiring = Wiring {
            role: Role::Attached,
            sockets: sockets.path().to_owned(),
            logs: folder.to_owned(),
            gdb: stub.map_err(|error| error.to_string())?,
            exit_on_reset: !self.case.reboots,
            hold: self.options.hold,
            plugin: self.options.plugin.clone(),
            enter: Vec::new(),
        };
        if let Some(plugin) = &self.watcher {
            let out = canary::stored_file(&wiring);
            wiring.plugin = Some(format!("{},out={}", plugin.display(), out.display()));
        }
        Ok(wiring)
    }
}

impl Watch<'_> {
    /// Kills the machine at some time, lets its disks lose what they may, and starts it again.
    pub(super) fn pull_plug(&mut self, plug: &Plug) -> Result<(), String> {
        let most = u32::try_from(plug.within.as_micros()).unwrap_or(u32::MAX).saturating_add(1);
        let pulled = Instant::now() + Duration::from_micros(self.chance.below(most).into());
        while Instant::now() < pulled {
            if !self.listen(pulled.saturating_duration_since(Instant::now()).min(TICK)) {
                return Err("the machine left before the plug was pulled".into());
            }
        }
        self.guest.as_mut().into_iter().for_each(Guest::kill);
        let noise = self.seen.noise.len();
        // Its last words.
        while self.hear(TICK) {}
        // Half a line is none.
        self.seen.noise.truncate(noise);
        self.guest = None;
        let chance = &mut self.chance;
        for disk in std::mem::take(&mut self.disks) {
            disk.end(Some(&mut |end| chance.below(end))).map_err(|error| error.to_string())?;
        }
        self.peers.verdict()?;
        let folder = self.lines.0.logs.clone();
        plug.run.iter().try_for_each(|command| disk::run(&self.case.machine, command, &folder, &[]))?;
        let On { guest, wiring, sockets, disks, peers, yard } =
            self.bench.power_on(&folder, |_, _| Ok(()))?;
        (self.guest, self.lines, self.disks) = (Some(guest), (wiring, sockets), disks);
        (self.peers, self.yard) = (peers, yard);
        self.session.starts_again();
        Ok(())
    }

    /// Waits until what the lab serves is on the disks and in their logs.
    pub(super) fn disks_are_done(&mut self) -> Result<(), String> {
        self.guest = None;
        let mut disks = std::mem::take(&mut self.disks).into_iter();
        disks.try_for_each(|disk| disk.end(None)).map_err(|error| format!("a disk: {error}"))
    }
}
