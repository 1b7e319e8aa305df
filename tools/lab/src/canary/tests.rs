//! The canary over files that no machine uses: what is written there is what devices did.

use std::fs;
use std::os::unix::fs::FileExt;

use capos_mutate::pattern::{MARK_AT, Pattern};
use serde_json::json;

use super::*;
use crate::machine::args::Role;

const SEED: u64 = 7;
/// A machine of one MiB, all of which has the address that its place in the file says.
const TREE: &str = "0000000000000000-00000000000fffff (prio 0, ram): ram\n";

/// A monitor of a machine with one virtio device, whose used ring is at 0x9000 and whose descriptors are at 0x6000.
struct Fake;

impl Monitor for Fake {
    fn ask(&mut self, command: &str, arguments: Value) -> Result<Value, String> {
        match (command, arguments["command-line"].as_str(), arguments["queue"].as_u64()) {
            ("human-monitor-command", Some("info mtree -f"), _) => Ok(json!(TREE)),
            ("human-monitor-command", Some("info qtree"), _) => Ok(json!("bus: main-system-bus\n")),
            ("x-query-virtio", ..) => {
                Ok(json!([{ "path": "/machine/peripheral-anon/device[0]/virtio-backend" }]))
            }
            ("x-query-virtio-queue-status", _, Some(0)) => Ok(
                json!({ "vring-desc": 0x6000, "vring-avail": 0x7000, "vring-used": 0x9000, "vring-num": 8 }),
            ),
            _ => Err(format!("{command} {arguments}")),
        }
    }
}

struct Bench {
    folder: PathBuf,
    canary: Canary,
}

