//! Starting programs: one, or several with pipes between them.

use crate::budget::Budget;
use crate::jobs::{Child, Job};
use crate::lend::{Lender, LentConsole, LentPipe};
use crate::screen::print;
use crate::session::Session;
use crate::trouble::Trouble;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use capos_words::{Launch, closest};
use core::cell::RefCell;
use rt::abi::MAX_MESSAGE;
use rt::abi::startup::{Record, Writer};
use rt::generated::{
    BootPackageClient, ByteStreamClient, ConsoleClient, ProcessHandleClient, ProcessSpawnerClient,
};
use rt::schema::process_spawner::CreateParams;
use rt::{Cap, Client, Either, ExceptionCode, select, spawn};

/// Room for names and arguments: what fits a message beside its own words.
const STARTUP_ROOM: usize = MAX_MESSAGE - 64;

/// A capability on its way into a child, moved.
struct Gift {
    name: &'static str,
    cap: Cap,
}

/// A program to start, and what it may use.
pub struct Stage {
    pub launch: Launch,
    pub budget: Budget,
}

impl Stage {
    /// Reads the words behind `run`.
    pub fn parse(words: &[String]) -> Result<Stage, Trouble> {
        let (budget, words) = Budget::split(words)?;
        Ok(Stage { launch: Launch::parse(words)?, budget })
    }

    /// Whether the line says what the program finds under this name.
    fn grants(&self, name: &str) -> bool {
        self.launch.grants.iter().any(|grant| grant.name == name)
    }
}

/// Starts a pipeline. `text`, if there is some, is what the first program finds as its `stdin`; what the last one writes goes to the screen, or
/// into `output`.
pub async fn start(
    session: &Session,
    stages: &[Stage],
    text: Option<String>,
    background: bool,
    output: Option<&Rc<LentPipe>>,
) -> Result<Rc<Job>, Trouble> {
    let lender = &session.lender;
    let console = lender.console(!background);
    let mut input = match text {
        Some(text) => Some(feed(lender, text).await?),
        None => None,
    };
    let mut children: Vec<Rc<Child>> = Vec::new();
    let piped = input.is_some() || stages.len() > 1;
    for (index, stage) in stages.iter().enumerate() {
        let mut gifts: Vec<Gift> = input.take().into_iter().map(|cap| Gift { name: "stdin", cap }).collect();
        if index + 1 < stages.len() {
            let pipe = Rc::new(LentPipe::default());
            let mint = Trouble::about("pipe");
            let (writer, reader) = (lender.writer(&pipe).await, lender.reader(&pipe).await);
            let (writer, reader) = writer.and_then(|writer| Ok((writer, reader?))).map_err(mint)?;
            gifts.push(Gift { name: "stdout", cap: writer });
            input = Some(reader);
        } else if let Some(pipe) = output {
            let cap = lender.writer(pipe).await.map_err(Trouble::about("pipe"))?;
            gifts.push(Gift { name: "stdout", cap });
        } else if piped && !stage.grants("stdout") && !stage.grants("console") {
            // A pipeline ends on the screen, unless the line says otherwise.
            let cap = lender.text(&console).await.map_err(Trouble::about("stdout"))?;
            gifts.push(Gift { name: "stdout", cap });
        }
        match child(session, stage, gifts, &console).await {
            Ok(child) => children.push(Rc::new(child)),
            Err(trouble) => {
                // Half a pipeline is of no use; its programs would wait for ever.
                for child in &children {
                    let _ = child.handle.kill().await;
                }
                return Err(trouble);
            }
        }
    }
    Ok(session.jobs.add(children, Some(console), background))
}

/// A pipe that text is being written into, as the end to read it from.
async fn feed(lender: &Lender, text: String) -> Result<Cap, Trouble> {
    let pipe = Rc::new(LentPipe::default());
    let reader = lender.reader(&pipe).await.map_err(Trouble::about("pipe"))?;
    spawn(async move {
        // If nobody reads to the end, that is the reader's choice.
        let _ = pipe.write_all(text.as_bytes()).await;
        pipe.close_writer();
    });
    Ok(reader)
}

/// Waits for a job, which reads what is typed; Ctrl-C kills it.
pub async fn foreground(session: &Session, job: &Job) -> Result<(), Trouble> {
    while !job.is_over() {
        match select(session.jobs.changed.wait(), session.keyboard.interrupted()).await {
            Either::First(()) => {}
            Either::Second(Ok(())) => {
                print(&session.console, "^C\n").await?;
                job.kill().await;
            }
            Either::Second(Err(error)) => return Err(Trouble::Terminal(error)),
        }
    }
    if let Some(console) = &job.console {
        console.leave();
    }
    Ok(())
}

