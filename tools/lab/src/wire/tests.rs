use super::*;
use crate::library::read;
use crate::machine::args::Role;

const CASE: &str = "why = 'x'\nends = 'session'\n";
const MACHINE: &str = "[machine]\ndevices = ['virtio-net-pci,netdev=n0']\n[machine.wires.n0]\n";

fn case(session: &str, wire: &str) -> Result<Case, String> {
    let text = format!("{CASE}session = [{session}]\n{MACHINE}{wire}\n");
    read("net-x", "net", &text).map(|mut cases| cases.remove(0).case)
}

fn line(wire: &str) -> String {
    let wiring = Wiring {
        role: Role::Attached,
        sockets: "/s".into(),
        logs: "/l".into(),
        gdb: None,
        exit_on_reset: false,
        hold: false,
        plugin: None,
        enter: Vec::new(),
    };
    let machine = case("{ expect = 'x' }", wire).unwrap().machine;
    let words = args(&machine, &wiring).into_iter().map(|(option, value)| format!("{option} {value}"));
    words.collect::<Vec<_>>().join(" ")
}

const NIC: &str =
    "-netdev dgram,id=n0,local.type=unix,local.path=/s/n0.nic,remote.type=unix,remote.path=/s/n0.lab";
const CAPTURE: &str = "-object filter-dump,id=n0-pcap,netdev=n0,file=/l/n0.pcap";

#[test]
fn a_wire_ends_in_the_lab_or_elsewhere() {
    assert_eq!(line("to = 'lab'"), format!("{NIC} {CAPTURE}"));
    assert_eq!(
        line("to = 'user'\nforward = ['80', 'udp:53']"),
        format!("-netdev user,hostfwd=tcp:127.0.0.1:0-:80,hostfwd=udp:127.0.0.1:0-:53,id=n0 {CAPTURE}")
    );
    assert_eq!(
        line("to = 'tap'\nqueues = 4"),
        "-netdev tap,ifname=n0,script=no,downscript=no,queues=4,id=n0"
    );
}

#[test]
fn with_trouble_it_goes_through_the_lab() {
    let far =
        "-netdev dgram,id=n0-far,local.type=unix,local.path=/s/n0.far,remote.type=unix,remote.path=/s/n0.lab";
    let hub = "-netdev hubport,id=n0-a,hubid=0,netdev=n0-far -netdev hubport,id=n0-b,hubid=0,netdev=n0-end";
    assert_eq!(
        line("to = 'user'\ntrouble = {}"),
        format!("{NIC} {far} -netdev user,id=n0-end {hub} {CAPTURE}")
    );
    let tap = line("to = 'tap'\ntrouble = { lost = 50, late = '5ms' }");
    assert!(
        tap.contains("tap,ifname=n0,script=no,downscript=no,id=n0-end") && tap.ends_with(CAPTURE),
        "{tap}"
    );
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let refused = |session: &str, wire: &str, why: &str| {
        let found = case(session, wire);
        assert!(
            found.as_ref().is_err_and(|error| error.contains(why)),
            "{session} {wire}: {:?}",
            found.err()
        );
    };
    let nothing = "{ expect = 'x' }";
    assert!(case(nothing, "to = 'lab'").is_ok());
    refused(nothing, "to = 'moon'", "moon");
    refused(nothing, "to = 'lab'\nforward = ['80']", "only `user`");
    refused(nothing, "to = 'user'\nforward = ['x']", "no port");
    refused(nothing, "to = 'user'\nmake = ['true']", "only `tap`");
    refused(nothing, "to = 'lab'\nqueues = 2", "only `tap`");
    refused(nothing, "to = 'tap'\nqueues = 2\ntrouble = {}", "one pair");
    refused(nothing, "to = 'tap'\nqueues = 0", "one pair");
    refused(nothing, "to = 'lab'\ntrouble = { lost = 1001 }", "a thousand");
    refused(nothing, "to = 'lab'\ntrouble = { lots = 1 }", "lots");
    refused("{ host = ['curl {port.n0.80}'] }", "to = 'user'", "not forwarded");
    refused("{ gdb = ['info registers'] }", "to = 'tap'", "gdb");
    let steps = [
        "{ wire = {} }",
        "{ wire = { on = 'n0', echo = 3 }, within = '1s' }",
        "{ wire = { await = { 12 = '0806' } } }",
    ];
    for step in steps {
        assert!(case(step, "to = 'lab'").is_ok(), "{step}: {:?}", case(step, "to = 'lab'").err());
        refused(step, "to = 'user'", "through the lab");
    }
    refused("{ wire = { on = 'n1' } }", "to = 'lab'", "no wire n1");
    refused("{ wire = { echo = 1, flood = 1 } }", "to = 'lab'", "one of");
    refused("{ wire = { await = {}, meanwhile = true } }", "to = 'lab'", "nothing else");
    refused("{ wire = { send = 'xy' } }", "to = 'lab'", "no bytes");
    refused("{ wire = { await = { x = '00' } } }", "to = 'lab'", "no offset");
    refused("{ times = 2, steps = [{ wire = { send = 'xy' } }] }", "to = 'lab'", "no bytes");
    let others =
        format!("{CASE}session = [{nothing}]\n{}to = 'lab'", MACHINE.replace("netdev=n0", "netdev=n1"));
    assert!(read("net-x", "net", &others).is_err_and(|error| error.contains("no device says netdev=n0")));
    let named = format!("{CASE}session = [{nothing}]\n{}to = 'lab'", MACHINE.replace("n0", "n-0"));
    assert!(read("net-x", "net", &named).is_err_and(|error| error.contains("letters and digits")));
}