impl Bench {
    fn new(name: &str) -> Bench {
        let folder = std::env::temp_dir().join(format!("capos-canary-test-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let wiring = Wiring {
            role: Role::Attached,
            sockets: folder.clone(),
            logs: folder.clone(),
            gdb: None,
            exit_on_reset: true,
            hold: false,
            plugin: None,
            enter: Vec::new(),
        };
        provide(&Machine { memory: 1, canary: true, ..Machine::default() }, &wiring).unwrap();
        let file = File::options().read(true).write(true).create_new(true).open(folder.join("ram")).unwrap();
        file.set_len(1 << 20).unwrap();
        let canary = Canary { ram: Ram::over(file).unwrap(), ..Canary::new(&wiring, SEED).unwrap() };
        let bench = Bench { folder, canary };
        // Two granted pages, and the kernel's: nothing of these is planted.
        for page in [4, 5] {
            bench.store(page, &Pattern::Grant.bytes(SEED), MARK_AT);
        }
        bench.store(6, &[1, 2, 3], 100);
        bench.store(9, &[0; 64], 0);
        bench
    }

    /// A processor stores.
    fn store(&self, page: u64, bytes: &[u8], at: usize) {
        self.canary.stored.write_all_at(&[1], page).unwrap();
        self.device(page, bytes, at);
    }

    /// A device writes.
    fn device(&self, page: u64, bytes: &[u8], at: usize) {
        self.canary.ram.write_at(bytes, page * PAGE as u64 + at as u64).unwrap();
    }

    fn begin(&mut self) {
        self.canary.begin(&mut Fake).unwrap();
    }

    fn end(&mut self) -> Report {
        self.canary.end().unwrap()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn devices_may_write_to_grants_and_rings_and_processors_anywhere() {
    let mut bench = Bench::new("fine");
    bench.begin();
    bench.device(4, &Pattern::Bait.bytes(SEED), 0);
    bench.device(9, &[1, 0, 1, 0], 0);
    bench.store(6, &[9; 300], 0);
    bench.store(77, &[0; PAGE], 0);
    let report = bench.end();
    assert_eq!(report.wrong(), "");
    assert_eq!(
        (report.changed, report.by_devices, report.granted, report.named, report.marked),
        (4, 2, 1, 1, 2)
    );
}

#[test]
fn what_a_device_was_told_before_it_may_write_and_read_only_is_no_such() {
    for (flags, wrong) in [(2, 0), (3, 0), (0, 1), (1, 1)] {
        let mut bench = Bench::new("told");
        bench.store(6, &0xc_0ff0_u64.to_le_bytes(), 32);
        bench.store(6, &(flags << 32 | 0x20_u64).to_le_bytes(), 40);
        for page in [0xc1, 0xc2] {
            bench.store(page, &[0; 8], 0);
        }
        bench.begin();
        bench.device(0xc1, &[1; 16], 0);
        assert_eq!(bench.end().wrong, wrong, "{flags}");
        bench.begin();
        bench.device(0xc2, &[1; 16], 0);
        assert_eq!(bench.end().wrong, 1, "behind its end");
    }
}

#[test]
fn one_byte_of_a_device_outside_of_every_grant_is_seen() {
    for page in [6, 200, 255] {
        let mut bench = Bench::new("byte");
        bench.begin();
        bench.device(page, &[0xff], 1234);
        let wrong = bench.end().wrong();
        let seen = format!(
            "canary: a device wrote outside of every grant: address {:#x}, now [ff,",
            page * 4096 + 1234
        );
        assert!(wrong.starts_with(&seen) && wrong.lines().count() == 1, "{wrong}");
    }
}

#[test]
fn bait_in_a_page_that_processors_store_to_is_seen_wherever_it_lies() {
    for at in [0, 8, 1001, PAGE - 32, PAGE - 20] {
        let mut bench = Bench::new("bait");
        bench.begin();
        bench.store(6, &[9; 8], 3000);
        bench.store(7, &[0; PAGE], 0);
        bench.device(6, &Pattern::Bait.bytes(SEED), at);
        let wrong = bench.end().wrong();
        assert!(wrong.starts_with("canary: the bait stands outside of every grant"), "{at}: {wrong}");
        assert!(wrong.lines().all(|line| line.contains("the bait")), "{at}: {wrong}");
    }
}

#[test]
fn the_secret_in_a_grant_is_seen_even_where_it_stood_before() {
    let mut bench = Bench::new("secret");
    bench.begin();
    bench.device(4, &Pattern::Secret.bytes(SEED), 512);
    assert!(bench.end().wrong().contains("the secret stands where nobody planted it: address 0x4200"));
    bench.device(4, &[0; 64], 512);
    bench.begin();
    // Granted since then, and so cleared first.
    bench.store(100, &[0; PAGE], 0);
    bench.store(100, &Pattern::Grant.bytes(SEED), MARK_AT);
    bench.device(100, &Pattern::Secret.bytes(SEED), 512);
    assert!(bench.end().wrong().contains("address 0x64200"));
}

#[test]
fn what_was_loaded_before_keeps_its_empty_pages() {
    let mut bench = Bench::new("loaded");
    bench.device(100, &[1; 16], 0);
    bench.begin();
    let planted = |page: &u64| bench.canary.planted.contains(page);
    assert!(!(36..=164).any(|page| planted(&page)) && planted(&35) && planted(&165));
    assert_eq!(bench.canary.ram.page_at(101).unwrap(), [0; PAGE]);
    bench.begin();
    assert!(bench.canary.planted.contains(&165), "what is planted is nothing that was loaded");
}

#[test]
fn a_page_that_the_kernel_is_about_to_clear_is_no_escape() {
    let mut bench = Bench::new("clear");
    bench.begin();
    bench.store(100, &[0; 2048], 0);
    assert_eq!(bench.end().wrong(), "");
}

#[test]
fn what_a_walk_of_page_tables_sets_is_no_device_and_nothing_else_is_excused() {
    let mut bench = Bench::new("walk");
    bench.store(6, &0x1234_5003_u64.to_le_bytes(), 8);
    bench.begin();
    bench.device(6, &0x1234_5063_u64.to_le_bytes(), 8);
    let report = bench.end();
    assert_eq!((report.wrong().as_str(), report.walked), ("", 1));
    for wrong in [0x1234_5067_u64, 0x1234_5002, 0x1234_6063] {
        bench.device(6, &0x1234_5003_u64.to_le_bytes(), 8);
        bench.begin();
        bench.device(6, &wrong.to_le_bytes(), 8);
        assert!(bench.end().wrong().contains("a device wrote"), "{wrong:x}");
    }
}

#[test]
fn each_hand_breaks_its_rule_and_no_other() {
    for (hand, seen) in
        [(Hand::Byte, "a device wrote"), (Hand::Bait, "the bait"), (Hand::Secret, "the secret")]
    {
        let mut bench = Bench::new("hand");
        bench.begin();
        bench.canary.hand(hand).unwrap();
        let wrong = bench.end().wrong();
        assert!(wrong.contains(seen) && wrong.lines().count() == 1, "{hand:?}: {wrong}");
        bench.begin();
        assert_eq!(bench.end().wrong(), "", "the hand leaves nothing behind");
    }
}

#[test]
fn an_end_needs_a_beginning() {
    let mut bench = Bench::new("order");
    assert!(bench.canary.end().is_err() && bench.canary.hand(Hand::Byte).is_err());
    bench.begin();
    bench.end();
    assert!(bench.canary.end().is_err());
    bench.begin();
    assert_eq!(bench.end().wrong(), "");
}

#[test]
fn many_wrongs_are_counted_and_some_named() {
    let mut bench = Bench::new("many");
    bench.begin();
    (150..170).for_each(|page| bench.device(page, &[1], 0));
    let report = bench.end();
    assert_eq!(report.wrong, 20);
    assert!(report.text().contains("and 10 more") && report.text().contains("20 wrong"));
}

/// Two completions, of which the lab changes something; what stands there then: the index, and the last two.
fn after(misdeed: Misdeed) -> (u16, [(u32, u32); 2]) {
    let mut bench = Bench::new("misdeed");
    bench.device(7, &[0, 0, 2, 0], 0);
    bench.device(9, &[0, 0, 2, 0, 3, 0, 0, 0, 64, 0, 0, 0, 1, 0, 0, 0, 65, 0, 0, 0], 0);
    assert!(bench.canary.misbehave(misdeed, &mut Fake).unwrap().is_some());
    let page = bench.canary.ram.page_at(9).unwrap();
    let number = |at: usize| u32::from_le_bytes(*page[at..].first_chunk().unwrap());
    ((number(0) >> 16) as u16, [4, 12].map(|at| (number(at), number(at + 4))))
}

#[test]
fn each_misdeed_is_that_one_and_no_other() {
    let first = (3, 64);
    assert_eq!(after(Misdeed::Nothing), (2, [first, (1, 65)]));
    assert_eq!(after(Misdeed::UnknownId), (2, [first, (8, 65)]));
    assert_eq!(after(Misdeed::NotGiven), (2, [first, (7, 65)]));
    assert_eq!(after(Misdeed::Twice), (2, [first, (3, 65)]));
    assert_eq!(after(Misdeed::TooLong), (2, [first, (1, 1 << 20)]));
    assert_eq!(after(Misdeed::Jump), (11, [first, (1, 65)]));
    assert_eq!(after(Misdeed::Back), (65_529, [first, (1, 65)]));
}

#[test]
fn what_is_written_late_is_what_the_device_may_write_and_nothing_else() {
    let mut bench = Bench::new("late");
    for page in [7, 9] {
        bench.device(page, &[0, 0, 1, 0], 0);
    }
    for (at, flags) in [(0u64, 2u64), (16, 0)] {
        bench.device(6, &(0xc_0000 + 0x100 * at).to_le_bytes(), at as usize);
        bench.device(6, &(flags << 32 | 16).to_le_bytes(), at as usize + 8);
    }
    bench.canary.misbehave(Misdeed::Late, &mut Fake).unwrap();
    let page = bench.canary.ram.page_at(0xc0).unwrap();
    assert!(page[..16] == [0xff; 16] && page[16..] == [0; PAGE - 16]);
    assert_eq!(bench.canary.ram.page_at(0xc1).unwrap(), [0; PAGE]);
}

#[test]
fn a_device_that_is_not_through_is_waited_for() {
    let mut bench = Bench::new("through");
    assert_eq!(bench.canary.misbehave(Misdeed::Jump, &mut Fake), Ok(None), "it was given nothing");
    bench.device(7, &[0, 0, 2, 0], 0);
    bench.device(9, &[0, 0, 1, 0], 0);
    assert_eq!(bench.canary.misbehave(Misdeed::Jump, &mut Fake), Ok(None));
}

#[test]
fn a_device_that_is_to_be_gone_has_no_queue() {
    let mut bench = Bench::new("gone");
    assert!(bench.canary.misbehave(Misdeed::Gone, &mut Fake).unwrap_err().contains("in use"));
}
