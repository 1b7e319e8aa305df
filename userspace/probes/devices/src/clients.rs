//! Clients of drivers.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use probe::{Fields, Report};
use rt::generated::{ByteStreamClient, EduClient};
use rt::{CallError, Env, Signal, spawn};

/// Clients of the entropy device at a time.
const READERS: u32 = 3;
/// Bytes that are asked for, and those of a sample that the lab judges; of so many answers one is told, and so many in all.
const READ: u32 = 200;
const SAMPLE: usize = 32;
const ONE_OF: u64 = 16;
const SAMPLES: u64 = 60;

/// What they have seen.
#[derive(Default)]
struct Seen {
    answers: Cell<u64>,
    bytes: Cell<u64>,
    disconnected: Cell<u64>,
    wrong: Cell<u64>,
    samples: Cell<u64>,
    /// Why the last answer was wrong.
    why: RefCell<String>,
}

fn one_more(count: &Cell<u64>) -> u64 {
    count.set(count.get() + 1);
    count.get()
}

/// All of them.
pub struct Clients {
    report: Rc<Report>,
    entropy: Vec<(&'static str, ByteStreamClient)>,
    edu: Option<EduClient>,
    seen: Seen,
    running: Cell<u32>,
    stopping: Cell<bool>,
    ended: Signal,
}

impl Clients {
    /// Of what the case gives.
    pub fn new(env: &mut Env, report: Rc<Report>) -> Self {
        Clients {
            report,
            entropy: [("rng", "entropy"), ("rng2", "entropy2")]
                .into_iter()
                .filter_map(|(driver, name)| Some((driver, env.client(name).ok()?)))
                .collect(),
            edu: env.client("edu").ok(),
            seen: Seen::default(),
            running: Cell::new(0),
            stopping: Cell::new(false),
            ended: Signal::new(),
        }
    }

    /// The services that have devices.
    pub fn drivers(&self) -> impl Iterator<Item = &'static str> {
        let entropy = self.entropy.iter().map(|(driver, _)| *driver);
        entropy.chain(self.edu.as_ref().map(|_| "edu"))
    }

    /// One answer of each, however often it takes.
    pub async fn each_once(&self) -> Result<(), CallError> {
        let (answers, wanted) = (self.seen.answers.get(), self.drivers().count() as u64);
        while self.seen.answers.get() < answers + wanted && self.seen.wrong.get() == 0 {
            self.seen.answers.set(answers);
            for (_, entropy) in &self.entropy {
                self.read(entropy).await;
            }
            self.compute(7).await;
        }
        Ok(())
    }

    /// Has them ask on and on.
    pub fn start(self: Rc<Self>) {
        for reader in 0..READERS as usize * self.entropy.len() {
            let clients = Rc::clone(&self);
            clients.begin();
            spawn(async move {
                while let Some((_, entropy)) = clients.device(reader).filter(|_| !clients.stopping.get()) {
                    clients.read(entropy).await;
                }
                clients.end();
            });
        }
        self.begin();
        spawn(async move {
            let mut number = 0;
            while !self.stopping.get() && self.edu.is_some() {
                self.compute(number).await;
                number += 1;
            }
            self.end();
        });
    }

    /// Whom that reader reads from.
    fn device(&self, reader: usize) -> Option<&(&'static str, ByteStreamClient)> {
        self.entropy.iter().cycle().nth(reader)
    }

    fn begin(&self) {
        self.running.set(self.running.get() + 1);
    }

    fn end(&self) {
        self.running.set(self.running.get() - 1);
        self.ended.notify();
    }

    /// Waits until each has had its last answer.
    pub async fn stop(&self) {
        self.stopping.set(true);
        while self.running.get() > 0 {
            self.ended.wait().await;
        }
    }

    /// What they saw, after what the caller says.
    pub fn tell(&self, fields: Fields) {
        let Seen { answers, bytes, disconnected, wrong, why, .. } = &self.seen;
        let fields = fields.value("answers", answers.get()).value("bytes", bytes.get());
        let fields = fields.value("disconnected", disconnected.get()).value("wrong", wrong.get());
        self.report.event("devices.done", fields.text("why", &why.borrow()));
    }

    async fn read(&self, entropy: &ByteStreamClient) {
        match entropy.read(READ).await {
            Ok(bytes) => {
                self.seen.bytes.set(self.seen.bytes.get() + bytes.len() as u64);
                let answer = one_more(&self.seen.answers);
                // What follows one another in the device's file does so in one answer.
                let wanted = answer.is_multiple_of(ONE_OF) && self.seen.samples.get() < SAMPLES;
                if let (Some(sample), true) = (bytes.first_chunk::<SAMPLE>(), wanted) {
                    one_more(&self.seen.samples);
                    let hex: String = sample.iter().map(|byte| format!("{byte:02x}")).collect();
                    self.report.event("entropy.sample", Fields::new().text("bytes", &hex));
                }
            }
            Err(error) => self.failed("read", &error),
        }
    }

    async fn compute(&self, number: u32) {
        let Some(edu) = &self.edu else { return };
        let number = number % 24;
        match edu.factorial(number).await {
            Ok(found) if found == (1..=number).fold(1, u32::wrapping_mul) => {
                one_more(&self.seen.answers);
            }
            Ok(found) => self.is_wrong(format!("{number}! is not {found}")),
            Err(error) => self.failed("factorial", &error),
        }
        if !number.is_multiple_of(4) {
            return;
        }
        let data: Vec<u8> = (0..100 * number + 1).map(|n| (n * 31 + number) as u8).collect();
        match edu.copy(&data).await {
            Ok(copied) if copied == data => {
                self.seen.bytes.set(self.seen.bytes.get() + data.len() as u64);
            }
            Ok(copied) => self.is_wrong(format!("{} bytes came back otherwise", copied.len())),
            Err(error) => self.failed("copy", &error),
        }
    }

    fn failed(&self, what: &str, error: &CallError) {
        // Its driver has ended, or has no device any more.
        if error.is_gone() {
            one_more(&self.seen.disconnected);
        } else {
            self.is_wrong(format!("{what}: {error}"));
        }
    }

    fn is_wrong(&self, why: String) {
        one_more(&self.seen.wrong);
        self.seen.why.replace(why);
    }
}
