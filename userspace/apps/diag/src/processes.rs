//! Processes, and what they use of what they were given.

use crate::{Trouble, look, shapes};
use alloc::vec::Vec;
use capos_inspect::{Activity, Life, Process, RESOURCES, Thread, Use};
use capos_text::{Report, Value};
use rt::generated::InspectorClient;
use rt::schema::inspector::Listing;

/// Of the resources of a budget, the one that is pages, beside the first.
const DMA: usize = 6;

pub(crate) async fn all(inspector: &InspectorClient) -> Result<Vec<Report>, Trouble> {
    let threads = look::all(inspector, Listing::Threads).await?.records;
    let processes = look::all(inspector, Listing::Processes).await?.records;
    Ok(rows(&processes, &threads))
}

fn rows(processes: &[Process], threads: &[Thread]) -> Vec<Report> {
    let (mut who, mut budgets) = (shapes::PROCESS.report(), shapes::BUDGET.report());
    for process in processes {
        let own = || threads.iter().filter(|thread| thread.process == process.id);
        let memory = process.memory();
        who.row([
            Value::number(process.id),
            Value::Text(look::name(process)),
            Value::text(state(process, own())),
            Value::number(own().count() as u64),
            Value::Span(process.cpu_ns),
            Value::number(process.cpu_percent),
            Value::number(process.priority),
            Value::Pages(memory.used.saturating_sub(memory.lent)),
            Value::Pages(memory.lent),
            Value::Pages(memory.limit),
        ]);
        let name = [Value::number(process.id), Value::Text(look::name(process))];
        let pairs = (1..RESOURCES).flat_map(|n| {
            let Use { used, limit, .. } = process.resource(n);
            [used, limit].map(|number| if n == DMA { Value::Pages(number) } else { Value::number(number) })
        });
        budgets.row(name.into_iter().chain(pairs));
    }
    alloc::vec![who, budgets]
}

/// What a process is doing: what the busiest of its threads does.
pub fn state<'t>(process: &Process, threads: impl Iterator<Item = &'t Thread>) -> &'static str {
    let all: Vec<Activity> = threads.map(|thread| thread.activity).collect();
    match process.life {
        Life::Made => "created",
        Life::Ends => "ending",
        _ if all.contains(&Activity::Runs) => "running",
        _ if all.contains(&Activity::Ready) => "ready",
        _ if all.contains(&Activity::OutOfTime) => "no time",
        _ if all.contains(&Activity::Stopped) => "stopped",
        _ => "waiting",
    }
}

#[cfg(test)]
mod tests {
    use super::rows;
    use capos_inspect::{Activity, End, Life, Name, Process, RESOURCES, Thread, Use};

    #[test]
    fn what_was_lent_is_not_its_own() {
        let mut budget = [Use::default(); RESOURCES];
        budget[0] = Use { used: 30, lent: 10, limit: 40 };
        for (n, resource) in (1..).zip(&mut budget[1..]) {
            *resource = Use { used: n, lent: 0, limit: n * 10 };
        }
        let name = Name::new("files");
        let process = Process {
            id: 7,
            cpu_ns: 5,
            life: Life::Runs,
            end: End::None,
            priority: 12,
            cpu_percent: 50,
            name,
            budget,
        };
        let thread = |activity| Thread {
            process: 7,
            id: 1,
            called: 0,
            activity,
            priority: 10,
            own_priority: 10,
            processor: 0,
            in_flight: 0,
            entries: 64,
        };
        let threads = [Activity::Waits, Activity::Ready].map(thread);
        let [who, budgets] = &rows(&[process], &threads)[..] else { panic!("two reports") };
        assert_eq!(
            who.json(),
            "{\"kind\":\"process\",\"id\":7,\"name\":\"files\",\"state\":\"ready\",\"threads\":2,\"cpu\":5,\"share\":50,\
             \"priority\":12,\"memory\":20,\"lent\":10,\"limit\":40}\n"
        );
        let json = budgets.json();
        assert!(json.contains("\"slots\":1,\"slots_limit\":10,\"threads\":2,\"threads_limit\":20"), "{json}");
        assert!(json.contains("\"dma\":6,\"dma_limit\":60,\"vectors\":7,\"vectors_limit\":70}"), "{json}");
    }
}
