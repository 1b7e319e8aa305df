//! One run of one sub-case: boot, watch, type, judge.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use capos_mutate::Rng;
use nbd::Server;
use serde_json::Value;

use crate::canary::Canary;
use crate::case::{Case, Ends};
use crate::expect::Event;
use crate::judge::{self, End, Mark, Seen};
use crate::machine::args::{Media, Wiring};
use crate::machine::debugger::{Debugger, Setup};
use crate::machine::entropy;
use crate::machine::guest::{Guest, Signal, Sockets};
use crate::machine::monitor::{self, Notice};
use crate::machine::{accel, firmware};
use crate::matrix::SubCase;
use crate::session::{Next, Session};
use crate::wire::yard::{self, Yard};
use crate::wire::{self, Peers};
use crate::{disk, hand, ledger, stop};
use power::On;

mod memory;
mod power;
mod wires;

/// How long the loop sleeps at most, so that Ctrl-C is noticed.
const TICK: Duration = Duration::from_millis(100);
/// How long a machine may go on after it broke a rule, so that its last words are recorded.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why a medium is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unready {
    /// This host lacks something: the case is skipped.
    Skip(String),
    /// Something of ours is broken: the case fails.
    Fail(String),
}

/// Who makes what machines boot from. The lab knows nothing about building.
pub trait Kitchen: Sync {
    /// The medium for a sub-case; files made only for it go into `folder`.
    fn media(&self, case: &Case, name: &str, seed: u64, folder: &Path) -> Result<Media, Unready>;

    /// The plugin of a machine with a canary, compiled.
    ///
    /// # Errors
    /// When there is none here.
    fn watcher(&self) -> Result<PathBuf, Unready> {
        Err(Unready::Skip("there is no plugin that notes stores".into()))
    }

    /// How gdb attaches to a machine whose stub listens on `port`, with the symbols of what it boots.
    ///
    /// # Errors
    /// When there are no symbols.
    fn debugger(&self, _port: u16) -> Result<Setup, String> {
        Err("there are no symbols of what this machine boots".into())
    }
}

/// How to run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Stop at the failure, with serial and gdb attached.
    pub hold: bool,
    /// A plugin for QEMU and its arguments, as QEMU takes them.
    pub plugin: Option<String>,
}

/// Runs a sub-case once or, if it says so, twice. `Ok` means passed.
pub fn run(
    sub: &SubCase,
    kitchen: &dyn Kitchen,
    seed: u64,
    folder: &Path,
    options: Options,
) -> Result<(), Unready> {
    let case = &sub.case;
    let kvm = accel::choose(case.machine.accel, case.machine.icount).map_err(Unready::Skip)?;
    if yard::is_needed(&case.machine) {
        yard::is_possible().map_err(Unready::Skip)?;
    }
    let firmware = case.machine.boot.uefi().then(firmware::ovmf).transpose().map_err(Unready::Skip)?;
    let media = kitchen.media(case, &sub.name, seed, folder)?;
    let watcher = case.machine.canary.then(|| kitchen.watcher()).transpose()?;
    let bench = Bench { case, kitchen, kvm, firmware, media, options, watcher, seed };
    let first = bench.watch(folder).map_err(Unready::Fail)?;
    if case.twice {
        let again = folder.join("again");
        fs::create_dir_all(&again).map_err(|error| Unready::Fail(error.to_string()))?;
        let second = bench.watch(&again).map_err(Unready::Fail)?;
        same(&first, &second).map_err(Unready::Fail)?;
    }
    bench.tidy(folder);
    Ok(())
}

/// What two runs must have in common, byte for byte.
struct Record {
    events: String,
    serial: Vec<u8>,
}

fn same(first: &Record, second: &Record) -> Result<(), String> {
    if first.events != second.events {
        let difference = first.events.lines().zip(second.events.lines()).find(|(a, b)| a != b);
        let (a, b) = difference.unwrap_or(("(one stream is longer)", ""));
        return Err(format!("two runs with the same seed report different events:\n{a}\n{b}"));
    }
    if first.serial != second.serial {
        let at = first.serial.iter().zip(&second.serial).take_while(|(a, b)| a == b).count();
        return Err(format!("two runs with the same seed differ on the serial line at byte {at}"));
    }
    Ok(())
}

