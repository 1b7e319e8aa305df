//! Figures of several processors: what members of a crew take together against one alone.

use std::fs;
use std::path::Path;

use lab::expect::Event;
use lab::glob::selects;

use super::count::{Beside, Plugin, Series};
use super::measure::{Measured, case, watch};
use crate::exec::Failure;
use crate::kitchen::Pantry;

/// How often the clock is tried, and how often while others keep the host busy.
const CALM_RUNS: u32 = 3;
const RUNS: u32 = 6;
/// Part of the host that others may use without a further try.
const CALM: f64 = 0.05;

/// One thing measured, of the event `together`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Took {
    /// Of the clock, per operation.
    ticks: f64,
    beside: Option<Beside>,
}

/// All of them that `filter` selects.
pub fn all(
    pantry: &Pantry,
    plugin: Option<&Plugin>,
    filter: &str,
    folder: &Path,
) -> Result<Vec<Measured>, Failure> {
    let mut figures = Vec::new();
    if selects(filter, "smp.scale") {
        figures.push(clocked(pantry, &folder.join("smp-clock"))?);
    }
    if ["smp.scale.overhead4", "smp.ipc_pairs4"].iter().any(|name| selects(filter, name)) {
        let one = run(pantry, plugin, 1, "'--work=1'", &folder.join("smp-1"))?;
        let four = run(pantry, plugin, 4, "'--work=4', '--pairs=1,4'", &folder.join("smp-4"))?;
        figures.extend(counted(&one, &four).into_iter().flatten());
    }
    Ok(figures)
}

type Events = (Vec<Event>, Option<Series>);

/// A machine that counts. All its processors take turns, and while one of them runs the clock is the count of instructions.
fn run(
    pantry: &Pantry,
    plugin: Option<&Plugin>,
    cpus: u32,
    asked: &str,
    folder: &Path,
) -> Result<Events, Failure> {
    let text = text(asked, 2000, &format!("cpus = {cpus}\nicount = true"));
    watch(&format!("work on {cpus} CPUs, counted"), &case("bench-smp", &text)?, pantry, plugin, folder)
}

fn text(asked: &str, units: u32, machine: &str) -> String {
    format!(
        "why = 'figures'\nbudget = '10m'\n[system]\nuse = ['testport', 'probe-bench']\n\
         [system.services.probe-bench]\nargs = [{asked}, '--units={units}']\n\
         [machine]\ncpu = 'max,-erms'\n{machine}\n"
    )
}

fn counted(one: &Events, four: &Events) -> Option<[Measured; 2]> {
    let alone = least(one, "work", 1)?;
    let (work, pair, pairs) = (least(four, "work", 4)?, least(four, "pairs", 1)?, least(four, "pairs", 4)?);
    let percent = (work.cost() / alone.cost() - 1.0) * 100.0;
    let ratio = pairs.cost() / pair.cost();
    Some([
        Measured { beside: work.beside, ..Measured::plain("smp.scale.overhead4", hundredths(percent), "%") },
        Measured { beside: pairs.beside, ..Measured::plain("smp.ipc_pairs4", hundredths(ratio), "times") },
    ])
}

/// More digits mean nothing.
fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

impl Took {
    /// Instructions as they were seen, or else by the clock.
    fn cost(&self) -> f64 {
        self.beside.map_or(self.ticks, |beside| beside.instructions())
    }
}

/// The cheapest of what so many members did.
fn least((events, series): &Events, what: &str, members: u64) -> Option<Took> {
    let of = |event: &&Event| {
        event.name == "together"
            && event.text("what") == Some(what)
            && number(event, "members") == Some(members)
    };
    let took = events.iter().filter(of).filter_map(|event| took(event, series.as_ref()));
    took.min_by(|a, b| a.cost().total_cmp(&b.cost()))
}

fn number(event: &Event, name: &str) -> Option<u64> {
    event.fields.get(name)?.as_u64()
}

fn took(event: &Event, series: Option<&Series>) -> Option<Took> {
    let operations = number(event, "operations")?;
    let ticks = number(event, "ticks")? as f64 / operations as f64;
    let seen = |series: &Series| series.beside(number(event, "series")?, None, operations);
    Some(Took { ticks, beside: series.and_then(seen) })
}

