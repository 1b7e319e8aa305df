//! The conversation: banner, prompt, line, answer.

use crate::commands;
use crate::completion;
use crate::held::Held;
use crate::jobs::{Job, Jobs};
use crate::keyboard::Keyboard;
use crate::launch::{self, Stage};
use crate::lend::{Lender, LentPipe};
use crate::names::Names;
use crate::screen::{Screen, print};
use crate::storage::{self, Input, Mounts};
use crate::trouble::Trouble;
use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use capos_line::{Editor, History, Keys, MAX_LINE, Outcome};
use capos_text::{duration, pages};
use capos_words::{CommandLine, split};
use core::cell::Cell;
use kit::service;
use rt::generated::{BootPackageClient, ConsoleClient, EndpointFactoryClient, SystemInfoClient};
use rt::serve::Receiver;
use rt::{Cap, CapId, Client, Either, Env, Lent, select, spawn};

/// Calls from programs that wait for the shell at a time.
const DEPTH: u32 = 64;

const PROMPT: &str = "capos> ";

/// Everything that commands use.
pub struct Session {
    pub held: &'static Held,
    pub console: Rc<Screen>,
    pub keyboard: Rc<Keyboard>,
    pub lender: Rc<Lender>,
    pub jobs: Jobs,
    pub names: Names,
    pub mounts: Mounts,
    pub columns: usize,
    /// Set by `exit`.
    pub over: Cell<bool>,
}

/// Talks until `exit`, or until the terminal is gone.
pub async fn run(mut env: Env) -> Result<(), Trouble> {
    // Held for as long as the process lives, and lent to tasks that live as long.
    let held: &'static Held = Box::leak(Box::new(Held::take(&mut env)));
    let (_, screen) = held.find("console").ok_or(Trouble::NotHeld("console"))?;
    let console = held.client::<ConsoleClient>("console")?;
    let size = console.size().await.map_err(Trouble::Terminal)?;
    let columns = usize::from(size.columns).max(20);
    let console = Rc::new(Screen::new(console, columns));
    let keyboard = Keyboard::start(Lent::of(screen));
    let session = Session {
        held,
        lender: lender(&console, &keyboard).await?,
        keyboard,
        console,
        jobs: Jobs::default(),
        names: Names::default(),
        mounts: Mounts::of(held),
        columns,
        over: Cell::new(false),
    };
    // Those of services that will have been restarted when somebody reads the log.
    if let Some(system) = session.client::<SystemInfoClient>("system") {
        session.names.look(&system).await;
    }
    session.converse().await
}

/// Makes the endpoint behind consoles and pipes, and starts serving it.
async fn lender(screen: &Rc<Screen>, keyboard: &Rc<Keyboard>) -> Result<Rc<Lender>, Trouble> {
    let own = Box::leak(Box::new(Cap::from_id(CapId::SELF_ENDPOINTS)));
    let factory: Lent<'static, EndpointFactoryClient> = Lent::of(own);
    let endpoint = factory.create(DEPTH).await.map_err(Trouble::about("endpoint"))?;
    // Receiving and minting use the same capability; the shell keeps it as long as it lives.
    let receiver = Receiver::new(Cap::from_id(endpoint.cap().id()), 3);
    let lender = Rc::new(Lender::new(endpoint, Rc::clone(screen), Rc::clone(keyboard)));
    let served = Rc::clone(&lender);
    spawn(async move {
        let error = service::serve(receiver, served).await;
        rt::log::error(format_args!("receive: {error}"));
    });
    Ok(lender)
}

