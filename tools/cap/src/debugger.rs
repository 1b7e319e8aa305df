//! gdb on a machine of the lab: with the symbols of the kernel, and printers and commands for its objects (tools/lab/gdb).

use std::process::Command;

use lab::hand::Hand;
use lab::machine::debugger::Setup;

use crate::build::{self, toolchain_file};
use crate::exec::{Context, Failure};
use crate::house::House;

/// What is said before gdb has the word.
const GREETING: &str = "`help capos` lists what there is: ps, threads, caps, ring, symbols, bt, break, peek, feed; `quit` lets the machine go on";

/// What gdb needs for a machine whose stub listens on `port` of this host.
pub fn setup(house: &House, port: u16) -> Result<Setup, Failure> {
    let printers = house.root.join("tools/lab/gdb/capos.py");
    let args = [
        "-q".to_owned(),
        "-nx".to_owned(),
        build::kernel_with_symbols(house).display().to_string(),
        "-ex".to_owned(),
        // Files are named as they are in the tree, whatever its place was when they were compiled.
        format!("set substitute-path /capos {}", house.root.display()),
        "-ex".to_owned(),
        format!("target remote 127.0.0.1:{port}"),
        "-ex".to_owned(),
        format!("source {}", printers.display()),
    ];
    let programs = build::programs_with_symbols(house).display().to_string();
    let nm = toolchain_file("llvm-nm")?.display().to_string();
    let variables = [("CAPOS_PROGRAMS", programs), ("CAPOS_NM", nm), ("PYTHONDONTWRITEBYTECODE", "1".into())];
    Ok(Setup { args: args.into(), variables: variables.map(|(name, value)| (name.to_owned(), value)).into() })
}

/// Attaches gdb, in this terminal, to the machine that `up` started; or to the one whose stub listens on `port`.
pub fn attach(house: &House, port: Option<u16>) -> Result<bool, Failure> {
    let hand = Hand::new(&house.lab());
    let by_hand = || hand.gdb().map_err(Failure::new);
    let Setup { args, variables } = setup(house, port.map_or_else(by_hand, Ok)?)?;
    eprintln!("{GREETING}");
    // Ctrl-C is for gdb; we hear of it, too, and stay until gdb has ended.
    lab::stop::install();
    let status = Command::new("gdb").args(args).envs(variables).status().context("gdb")?;
    match port {
        // A gdb that did not detach leaves the machine standing. If that is gone, there is nothing to do.
        None => drop(hand.go_on()),
        Some(port) if !status.success() => {
            eprintln!("the machine may stand still: `cargo cap gdb --port {port}` and `quit` let it go on");
        }
        Some(_) => {}
    }
    Ok(status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMANDS: &str = include_str!("../../lab/gdb/commands.py");
    const PAGE: &str = include_str!("../../../docs/src/gdb.md");

    #[test]
    fn every_command_is_named() {
        let made = COMMANDS.split("    command(\"").skip(1).filter_map(|rest| rest.split('"').next());
        for name in made {
            assert!(GREETING.contains(&format!(" {name}")), "the greeting lacks {name}");
            assert!(PAGE.contains(&format!("| `capos {name}")), "docs/src/gdb.md lacks {name}");
        }
    }
}
