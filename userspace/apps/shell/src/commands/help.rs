//! What there is to type, and what for.

use crate::session::Session;
use crate::trouble::Trouble;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use capos_text::{Align, Table};

/// One command, as `help` shows it.
pub struct Command {
    pub name: &'static str,
    /// What follows the name.
    usage: &'static str,
    tells: &'static str,
    /// Capabilities that it can not do without: one of these sets. Without a set it needs nothing.
    needs: &'static [&'static [&'static str]],
}

const fn command(
    name: &'static str,
    usage: &'static str,
    tells: &'static str,
    needs: &'static [&'static [&'static str]],
) -> Command {
    Command { name, usage, tells, needs }
}

/// What starting programs takes.
const PROGRAMS: &[&str] = &["spawner", "boot"];

/// What has files in it.
const FILES: &[&[&str]] = &[&["files"], &["boot"], &["disks"]];
const VOLUMES: &[&[&str]] = &[&["files"], &["disks"]];

/// Every command.
pub const COMMANDS: [Command; 37] = [
    command("help", "[COMMAND]", "this list, or more about one command", &[]),
    command("caps", "", "the capabilities you hold", &[]),
    command(
        "run",
        "[mem=SIZE] NAME [ARG ...] [with CAP[=MINE] ...] [| run ...] [&]",
        "start a program",
        &[PROGRAMS],
    ),
    command("jobs", "", "programs in the background", &[PROGRAMS]),
    command("kill", "PID | SERVICE", "end a program started here, or a service", &[&["services"], PROGRAMS]),
    command("services", "", "services and how they are", &[&["services"]]),
    command("start", "SERVICE", "start a service that has ended", &[&["services"]]),
    command("replace", "SERVICE FILE", "let another program take over a running service", &[&["services"]]),
    command("grant", "SERVICE CAP[=MINE]", "give a running service something you hold", &[&["services"]]),
    command("crash", "SERVICE [N]", "its last fault, or the Nth before", &[&["services"]]),
    command(
        "trace",
        "SERVICE [last | on | off]",
        "what it did last, or the `last` that ended; `on` records calls",
        &[&["services"]],
    ),
    command("ps", "", "processes", &[&["system"]]),
    command(
        "top",
        "[N]",
        "who uses the processors, within a second; N times, until a key is pressed",
        &[&["inspector", "timer"]],
    ),
    command("graph", "[PROCESS]", "who holds what, and from whom", &[&["inspector"]]),
    command("mem", "", "memory", &[&["system"]]),
    command("ls", "[PLACE:][DIR]", "what is in a directory, or in all of a place", FILES),
    command("cat", "FILE", "show a file", FILES),
    command("get", "FILE", "all of a text file, up to 4 MiB, for a pipe", FILES),
    command("put", "FILE", "make a file of what comes out of a pipe", VOLUMES),
    command(
        "cp",
        "[-r] NAME TO",
        "copy a file, also from `boot:` and from and to `store:`; -r: a directory, or all of a place",
        VOLUMES,
    ),
    command("mv", "NAME TO", "rename or move within a volume", VOLUMES),
    command(
        "rm",
        "[-rf] NAME ...",
        "remove files; -r: and what is in directories; -f: if it is there",
        VOLUMES,
    ),
    command("mkdir", "[-p] DIR ...", "make directories; -p: and those above them", VOLUMES),
    command("df", "", "room on volumes", VOLUMES),
    command("collect", "", "drop the blobs of `store:` that nothing names", &[&["store"]]),
    command("grow", "[VOLUME:]", "give a volume all of its disk, which became larger", VOLUMES),
    command("snap", "[VOLUME:] [NAME | -d NAME]", "snapshots: list, keep, drop", &[&["volume"], &["disks"]]),
    command(
        "mount",
        "[DISK NAME | -u NAME]",
        "disks and what is on them; serve one as a place",
        &[&["disks"]],
    ),
    command("log", "[-f] [COUNT]", "last log records; -f goes on until a key is pressed", &[&["log_reader"]]),
    command("time", "", "time of day and time since boot", &[&["wall_clock"], &["timer"]]),
    command("echo", "[WORD ...]", "show words", &[]),
    command("clear", "", "clear the screen", &[]),
    command("diag", "[COMMAND] [--json]", "diagnostics; `diag help` lists them", &[&["system"]]),
    command("reboot", "", "reset the machine", &[&["power"]]),
    command("halt", "", "turn the machine off", &[&["power"]]),
    command("exit", "", "leave the shell", &[]),
    command("version", "", "what this is", &[&["system"]]),
];

/// More about commands of which the line in the list is not enough.
const MORE: [(&str, &str); 7] = [
    (
        "cp",
        "    \
    cp boot:welcome notes         into a directory it keeps its name
    cp -r notes copy              all that is below, too
    cp -r usb: stick              all of a place
    cp -r files@monday:notes old  what a snapshot kept
    cp notes/today store:         as a blob, whose hash is shown
    What had the name is replaced when all of the new one is there. A directory that is there already keeps what else is in it.
    What can not be read is named, and the rest is copied. Ctrl-C ends it, and what was copied stays.
",
    ),
    (
        "mv",
        "    \
    mv today yesterday            onto a file it takes its place, in one step
    mv today old                  into a directory it keeps its name
    From one volume to another it is `cp -r`, and `rm -r` then.
",
    ),
    (
        "rm",
        "    \
    rm notes/today junk           those that can not be removed are named, and the others go
    rm -r notes                   a directory and all that is below
    rm -- -x                      what begins with `-`
",
    ),
    (
        "put",
        "    \
    echo buy milk | put notes/today
    run hello | put out
    The file has its name when all of it is there; what had it before is replaced then.
",
    ),
    (
        "snap",
        "    \
    snap monday                   keeps all of `files:` as it is now
    snap usb: monday              the same of another volume
    snap -d monday                gives it back
    ls files@monday:              looks at it; `cp -r files@monday:notes old` brings something back
",
    ),
    (
        "mount",
        "    \
    mount disk1 usb               disk1 is usb: then; a partition is disk1.2
    mount -u usb                  ends that, when all is safe
    FAT and ISO 9660 can be read, volumes of capOS changed, too.
",
    ),
    (
        "collect",
        "    \
    A blob stays while somebody looks at it or a namespace names it. `cp FILE store:` gives it no name, so that one goes.
",
    ),
];

/// More about files.
const PLACES: &str = "    \
    Names are below a place: `files:` is the machine's volume, `boot:` the boot files, `store:` blobs by their SHA-256, and `mount` makes more.
    Names without a place are in `files:`, or in `boot:` while there is no volume. There is no way up from a place, and `/` is between names:
        mkdir notes
        echo buy milk | put notes/today
        cp boot:welcome notes
        snap monday
        ls files@monday:notes
    What a command says is done is safe on the disk.
";

/// More about `run`.
const RUN: &str = "    \
    NAME is a boot file (`ls boot:`). It is given what stands behind `with` and nothing else; spaces or commas separate:
        run hello with console
        run diag with console,system timer
    CAP=MINE gives it what you hold as MINE (`caps`), and it finds it under the name CAP.
    A pipe connects the output of one program, its `stdout`, to the `stdin` of the next; the last one writes to the screen.
    What a command shows can go into a pipe as well:
        run hello | run upper | run wc
        help | run wc
    `&` at the end starts it in the background, where it can write and reads find no input; `jobs` lists it, `kill PID` ends it.
    Ctrl-C ends what runs in the foreground.
    It may use 2 MiB of memory out of the shell's budget; mem=SIZE in front of NAME gives it more, and more of all else with it:
        run mem=16M shell with console spawner boot
";

impl Command {
    /// Its name and what follows.
    pub fn usage(&self) -> String {
        String::from(format!("{} {}", self.name, self.usage).trim_end())
    }

    /// What of its capabilities this shell lacks; nothing when it can be done.
    fn missing(&self, held: impl Fn(&str) -> bool) -> Option<String> {
        let lacks = |set: &&[&str]| set.iter().any(|name| !held(name));
        if self.needs.is_empty() || !self.needs.iter().all(lacks) {
            return None;
        }
        let sets: Vec<String> = self.needs.iter().map(|set| set.join(" and ")).collect();
        Some(sets.join(", or "))
    }
}

/// Commands that can be done with what is held, and what that is.
pub fn all(session: &Session) -> String {
    let mut table = Table::new(&[("COMMAND", Align::Left), ("", Align::Left)]);
    let mut lacking = String::new();
    for command in &COMMANDS {
        match command.missing(|name| session.held.find(name).is_some()) {
            None => table.row([format!("{} {}", command.name, command.usage), String::from(command.tells)]),
            Some(missing) => lacking.push_str(&format!("    {} (needs {missing})\n", command.name)),
        }
    }
    let names: Vec<&str> = session.held.all().map(|granted| granted.name).collect();
    let mut out = table.render();
    out.push_str(&format!("You hold: {}\n", names.join(", ")));
    if !lacking.is_empty() {
        out.push_str(&format!("Not without more:\n{lacking}"));
    }
    out
}

/// One command.
pub fn about(name: &str) -> Result<String, Trouble> {
    let command = COMMANDS.iter().find(|command| command.name == name);
    let command = command.ok_or_else(|| Trouble::Say(format!("no command `{name}`; `help` lists them")))?;
    let own = MORE.iter().find(|(name, _)| *name == command.name).map_or("", |(_, more)| more);
    let more = match command.needs {
        _ if command.name == "run" => RUN,
        FILES | VOLUMES => PLACES,
        _ => "",
    };
    Ok(format!("{}\n    {}\n{own}{more}", command.usage(), command.tells))
}

#[cfg(test)]
mod tests {
    use super::{COMMANDS, MORE, about};
    use alloc::vec::Vec;

    fn offered(held: &[&str]) -> Vec<&'static str> {
        let can = COMMANDS.iter().filter(|command| command.missing(|name| held.contains(&name)).is_none());
        can.map(|command| command.name).collect()
    }

    #[test]
    fn a_bare_shell_offers_what_it_can_do() {
        assert_eq!(offered(&["console", "log"]), ["help", "caps", "echo", "clear", "exit"]);
    }

    #[test]
    fn one_of_several_is_enough() {
        assert!(offered(&["timer"]).contains(&"time"));
        assert!(offered(&["wall_clock"]).contains(&"time"));
        assert!(offered(&["services"]).contains(&"kill"));
        assert!(!offered(&["spawner"]).contains(&"kill"));
        assert!(offered(&["spawner", "boot"]).contains(&"kill"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let kill = COMMANDS.iter().find(|command| command.name == "kill");
        let missing = kill.and_then(|command| command.missing(|_| false));
        assert_eq!(missing.as_deref(), Some("services, or spawner and boot"));
    }

    #[test]
    fn what_more_is_said_is_about_a_command() {
        for (name, more) in MORE {
            let text = about(name).unwrap_or_else(|_| panic!("no help about {name}"));
            assert!(text.contains(more), "{name}");
        }
    }

    #[test]
    fn help_about_run_explains_every_part() {
        let text = about("run").unwrap_or_else(|_| panic!("no help"));
        for part in ["CAP=MINE", "commas", "&", "|", "mem=", "Ctrl-C"] {
            assert!(text.contains(part), "{part}");
        }
    }
}
