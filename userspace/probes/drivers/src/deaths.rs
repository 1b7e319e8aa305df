//! Drivers that die before an instruction of theirs: one after the other before each of many, from the first instruction to those with which
//! they serve. After each death another one is given the device, and has to serve.

use crate::served::Served;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicU32, Ordering};
use probe::{Driver, Fields, Keeper, Report};
use rt::generated::{ProcessDebugClient, ProcessHandleClient};
use rt::schema::device_manager::DmaBackend;
use rt::schema::process_debug::{BreakAction, SetBreakpointParams, StopCause};
use rt::schema::process_handle::ExitReason;
use rt::sync::Mutex;
use rt::{CallError, Signal, block_on, spawn, threads};

/// Answers of the driver that is watched. What it does for the second it does again and again.
const ANSWERS: u32 = 2;
/// Of the thread that watches it.
const PRIORITY: u8 = 10;
/// Answers without coming to a point: it is not on the way of this driver.
const LONG: u32 = 8;

/// An instruction.
#[derive(Clone, Copy)]
struct Point {
    address: u64,
    /// A driver comes there on the way to its first answer only.
    early: bool,
}

/// What one driver did, instruction by instruction.
#[derive(Default)]
pub struct Path {
    /// The addresses, in the order in which it came there first.
    first: Vec<u64>,
    /// How many answers it had given when it was there last.
    last: BTreeMap<u64, u32>,
}

impl Path {
    fn note(&mut self, address: u64, answers: u32) {
        if self.last.insert(address, answers).is_none() {
            self.first.push(address);
        }
    }

    /// So many of all, evenly; then the others, which take the place of those to which nobody comes a second time.
    fn points(&self, count: usize) -> Vec<Point> {
        let is_chosen = |at: &usize| at * count / self.first.len() != (at + 1) * count / self.first.len();
        let (chosen, others): (Vec<usize>, Vec<usize>) = (0..self.first.len()).partition(is_chosen);
        let all = chosen.into_iter().chain(others).filter_map(|at| self.first.get(at).copied());
        let early = |address| self.last.get(&address).is_some_and(|&answers| answers == 0);
        all.map(|address| Point { early: early(address), address }).collect()
    }

    /// Of one driver, from its first instruction until it has given its answers.
    pub fn of<C: Served>(keeper: &Keeper, address: u32) -> Result<Path, CallError> {
        let device = keeper.claim_at(address, C::POLICY)?;
        let driver = keeper.unborn::<C>(C::PROGRAM, device)?;
        let debug = driver.handle().debug_blocking()?;
        debug.stop_blocking(0)?;
        let answers = Arc::new(AtomicU32::new(0));
        let path = Arc::new(Mutex::new(Path::default()));
        let (given, found) = (Arc::clone(&answers), Arc::clone(&path));
        let follower = threads::spawn(PRIORITY, move || *found.lock() = follow(&debug, &given))?;
        block_on(async {
            let driver = driver.start().await?;
            while answers.load(Ordering::Relaxed) < ANSWERS {
                driver.client.ask(answers.load(Ordering::Relaxed)).await?;
                answers.fetch_add(1, Ordering::Relaxed);
            }
            driver.handle.kill().await
        })?;
        follower.join()?;
        let path = core::mem::take(&mut *path.lock());
        Ok(path)
    }
}

/// Drivers of one program that die, one for each device at a time.
pub struct Deaths {
    keeper: Rc<Keeper>,
    report: Rc<Report>,
    points: Vec<Point>,
    /// How many points were taken off, deaths that are wanted, those under way, and those that came.
    taken: Cell<usize>,
    wanted: usize,
    dying: Cell<usize>,
    died: Cell<usize>,
    /// Of drivers that came after a death, or first.
    answers: Cell<u64>,
    /// Devices at which somebody is at work.
    busy: Cell<usize>,
    ended: Signal,
    failed: RefCell<Option<CallError>>,
}

/// Lets a process that stops before its first instruction go on step by step, to its end.
fn follow(debug: &ProcessDebugClient, answers: &AtomicU32) -> Path {
    let mut path = Path::default();
    let Ok(begin) = debug.wait_blocking() else { return path };
    path.note(begin.rip, 0);
    while let Ok(stop) = debug.resume_and_wait_blocking(begin.thread, true, false, 0)
        && stop.cause == StopCause::Step
    {
        path.note(stop.rip, answers.load(Ordering::Relaxed));
    }
    path
}

