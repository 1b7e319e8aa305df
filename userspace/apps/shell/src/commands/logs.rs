//! The log.

use crate::screen::print;
use crate::session::Session;
use crate::trouble::Trouble;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use capos_text::duration;
use rt::generated::log_reader::ReadReply;
use rt::generated::{LogReaderClient, TimerClient};
use rt::schema::log_sink::LogLevel;
use rt::{CallError, Either, select};

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
        (Some(word), None) => word.parse::<usize>().map_err(|_| USAGE)?.min(MOST),
        (Some(_), Some(_)) => return Err(USAGE),
    };
    let reader = session.held.client::<LogReaderClient>("log_reader")?;
    let (mut cursor, text) = last(&reader, count).await.map_err(Trouble::about("log_reader"))?;
    if !follow {
        return Ok(text);
    }
    let timer = session.held.client::<TimerClient>("timer")?;
    print(&session.console, &text).await?;
    loop {
        let pause = async {
            let now = timer.now().await?;
            timer.sleep_until(now.saturating_add(PERIOD_NS)).await
        };
        match select(session.keyboard.next(), pause).await {
            Either::First(key) => return key.map(|_| String::new()).map_err(Trouble::Terminal),
            Either::Second(slept) => slept.map_err(Trouble::about("timer"))?,
        }
        let (next, text) = since(&reader, cursor).await.map_err(Trouble::about("log_reader"))?;
        cursor = next;
        print(&session.console, &text).await?;
    }
}

/// The last `count` records, and where to go on.
async fn last(reader: &LogReaderClient, count: usize) -> Result<(u64, String), CallError> {
    let mut lines = VecDeque::new();
    let mut cursor = 0;
    loop {
        let record = reader.read(cursor).await?;
        if !record.found || record.next <= cursor {
            return Ok((cursor, lines.into_iter().collect()));
        }
        cursor = record.next;
        lines.push_back(line(&record));
        if lines.len() > count {
            lines.pop_front();
        }
    }
}

/// Everything from `cursor` on, at most [`MOST`] records at a time.
async fn since(reader: &LogReaderClient, mut cursor: u64) -> Result<(u64, String), CallError> {
    let mut text = String::new();
    for _ in 0..MOST {
        let record = reader.read(cursor).await?;
        if !record.found || record.next <= cursor {
            break;
        }
        if record.lost > 0 {
            text.push_str(&format!("... {} records were overwritten\n", record.lost));
        }
        cursor = record.next;
        text.push_str(&line(&record));
    }
    Ok((cursor, text))
}

fn line(record: &ReadReply) -> String {
    let level = match record.level {
        LogLevel::Error => "ERROR ",
        LogLevel::Warn => "WARN  ",
        LogLevel::Info => "",
        LogLevel::Debug => "debug ",
    };
    let text: String = record.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let who = if record.process == 0 { String::from("kernel") } else { format!("{}", record.process) };
    format!("{:>12} {who:>6}  {level}{text}\n", duration(record.time_ns))
}
