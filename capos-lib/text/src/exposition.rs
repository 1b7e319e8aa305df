//! Numbers for Prometheus: its text format 0.0.4.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use core::fmt::Write;

/// What a number does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Does {
    /// It only grows, until whoever counts begins anew.
    Counts,
    /// It goes up and down.
    Varies,
}

/// One number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sample {
    /// As it is.
    Whole(i128),
    /// Nanoseconds, told as seconds, exactly.
    Nanoseconds(u64),
}

/// A text in the making: families of numbers, each with what it means.
#[derive(Default)]
pub struct Exposition {
    text: String,
    /// Families that were begun, and the numbers of the last one: each may be there once.
    families: BTreeSet<&'static str>,
    told: BTreeSet<String>,
    name: &'static str,
}

impl Exposition {
    /// Begins a family. One that was there before, or whose name is none, is left out with all its numbers.
    pub fn family(&mut self, name: &'static str, does: Does, help: &str) {
        self.told.clear();
        if !is_name(name) || !self.families.insert(name) {
            self.name = "";
            return;
        }
        self.name = name;
        let kind = match does {
            Does::Counts => "counter",
            Does::Varies => "gauge",
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        // Writing to a string does not fail.
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// A number of the family. What has the same labels as one before is left out.
    pub fn sample(&mut self, labels: &[(&str, &str)], sample: Sample) {
        let words = labels.iter().filter(|(name, _)| is_name(name)).map(|(name, value)| {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            format!("{name}=\"{value}\"")
        });
        let labels = words.collect::<alloc::vec::Vec<_>>().join(",");
        if self.name.is_empty() || !self.told.insert(labels.clone()) {
            return;
        }
        self.text.push_str(self.name);
        if !labels.is_empty() {
            let _ = write!(self.text, "{{{labels}}}");
        }
        let _ = match sample {
            Sample::Whole(number) => writeln!(self.text, " {number}"),
            Sample::Nanoseconds(ns) => {
                writeln!(self.text, " {}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000)
            }
        };
    }

    /// All of it.
    pub fn finish(self) -> String {
        self.text
    }
}

fn is_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(letter)
}

#[cfg(test)]
mod tests {
    use super::{Does, Exposition, Sample};

    #[test]
    fn families_and_their_numbers() {
        let mut text = Exposition::default();
        text.family("up_seconds", Does::Varies, "Time since boot.");
        text.sample(&[], Sample::Nanoseconds(1_000_000_002));
        text.family("calls_total", Does::Counts, "All\\calls\nso far.");
        text.sample(&[("who", "a \"b\"\\\n"), ("cpu", "0")], Sample::Whole(7));
        let wanted = "# HELP up_seconds Time since boot.\n# TYPE up_seconds gauge\nup_seconds 1.000000002\n\
            # HELP calls_total All\\\\calls\\nso far.\n# TYPE calls_total counter\n\
            calls_total{who=\"a \\\"b\\\"\\\\\\n\",cpu=\"0\"} 7\n";
        assert_eq!(text.finish(), wanted);
    }

    #[test]
    fn nothing_is_there_twice() {
        let mut text = Exposition::default();
        text.family("a", Does::Varies, "A.");
        text.sample(&[("x", "1")], Sample::Whole(1));
        text.sample(&[("x", "1")], Sample::Whole(2));
        text.family("b", Does::Varies, "B.");
        text.sample(&[("x", "1")], Sample::Whole(3));
        text.family("a", Does::Varies, "Again.");
        text.sample(&[("x", "2")], Sample::Whole(4));
        text.family("wrong name", Does::Varies, "C.");
        text.sample(&[], Sample::Whole(5));
        let text = text.finish();
        let numbers: alloc::vec::Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(numbers, ["a{x=\"1\"} 1", "b{x=\"1\"} 3"]);
    }
}
