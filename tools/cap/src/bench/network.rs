//! Figures of the network: servers of the guest, asked by this host through QEMU's network of user mode, as the anchors were.

use std::path::Path;

use lab::glob::selects;
use lab::matrix::SubCase;

use super::count::Plugin;
use super::measure::{MACHINE, Measured, case, from_probe};
use crate::exec::Failure;
use crate::house::House;
use crate::kitchen::Pantry;

const FIGURES: [&str; 4] = ["net.tcp_rr.1B", "net.udp_echo.64B", "net.tcp_rx", "net.tcp_tx"];

/// What is asked is as often as probe-bench answers.
const CASE: &str = r#"
why = 'figures'
budget = '10m'
ends = 'finish'
session = [
  { event = 'net.ready' },
  { host = [
    '"$CAP" peer ask tcp 127.0.0.1:{port.n0.5003} 1 1088',
    '"$CAP" peer ask udp 127.0.0.1:{port.n0.udp:5004} 64 1088',
    '"$CAP" peer pour 127.0.0.1:{port.n0.5001} 16777216',
    '"$CAP" peer drain 127.0.0.1:{port.n0.5002} 16777216',
  ] },
]
[system]
use = ['testport', 'devmgr', 'virtio_net', 'net', 'probe-bench']
command_line = 'interrupts=trusted'
[system.services.net]
args = ['listen=*:*', 'udp=*:*']
[system.services.net.caps.nic]
export = { service = 'virtio_net', export = 'nic' }
[system.services.probe-bench]
args = ['--network=1']
[system.services.probe-bench.caps]
network = { export = { service = 'net', export = 'network' } }
listen = { export = { service = 'net', export = 'listen' } }
udp = { export = { service = 'net', export = 'udp' } }
"#;
const WIRE: &str = "waits = true\niommu = 'intel'\ndevices = ['virtio-net-pci,addr=5,netdev=n0,disable-legacy=on,iommu_platform=on']\n\
    [machine.wires.n0]\nto = 'user'\nforward = ['5001', '5002', '5003', 'udp:5004']\n";

fn machine() -> Result<SubCase, Failure> {
    case("bench-net", &format!("{CASE}{MACHINE}{WIRE}"))
}

/// The machine.
pub fn cases() -> Result<Vec<SubCase>, Failure> {
    Ok(vec![machine()?])
}

/// All figures that `filter` selects.
pub fn all(
    house: &House,
    pantry: &Pantry,
    plugin: Option<&Plugin>,
    filter: &str,
    folder: &Path,
) -> Result<Vec<Measured>, Failure> {
    if !FIGURES.iter().any(|name| selects(filter, name)) {
        return Ok(Vec::new());
    }
    from_probe(house, &machine()?, pantry, plugin, &folder.join("bench-net"))
}
