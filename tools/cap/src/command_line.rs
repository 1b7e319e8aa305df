//! What can be typed after `cap`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// capOS: build, run, test and measure it.
#[derive(Parser)]
#[command(name = "cap", bin_name = "cargo cap", disable_help_subcommand = true)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Subcommand)]
pub enum Verb {
    /// Checks system.cue; builds kernel, loader and programs into target/boot/
    Build,
    /// Builds the ISO and the raw disk into target/image/
    Image,
    /// Boots the ISO in QEMU, with the serial port in this terminal
    Run(RunOptions),
    /// The gate: everything that must hold, or only the steps named
    Test {
        /// Steps of the gate; all if none is named
        steps: Vec<String>,
    },
    /// The quick part of the gate
    Check,
    /// The house lints, system.cue included
    Lint,
    /// Runs lab cases
    #[command(visible_alias = "lab")]
    Smoke {
        /// Which cases: names with * and ?, joined by commas
        #[arg(default_value = "*")]
        filter: String,
    },
    /// Lists lab cases
    List {
        /// Which cases
        #[arg(default_value = "*")]
        filter: String,
    },
    /// Measures; writes target/bench/figures.json and docs/figures.md
    Bench {
        /// Which figures
        #[arg(default_value = "*")]
        filter: String,
        /// Changes nothing, and fails where an exact count is more than 3 % worse than the committed one
        #[arg(long)]
        check: bool,
    },
    /// Lays out a new crate with its lab case, and prints its lines for system.cue
    New {
        /// What it is
        kind: Kind,
        /// Its name: lower case, words joined by -
        name: String,
    },
    /// Adds function names to addresses
    Symbolize {
        /// A program of userspace; the kernel if not given
        #[arg(long)]
        program: Option<String>,
        /// Hexadecimal, such as 0x4595c0; if none is given, those in the text on standard input
        addresses: Vec<String>,
    },
    /// Attaches gdb to the machine that `up` started, with symbols, printers and `capos` commands
    Gdb {
        /// Another machine's port, such as a held case's
        #[arg(long)]
        port: Option<u16>,
    },
    /// Evaluates system.cue and writes its checked-in export
    Export {
        /// Only compares
        #[arg(long)]
        check: bool,
    },
    /// Volumes in disk images
    #[command(subcommand)]
    Fs(FsVerb),
    /// The other end of a network, for cases and figures
    #[command(subcommand, hide = true)]
    Peer(PeerVerb),
    /// What a machine left on its disk when the plug was pulled, or could have
    #[command(subcommand)]
    Crash(CrashVerb),
    /// A machine by hand
    #[command(flatten)]
    Hand(HandVerb),
}

/// By what.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// One connection.
    Tcp,
    /// Datagrams.
    Udp,
}

/// The other end of a network.
#[derive(Subcommand)]
pub enum PeerVerb {
    /// Asks an echo, one question after the other
    Ask {
        /// How
        protocol: Protocol,
        /// Whom
        address: SocketAddr,
        /// Bytes of each
        size: usize,
        /// How often
        count: u64,
    },
    /// Opens many connections to an echo, keeps them, and asks on each, round after round
    Crowd {
        /// Whom
        address: SocketAddr,
        /// How many
        connections: usize,
        /// Rounds
        rounds: u64,
    },
    /// Sends bytes of the pattern
    Pour {
        /// Where
        address: SocketAddr,
        /// How many
        bytes: u64,
    },
    /// Asks for bytes of the pattern
    Drain {
        /// Whom
        address: SocketAddr,
        /// How many
        bytes: u64,
    },
}

/// A disk image, or a part of it.
#[derive(Args)]
pub struct Image {
    /// The disk image
    pub image: PathBuf,
    /// The partition in it: its number or its name; where only one has something on it, it is that one
    #[arg(long)]
    pub partition: Option<String>,
}

/// What is looked at.
#[derive(Args)]
pub struct When {
    /// As a snapshot kept it, by its name
    #[arg(long)]
    pub snapshot: Option<String>,
}

/// Volumes in disk images.
#[derive(Subcommand)]
pub enum FsVerb {
    /// Makes an empty volume
    Mkfs {
        /// Where
        #[command(flatten)]
        image: Image,
        /// Makes the image first, of so many bytes, like 64M; it takes no room until it is written
        #[arg(long)]
        size: Option<String>,
        /// Even where there is something already
        #[arg(long)]
        force: bool,
    },
    /// Lists a directory, or the root
    Ls {
        /// Where
        #[command(flatten)]
        image: Image,
        /// When
        #[command(flatten)]
        when: When,
        /// Names, with / between them
        #[arg(default_value = "")]
        path: String,
    },
    /// Copies a file out, or a directory with all that is in it
    Get {
        /// Where
        #[command(flatten)]
        image: Image,
        /// When
        #[command(flatten)]
        when: When,
        /// Names, with / between them
        path: String,
        /// Where to: a file, or for a directory a folder that is not there yet; standard output if not given
        file: Option<PathBuf>,
    },
    /// Copies a file in, or a folder with all that is in it
    Put {
        /// Where
        #[command(flatten)]
        image: Image,
        /// What
        file: PathBuf,
        /// Names, with / between them; directories on the way are made
        path: String,
    },
    /// Lists snapshots, or keeps what is there now as one
    Snap {
        /// Where
        #[command(flatten)]
        image: Image,
        /// What it is called
        name: Option<String>,
        /// Drops it instead
        #[arg(short, long, requires = "name")]
        delete: bool,
    },
    /// Looks at everything, snapshots too, and names every inconsistency
    Check {
        /// Where
        #[command(flatten)]
        image: Image,
    },
    /// Makes records lie, under checksums that are right, to be refused by whoever reads them
    #[command(hide = true)]
    Craft {
        /// Where
        #[command(flatten)]
        image: Image,
        /// About what
        lie: Lie,
    },
    /// Shows everything that is known of everything
    Dump {
        /// Where
        #[command(flatten)]
        image: Image,
    },
}

