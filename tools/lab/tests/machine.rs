//! The lab against a real QEMU and a guest of one boot sector: it greets on COM1, echoes what is typed, reports an event and
//! finishes with code 3 on `q`, and resets the machine on `r`. So the runner is proved before any kernel is.

use std::fs;
use std::path::{Path, PathBuf};

use lab::artefacts::Status;
use lab::case::Case;
use lab::library;
use lab::machine::args::Media;
use lab::run::{Kitchen, Options, Unready};
use lab::runner::{Plan, run_all};

/// 16-bit code, assembled from the listing beside it; texts follow it at 0x3f and 0x47.
const CODE: [u8; 63] = [
    0x31, 0xc0, 0x8e, 0xd8, 0xfc, // xor ax, ax; mov ds, ax; cld
    0xbe, 0x3f, 0x7c, 0xba, 0xf8, 0x03, // mov si, greeting; mov dx, 0x3f8
    0xac, 0x84, 0xc0, 0x74, 0x03, 0xee, 0xeb, 0xf8, // 1: lodsb; test al, al; jz 2f; out dx, al; jmp 1b
    0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xf8, // 2: mov dx, 0x3fd; in al, dx; test al, 1; jz 2b
    0xba, 0xf8, 0x03, 0xec, 0xee, // mov dx, 0x3f8; in al, dx; out dx, al
    0x3c, 0x72, 0x74, 0x14, 0x3c, 0x71, 0x75, 0xeb, // cmp al, 'r'; je 5f; cmp al, 'q'; jne 2b
    0xbe, 0x47, 0x7c, // mov si, event
    0xac, 0x84, 0xc0, 0x74, 0x04, 0xe6, 0xe9, 0xeb,
    0xf7, // 3: lodsb; test al, al; jz 4f; out 0xe9, al; jmp 3b
    0xb0, 0x03, 0xe6, 0xf4, // 4: mov al, 3; out 0xf4, al
    0xb0, 0x06, 0xba, 0xf9, 0x0c, 0xee, 0xf4, // 5: mov al, 6; mov dx, 0xcf9; out dx, al; hlt
];
const TEXTS: &[u8] = b"ready> \0{\"event\":\"echo.done\",\"n\":1}\n\0";

struct BootSector(PathBuf);

impl Kitchen for BootSector {
    fn media(&self, _: &Case, _: &str, _: u64, _: &Path) -> Result<Media, Unready> {
        Ok(Media::Disk(self.0.clone()))
    }
}

