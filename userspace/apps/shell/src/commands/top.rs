//! Who uses the processors, and how much of everything else.

use crate::screen::print;
use crate::session::Session;
use crate::trouble::Trouble;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use capos_inspect::{Process, Processor, Thread, Use};
use capos_text::{Align, Table, duration, pages};
use diag::look;
use rt::generated::{InspectorClient, TimerClient};
use rt::schema::inspector::Listing;
use rt::{Either, select};

/// Time between two looks.
const PERIOD_NS: u64 = 1_000_000_000;

/// Processors whose idle time stands on one line.
const IN_A_LINE: usize = 6;

/// One table of what happened within a second, or `times` of them; a key ends it.
pub async fn top(session: &Session, times: &str) -> Result<String, Trouble> {
    let times = times.parse::<u64>().ok().filter(|times| *times > 0);
    let times = times.ok_or_else(|| Trouble::say("top N looks N times: write a number, 1 or more"))?;
    let inspector = session.held.client::<InspectorClient>("inspector")?;
    let timer = session.held.client::<TimerClient>("timer")?;
    let mut before = Sample::take(&inspector).await?;
    for time in 1..=times {
        let pause = timer.sleep_until(before.time_ns.saturating_add(PERIOD_NS));
        match select(session.keyboard.next(), pause).await {
            Either::First(key) => return key.map(|_| String::new()).map_err(Trouble::Terminal),
            Either::Second(slept) => slept.map_err(Trouble::about("timer"))?,
        }
        let after = Sample::take(&inspector).await?;
        let text = show(&before, &after);
        if time == times {
            return Ok(text);
        }
        print(&session.console, &format!("{text}\n")).await?;
        before = after;
    }
    Ok(String::new())
}

/// The system at one time.
struct Sample {
    time_ns: u64,
    processors: Vec<Processor>,
    processes: Vec<Process>,
    threads: Vec<Thread>,
}

impl Sample {
    async fn take(inspector: &InspectorClient) -> Result<Sample, Trouble> {
        let threads = look::all(inspector, Listing::Threads).await?.records;
        let processors = look::all(inspector, Listing::Processors).await?.records;
        let processes = look::all(inspector, Listing::Processes).await?;
        Ok(Sample { time_ns: processes.time_ns, processors, processes: processes.records, threads })
    }

    fn threads_of(&self, process: u64) -> impl Iterator<Item = &Thread> {
        self.threads.iter().filter(move |thread| thread.process == process)
    }
}

/// What came of the time between two looks.
fn show(before: &Sample, after: &Sample) -> String {
    let span = after.time_ns.saturating_sub(before.time_ns);
    let mut out = format!(
        "{} processes, {} threads, {} CPUs; within {}:\n",
        after.processes.len(),
        after.threads.len(),
        after.processors.len(),
        duration(span),
    );
    let idle: Vec<String> = after
        .processors
        .iter()
        .zip(&before.processors)
        .map(|(now, then)| {
            let idle = percent(now.idle_ns.saturating_sub(then.idle_ns).min(span), span);
            format!("CPU {} {idle} %", now.number)
        })
        .collect();
    for line in idle.chunks(IN_A_LINE) {
        out.push_str(&format!("idle: {}\n", line.join(", ")));
    }
    out.push_str(&table(before, after, span));
    out
}

fn table(before: &Sample, after: &Sample, span: u64) -> String {
    let mut table = Table::new(&[
        ("PID", Align::Right),
        ("PROCESS", Align::Left),
        ("STATE", Align::Left),
        ("THREADS", Align::Right),
        ("CPU %", Align::Right),
        ("MEMORY", Align::Right),
        ("LENT", Align::Right),
        ("OF", Align::Right),
        ("CAPS", Align::Right),
        ("CALLS", Align::Right),
    ]);
    let used = |process: &Process| {
        let then = before.processes.iter().find(|then| then.id == process.id);
        process.cpu_ns.saturating_sub(then.map_or(0, |then| then.cpu_ns))
    };
    let mut rows: Vec<(u64, &Process)> =
        after.processes.iter().map(|process| (used(process), process)).collect();
    rows.sort_by_key(|(used, process)| core::cmp::Reverse((*used, process.cpu_ns)));
    for (used, process) in rows {
        let in_flight: u64 = after.threads_of(process.id).map(|thread| u64::from(thread.in_flight)).sum();
        let (memory, slots) = (process.memory(), process.slots());
        table.row([
            format!("{}", process.id),
            look::name(process),
            String::from(diag::state(process, after.threads_of(process.id))),
            format!("{}", after.threads_of(process.id).count()),
            percent(used, span),
            pages(own(memory)),
            if memory.lent == 0 { String::new() } else { pages(memory.lent) },
            pages(memory.limit),
            if slots.lent == 0 {
                format!("{}/{}", slots.used, slots.limit)
            } else {
                format!("{}+{}/{}", own(slots), slots.lent, slots.limit)
            },
            format!("{in_flight}"),
        ]);
    }
    table.render()
}