/// What records say that is not so. They are of what is in the directory `home`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Lie {
    /// Two directories are in each other
    Ring,
    /// A file is a directory by another name
    Twice,
    /// Two files have the same blocks
    Shared,
    /// A file is longer than any disk
    Size,
    /// A block is behind the end of the disk
    Outside,
    /// Names that are none
    Names,
}

/// Disks of machines of the lab, on which `probe-files --ops=N` worked.
#[derive(Subcommand)]
pub enum CrashVerb {
    /// Whether what is on a disk is what operations in a row did, all that were synced among them
    Judge {
        /// The disk image
        image: PathBuf,
        /// What the machine said at its test port
        events: PathBuf,
        /// Where it is noted how many operations were there each time, one more at each call
        kept: PathBuf,
    },
    /// Whether every state is, in which the machine could have stopped, by the log of its disk
    Replay {
        /// The log
        log: PathBuf,
        /// What the machine said at its test port
        events: PathBuf,
        /// How many states to look at, some more or less, of those that there are
        #[arg(long, default_value_t = 500)]
        states: usize,
        /// Choices to try at each flush where there are too many for all
        #[arg(long, default_value_t = 20)]
        samples: usize,
        /// Where chance begins
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Leaves out every so-manieth flush, or write that is durable by itself, to see that it is found
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        drop_flush: Option<u32>,
    },
}

/// What to run, and on what.
#[derive(Args)]
pub struct RunOptions {
    /// The system: default, diag, minimal
    #[arg(long, default_value = "default")]
    pub system: String,
    /// Boot kernel and package directly instead of the ISO
    #[arg(long)]
    pub pvh: bool,
    /// UEFI instead of BIOS
    #[arg(long)]
    pub uefi: bool,
    /// Processors, at most 8: with more nobody has tried it
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=8))]
    pub cpus: u32,
    /// Memory
    #[arg(long, default_value = "512M")]
    pub memory: String,
    /// A device more, in QEMU's words: virtio-rng-pci; as often as there are such
    #[arg(long)]
    pub device: Vec<String>,
    /// What stands between devices and memory
    #[arg(long, default_value = "none")]
    pub iommu: Iommu,
    /// The disk image of the default system, which keeps what is written: made with an empty volume if it is not there
    #[arg(long, default_value = "disk.img")]
    pub disk: PathBuf,
    /// No disk
    #[arg(long)]
    pub no_disk: bool,
    /// A second disk image, to be mounted by hand: a volume, FAT or ISO 9660; it has to be there
    #[arg(long)]
    pub disk2: Option<PathBuf>,
}

/// IOMMUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Iommu {
    /// Nothing
    None,
    /// VT-d
    Intel,
    /// AMD-Vi
    Amd,
}

/// Kinds of new crates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Owns a device
    Driver,
    /// Serves an interface
    Service,
    /// Is run by a person
    App,
    /// Looks at the system for the lab
    Probe,
}

/// Machines by hand.
#[derive(Subcommand)]
pub enum HandVerb {
    /// Starts the machine of a case, or of the shipped system, and leaves it running
    Up {
        /// A sub-case by its full name
        case: Option<String>,
    },
    /// Attaches this terminal to its serial port
    Console,
    /// Waits until its serial log matches
    Assert {
        /// A regular expression
        pattern: String,
        /// Types this line first, and looks only at what comes after
        #[arg(long = "type")]
        line: Option<String>,
        /// How long to wait
        #[arg(long, default_value = "10s")]
        within: String,
    },
    /// Pulls its reset line
    Reboot,
    /// Ends it
    Down,
    /// Down, and up again with a fresh build
    Cycle,
    /// Removes old runs beyond the budget
    Prune,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    /// What the page's lines beginning with `cargo cap` type, without what is said about it behind `#` or among choices.
    fn typed(page: &str) -> impl Iterator<Item = &str> {
        let lines = page.lines().filter(|line| line.starts_with("cargo cap ") && !line.contains(" | "));
        lines.filter_map(|line| line.split(" #").next())
    }

    #[test]
    fn what_the_pages_type_is_understood() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src");
        let mut count = 0;
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let page = if path.is_file() { fs::read_to_string(&path).unwrap() } else { continue };
            for line in typed(&page) {
                let words = line.split_whitespace().skip(1).map(|word| word.trim_matches('\''));
                if let Err(error) = CommandLine::try_parse_from(words) {
                    panic!("{}: `{line}`: {error}", path.display());
                }
                count += 1;
            }
        }
        assert!(count >= 5, "only {count} lines found");
    }

    #[test]
    fn as_many_processors_as_readme_says() {
        for (cpus, fine) in [("1", true), ("8", true), ("0", false), ("9", false)] {
            assert_eq!(CommandLine::try_parse_from(["cap", "run", "--cpus", cpus]).is_ok(), fine, "{cpus}");
        }
    }

    #[test]
    fn addresses_are_arguments() {
        let line = ["cap", "symbolize", "--program", "shell", "0x400000", "0x400010"];
        let Verb::Symbolize { program, addresses } = CommandLine::parse_from(line).verb else { panic!() };
        assert_eq!((program.as_deref(), addresses.len()), (Some("shell"), 2));
    }
}
