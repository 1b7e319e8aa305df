//! The table of figures: for the terminal, and as docs/figures.md, which is also what the next run is compared with.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Figures;
use super::known::Known;

const HEAD: &str = "\
# Figures

Written by `make bench`; do not edit. Guest instructions count everything: all processes and the kernel, under QEMU TCG with
`-icount shift=0 -cpu max,-erms -smp 1`, where one TSC tick is one instruction. They repeat exactly (the boot within some hundred:
the hour that it reads differs); `make bench CHECK=1` fails when one is more than 3 % worse than here. The anchors were recorded on
machines of the same kind. Instructions hide the cost of crossings: fewer instructions are not in proportion faster.

";

/// docs/figures.md.
pub fn render(figures: &Figures, known: &[Known]) -> String {
    let mut text = HEAD.to_owned();
    text.push_str("| figure | value | unit | budget | against the budget | anchor | what |\n|---|--:|---|--:|---|---|---|\n");
    for (name, figure) in figures {
        let row = known.iter().find(|known| known.name == *name);
        let budget = row.and_then(|row| row.budget);
        let anchor =
            figure.anchor.as_ref().map(|anchor| format!("{}: {}", anchor.who, grouped(anchor.value)));
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| `{name}` | {} | {} | {} | {} | {} | {} |",
            grouped(figure.value),
            figure.unit,
            budget.map(grouped).unwrap_or_default(),
            verdict(figure.value, budget),
            anchor.unwrap_or_default(),
            row.map(|row| row.title.as_str()).unwrap_or_default(),
        );
    }
    text.push_str(&behind(figures));
    text
}

/// The page says where we are behind.
fn behind(figures: &Figures) -> String {
    let mut text = String::from("\n");
    for (name, figure) in figures {
        if let Some(anchor) = figure.anchor.as_ref().filter(|anchor| figure.value > anchor.value) {
            let ratio = figure.value as f64 / anchor.value as f64;
            let _ =
                writeln!(text, "- **Behind**: `{name}` needs {ratio:.2} times what {} needs.", anchor.who);
        }
    }
    text
}

fn verdict(value: u64, budget: Option<u64>) -> &'static str {
    match budget {
        Some(budget) if value <= budget => "within",
        Some(_) => "**over**",
        None => "",
    }
}

/// For the terminal.
pub fn table(figures: &Figures, known: &[Known]) -> String {
    let mut text = String::new();
    for (name, figure) in figures {
        let budget = known.iter().find(|known| known.name == *name).and_then(|row| row.budget);
        let budget_text = budget.map(|budget| format!("budget {}", grouped(budget))).unwrap_or_default();
        let anchor =
            figure.anchor.as_ref().map(|anchor| format!("{}: {}", anchor.who, grouped(anchor.value)));
        let over = if verdict(figure.value, budget).contains("over") { " OVER" } else { "" };
        let _ = writeln!(
            text,
            "{name:24} {:>14} {:12} {:16}{over} {}",
            grouped(figure.value),
            figure.unit,
            budget_text,
            anchor.unwrap_or_default()
        );
    }
    text
}

/// Names and values of a page that [`render`] wrote.
pub fn read(page: &str) -> BTreeMap<String, u64> {
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
    use super::super::Figure;
    use super::super::known::Anchor;
    use super::*;

    fn sample() -> (Figures, Vec<Known>) {
        let anchor = Anchor { who: "seL4".into(), value: 246 };
        let figure = Figure {
            value: 1234,
            unit: "instructions".into(),
            anchor: Some(anchor.clone()),
            how: "x".into(),
        };
        let known = Known {
            name: "call.kernel_null".into(),
            title: "Null call".into(),
            budget: Some(250),
            anchor: Some(anchor),
            how: "x".into(),
        };
        ([("call.kernel_null".to_owned(), figure)].into(), vec![known])
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
        assert_eq!(read(&page), [("call.kernel_null".to_owned(), 1234)].into());
        assert!(read("").is_empty() && read("| `a` | not a number |").is_empty());
    }

    #[test]
    fn the_page_admits_what_is_behind() {
        let (mut figures, known) = sample();
        let page = render(&figures, &known);
        assert!(
            page.contains("**over**")
                && page.contains("**Behind**: `call.kernel_null` needs 5.02 times what seL4 needs."),
            "{page}"
        );
        figures.get_mut("call.kernel_null").unwrap().value = 200;
        let page = render(&figures, &known);
        assert!(page.contains("| within |") && !page.contains("Behind"));
    }
}