/// Everything fixed about the runs of a sub-case.
struct Bench<'a> {
    case: &'a Case,
    kitchen: &'a dyn Kitchen,
    kvm: bool,
    firmware: Option<PathBuf>,
    media: Media,
    options: Options,
    /// The plugin of the canary.
    watcher: Option<PathBuf>,
    seed: u64,
}

impl Bench<'_> {
    /// A package made for a case that passed is of no more use, and there are many.
    fn tidy(&self, folder: &Path) {
        if let Media::Pvh { package, .. } = &self.media
            && package.starts_with(folder)
        {
            // If it stays, pruning takes it one day.
            let _ = fs::remove_file(package);
        }
    }

    /// One run; its record if it passed, else the reasons.
    fn watch(&self, folder: &Path) -> Result<Record, String> {
        let mut logs = Logs::create(folder).map_err(|error| error.to_string())?;
        let on = self.power_on(folder, disk::provide)?;
        let wiring = on.wiring.clone();
        let mut watch = Watch::new(self, on, &mut logs);
        let debugged = self.case.session.iter().any(|step| step.gdb.is_some());
        let debugger = wiring.gdb.filter(|_| debugged).map(|port| self.kitchen.debugger(port)).transpose()?;
        watch.setup = debugger.map(|setup| setup.with("CAPOS_ENTROPY", &entropy::file(&wiring)));
        watch.canary = self.case.machine.canary.then(|| Canary::new(&wiring, self.seed)).transpose()?;
        let early = watch.go();
        let mut reasons = watch.reasons(early);
        if watch.seen.end == Some(End::Refused) {
            reasons.push(fs::read_to_string(folder.join("qemu.log")).unwrap_or_default().trim().to_owned());
        }
        if reasons.is_empty() {
            reasons.extend(watch.disks_are_done().err());
        }
        if reasons.is_empty() {
            reasons = disk::look(self.case, folder);
        }
        if reasons.is_empty() {
            disk::remove(&self.case.machine, folder);
            wire::remove(&self.case.machine, folder);
            return record(folder);
        }
        if self.options.hold {
            hand::hold(watch.guest.as_mut(), &wiring, &reasons);
        }
        // What they noted is wanted now.
        reasons.extend(watch.disks_are_done().err());
        Err(reasons.join("\n"))
    }
}

fn record(folder: &Path) -> Result<Record, String> {
    let read = |name: &str| fs::read(folder.join(name)).map_err(|error| format!("{name}: {error}"));
    Ok(Record {
        events: String::from_utf8_lossy(&read("events.jsonl")?).into_owned(),
        serial: read("serial.log")?,
    })
}

/// What the machine's lines said, byte for byte.
struct Logs {
    serial: File,
    events: File,
    /// When each step of the session was done.
    session: File,
    /// What gdb said.
    gdb: File,
    /// What was seen of memory.
    canary: File,
}

impl Logs {
    fn create(folder: &Path) -> io::Result<Logs> {
        Ok(Logs {
            serial: File::create(folder.join("serial.log"))?,
            events: File::create(folder.join("events.jsonl"))?,
            session: File::create(folder.join("session.log"))?,
            gdb: File::create(folder.join("gdb.log"))?,
            canary: File::create(folder.join("canary.log"))?,
        })
    }
}

/// The loop around a running machine.
struct Watch<'a> {
    bench: &'a Bench<'a>,
    case: &'a Case,
    guest: Option<Guest>,
    /// Where it is wired to, which goes when this does.
    lines: (Wiring, Sockets),
    /// Disks that the lab serves.
    disks: Vec<Server>,
    /// Its ends of wires.
    peers: Peers,
    /// Where interfaces are.
    yard: Option<Yard>,
    /// What decides when the plug is pulled, and what is lost.
    chance: Rng,
    /// How gdb attaches, if the session has it do so.
    setup: Option<Setup>,
    debugger: Option<Debugger>,
    canary: Option<Canary>,
    /// Questions to the monitor so far, and the answer to the last one.
    asked: u64,
    answer: Option<Result<Value, String>>,
    logs: &'a mut Logs,
    session: Session,
    seen: Seen,
    /// Up to where the rules were applied.
    judged: Mark,
    plain: crate::session::Plain,
    start: Instant,
    poweroff: bool,
    /// The monitor answered: QEMU accepted the machine. Its own errors end it with status 1, as the test port's code 0 does.
    accepted: bool,
    /// Since when a rule is broken.
    broken_at: Option<Instant>,
    asked_for_ledger: bool,
}