/// By the clock: two processors that run at the same time. The least time that each needed counts, of several runs, and of more while others use
/// the host, which is said if it stays so.
fn clocked(pantry: &Pantry, folder: &Path) -> Result<Measured, Failure> {
    let case = case("bench-smp", &text("'--work=1,2', '--times=20'", 4000, "cpus = 2"))?;
    let (mut one, mut two, mut others) = (f64::INFINITY, f64::INFINITY, 1.0f64);
    for run in 1..=RUNS {
        let before = Load::now();
        let events = watch("work on 2 CPUs by the clock", &case, pantry, None, folder)?;
        others =
            others.min(before.zip(Load::now()).map_or(1.0, |(before, after)| after.others_since(&before)));
        let (Some(alone), Some(both)) = (least(&events, "work", 1), least(&events, "work", 2)) else {
            return Err(Failure::new("the probe did not say how long two members work"));
        };
        (one, two) = (one.min(alone.ticks), two.min(both.ticks));
        if run >= CALM_RUNS && others <= CALM {
            break;
        }
    }
    // Ticks are of one part of the work already, and two do twice as much.
    Ok(Measured {
        note: Some(format!("others used {:.0} % of the host", others * 100.0)),
        ..Measured::plain("smp.scale", hundredths(one / two), "times")
    })
}

/// What the host's processors have done so far, in ticks of its clock.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Load {
    all: f64,
    busy: f64,
    /// By the machines that we ran.
    ours: f64,
}

impl Load {
    fn now() -> Option<Load> {
        let (all, busy) = host(&fs::read_to_string("/proc/stat").ok()?)?;
        Some(Load { all, busy, ours: children(&fs::read_to_string("/proc/self/stat").ok()?)? })
    }

    /// The part of the host that others used.
    fn others_since(&self, before: &Load) -> f64 {
        let others = (self.busy - before.busy) - (self.ours - before.ours);
        (others / (self.all - before.all).max(1.0)).clamp(0.0, 1.0)
    }
}

/// All and busy time of `/proc/stat` (proc(5)): user, nice, system, idle, iowait, and what follows.
fn host(text: &str) -> Option<(f64, f64)> {
    let times: Vec<f64> = text
        .lines()
        .next()?
        .split_whitespace()
        .skip(1)
        .take(8)
        .filter_map(|word| word.parse().ok())
        .collect();
    let all: f64 = times.iter().sum();
    Some((all, all - times.get(3)? - times.get(4)?))
}

/// Time of the children that have ended, of `/proc/self/stat`: fields 16 and 17, counted behind the name, which may hold anything.
fn children(text: &str) -> Option<f64> {
    let words: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    Some(words.get(13)?.parse::<f64>().ok()? + words.get(14)?.parse::<f64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(lines: &[(&str, u64, u64, u64)]) -> Events {
        let line = |(what, members, ticks, operations): &(&str, u64, u64, u64)| {
            Event::parse(&format!(
                r#"{{"event":"together","what":"{what}","members":{members},"ticks":{ticks},"series":0,"operations":{operations}}}"#
            ))
        };
        (lines.iter().map(|one| line(one).unwrap()).collect(), None)
    }

    #[test]
    fn the_cases_are_sound() {
        let machine =
            case("bench-smp", &text("'--work=1'", 5, "cpus = 4\nicount = true")).unwrap().case.machine;
        assert!(machine.icount && machine.cpus == 4);
    }

    #[test]
    fn the_least_of_each_counts() {
        let one = events(&[("work", 1, 900, 1), ("work", 1, 1000, 10), ("work", 1, 2000, 10)]);
        let four = events(&[("work", 4, 4120, 40), ("pairs", 1, 500, 1), ("pairs", 4, 2100, 4)]);
        let [overhead, pairs] = counted(&one, &four).unwrap();
        assert_eq!((overhead.name.as_str(), overhead.value), ("smp.scale.overhead4", 3.0));
        assert_eq!((pairs.name.as_str(), pairs.value), ("smp.ipc_pairs4", 1.05));
        assert!(counted(&one, &one).is_none());
    }

    #[test]
    fn others_are_who_is_neither_idle_nor_ours() {
        let stat = "cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2 3\n";
        assert_eq!(host(stat), Some((1000.0, 200.0)));
        assert_eq!(host("cpu 1 2\n"), None);
        let own = "1 (a) b) S 1 1 1 0 -1 4 1 2 3 4 11 12 30 40 20 0 1 0";
        assert_eq!(children(own), Some(70.0));
        let before = Load { all: 1000.0, busy: 200.0, ours: 70.0 };
        let after = Load { all: 2000.0, busy: 900.0, ours: 670.0 };
        assert_eq!(after.others_since(&before), 0.1);
    }
}