async fn child(
    session: &Session,
    stage: &Stage,
    gifts: Vec<Gift>,
    console: &Rc<LentConsole>,
) -> Result<Child, Trouble> {
    let launch = &stage.launch;
    for grant in &launch.grants {
        if session.held.find(&grant.mine).is_none() {
            return Err(not_held(session, &grant.mine));
        }
    }
    if let Some(gift) = gifts.iter().find(|gift| stage.grants(gift.name)) {
        return Err(Trouble::Say(format!("`{}` of {} is the pipe already", gift.name, launch.program)));
    }
    let given = gifts.iter().map(|gift| String::from(gift.name));
    let given = given.chain(launch.grants.iter().map(|grant| grant.name.clone())).collect();
    let handle = create(session, &launch.program, &stage.budget).await?;
    match equip(session, launch, gifts, console, &handle).await {
        Ok(pid) => {
            session.names.note(pid, &launch.program);
            Ok(Child { name: launch.program.clone(), pid, handle, given, end: RefCell::new(None) })
        }
        Err(trouble) => {
            // Dropping the handle would leave a process that never starts.
            let _ = handle.kill().await;
            match trouble {
                Trouble::Call(_, error) if error.exception() == Some(ExceptionCode::BudgetExhausted) => {
                    Err(stage.budget.refused(&launch.program))
                }
                other => Err(other),
            }
        }
    }
}

async fn create(session: &Session, program: &str, budget: &Budget) -> Result<ProcessHandleClient, Trouble> {
    let loaded = load(session, program, |size| budget.params(program, size)).await;
    loaded.map_err(|trouble| match trouble {
        Trouble::Call(_, error) if error.exception() == Some(ExceptionCode::BudgetExhausted) => {
            budget.refused(program)
        }
        other => other,
    })
}

/// Loads a program of so many bytes; it has nothing yet.
pub async fn load<'a>(
    session: &Session,
    program: &'a str,
    params: impl FnOnce(u64) -> CreateParams<'a>,
) -> Result<ProcessHandleClient, Trouble> {
    let boot = session.held.client::<BootPackageClient>("boot")?;
    let spawner = session.held.client::<ProcessSpawnerClient>("spawner")?;
    let file = match boot.open(program).await {
        Ok(file) => file,
        Err(error) if error.exception() == Some(ExceptionCode::NotFound) => {
            return Err(no_program(session, program).await);
        }
        Err(error) => return Err(Trouble::Call(String::from(program), error)),
    };
    let created = spawner.create(&file.object, params(file.size)).await;
    created.map_err(|error| match error.exception() {
        Some(ExceptionCode::Malformed) => Trouble::Say(format!("`{program}` is not a program")),
        Some(ExceptionCode::InvalidArgument) => {
            Trouble::Say(format!("`{program}` can not get that much: no machine has it"))
        }
        _ => Trouble::Call(String::from(program), error),
    })
}

/// Gives the process its capabilities and its words, and starts it.
async fn equip(
    session: &Session,
    launch: &Launch,
    gifts: Vec<Gift>,
    console: &Rc<LentConsole>,
    handle: &ProcessHandleClient,
) -> Result<u64, Trouble> {
    let mut startup = Startup::new();
    startup.push(Record::Name(&launch.program))?;
    for arg in &launch.args {
        startup.push(Record::Arg(arg))?;
    }
    for gift in gifts {
        startup.push(Record::Cap { name: gift.name, interface: ByteStreamClient::ID })?;
        handle.grant(gift.cap).await.map_err(Trouble::about(gift.name))?;
    }
    for grant in &launch.grants {
        let Some((granted, cap)) = session.held.find(&grant.mine) else {
            return Err(not_held(session, &grant.mine));
        };
        startup.push(Record::Cap { name: &grant.name, interface: granted.interface })?;
        let given = if granted.interface == ConsoleClient::ID {
            let facet = session.lender.console_facet(console).await.map_err(Trouble::about("console"))?;
            handle.grant(facet).await
        } else {
            handle.grant(cap).await
        };
        given.map_err(Trouble::about(&grant.mine))?;
    }
    let pid = handle.info().await.map_err(Trouble::about(&launch.program))?.id;
    handle.start(startup.bytes()).await.map_err(Trouble::about(&launch.program))?;
    Ok(pid)
}

/// The startup block in the making.
pub struct Startup {
    buffer: Vec<u8>,
    used: usize,
}

impl Startup {
    /// With nothing in it.
    pub fn new() -> Self {
        Startup { buffer: alloc::vec![0; STARTUP_ROOM], used: 0 }
    }

    /// Appends a record.
    pub fn push(&mut self, record: Record<'_>) -> Result<(), Trouble> {
        let mut writer = Writer::new(self.buffer.get_mut(self.used..).unwrap_or(&mut []));
        writer.push(record).map_err(|_| Trouble::say("names and arguments are too long"))?;
        self.used += writer.len();
        Ok(())
    }

    /// What was written.
    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.used).unwrap_or(&[])
    }
}

fn not_held(session: &Session, name: &str) -> Trouble {
    match closest(name, session.held.all().map(|granted| granted.name)) {
        Some(meant) => Trouble::Say(format!("nothing held is called `{name}`; did you mean `{meant}`?")),
        None => Trouble::Say(format!("nothing held is called `{name}`; `caps` lists what there is to give")),
    }
}

async fn no_program(session: &Session, program: &str) -> Trouble {
    let files = session.boot_files().await.unwrap_or_default();
    match closest(program, files.iter().map(|(name, _)| name.as_str())) {
        Some(meant) => Trouble::Say(format!("no boot file `{program}`; did you mean `{meant}`?")),
        None => Trouble::Say(format!("no boot file `{program}`; `ls boot:` lists them")),
    }
}