/// Why the loop ended before the machine did by itself.
enum Early {
    /// All was seen.
    Satisfied,
    /// This went wrong.
    Failed(String),
    /// The machine broke a rule: the judge says which.
    Broken,
    /// The machine left.
    Left,
}

impl<'a> Watch<'a> {
    fn new(bench: &'a Bench<'a>, on: On, logs: &'a mut Logs) -> Watch<'a> {
        let case = bench.case;
        Watch {
            bench,
            case,
            guest: Some(on.guest),
            lines: (on.wiring, on.sockets),
            disks: on.disks,
            peers: on.peers,
            yard: on.yard,
            chance: Rng::new(bench.seed),
            setup: None,
            debugger: None,
            canary: None,
            asked: 0,
            answer: None,
            logs,
            session: Session::new(case.session.clone()),
            seen: Seen::default(),
            judged: Mark::default(),
            plain: crate::session::Plain::default(),
            start: Instant::now(),
            poweroff: false,
            accepted: false,
            broken_at: None,
            asked_for_ledger: false,
        }
    }

    fn go(&mut self) -> Early {
        loop {
            let now = self.start.elapsed();
            if stop::requested() {
                return Early::Failed("stopped by the user".into());
            }
            if now >= self.case.budget {
                return Early::Failed(self.out_of_time());
            }
            if self.broken_at.is_some_and(|at| at.elapsed() > LAST_WORDS) {
                return Early::Broken;
            }
            let wait = match self.step(now) {
                Ok(Some(until)) => until.saturating_sub(now),
                Ok(None) if self.satisfied() => {
                    if std::mem::replace(&mut self.asked_for_ledger, true) {
                        return Early::Satisfied;
                    }
                    match ledger::last_steps(self.case, &self.seen.serial) {
                        Ok(steps) => self.session.add(steps),
                        Err(reason) => return Early::Failed(reason),
                    }
                    continue;
                }
                Ok(None) => TICK,
                Err(reason) => return Early::Failed(reason),
            };
            if !self.listen(wait.min(TICK)) {
                return Early::Left;
            }
        }
    }

    /// Lets the session act; `Some` if it waits for something.
    fn step(&mut self, now: Duration) -> Result<Option<Duration>, String> {
        while let Some(guest) = self.guest.as_mut() {
            // As above.
            let _ = self.session.report(now, &mut self.logs.session);
            // A machine that just left is noticed by `listen`; writing to it may fail before that.
            match self.session.next(now) {
                Next::Send(bytes) => drop(guest.send(&bytes)),
                Next::Do(action) => drop(guest.command(&monitor::action(action))),
                Next::Look(look) => drop(guest.command(&monitor::look(look))),
                Next::Monitor(lines) => {
                    lines.iter().for_each(|line| drop(guest.command(&monitor::line(line))));
                }
                Next::Host(commands) => commands.iter().try_for_each(|it| self.on_the_host(it))?,
                Next::Wire(step, within) => self.use_wire(&step, within)?,
                Next::Canary(which, sees) => self.look(which, sees.as_deref())?,
                Next::Hand(hand) => self.break_rule(hand)?,
                Next::Device(misdeed) => self.misbehave(misdeed)?,
                Next::Plug(plug) => self.pull_plug(&plug)?,
                Next::Debug(commands) => {
                    let setup = self.setup.as_ref().ok_or("no stub for gdb")?;
                    self.debugger = Some(Debugger::start(setup, &commands)?);
                }
                Next::Wait(until) => return Ok(Some(until)),
                Next::Done => return Ok(None),
                Next::Failed(reason) => return Err(reason),
            }
        }
        Ok(None)
    }

    fn satisfied(&self) -> bool {
        self.case.ends == Ends::Session
            && self.seen.reset == self.case.reboots
            && self.case.expect.iter().all(|expected| expected.check(&self.seen.events).is_ok())
    }

    /// Takes one signal, and applies the rules to it; false when the machine is gone.
    fn listen(&mut self, patience: Duration) -> bool {
        let is_there = self.hear(patience);
        if self.broken_at.is_none() && !judge::broken_since(self.case, &self.seen, self.judged).is_empty() {
            self.broken_at = Some(Instant::now());
        }
        self.judged = Mark::of(&self.seen);
        is_there
    }

    /// Takes one signal.
    fn hear(&mut self, patience: Duration) -> bool {
        let Some(guest) = self.guest.as_mut() else { return false };
        let heard = self.debugger.as_ref().map(Debugger::heard).unwrap_or_default();
        if !heard.is_empty() {
            // As above.
            let _ = self.logs.gdb.write_all(&heard);
            self.session.hear(&heard);
        }
        match guest.signal(patience) {
            Signal::Serial(bytes) => {
                // A disk that is full shows when the record is read; the verdict does not hang on it.
                let _ = self.logs.serial.write_all(&bytes);
                self.plain.push(&bytes, &mut self.seen.serial);
                self.session.feed(&bytes);
            }
            Signal::Event(line) => self.event(&line),
            Signal::Monitor(line) => self.notice(&line),
            Signal::Quiet => {}
            Signal::Gone => return false,
        }
        true
    }

    fn event(&mut self, line: &str) {
        // As above.
        let _ = writeln!(self.logs.events, "{line}");
        match Event::parse(line) {
            Ok(event) => {
                self.session.note(&event.name);
                self.seen.events.push(event);
            }
            Err(noise) => self.seen.noise.push(noise),
        }
    }

    fn notice(&mut self, line: &str) {
        self.accepted |= line.contains("\"return\"");
        match monitor::answer(line) {
            Some((number, answer)) if number == self.asked => self.answer = Some(answer),
            _ => {}
        }
        if let Some(text) = monitor::seen(line, self.session.passed()) {
            // Not the machine's own words: they are no part of `serial.log`, nor of what the rules are applied to.
            self.session.hear(text.as_bytes());
        }
        if let Some(text) = monitor::said(line) {
            // As above.
            let _ = writeln!(self.logs.session, "           the monitor says: {text}");
        }
        match monitor::notice(line) {
            Some(Notice::Reset) => self.seen.reset = true,
            Some(Notice::Poweroff) => self.poweroff = true,
            None => {}
        }
    }

    fn out_of_time(&self) -> String {
        let budget = self.case.budget.as_secs_f32();
        let missing = self.case.expect.iter().find_map(|expected| expected.check(&self.seen.events).err());
        let place = (!self.session.is_done()).then(|| self.session.place());
        let what = place.or(missing).unwrap_or_else(|| "the end of the machine".into());
        format!("the budget of {budget} s is used up; waiting for: {what}")
    }

    /// Ends the machine and judges.
    fn reasons(&mut self, early: Early) -> Vec<String> {
        let mut reasons = Vec::new();
        match early {
            Early::Satisfied => {
                self.seen.end = Some(End::Lab);
                self.guest.take().map(|guest| guest.finish(true));
            }
            Early::Left => {
                let status = self.guest.take().and_then(|guest| guest.finish(false));
                self.seen.end = Some(match self.accepted {
                    true => {
                        judge::end_of(status.and_then(|status| status.code()), self.seen.reset, self.poweroff)
                    }
                    false => End::Refused,
                });
                if !self.session.is_done() {
                    reasons.push(format!("the machine left before {}", self.session.place()));
                }
            }
            // The first reason is the cause; what follows from it is noise, broken rules excepted.
            Early::Failed(reason) => {
                reasons.extend(judge::broken_rules(self.case, &self.seen));
                reasons.extend(self.peers.verdict().err());
                reasons.push(reason);
                return reasons;
            }
            // Whoever stops a machine for a broken rule must be able to name it: an empty list would read as passed.
            Early::Broken => {
                reasons.extend(judge::broken_rules(self.case, &self.seen));
                if reasons.is_empty() {
                    reasons.push(
                        "the lab stopped the machine for a broken rule that it cannot find again".into(),
                    );
                }
                return reasons;
            }
        }
        reasons.extend(judge::failures(self.case, &self.seen));
        reasons.extend(self.peers.verdict().err());
        reasons
    }
}