/// The process dies when it comes there, as long as somebody has what this gives.
fn trap(handle: &ProcessHandleClient, address: u64) -> Result<ProcessDebugClient, CallError> {
    let debug = handle.debug_blocking()?;
    let (action, length, hits) = (BreakAction::Kill, 1, 1);
    debug.set_breakpoint_blocking(SetBreakpointParams {
        action,
        length,
        hits,
        address,
        ..SetBreakpointParams::default()
    })?;
    Ok(debug)
}

impl Deaths {
    /// Has drivers that go this way die before so many of their instructions, with these devices at a time.
    pub fn begin<C: Served + 'static>(
        (report, keeper): (&Rc<Report>, &Rc<Keeper>),
        devices: &[u32],
        path: &Path,
        count: usize,
    ) -> Rc<Deaths> {
        let deaths = Rc::new(Deaths {
            keeper: Rc::clone(keeper),
            report: Rc::clone(report),
            points: path.points(count),
            taken: Cell::new(0),
            wanted: count,
            dying: Cell::new(0),
            died: Cell::new(0),
            answers: Cell::new(0),
            busy: Cell::new(devices.len()),
            ended: Signal::new(),
            failed: RefCell::default(),
        });
        for &device in devices {
            let deaths = Rc::clone(&deaths);
            spawn(async move {
                if let Err(error) = deaths.at_device::<C>(device).await {
                    deaths.failed.replace(Some(error));
                }
                deaths.busy.set(deaths.busy.get() - 1);
                deaths.ended.notify();
            });
        }
        deaths
    }

    /// Waits for the last one, and tells of them all.
    pub async fn end(&self, driver: &str, backend: DmaBackend) -> Result<(), CallError> {
        while self.busy.get() > 0 {
            self.ended.wait().await;
        }
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let fields = Fields::new().text("driver", driver).text("backend", &format!("{backend:?}"));
        let fields = fields.value("executed", self.points.len());
        let fields = fields.value("points", self.died.get()).value("tried", self.taken.get());
        self.report.event("deaths.of", fields.value("answers", self.answers.get()));
        Ok(())
    }

    /// One death after the other, each of which an honest driver comes after.
    async fn at_device<C: Served>(&self, device: u32) -> Result<(), CallError> {
        while let Some(point) = self.next() {
            let serving = self.serving::<C>(device).await?;
            let died = match point.early {
                true => {
                    serving.handle.kill().await?;
                    self.dies_young::<C>(device, point.address).await?
                }
                false => {
                    let _trap = trap(&serving.handle, point.address)?;
                    self.dies(&serving).await?
                }
            };
            self.dying.set(self.dying.get() - 1);
            self.died.set(self.died.get() + usize::from(died));
        }
        self.serving::<C>(device).await?.handle.kill().await
    }

    /// The next point, if one is wanted beside those before which somebody is about to die.
    fn next(&self) -> Option<Point> {
        if self.died.get() + self.dying.get() >= self.wanted {
            return None;
        }
        let point = self.points.get(self.taken.get()).copied()?;
        self.taken.set(self.taken.get() + 1);
        self.dying.set(self.dying.get() + 1);
        Some(point)
    }

    /// A driver that has served.
    async fn serving<C: Served>(&self, address: u32) -> Result<Driver<C>, CallError> {
        let device = self.keeper.claim_when_free(address, C::POLICY).await?;
        let driver = self.keeper.unborn::<C>(C::PROGRAM, device)?.start().await?;
        let served = driver.client.ask(0).await;
        match served {
            Ok(true) => self.answers.set(self.answers.get() + 1),
            other => self.report.check("the next driver serves", false, format_args!("{other:?}")),
        }
        Ok(driver)
    }

    /// Whether a driver died there that had done nothing before.
    async fn dies_young<C: Served>(&self, address: u32, point: u64) -> Result<bool, CallError> {
        let device = self.keeper.claim_when_free(address, C::POLICY).await?;
        let unborn = self.keeper.unborn::<C>(C::PROGRAM, device)?;
        let _trap = trap(unborn.handle(), point)?;
        self.dies(&unborn.start().await?).await
    }

    /// Asks it until it dies. Whether it did.
    async fn dies<C: Served>(&self, driver: &Driver<C>) -> Result<bool, CallError> {
        for number in 0..LONG {
            match driver.client.ask(number).await {
                Ok(right) => {
                    if !right {
                        self.report.check("what is answered is right", false, number);
                    }
                }
                Err(error) if error.is_disconnect() => {
                    let end = driver.handle.wait().await?;
                    if end.reason != ExitReason::Killed {
                        self.report.check("it dies by nothing else", false, format_args!("{end:?}"));
                    }
                    return Ok(true);
                }
                Err(error) => return Err(error),
            }
        }
        driver.handle.kill().await?;
        Ok(false)
    }
}