/// Runs one case and returns its verdict and reason.
fn verdict(name: &str, text: &str) -> (Status, String) {
    let folder = std::env::temp_dir().join(format!("capos-lab-machine-{}-{name}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let mut sector = [&CODE[..], TEXTS].concat();
    sector.resize(510, 0);
    sector.extend([0x55, 0xaa]);
    // SeaBIOS does not boot from a disk of one sector.
    sector.resize(1 << 20, 0);
    let disk = folder.join("disk.raw");
    fs::write(&disk, sector).unwrap();
    let cases = library::read(name, "x", &format!("why = 'a'\n{UNAUDITED}{text}")).unwrap();
    let plan = Plan { capacity: 1, seed: Some(1), options: Options::default() };
    let outcome = run_all(&cases, &BootSector(disk), &folder.join("lab"), &plan).unwrap().remove(0);
    fs::remove_dir_all(folder).unwrap();
    (outcome.status, outcome.reason.unwrap_or_default())
}

const UNAUDITED: &str = "unaudited = 'a boot sector has no ledger'\n";
const GREETED: &str = "{ expect = 'ready> ' }";

#[test]
fn a_session_with_an_event_and_a_code_passes() {
    let text = format!(
        "code = 3\nsession = [{GREETED}, {{ send = 'abc' }}, {{ expect = 'abc' }}, {{ send = 'q' }}]\n\
         expect = [{{ event = 'echo.done', where = {{ n = 1 }}, times = 1 }}]"
    );
    assert_eq!(verdict("x-pass", &text), (Status::Passed, String::new()));
}

#[test]
fn a_wrong_code_and_a_missing_event_fail() {
    let text = format!("code = 4\nsession = [{GREETED}, {{ send = 'q' }}]\nexpect = [{{ event = 'other' }}]");
    let (status, reason) = verdict("x-code", &text);
    assert_eq!(status, Status::Failed);
    assert!(reason.contains("code 3") && reason.contains("`other` was never seen"), "{reason}");
}

#[test]
fn silence_fails_the_session_and_the_machine_is_ended() {
    let text = format!("ends = 'session'\nsession = [{GREETED}, {{ expect = 'never', within = '500ms' }}]");
    let (status, reason) = verdict("x-silence", &text);
    assert_eq!(status, Status::Failed);
    assert!(reason.contains("step 2 of 2"), "{reason}");
}

#[test]
fn the_lab_ends_a_satisfied_machine() {
    assert_eq!(verdict("x-lab", &format!("ends = 'session'\nsession = [{GREETED}]")).0, Status::Passed);
}

#[test]
fn a_reset_ends_the_machine_or_is_declared() {
    let reset = format!("ends = 'reset'\nsession = [{GREETED}, {{ send = 'r' }}]");
    assert_eq!(verdict("x-reset", &reset), (Status::Passed, String::new()));
    let twice =
        format!("ends = 'session'\nreboots = true\nsession = [{GREETED}, {{ send = 'r' }}, {GREETED}]");
    assert_eq!(verdict("x-again", &twice), (Status::Passed, String::new()));
    let undeclared = format!("code = 3\nsession = [{GREETED}, {{ send = 'r' }}]");
    let (status, reason) = verdict("x-undeclared", &undeclared);
    assert_eq!(status, Status::Failed);
    assert!(reason.contains("reset itself"), "{reason}");
}

#[test]
fn a_reset_from_outside_is_one() {
    let text =
        format!("ends = 'session'\nreboots = true\nsession = [{GREETED}, {{ do = 'reset' }}, {GREETED}]");
    assert_eq!(verdict("x-pulled", &text), (Status::Passed, String::new()));
}

#[test]
fn a_budget_is_a_limit() {
    let (status, reason) = verdict("x-budget", "budget = '1s'\nexpect = [{ event = 'never' }]");
    assert_eq!(status, Status::Failed);
    assert!(reason.contains("budget of 1 s") && reason.contains("`never`"), "{reason}");
}

#[test]
fn a_machine_that_qemu_refuses_fails_with_its_words() {
    let (status, reason) = verdict("x-refused", "[machine]\ncpu = 'no-such-processor'");
    assert_eq!(status, Status::Failed);
    assert!(reason.contains("no-such-processor"), "{reason}");
}

/// A network card whose own program asks for an address before the boot sector is read.
fn with_card(session: &str, wire: &str) -> String {
    format!(
        "ends = 'session'\nsession = [{session}]\nafter = [{{ run = 'od -A n -t x4 -N 4 n0.pcap', match = 'a1b2c3d4' }}]\n\
         [machine]\ndevices = ['virtio-net-pci,netdev=n0,bootindex=0']\n[machine.wires.n0]\n{wire}"
    )
}

/// DHCP: to port 67, and what kind of message it is.
const DISCOVER: &str = "{ wire = { await = { 12 = '0800', 23 = '11', 36 = '0043', 282 = '350101' } } }";
const REQUEST: &str = "{ wire = { await = { 36 = '0043', 282 = '350103' } } }";

#[test]
fn a_wire_ends_in_the_lab() {
    let session = format!(
        "{DISCOVER}, {{ json = {{ wire = 'n0', from_guest = {{ at_least = 1 }}, to_guest = 0 }} }}, \
         {{ wire = {{ send = 'ff*6 02*6 88b6 00*46' }} }}, {{ wire = {{ flood = 5 }} }}, \
         {{ json = {{ to_guest = 6, wrong = 0 }} }}"
    );
    assert_eq!(verdict("x-wire", &with_card(&session, "to = 'lab'")), (Status::Passed, String::new()));
    // It has no driver that would answer.
    let silent = format!("{DISCOVER}, {{ wire = {{ echo = 3 }}, within = '15s' }}");
    let (status, reason) = verdict("x-echo", &with_card(&silent, "to = 'lab'"));
    assert_eq!(status, Status::Failed);
    assert!(reason.contains("3 frames were not answered"), "{reason}");
}

#[test]
fn who_is_at_the_end_answers_through_the_lab() {
    let session = format!("{DISCOVER}, {REQUEST}, {{ json = {{ doubled = {{ at_least = 1 }} }} }}");
    let wire = "to = 'user'\ntrouble = { doubled = 1000, late = '5ms' }";
    assert_eq!(verdict("x-through", &with_card(&session, wire)), (Status::Passed, String::new()));
    let nobody = format!("{DISCOVER}, {}", REQUEST.replace("} } }", "} }, within = '3s' }"));
    let (status, _) = verdict("x-lost", &with_card(&nobody, "to = 'user'\ntrouble = { lost = 1000 }"));
    assert_eq!(status, Status::Failed, "who is lost is not answered");
}

#[test]
fn a_port_of_the_guest_is_one_of_the_host() {
    let session = "{ host = ['grep -q \":$(printf %04X {port.n0.80}) 00000000:0000 0A\" /proc/net/tcp'] }";
    let text =
        with_card(session, "to = 'user'\nforward = ['80', 'udp:53']").replace("session = [", "session = [\n");
    assert_eq!(verdict("x-ports", &text), (Status::Passed, String::new()));
}

#[test]
fn a_wire_ends_at_an_interface() {
    let session = "{ host = ['ip -4 address show dev n0 | grep -q 10.9.8.7', \
         'n=0; until ip -s -o link show dev n0 | grep -q \"RX:.* [1-9][0-9]* .*TX:\"; do n=$((n+1)); test $n -lt 100; sleep 0.1; done', \
         'test ! -e /proc/sys/net/ipv4/conf/eth0', 'grep -q beside n0.beside'] }";
    let wire =
        "to = 'tap'\nmake = ['ip address add 10.9.8.7/24 dev n0']\nbeside = ['echo beside; sleep 1000']";
    let direct = with_card(session, wire);
    let direct: String =
        direct.lines().filter(|line| !line.starts_with("after")).map(|line| format!("{line}\n")).collect();
    let through = with_card(&format!("{DISCOVER}, {session}"), &format!("{wire}\ntrouble = {{}}"));
    for (name, text) in [("x-tap", direct), ("x-trouble", through)] {
        match verdict(name, &text) {
            (Status::Skipped, reason) => eprintln!("skipped: {reason}"),
            found => assert_eq!(found, (Status::Passed, String::new())),
        }
    }
}
