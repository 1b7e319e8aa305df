//! The table of figures: for the terminal, and as docs/figures.md, which is also what the next run is compared with.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::count::Beside;
use super::known::Known;
use super::split::Part;
use super::{Figure, Figures};

const HEAD: &str = "\
# Figures

Written by `make bench`; do not edit. Guest instructions count everything: all processes and the kernel, under QEMU TCG with
`-icount shift=0 -cpu max,-erms -smp 1`, where one TSC tick is one instruction. They repeat exactly (the boot within some hundred:
the hour that it reads differs); `make test` and `make bench CHECK=1` fail when one is more than 3 % worse than here. The anchors were
recorded on machines of the same kind. Instructions hide the cost of crossings: fewer instructions are not in proportion faster. So beside each
figure stands what a plugin of QEMU counted in the same regions, for each operation: ways into the kernel and out of it; writes of CR3;
writes of device registers (ports and device memory, the local APIC included); interrupts; and iterations of REP instructions, which
count as instructions, too.

";

const COLUMNS: &str = "\
| figure | value | unit | budget | anchor | crossings | CR3 | devices | interrupts | REP | what |
|---|--:|---|--:|---|--:|--:|--:|--:|--:|---|
";

/// What is not measured here, and stands on the same page.
const CAMPAIGNS: &str = include_str!("campaigns.md");

/// docs/figures.md.
pub fn render(figures: &Figures, known: &[Known]) -> String {
    let mut text = HEAD.to_owned();
    text.push_str(COLUMNS);
    for (name, figure) in figures {
        let row = known.iter().find(|known| known.name == *name);
        let anchor = figure.anchor.as_ref().map(|anchor| format!("{}: {}", anchor.who, amount(anchor.value)));
        let title = row.map(|row| row.title.as_str()).unwrap_or_default();
        let note = figure.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| `{name}` | {} | {} | {} | {} | {} | {title}{note} |",
            amount(figure.value),
            figure.unit,
            row.map(|row| budget(row, figure.value)).unwrap_or_default(),
            anchor.unwrap_or_default(),
            beside(figure.beside.as_ref()),
        );
    }
    text.push_str(&behind(figures, known));
    text.push_str(&splits(figures, known));
    text.push_str(CAMPAIGNS);
    text
}

/// Functions named for each figure.
const PARTS: usize = 14;

/// Where the instructions of figures go that miss their budgets.
fn splits(figures: &Figures, known: &[Known]) -> String {
    let mut text = String::new();
    for (name, figure) in figures {
        let row = known.iter().find(|known| known.name == *name && known.within(figure.value) == Some(false));
        let Some(row) = row else { continue };
        let said: Vec<String> = split(figure).into_iter().chain(row.why.clone()).collect();
        if !said.is_empty() {
            let _ = writeln!(text, "- `{name}`: {}", said.join(" "));
        }
    }
    if text.is_empty() { text } else { format!("{SPLITS}{text}") }
}

/// The functions that take most of it.
fn split(figure: &Figure) -> Option<String> {
    if figure.parts.is_empty() {
        return None;
    }
    // Of a difference what is done less counts, too.
    let mut parts: Vec<&Part> = figure.parts.iter().collect();
    parts.sort_by(|a, b| b.instructions.abs().total_cmp(&a.instructions.abs()));
    parts.truncate(PARTS);
    let named: f64 = parts.iter().map(|part| part.instructions).sum();
    let shown: Vec<String> = parts
        .iter()
        .map(|part| format!("{} `{}`", signed(part.instructions, figure.value), short(&part.function)))
        .collect();
    Some(format!("{}; {} elsewhere.", shown.join(", "), signed(figure.value - named, figure.value)))
}

const SPLITS: &str = "
## Where the instructions go

Of each figure that misses its budget, by function (module or type, and name), and what stands in the way; what was inlined counts where it is, `closure` is what the
measuring programs do on bare rings, and what other programs do has their name before it. Of a figure that is a difference, what is done less is negative. The plugin counts blocks of code in the
same regions, so an interrupt in the middle of one may be off by some instructions.

";

/// A whole number of instructions, which may be less than none; with two digits when they are part of little.
fn signed(count: f64, of: f64) -> String {
    if of.abs() < 100.0 {
        return format!("{count:.2}");
    }
    let size = grouped(count.abs().round() as u64);
    if count.round() < 0.0 { format!("-{size}") } else { size }
}