/// What a process uses itself, without what its children were lent.
fn own(resource: Use) -> u64 {
    resource.used.saturating_sub(resource.lent)
}

/// With one decimal.
fn percent(part: u64, whole: u64) -> String {
    let tenths = u128::from(part) * 1000 / u128::from(whole.max(1));
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::{Sample, percent, show};
    use alloc::vec::Vec;
    use capos_inspect::{Activity, End, Life, Name, Process, Processor, RESOURCES, Thread, Use};

    fn process(id: u64, name: &str, cpu_ns: u64) -> Process {
        let some = Use { used: 512, lent: 0, limit: 1024 };
        Process {
            id,
            cpu_ns,
            life: Life::Runs,
            end: End::None,
            priority: 10,
            cpu_percent: 0,
            name: Name::new(name),
            budget: [some; RESOURCES],
        }
    }

    fn thread(process: u64, id: u64, activity: Activity) -> Thread {
        let (called, priority, own_priority, processor, in_flight, entries) = (0, 10, 10, 0, 2, 64);
        Thread { process, id, called, activity, priority, own_priority, processor, in_flight, entries }
    }

    fn sample(time_ns: u64, idle: [u64; 2], processes: &[Process]) -> Sample {
        let processors =
            (0..).zip(idle).map(|(number, idle_ns)| Processor { number, idle_ns, ..Processor::default() });
        let threads =
            [thread(1, 1, Activity::Waits), thread(2, 2, Activity::Waits), thread(2, 3, Activity::Runs)];
        Sample {
            time_ns,
            processors: processors.collect(),
            processes: processes.to_vec(),
            threads: threads.to_vec(),
        }
    }

    #[test]
    fn who_used_most_is_first_and_new_ones_count_from_nothing() {
        let before = sample(1_000, [100, 0], &[process(1, "init", 900), process(2, "shell", 100)]);
        let all = [process(1, "init", 910), process(2, "shell", 600), process(3, "new", 250)];
        let after = sample(2_000, [600, 125], &all);
        let text = show(&before, &after);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "3 processes, 3 threads, 2 CPUs; within 1 µs:");
        assert_eq!(lines[1], "idle: CPU 0 50.0 %, CPU 1 12.5 %");
        let words: Vec<Vec<&str>> = lines[3..].iter().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(words[0], ["2", "shell", "running", "2", "50.0", "2", "MiB", "4", "MiB", "512/1024", "4"]);
        assert_eq!((words[1][1], words[1][4], words[2][1], words[2][4]), ("new", "25.0", "init", "1.0"));
        assert_eq!((words[2][2], words[2][3]), ("waiting", "1"));
    }

    #[test]
    fn a_long_name_fits_into_a_hundred_columns() {
        let mut long = process(12_345, &"n".repeat(31), 1 << 40);
        long.budget[0] = Use { used: 1_000_000, lent: 300_000, limit: 1_000_000 };
        long.budget[1] = Use { used: 9_000, lent: 8_900, limit: 65_536 };
        let text = show(&sample(0, [0, 0], &[]), &sample(1 << 40, [0, 0], &[long]));
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }

    #[test]
    fn a_name_does_nothing_to_the_terminal() {
        let all = [process(1, "a\x1b[2Jb", 1)];
        let text = show(&sample(0, [0, 0], &[]), &sample(1, [0, 0], &all));
        assert!(text.contains("a [2Jb") && !text.contains('\x1b'));
    }

    #[test]
    fn no_time_is_no_share() {
        assert_eq!(
            (percent(0, 0), percent(1, 3), percent(2, 1)),
            ("0.0".into(), "33.3".into(), "200.0".into())
        );
    }
}
