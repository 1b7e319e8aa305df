//! The guest's end of a wire, without a stack: it answers what the lab asks by frames, and asks the lab (tools/lab/README.md, "Asks and answers"). Whoever serves the
//! device may be killed meanwhile: frames may be lost then, and are asked again.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod asks;
mod frames;
mod line;
mod rules;

use alloc::collections::VecDeque;
use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use asks::Asks;
use core::cell::{Cell, RefCell};
use frames::{Mac, answer_to, is_answer, is_end};
use line::{Frame, Line};
use probe::{Fields, Killer, Report, number};
use rt::exec::{Either, select};
use rt::generated::{NicClient, TimerClient};
use rt::schema::nic::InfoResults;
use rt::{CallError, Env, EnvError, block_on, spawn};

rt::main!(run);

/// Time without any frame after which it is asked again, nanoseconds.
const PATIENCE_NS: u64 = 300_000_000;

/// Frames after which it leaves a session, if it does.
const VISIT: u64 = 40;

/// Time until a session is tried for again, nanoseconds.
const BREATH_NS: u64 = 1_000_000;

struct Probe {
    report: Rc<Report>,
    nic: Rc<NicClient>,
    timer: Rc<TimerClient>,
    seed: u64,
    /// How many answers it wants.
    asks: u64,
    /// How many it gives before it is done; then it goes on until the lab says that this is the end.
    answers: u64,
    /// It listens to everything.
    promiscuous: bool,
    /// How often it leaves a session and begins the next one.
    leaves: u64,
    /// It ends by itself when all is said and nothing comes any more.
    ends: bool,
    /// It tries what a client must not.
    breaks_rules: bool,
    /// Who is killed meanwhile.
    killer: RefCell<Option<Killer>>,
}

fn run(mut env: Env) -> i64 {
    match setup(&mut env) {
        Ok(probe) => {
            let done = block_on(all(&probe));
            if let Err(error) = &done {
                probe.report.check("the device", false, error);
            }
            probe.report.finish(u8::from(done.is_err()))
        }
        Err(_) => 2,
    }
}

fn setup(env: &mut Env) -> Result<Probe, EnvError> {
    let timer = Rc::new(env.client::<TimerClient>("timer")?);
    Ok(Probe {
        report: Rc::new(Report::new(env)?),
        nic: Rc::new(env.client("nic")?),
        timer: Rc::clone(&timer),
        seed: number(env, "seed", 1),
        asks: number(env, "asks", 0),
        answers: number(env, "answers", 0),
        promiscuous: number(env, "promiscuous", 0) > 0,
        leaves: number(env, "leaves", 0),
        ends: number(env, "ends", 0) > 0,
        breaks_rules: number(env, "rules", 0) > 0,
        killer: RefCell::new(Killer::of(env, Some(timer))?),
    })
}

async fn all(probe: &Probe) -> Result<(), CallError> {
    let info = probe.nic.info().await?;
    describe(probe, &info).await?;
    watch_link(probe);
    let mut talk = Talk {
        asks: Asks::new(Mac::of(info.mac), info.mtu, probe.seed, probe.asks),
        answers: VecDeque::new(),
        answered: 0,
        sessions: 0,
        kills: kill(probe),
        is_done: false,
        is_end: false,
    };
    if probe.breaks_rules {
        rules::try_all(&probe.report, &probe.nic, &info).await?;
    }
    loop {
        let Some(line) = open(probe, &info).await? else { continue };
        talk.sessions += 1;
        if talk.sessions == 1 {
            probe.report.event("nic.listens", Fields::new());
        }
        // A session that ends is followed by the next one.
        if converse(probe, &line, &mut talk).await? {
            // The lab looks at the ledger next: a device without its client is being reset, and legacy devices of QEMU become masters by themselves
            // in that.
            core::mem::forget(line);
            return Ok(());
        }
    }
}

/// Tells of every change of the link.
fn watch_link(probe: &Probe) {
    let (nic, report) = (Rc::clone(&probe.nic), Rc::clone(&probe.report));
    spawn(async move {
        let mut seen = 0;
        // Whoever is killed meanwhile tells no more of its link.
        while let Ok(link) = nic.link(seen).await {
            seen = link.changes;
            report.event(&format!("nic.link{seen}"), Fields::new().value("up", link.up));
        }
    });
}

