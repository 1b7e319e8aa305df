//! A client that is written down here.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use crate::Server;
use crate::log::Record;

struct Bench {
    folder: PathBuf,
    server: Option<Server>,
    client: UnixStream,
    cookie: u64,
}

impl Bench {
    /// A disk of 64 KiB whose second block is not zero, and who is connected to it.
    fn new(name: &str) -> Bench {
        let folder = std::env::temp_dir().join(format!("capos-nbd-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut bytes = vec![0; 64 << 10];
        bytes[4096..8192].fill(9);
        fs::write(folder.join("disk"), &bytes).unwrap();
        let server =
            Server::start(&folder.join("disk"), &folder.join("socket"), &folder.join("log")).unwrap();
        let client = UnixStream::connect(folder.join("socket")).unwrap();
        let mut bench = Bench { folder, server: Some(server), client, cookie: 0 };
        bench.hands();
        bench
    }

    fn get(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.client.read_exact(&mut bytes).unwrap();
        bytes
    }

    fn option(&mut self, option: u32, data: &[u8]) {
        let head = [option.to_be_bytes(), (data.len() as u32).to_be_bytes()].concat();
        self.client.write_all(&[b"IHAVEOPT", &head[..], data].concat()).unwrap();
    }

    fn hands(&mut self) {
        assert_eq!(self.get(18), b"NBDMAGICIHAVEOPT\0\x03");
        self.client.write_all(&[0, 0, 0, 3]).unwrap();
        // Structured replies there are none; an export is what there is.
        self.option(8, &[]);
        assert_eq!(self.get(20)[12..], [0x80, 0, 0, 1, 0, 0, 0, 0]);
        self.option(7, &[0; 6]);
        let info = self.get(32);
        assert_eq!(info[8..20], [0, 0, 0, 7, 0, 0, 0, 3, 0, 0, 0, 12]);
        assert_eq!(info[20..], [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x6d]);
        assert_eq!(self.get(20)[12..], [0, 0, 0, 1, 0, 0, 0, 0]);
    }

    fn ask(&mut self, kind: u16, flags: u16, offset: u64, length: u32, data: &[u8]) {
        self.cookie += 1;
        let head = [&0x2560_9513u32.to_be_bytes()[..], &flags.to_be_bytes(), &kind.to_be_bytes()].concat();
        let place = [&self.cookie.to_be_bytes()[..], &offset.to_be_bytes(), &length.to_be_bytes()].concat();
        self.client.write_all(&[&head, &place, data].concat()).unwrap();
    }

    /// The error of the reply to the last request.
    fn reply(&mut self) -> u32 {
        let reply = self.get(16);
        assert_eq!(reply[..4], 0x6744_6698u32.to_be_bytes());
        assert_eq!(reply[8..], self.cookie.to_be_bytes());
        u32::from_be_bytes(reply[4..8].try_into().unwrap())
    }

    fn write(&mut self, offset: u64, byte: u8, flags: u16) {
        self.ask(1, flags, offset, 4096, &[byte; 4096]);
        assert_eq!(self.reply(), 0);
    }

    fn flush(&mut self) {
        self.ask(3, 0, 0, 0, &[]);
        assert_eq!(self.reply(), 0);
    }

    /// What is on the disk, one byte for each sector, and the log.
    fn end(mut self, chance: Option<&mut dyn FnMut(u32) -> u32>) -> (Vec<u8>, Vec<Record>) {
        self.ask(2, 0, 0, 0, &[]);
        self.server.take().unwrap().end(chance).unwrap();
        let mut log = fs::File::open(self.folder.join("log")).unwrap();
        let records = std::iter::from_fn(|| Record::read(&mut log).unwrap()).collect();
        let disk = fs::read(self.folder.join("disk")).unwrap();
        fs::remove_dir_all(&self.folder).unwrap();
        (disk.into_iter().step_by(512).collect(), records)
    }
}

#[test]
fn what_was_written_is_read_and_noted() {
    let mut bench = Bench::new("noted");
    bench.write(0, 1, 0);
    bench.server.as_ref().unwrap().marker().mark(b"mine").unwrap();
    bench.flush();
    bench.write(8192, 2, 1);
    bench.ask(6, 0, 4096, 4096, &[]);
    assert_eq!(bench.reply(), 0);
    bench.ask(4, 0, 0, 512, &[]);
    assert_eq!(bench.reply(), 0);
    bench.ask(0, 0, 8192, 512, &[]);
    assert_eq!(bench.reply(), 0);
    assert_eq!(bench.get(512), [2; 512]);
    let (disk, log) = bench.end(None);
    assert_eq!(disk[..24], [[&[0xdd][..], &[1; 7]].concat(), vec![0; 8], vec![2; 8]].concat());
    let write = |at, byte, durable| Record::Write(at, vec![byte; 4096], durable);
    let before = [Record::Size(65536), write(4096, 9, true), Record::Begun];
    let written = [write(0, 1, false), Record::Done(3), Record::Mark(b"mine".to_vec())];
    let flushed = [Record::Flush, Record::Done(6), write(8192, 2, true), Record::Done(8)];
    let last = [write(4096, 0, false), Record::Done(10), Record::Trim(0, 512), Record::Done(12)];
    assert_eq!(log, [&before[..], &written, &flushed, &last].concat());
}

#[test]
fn what_makes_no_sense_is_refused_and_the_next_is_served() {
    let mut bench = Bench::new("refused");
    for (kind, offset) in [(0, 65536), (1, 61441), (4, u64::MAX), (6, 65536), (9, 0)] {
        let data: &[u8] = if kind == 1 { &[7; 4096] } else { &[] };
        bench.ask(kind, 0, offset, 4096, data);
        assert_eq!(bench.reply(), 22, "{kind}");
    }
    bench.ask(0, 0, 4096, 1, &[]);
    assert_eq!((bench.reply(), bench.get(1)), (0, vec![9]));
    let (_, log) = bench.end(None);
    assert!(!log.iter().any(|record| matches!(record, Record::Done(_))), "{log:?}");
}

#[test]
fn a_plug_that_is_pulled_takes_what_was_not_flushed() {
    for (choice, left) in [(0, [1, 9, 6, 0]), (3, [4, 3, 6, 2])] {
        let mut bench = Bench::new(&format!("plug{choice}"));
        bench.write(0, 1, 0);
        bench.flush();
        bench.write(8192, 5, 0);
        bench.write(8192, 6, 1);
        bench.write(4096, 3, 0);
        bench.write(12288, 2, 0);
        bench.write(0, 4, 0);
        let (disk, _) = bench.end(Some(&mut |_| choice));
        let blocks: Vec<u8> = disk.into_iter().take(32).step_by(8).collect();
        assert_eq!(blocks, left);
    }
}

#[test]
fn sectors_are_torn() {
    let mut bench = Bench::new("torn");
    bench.write(4096, 3, 0);
    let mut choices = [1, 3].into_iter();
    let (disk, _) = bench.end(Some(&mut |_| choices.next().unwrap()));
    assert_eq!(disk[8..16], [3, 3, 3, 9, 9, 9, 9, 9]);
    let mut bench = Bench::new("torn-last");
    bench.write(4096, 3, 0);
    let mut choices = [2, 3].into_iter();
    let (disk, _) = bench.end(Some(&mut |_| choices.next().unwrap()));
    assert_eq!(disk[8..16], [9, 9, 9, 3, 3, 3, 3, 3]);
}

#[test]
fn a_flush_covers_what_was_answered_before_it_was_asked() {
    let mut bench = Bench::new("covers");
    // Nobody hears the answer before the flush is asked for; whether it was given before, the log shows.
    bench.ask(1, 0, 0, 4096, &[7; 4096]);
    bench.ask(3, 0, 0, 0, &[]);
    for _ in 0..2 {
        bench.get(16);
    }
    let (disk, log) = bench.end(Some(&mut |_| 0));
    let at = |wanted: &Record| log.iter().position(|record| record == wanted).unwrap();
    let was_answered = at(&Record::Done(3)) < at(&Record::Flush);
    assert_eq!(disk[0], if was_answered { 7 } else { 0 });
}

#[test]
fn what_is_unreadable_is_that_until_it_is_mended() {
    let mut bench = Bench::new("unreadable");
    let file = bench.folder.join("disk.unreadable");
    fs::write(&file, "700\n5000\n").unwrap();
    for (offset, error) in [(0, 0), (512, 5), (1024, 0), (4096, 5), (5120, 0)] {
        bench.ask(0, 0, offset, 512 + u32::from(offset == 4096) * 512, &[]);
        assert_eq!(bench.reply(), error, "{offset}");
        if error == 0 {
            bench.get(512);
        }
    }
    // It can be written.
    bench.write(0, 1, 0);
    fs::remove_file(file).unwrap();
    bench.ask(0, 0, 512, 1, &[]);
    assert_eq!((bench.reply(), bench.get(1)), (0, vec![1]));
    bench.end(None);
}

#[test]
fn an_answer_is_withheld_and_others_are_given() {
    let mut bench = Bench::new("silent");
    let file = bench.folder.join("disk.silent");
    fs::write(&file, "4096").unwrap();
    bench.ask(1, 0, 4096, 4096, &[5; 4096]);
    bench.write(8192, 6, 0);
    bench.flush();
    fs::remove_file(file).unwrap();
    bench.cookie = 1;
    assert_eq!(bench.reply(), 0);
    let (disk, log) = bench.end(None);
    assert_eq!((disk[8], disk[16]), (5, 6));
    assert_eq!(log[3..].iter().filter(|it| matches!(it, Record::Done(_))).collect::<Vec<_>>().len(), 3);
    assert_eq!(log.last(), Some(&Record::Done(3)), "the first was answered last");
}

#[test]
fn a_disk_without_power_loses_what_was_not_flushed_and_is_served_on() {
    let mut bench = Bench::new("cut");
    bench.write(4096, 3, 0);
    bench.flush();
    bench.write(4096, 4, 0);
    bench.write(8192, 5, 1);
    let file = bench.folder.join("disk.cut");
    fs::write(&file, "").unwrap();
    while file.exists() {
        std::thread::yield_now();
    }
    bench.write(12288, 6, 0);
    for (offset, byte) in [(4096, 3), (8192, 5), (12288, 6)] {
        bench.ask(0, 0, offset, 1, &[]);
        assert_eq!((bench.reply(), bench.get(1)), (0, vec![byte]), "{offset}");
    }
    bench.end(None);
}

#[test]
fn who_leaves_without_an_answer_is_not_waited_for() {
    let mut bench = Bench::new("leaves");
    fs::write(bench.folder.join("disk.silent"), "4096").unwrap();
    bench.ask(1, 0, 4096, 4096, &[5; 4096]);
    let (disk, _) = bench.end(None);
    assert_eq!(disk[8], 5);
}

#[test]
fn nobody_has_to_come() {
    let folder = std::env::temp_dir().join(format!("capos-nbd-alone-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("disk"), [1; 4096]).unwrap();
    let server = Server::start(&folder.join("disk"), &folder.join("socket"), &folder.join("log")).unwrap();
    server.end(None).unwrap();
    assert!(Server::start(&folder.join("none"), &folder.join("other"), &folder.join("log")).is_err());
    fs::remove_dir_all(&folder).unwrap();
}
