//! Programs that the shell started and what became of them.

use crate::lend::LentConsole;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
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
    /// Names of what it was granted.
    pub given: Vec<String>,
    pub end: RefCell<Option<End>>,
}

/// Exit code by which a program says that it lacks a capability that it can not do without.
pub const LACKING: i64 = 2;

impl Child {
    fn is_over(&self) -> bool {
        self.end.borrow().is_some()
    }

    /// What there is to say about how it ended.
    fn report(&self) -> Option<String> {
        let end = self.end.borrow();
        let end = end.as_ref()?;
        let mut text = format!("{} ({}) {}\n", self.name, self.pid, end.describe()?);
        if matches!(end, End::Exited(LACKING)) {
            text.push_str(&lacking(&self.name, &self.given));
        }
        Some(text)
    }
}

/// What a program may have missed that was given no more than this. Which it is only the program knows.
fn lacking(name: &str, given: &[String]) -> String {
    if given.is_empty() {
        return String::from("It was given nothing; `with` gives it something: run NAME with console\n");
    }
    let has = |wanted: &str| given.iter().any(|name| name == wanted);
    let mut usual = Vec::new();
    if !has("stdin") {
        usual.push(format!("`stdin` (... | run {name})"));
    }
    if !has("stdout") && !has("console") {
        usual.push(String::from("`console` (with console)"));
    }
    let usual =
        if usual.is_empty() { String::new() } else { format!("; often it is {}", usual.join(" or ")) };
    format!("It lacks a capability. It was given {}{usual}\n", given.join(", "))
}

/// A pipeline.
pub struct Job {
    /// How people call it; none in the foreground.
    pub number: Option<u32>,
    pub children: Vec<Rc<Child>>,
    /// The console that its programs share, if any was given one.
    pub console: Option<Rc<LentConsole>>,
}

impl Job {
    /// Whether every child has ended.
    pub fn is_over(&self) -> bool {
        self.children.iter().all(|child| child.is_over())
    }

    /// What there is to say about how it ended.
    pub fn report(&self) -> String {
        self.children.iter().filter_map(|child| child.report()).collect()
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
    /// A child ended.
    pub changed: Rc<Signal>,
}

impl Jobs {
    /// Takes note of a pipeline and waits for its children on the side.
    pub fn add(
        &self,
        children: Vec<Rc<Child>>,
        console: Option<Rc<LentConsole>>,
        background: bool,
    ) -> Rc<Job> {
        for child in &children {
            spawn(wait_for(Rc::clone(child), Rc::clone(&self.changed)));
        }
        let number = background.then(|| self.free_number());
        let job = Rc::new(Job { number, children, console });
        self.list.borrow_mut().push(Rc::clone(&job));
        job
    }

    /// The smallest number that no job has.
    fn free_number(&self) -> u32 {
        let list = self.list.borrow();
        let taken = |number: &u32| list.iter().any(|job| job.number == Some(*number));
        (1..).find(|number| !taken(number)).unwrap_or(0)
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

#[cfg(test)]
mod tests {
    use super::lacking;
    use alloc::string::String;

    #[test]
    fn what_a_program_lacks_is_named_as_far_as_known() {
        let with =
            |given: &[&str]| lacking("wc", &given.iter().map(|name| String::from(*name)).collect::<Vec<_>>());
        assert!(with(&[]).starts_with("It was given nothing; `with`"));
        assert_eq!(
            with(&["console"]),
            "It lacks a capability. It was given console; often it is `stdin` (... | run wc)\n"
        );
        assert!(with(&["stdin"]).ends_with("given stdin; often it is `console` (with console)\n"));
        assert!(with(&["timer"]).contains("often it is `stdin` (... | run wc) or `console`"));
        assert!(with(&["stdin", "stdout"]).ends_with("given stdin, stdout\n"));
    }
}