/// A session; none if whoever serves the device has just ended.
async fn open(probe: &Probe, info: &InfoResults) -> Result<Option<Line>, CallError> {
    let opened = async {
        let line = Line::open(&probe.nic, info).await?;
        if probe.promiscuous {
            line.control().listen(true, false).await?;
        }
        Ok(line)
    };
    match opened.await {
        Err(error) if CallError::is_gone(&error) => {
            probe.timer.sleep_until(probe.timer.now().await?.saturating_add(BREATH_NS)).await?;
            Ok(None)
        }
        other => other.map(Some),
    }
}

/// Has the killer begin, if there is one; how often he has killed is known when he is through.
fn kill(probe: &Probe) -> Rc<Cell<Option<u64>>> {
    let kills = Rc::new(Cell::new(None));
    match probe.killer.take() {
        None => kills.set(Some(0)),
        Some(mut killer) => {
            let kills = Rc::clone(&kills);
            // If he fails he is never through, which the lab sees.
            spawn(async move { kills.set(killer.all().await.ok()) });
        }
    }
    kills
}

/// What passes between both ends.
struct Talk {
    asks: Asks,
    /// Answers for which there was no room yet.
    answers: VecDeque<Vec<u8>>,
    answered: u64,
    sessions: u64,
    kills: Rc<Cell<Option<u64>>>,
    is_done: bool,
    is_end: bool,
}

impl Talk {
    /// Sends what there is room for.
    fn speak(&mut self, line: &Line) {
        while let Some(answer) = self.answers.front() {
            if !line.send(answer) {
                return;
            }
            self.answers.pop_front();
            self.answered += 1;
        }
        while let Some(frame) = self.asks.next() {
            if !line.send(&frame) {
                return self.asks.put_back();
            }
        }
    }

    fn hear(&mut self, frame: &[u8]) {
        match answer_to(frame, self.asks.mac()) {
            Some(answer) => self.answers.push_back(answer),
            None if is_answer(frame) => self.asks.look(frame),
            None if is_end(frame) => self.is_end = true,
            None => self.asks.others += 1,
        }
    }

    /// Tells of it when all is said.
    async fn tell(&mut self, probe: &Probe) -> Result<(), CallError> {
        let Some(kills) = self.kills.get() else { return Ok(()) };
        if self.is_done || !self.asks.is_over() || self.answered < probe.answers {
            return Ok(());
        }
        self.is_done = true;
        let fields = Fields::new().value("answered", self.answered).value("sessions", self.sessions);
        let fields = fields.value("kills", kills);
        probe.report.event("nic.done", self.asks.tell(fields));
        let told = probe.nic.statistics().await?;
        let fields = Fields::new().value("received", told.received).value("sent", told.sent);
        probe.report.event("nic.statistics", fields.value("resets", told.resets).value("lost", told.lost));
        Ok(())
    }
}

/// Tells what the device is like.
async fn describe(probe: &Probe, info: &InfoResults) -> Result<(), CallError> {
    let link = probe.nic.link(0).await?;
    let fields = Fields::new().text("mac", &format!("{:012x}", info.mac)).value("mtu", info.mtu);
    let fields = fields.value("checksum", info.checksum).value("segments_v4", info.segments_v4);
    let fields = fields.value("checked", info.checked).value("merged", info.merged);
    probe.report.event("nic.info", fields.value("up", link.up).value("depth", info.depth));
    Ok(())
}

/// Answers and asks until the session ends, or the lab says that this is the end: then true.
async fn converse(probe: &Probe, line: &Line, talk: &mut Talk) -> Result<bool, CallError> {
    let mut heard = 0;
    talk.asks.ask_again();
    while !talk.is_end {
        talk.speak(line);
        match line.next() {
            Ok(Some(Frame::Whole(bytes))) => {
                talk.hear(&bytes);
                heard += 1;
                if heard >= VISIT && talk.sessions <= probe.leaves {
                    return Ok(false);
                }
            }
            Ok(Some(Frame::Sent)) => {}
            Ok(None) => {
                talk.tell(probe).await?;
                let late = probe.timer.now().await?.saturating_add(PATIENCE_NS);
                match select(line.wait(), probe.timer.sleep_until(late)).await {
                    Either::First(Ok(true)) => {}
                    Either::First(_) => return Ok(false),
                    Either::Second(_) if talk.is_done && probe.ends => talk.is_end = true,
                    Either::Second(_) => talk.asks.ask_again(),
                }
            }
            Err(_) => return Ok(false),
        }
    }
    Ok(true)
}
