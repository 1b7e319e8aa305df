//! The log.

use crate::names::Names;
use crate::screen::print;
use crate::session::Session;
use crate::trouble::Trouble;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::format;
use alloc::string::String;
use capos_text::duration;
use rt::generated::log_reader::ReadReply;
use rt::generated::{LogReaderClient, SystemInfoClient, TimerClient};
use rt::schema::log_sink::LogLevel;
use rt::{CallError, Either, Lent, select};

/// Records shown when no count is given.
const USUAL: usize = 20;

/// Most records shown at once.
const MOST: usize = 500;

/// How often `-f` looks for new ones.
const PERIOD_NS: u64 = 200_000_000;

const USAGE: Trouble = Trouble::Usage("log [-f] [COUNT]");

/// The last records; with `-f` also what comes, until a key is pressed.
pub async fn log(session: &Session, words: &[String]) -> Result<String, Trouble> {
    let follow = words.iter().any(|word| word == "-f");
    let mut counts = words.iter().filter(|word| *word != "-f");
    let count = match (counts.next(), counts.next()) {
        (None, _) => USUAL,
        (Some(word), None) => match word.parse::<usize>() {
            Ok(0) if !follow => return Err(Trouble::say("COUNT is how many records to show: 1 or more")),
            count => count.map_err(|_| USAGE)?.min(MOST),
        },
        (Some(_), Some(_)) => return Err(USAGE),
    };
    let system = session.client::<SystemInfoClient>("system");
    if let Some(system) = &system {
        session.names.look(system).await;
    }
    let strangers = BTreeSet::new();
    let mut view = View {
        reader: session.held.client("log_reader")?,
        system,
        names: &session.names,
        strangers,
        cursor: 0,
    };
    let text = view.last(count).await.map_err(Trouble::about("log_reader"))?;
    if !follow {
        return Ok(text);
    }
    print(&session.console, &text).await?;
    view.follow(session).await.map(|()| String::new())
}

/// A place in the log.
struct View<'a> {
    reader: Lent<'static, LogReaderClient>,
    system: Option<Lent<'static, SystemInfoClient>>,
    names: &'a Names,
    /// Whose names nobody knew: to be asked for once.
    strangers: BTreeSet<u64>,
    cursor: u64,
}

impl View<'_> {
    /// The next record as a line; `None` at the end.
    async fn next(&mut self) -> Result<Option<String>, CallError> {
        let record = self.reader.read(self.cursor).await?;
        if !record.found || record.next <= self.cursor {
            return Ok(None);
        }
        let lost = match (self.cursor, record.lost) {
            (0, _) | (_, 0) => String::new(),
            (_, lost) => format!("... {lost} records were overwritten\n"),
        };
        self.cursor = record.next;
        let name = self.name(record.process).await;
        self.names.learn(&name, &record.text);
        Ok(Some(format!("{lost}{}", line(&record, &name))))
    }

    /// The last `count` records.
    async fn last(&mut self, count: usize) -> Result<String, CallError> {
        let mut lines = VecDeque::new();
        while let Some(line) = self.next().await? {
            lines.push_back(line);
            if lines.len() > count {
                lines.pop_front();
            }
        }
        Ok(lines.into_iter().collect())
    }

    /// Shows what comes until a key is pressed.
    async fn follow(&mut self, session: &Session) -> Result<(), Trouble> {
        let timer = session.held.client::<TimerClient>("timer")?;
        loop {
            let pause = async {
                let now = timer.now().await?;
                timer.sleep_until(now.saturating_add(PERIOD_NS)).await
            };
            match select(session.keyboard.next(), pause).await {
                Either::First(key) => return key.map(drop).map_err(Trouble::Terminal),
                Either::Second(slept) => slept.map_err(Trouble::about("timer"))?,
            }
            for _ in 0..MOST {
                match self.next().await.map_err(Trouble::about("log_reader"))? {
                    Some(line) => print(&session.console, &line).await?,
                    None => break,
                }
            }
        }
    }

    /// Name of a process; its number when nobody ever saw it run.
    async fn name(&mut self, process: u64) -> String {
        if process == 0 {
            return String::from("kernel");
        }
        if self.names.find(process).is_none()
            && self.strangers.insert(process)
            && let Some(system) = &self.system
        {
            self.names.look(system).await;
        }
        self.names.find(process).unwrap_or_else(|| format!("process {process}"))
    }
}

fn line(record: &ReadReply, name: &str) -> String {
    let level = match record.level {
        LogLevel::Error => "ERROR ",
        LogLevel::Warn => "WARN  ",
        LogLevel::Info => "",
        LogLevel::Debug => "debug ",
    };
    let text: String = record.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("{:>10}  {name:<10}  {level}{text}\n", duration(record.time_ns))
}
