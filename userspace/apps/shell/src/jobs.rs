//! Programs that the shell started and what became of them.

use crate::lend::LentConsole;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use rt::generated::ProcessHandleClient;
use rt::generated::process_handle::CrashReply;
use rt::schema::process_handle::ExitReason;
use rt::{Signal, spawn};

/// How a child ended.
#[derive(Clone)]
pub enum End {
    Exited(i64),
    Killed,
    /// With its crash record, if the kernel kept one.
    Faulted(i64, Option<CrashReply>),
    /// Its handle does not answer.
    Lost(String),
}

impl End {
    /// In words, for the person who started it; nothing for a plain success.
    pub fn describe(&self) -> Option<String> {
        match self {
            End::Exited(0) => None,
            End::Exited(code) => Some(format!("exited with {code}")),
            End::Killed => Some(String::from("was killed")),
            End::Faulted(vector, crash) => Some(describe_fault(*vector, crash.as_ref())),
            End::Lost(error) => Some(format!("is lost: {error}")),
        }
    }
}

fn describe_fault(vector: i64, crash: Option<&CrashReply>) -> String {
    let mut text = match vector {
        0 => String::from("faulted: division by zero"),
        6 => String::from("faulted: undefined instruction"),
        13 => String::from("faulted: general protection"),
        14 => String::from("faulted: page fault"),
        _ => format!("faulted: exception {vector}"),
    };
    if let Some(crash) = crash {
        if crash.vector == 14 {
            text.push_str(&format!(" at {:#x}", crash.address));
        }
        text.push_str(&format!(", rip {:#x}", crash.rip));
        for frame in crash.backtrace.as_chunks::<8>().0.iter().take(8) {
            text.push_str(&format!("\n    called from {:#x}", u64::from_le_bytes(*frame)));
        }
    }
    text
}

/// One process.
pub struct Child {
    pub name: String,
    pub pid: u64,
    pub handle: ProcessHandleClient,
    pub end: RefCell<Option<End>>,
}

impl Child {
    fn is_over(&self) -> bool {
        self.end.borrow().is_some()
    }
}

/// A pipeline.
pub struct Job {
    pub number: u32,
    pub children: Vec<Rc<Child>>,
    /// The console that its programs share, if any was given one.
    pub console: Option<Rc<LentConsole>>,
}

impl Job {
    /// Whether every child has ended.
    pub fn is_over(&self) -> bool {
        self.children.iter().all(|child| child.is_over())
    }

    /// Whether a child ended by itself and not well.
    pub fn gave_up(&self) -> bool {
        let failed = |end: &Option<End>| matches!(end, Some(End::Exited(code)) if *code != 0);
        self.children.iter().any(|child| failed(&child.end.borrow()))
    }

    /// What there is to say about how it ended.
    pub fn report(&self) -> String {
        let mut out = String::new();
        for child in &self.children {
            let said = child.end.borrow().as_ref().and_then(End::describe);
            if let Some(said) = said {
                out.push_str(&format!("{} ({}) {said}\n", child.name, child.pid));
            }
        }
        out
    }

    /// Ends every child that still runs.
    pub async fn kill(&self) {
        for child in &self.children {
            if !child.is_over() {
                // A child that ended meanwhile is as good.
                let _ = child.handle.kill().await;
            }
        }
    }
}

/// All jobs in the background, and the one in the foreground.
#[derive(Default)]
pub struct Jobs {
    list: RefCell<Vec<Rc<Job>>>,
    next: Cell<u32>,
    /// A child ended.
    pub changed: Rc<Signal>,
}

impl Jobs {
    /// Takes note of a pipeline and waits for its children on the side.
    pub fn add(&self, children: Vec<Rc<Child>>, console: Option<Rc<LentConsole>>) -> Rc<Job> {
        self.next.set(self.next.get() + 1);
        for child in &children {
            spawn(wait_for(Rc::clone(child), Rc::clone(&self.changed)));
        }
        let job = Rc::new(Job { number: self.next.get(), children, console });
        self.list.borrow_mut().push(Rc::clone(&job));
        job
    }

    /// Forgets jobs that are over, and gives them.
    pub fn reap(&self) -> Vec<Rc<Job>> {
        let mut list = self.list.borrow_mut();
        let (over, running) = list.drain(..).partition(|job| job.is_over());
        *list = running;
        over
    }

    /// Those that still run.
    pub fn running(&self) -> Vec<Rc<Job>> {
        self.list.borrow().clone()
    }

    /// The child with this process id.
    pub fn child(&self, pid: u64) -> Option<Rc<Child>> {
        let list = self.list.borrow();
        list.iter().flat_map(|job| &job.children).find(|child| child.pid == pid).cloned()
    }
}

async fn wait_for(child: Rc<Child>, changed: Rc<Signal>) {
    let end = match child.handle.wait().await {
        Ok(results) => match results.reason {
            ExitReason::Exited => End::Exited(results.code),
            ExitReason::Killed => End::Killed,
            ExitReason::Faulted => End::Faulted(results.code, child.handle.crash().await.ok()),
        },
        Err(error) => End::Lost(format!("{error}")),
    };
    *child.end.borrow_mut() = Some(end);
    changed.notify();
}