impl Session {
    /// A client for a capability, if it is held.
    pub fn client<C: Client>(&self, name: &'static str) -> Option<Lent<'static, C>> {
        self.held.client(name).ok()
    }

    /// Name and size of every boot file.
    pub async fn boot_files(&self) -> Result<Vec<(String, u64)>, Trouble> {
        let boot = self.held.client::<BootPackageClient>("boot")?;
        let about = || Trouble::about("boot");
        let count = boot.count().await.map_err(about())?;
        let mut files = Vec::new();
        for index in 0..count.min(4096) {
            let file = boot.info(index).await.map_err(about())?;
            files.push((file.name, file.size));
        }
        Ok(files)
    }

    async fn converse(&self) -> Result<(), Trouble> {
        print(&self.console, &self.banner().await).await?;
        let mut editor = Editor::new(PROMPT, self.columns);
        let mut history = History::new();
        let mut keys = Keys::new();
        while !self.over.get() {
            print(&self.console, &self.ended()).await?;
            if let Some(line) = self.read_line(&mut editor, &mut history, &mut keys).await? {
                match self.execute(&line).await {
                    Err(Trouble::Terminal(error)) => return Err(Trouble::Terminal(error)),
                    Err(trouble) => print(&self.console, &format!("{trouble}\n")).await?,
                    Ok(()) => {}
                }
            }
        }
        Ok(())
    }

    /// What there is to say about jobs in the background that have ended.
    fn ended(&self) -> String {
        let over = self.jobs.reap().into_iter();
        over.filter_map(|job| Some(format!("[{}] done\n{}", job.number?, job.report()))).collect()
    }

    /// The next key. Jobs that end meanwhile are reported above the line that is being typed: nobody has to press a key to hear of them.
    async fn next_key(&self) -> Result<u8, Trouble> {
        loop {
            let ended = self.ended();
            if !ended.is_empty() {
                self.console.write_above(&ended).await.map_err(Trouble::Terminal)?;
                continue;
            }
            if let Either::First(byte) = select(self.keyboard.next(), self.jobs.changed.wait()).await {
                return byte.map_err(Trouble::Terminal);
            }
        }
    }

    /// Version, seed, boot time and free memory: what one wants to know first.
    async fn banner(&self) -> String {
        let hint = "Type `help` for what you hold and what you can do with it.\n";
        let Some(system) = self.client::<SystemInfoClient>("system") else { return format!("capOS\n{hint}") };
        match system.system().await {
            Ok(facts) => format!(
                "\ncapOS {}   seed {}   up in {}   {} of {} free\n{hint}",
                facts.version,
                facts.boot_seed,
                duration(facts.uptime_ns),
                pages(facts.free_pages),
                pages(facts.total_pages),
            ),
            Err(error) => format!("capOS ({error})\n{hint}"),
        }
    }

    /// One edited line; `None` when it was thrown away.
    async fn read_line(
        &self,
        editor: &mut Editor,
        history: &mut History,
        keys: &mut Keys,
    ) -> Result<Option<String>, Trouble> {
        let mut out = String::new();
        editor.redraw(&mut out);
        loop {
            // Everything that was typed meanwhile is echoed with one write.
            let byte = match self.keyboard.take() {
                Some(byte) => byte,
                None => {
                    print(&self.console, &core::mem::take(&mut out)).await?;
                    self.next_key().await?
                }
            };
            let Some(key) = keys.feed(byte) else { continue };
            let outcome = editor.key(key, history, &mut out);
            let finished = match outcome {
                Outcome::Editing => continue,
                Outcome::Complete => {
                    completion::complete(self, editor, &mut out).await;
                    continue;
                }
                Outcome::Line(line) => Some(line),
                Outcome::TooLong => {
                    out.push_str(&format!(
                        "The line has more than {MAX_LINE} characters; nothing of it was run.\n"
                    ));
                    None
                }
                Outcome::Interrupted => None,
                Outcome::End => {
                    out.push_str(
                        "\nThe shell has no end of input; `exit` leaves, `halt` turns the machine off.\n",
                    );
                    None
                }
            };
            print(&self.console, &out).await?;
            return Ok(finished);
        }
    }

    async fn execute(&self, line: &str) -> Result<(), Trouble> {
        let CommandLine { mut stages, background } = split(line)?;
        // What comes out of the end of a pipeline may become a file.
        let file = match stages.split_last() {
            Some((last, [_, ..])) if last.first().is_some_and(|word| word == "put") => stages.pop(),
            _ => None,
        };
        let Some(first) = stages.first() else { return Ok(()) };
        let text = match first.split_first() {
            Some((command, words)) if command != "run" => {
                if background {
                    return Err(Trouble::say("only programs run in the background: run NAME ... &"));
                }
                if stages.len() > 1 && commands::is_endless(command, words) {
                    return Err(Trouble::say("it has no end that a program could read to: leave -f out"));
                }
                // On its way to somewhere else nothing is cut that nobody would see.
                let is_shown = stages.len() == 1 && file.is_none();
                let command = if command == "cat" && !is_shown { "get" } else { command };
                let text = commands::run(self, command, words).await?;
                if stages.len() == 1 {
                    let shown = match &file {
                        Some(words) => storage::put(self, name_of(words)?, Input::Text(&text)).await?,
                        None => text,
                    };
                    return print(&self.console, &shown).await;
                }
                Some(text)
            }
            _ => None,
        };
        let programs = stages.get(usize::from(text.is_some())..).unwrap_or(&[]);
        let programs =
            programs.iter().map(|stage| program_of(stage)).collect::<Result<Vec<Stage>, Trouble>>()?;
        if let Some(words) = file {
            return self.keep(&programs, text, name_of(&words)?).await;
        }
        let job = launch::start(self, &programs, text, background, None).await?;
        if let Some(number) = job.number {
            return print(&self.console, &format!("[{number}] {}\n", pids(&job))).await;
        }
        launch::foreground(self, &job).await?;
        print(&self.console, &job.report()).await
    }

    /// Runs programs, and makes a file of what the last one writes. Ctrl-C ends both.
    async fn keep(&self, programs: &[Stage], text: Option<String>, name: &str) -> Result<(), Trouble> {
        let pipe = Rc::new(LentPipe::default());
        let job = launch::start(self, programs, text, false, Some(&pipe)).await?;
        let kept = storage::put(self, name, Input::Pipe(&pipe)).await;
        if kept.is_err() {
            job.kill().await;
        }
        launch::foreground(self, &job).await?;
        print(&self.console, &job.report()).await?;
        print(&self.console, &kept?).await
    }
}

/// The file that `put` makes.
fn name_of(words: &[String]) -> Result<&str, Trouble> {
    match storage::options("put", "", words.get(1..).unwrap_or_default())?.1 {
        [name] => Ok(name),
        _ => Err(Trouble::Usage("... | put FILE")),
    }
}

fn pids(job: &Job) -> String {
    let pids: Vec<String> =
        job.children.iter().map(|child| format!("{} ({})", child.name, child.pid)).collect();
    pids.join(" | ")
}

/// A stage of a pipeline as a program.
fn program_of(stage: &[String]) -> Result<Stage, Trouble> {
    match stage.split_first() {
        Some((run, words)) if run == "run" => Stage::parse(words),
        Some((other, _)) => Err(Trouble::Say(format!("only programs read from a pipe: ... | run {other}"))),
        None => Err(Trouble::say("a program is missing")),
    }
}
