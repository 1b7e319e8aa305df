//! Ports of the guest that are ports of this host.

use crate::case::Machine;

/// Protocol and number of `80` and `udp:53`.
pub fn split(port: &str) -> (&str, &str) {
    port.split_once(':').unwrap_or(("tcp", port))
}

/// The same, if they are.
pub fn parse(port: &str) -> Result<(&str, u16), String> {
    let (protocol, number) = split(port);
    let number = number.parse().ok().filter(|number| *number > 0);
    match (protocol, number) {
        ("tcp" | "udp", Some(number)) => Ok((protocol, number)),
        _ => Err(format!("`{port}` is no port, as `80` or `udp:53`")),
    }
}

/// All that can stand in commands: the text, the wire and the port.
fn names(machine: &Machine) -> impl Iterator<Item = (String, &str, &str)> {
    let wires = machine.wires.iter();
    wires.flat_map(|(name, wire)| {
        wire.forward.iter().map(move |port| (format!("{{port.{name}.{port}}}"), name.as_str(), port.as_str()))
    })
}

/// Whether a command names only such.
pub fn check(machine: &Machine, command: &str) -> Result<(), String> {
    let rest = names(machine).fold(command.to_owned(), |command, (name, ..)| command.replace(&name, ""));
    match rest.contains("{port.") {
        true => Err(format!("`{command}` names a port that is not forwarded")),
        false => Ok(()),
    }
}

/// The command with the host's ports instead of names; `ask` tells what QEMU says of its networks of user mode (`info usernet`).
pub fn with_ports(
    machine: &Machine,
    command: &str,
    ask: impl FnOnce() -> Result<String, String>,
) -> Result<String, String> {
    if !command.contains("{port.") {
        return Ok(command.into());
    }
    let said = ask()?;
    names(machine).try_fold(command.to_owned(), |command, (name, wire, port)| {
        let found = find(&said, wire, port);
        let found = found.ok_or_else(|| format!("QEMU does not say what port {name} is:\n{said}"))?;
        Ok(command.replace(&name, &found.to_string()))
    })
}

/// Of lines like `  TCP[HOST_FORWARD]  11  127.0.0.1 33989  10.0.2.15  80  0  0` below one like `Hub 1 (n0-end):`.
fn find(said: &str, wire: &str, port: &str) -> Option<u16> {
    let (protocol, port) = split(port);
    let kind = format!("{}[HOST_FORWARD]", protocol.to_uppercase());
    let heads = [format!("({wire}):"), format!("({wire}-end):")];
    let is_head = |line: &str| line.starts_with("Hub");
    let ours = said.lines().skip_while(|line| !heads.iter().any(|head| line.trim_end().ends_with(head)));
    let rows = ours.skip(1).take_while(|line| !is_head(line));
    let mut words = rows.map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = words.find(|row| row.first() == Some(&kind.as_str()) && row.get(5) == Some(&port))?;
    row.get(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "Hub -1 (n1):\r\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n  \
        TCP[HOST_FORWARD]   3       127.0.0.1 40349       10.0.2.15    80     0     0\r\n\
        Hub 1 (n0-end):\r\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n  \
        TCP[HOST_FORWARD]  11       127.0.0.1 33989       10.0.2.15    80     0     0\r\n  \
        UDP[HOST_FORWARD]   9       127.0.0.1 55963       10.0.2.15    53     0     0\r\n";

    #[test]
    fn ports_are_found_below_their_wire() {
        assert_eq!(find(SAID, "n0", "80"), Some(33_989));
        assert_eq!(find(SAID, "n0", "udp:53"), Some(55_963));
        assert_eq!(find(SAID, "n1", "80"), Some(40_349));
        assert_eq!(
            (find(SAID, "n1", "udp:53"), find(SAID, "n2", "80"), find(SAID, "n0", "81")),
            (None, None, None)
        );
    }

    #[test]
    fn commands_name_ports() {
        let case = "why = 'a'\n[machine]\ndevices = ['x,netdev=n0']\n[machine.wires.n0]\nto = 'user'\nforward = ['80', 'udp:53']";
        let machine = crate::library::read("x-y", "x", case).unwrap().remove(0).case.machine;
        let command =
            with_ports(&machine, "curl 127.0.0.1:{port.n0.80} {port.n0.udp:53}", || Ok(SAID.into()));
        assert_eq!(command, Ok("curl 127.0.0.1:33989 55963".into()));
        assert_eq!(with_ports(&machine, "true", || Err("nobody asks".into())), Ok("true".into()));
        assert!(with_ports(&machine, "{port.n0.80}", || Ok("nothing".into())).is_err());
        assert!(check(&machine, "{port.n0.80}").is_ok() && check(&machine, "{port.n0.81}").is_err());
    }

    #[test]
    fn what_is_no_port_is_refused() {
        assert_eq!((parse("80"), parse("udp:53")), (Ok(("tcp", 80)), Ok(("udp", 53))));
        for wrong in ["", "0", "x", "65536", "sctp:1", "udp:"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