/// The last two parts of a function's name: its type or module, and itself; and before it whose it is.
fn short(name: &str) -> String {
    if let Some((program, function)) = name.split_once('/') {
        return format!("{program}/{}", short(function));
    }
    if name.ends_with("{{vtable.shim}}") {
        return "closure".into();
    }
    // `a::<impl Trait for b::Type>::f` is `b::Type::f`.
    let plain = match (name.rfind("<impl "), name.rfind(">::")) {
        (Some(from), Some(to)) if from < to => {
            let named = &name[from + "<impl ".len()..to];
            let of = named.rsplit(" for ").next().unwrap_or(named);
            format!("{of}{}", &name[to + 1..])
        }
        _ => name.to_owned(),
    };
    let parts: Vec<&str> = plain.split("::").collect();
    parts[parts.len().saturating_sub(2)..].join("::")
}

/// The five columns of what was counted beside a figure.
fn beside(beside: Option<&Beside>) -> String {
    let Some(beside) = beside else { return " | | | | ".into() };
    let Beside { crossings, cr3_writes, device_writes, interrupts, rep_iterations, .. } = beside;
    [crossings, cr3_writes, device_writes, interrupts, rep_iterations].map(|count| amount(*count)).join(" | ")
}

/// Whole numbers as such, others with two digits: operations that are measured together share what they do.
fn amount(count: f64) -> String {
    match (count - count.round()).abs() < 0.005 {
        true if count > -0.005 => grouped(count.round() as u64),
        _ => format!("{count:.2}"),
    }
}

/// The page says where we are behind, if two digits show it.
fn behind(figures: &Figures, known: &[Known]) -> String {
    let mut text = String::from("\n");
    for (name, figure) in figures {
        let Some(anchor) = &figure.anchor else { continue };
        let ratio = (figure.value / anchor.value * 100.0).round() / 100.0;
        let more = known.iter().any(|known| known.more && known.name == *name);
        let _ = match (more, ratio) {
            (_, 1.0) => Ok(()),
            (false, 1.0..) => {
                writeln!(text, "- **Behind**: `{name}` needs {ratio:.2} times what {} needs.", anchor.who)
            }
            (true, ..1.0) => {
                writeln!(text, "- **Behind**: `{name}` is {ratio:.2} of what {} has.", anchor.who)
            }
            _ => Ok(()),
        };
    }
    text
}

/// A budget, and whether it is kept.
fn budget(row: &Known, value: f64) -> String {
    let limits: Vec<String> = row.budget.into_iter().chain(row.then).map(amount).collect();
    let limit = limits.join(", then ");
    match row.within(value) {
        Some(true) => format!("{limit} within"),
        Some(false) => format!("{limit} **missed**"),
        None => limit,
    }
}

/// For the terminal.
pub fn table(figures: &Figures, known: &[Known]) -> String {
    let mut text = String::new();
    for (name, figure) in figures {
        let row = known.iter().find(|known| known.name == *name);
        let budget = row.and_then(|row| row.budget).map(|budget| format!("budget {}", amount(budget)));
        let anchor = figure.anchor.as_ref().map(|anchor| format!("{}: {}", anchor.who, amount(anchor.value)));
        let missed = row.and_then(|row| row.within(figure.value)) == Some(false);
        let _ = writeln!(
            text,
            "{name:32} {:>14} {:12} {:16}{} {}{}",
            amount(figure.value),
            figure.unit,
            budget.unwrap_or_default(),
            if missed { " MISSED" } else { "" },
            anchor.unwrap_or_default(),
            figure.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default(),
        );
    }
    text
}

/// Names and values of a page that [`render`] wrote.
pub fn read(page: &str) -> BTreeMap<String, f64> {
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split('|');
        let name = cells.next()?.trim().trim_end_matches('`').to_owned();
        let value = cells.next()?.trim().replace(',', "").parse().ok()?;
        Some((name, value))
    });
    rows.collect()
}

/// `1523000000` as `1,523,000,000`.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::known::Anchor;
    use super::*;

    fn sample() -> (Figures, Vec<Known>) {
        let anchor = Anchor { who: "seL4".into(), value: 246.0 };
        let figure = Figure {
            value: 1234.0,
            unit: "instructions".into(),
            anchor: Some(anchor.clone()),
            how: "x".into(),
            note: None,
            beside: Some(Beside { crossings: 4.0, cr3_writes: 0.0625, ..Beside::default() }),
            parts: vec![Part { function: "kernel::call".into(), instructions: 1200.0 }],
        };
        let known = Known {
            name: "call.kernel_null".into(),
            title: "Null call".into(),
            budget: Some(250.0),
            then: Some(200.0),
            more: false,
            varies: false,
            anchor: Some(anchor),
            how: "x".into(),
            why: Some("It is far.".into()),
        };
        ([("call.kernel_null".to_owned(), figure)].into(), vec![known])
    }

    #[test]
    fn names_are_short() {
        for (name, shown) in [
            ("kernel_core::ring::enter::cap_enter", "enter::cap_enter"),
            ("memmove", "memmove"),
            ("nvme/capos_nvme::queue::Queue::take", "nvme/Queue::take"),
            ("core::ops::function::FnOnce::call_once{{vtable.shim}}", "closure"),
            (
                "capos_ring::kernel::arena::<impl capos_ring::kernel::KernelRing>::arena_copy",
                "KernelRing::arena_copy",
            ),
            (
                "kernel_core::cap::dispatch::<impl kernel_core::cap::Serve for kernel_core::cap::timer::Timer>::serve",
                "Timer::serve",
            ),
        ] {
            assert_eq!(short(name), shown);
        }
        assert_eq!([-282.4, 1234.0, -0.2].map(|count| signed(count, 5000.0)), ["-282", "1,234", "0"]);
        assert_eq!(signed(0.674, 3.7), "0.67");
    }

    #[test]
    fn digits_are_grouped() {
        for (value, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_523_000_000, "1,523,000,000")] {
            assert_eq!(grouped(value), text);
        }
    }

    #[test]
    fn a_page_reads_back() {
        let (figures, known) = sample();
        let page = render(&figures, &known);
        assert_eq!(read(&page), [("call.kernel_null".to_owned(), 1234.0)].into());
        assert!(read("").is_empty() && read("| `a` | not a number |").is_empty());
    }

    #[test]
    fn the_page_admits_what_is_behind() {
        let (mut figures, known) = sample();
        let page = render(&figures, &known);
        assert!(
            page.contains("**missed**")
                && page.contains("**Behind**: `call.kernel_null` needs 5.02 times what seL4 needs.")
                && page.contains("- `call.kernel_null`: 1,200 `kernel::call`; 34 elsewhere. It is far."),
            "{page}"
        );
        figures.get_mut("call.kernel_null").unwrap().value = 200.0;
        let page = render(&figures, &known);
        assert!(
            page.contains("| 250, then 200 within |")
                && !page.contains("Behind")
                && !page.contains("elsewhere")
        );
    }

    #[test]
    fn as_much_as_the_anchor_is_not_behind() {
        let (mut figures, mut known) = sample();
        let figure = figures.get_mut("call.kernel_null").unwrap();
        figure.anchor.as_mut().unwrap().value = 1000.0;
        for (value, more, wanted) in [
            (1000.0, false, false),
            (1004.0, false, false),
            (1006.0, false, true),
            (900.0, false, false),
            (996.0, true, false),
            (994.0, true, true),
            (1100.0, true, false),
        ] {
            figures.get_mut("call.kernel_null").unwrap().value = value;
            known[0].more = more;
            let page = render(&figures, &known);
            assert_eq!(page.contains("**Behind**"), wanted, "{value} {more}");
        }
    }

    #[test]
    fn what_is_counted_beside_has_its_columns() {
        let (mut figures, known) = sample();
        let page = render(&figures, &known);
        assert!(page.contains("| seL4: 246 | 4 | 0.06 | 0 | 0 | 0 | Null call |"), "{page}");
        figures.get_mut("call.kernel_null").unwrap().beside = None;
        let page = render(&figures, &known);
        assert!(page.contains("| seL4: 246 |  | | | |  | Null call |"), "{page}");
        let pipes = |line: &str| line.matches('|').count();
        // Behind the figures comes what is written by hand.
        let figures = page.strip_suffix(CAMPAIGNS).unwrap();
        assert!(figures.lines().filter(|line| line.starts_with('|')).all(|line| pipes(line) == 12), "{page}");
    }
}
