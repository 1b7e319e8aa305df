//! A look at all memory of a machine, from outside: what devices wrote between two moments, and where.
//!
//! RAM lies in a file without a name that QEMU and the lab share. A plugin notes to which pages processors store; what changed otherwise was written by a
//! device. Three rules, each about one kind of escape (`rules`), and what is written rightly beside grants: rings whose place the
//! devices themselves name, and what IOMMUs report (`devices`). Nothing of all this asks the guest.

mod devices;
mod hand;
mod misdeeds;
mod ram;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use serde_json::Value;

use crate::case::{Hand, Machine, Misdeed};
use crate::machine::args::Wiring;
pub use ram::NAME;
use ram::Ram;
use rules::{PAGE, Page, Patterns, Report, Rules};

/// The lab plants the secret in so many pages at most: all that nobody has used, on a machine of 256 MiB.
const PLANTED_MAX: usize = 65_536;

/// So near to a page that was loaded, an empty one may belong to the same file.
const NEAR: u64 = 64;

/// Whom the lab asks about the machine: QEMU's monitor.
pub trait Monitor {
    /// Has a command of the machine protocol carried out; its answer.
    ///
    /// # Errors
    /// When it refuses.
    fn ask(&mut self, command: &str, arguments: Value) -> Result<Value, String>;

    /// A line for the monitor of people; its text.
    ///
    /// # Errors
    /// When there is no answer.
    fn line(&mut self, line: &str) -> Result<String, String> {
        let answer = self.ask("human-monitor-command", serde_json::json!({ "command-line": line }))?;
        answer.as_str().map(str::to_owned).ok_or_else(|| format!("`{line}` is answered with {answer}"))
    }
}

/// Where the plugin notes pages, a byte each.
pub fn stored_file(wiring: &Wiring) -> PathBuf {
    wiring.sockets.join("stored")
}

/// Makes the file for the plugin, if the machine has a canary.
pub fn provide(machine: &Machine, wiring: &Wiring) -> Result<(), String> {
    let pages = (u64::from(machine.memory) << 20) / PAGE as u64;
    match machine.canary {
        true => File::create(stored_file(wiring))
            .and_then(|file| file.set_len(pages))
            .map_err(|error| format!("shared memory: {error}")),
        false => Ok(()),
    }
}

/// What watches one machine.
pub struct Canary {
    ram: Ram,
    stored: File,
    /// RAM as it was at the beginning: pages that were not empty, nor planted.
    before: BTreeMap<u64, Box<[u8; PAGE]>>,
    patterns: Patterns,
    /// Pages that a processor has ever stored to, as far as it was looked.
    used: BTreeSet<u64>,
    planted: BTreeSet<u64>,
    /// Pages to which the lab's own hand wrote.
    spoilt: Vec<u64>,
    /// What the device that misbehaved last had been told.
    told: Vec<u64>,
    /// What devices may write beside grants; nothing when nothing has begun.
    named: Option<BTreeSet<u64>>,
}

impl Canary {
    /// Of a machine that is about to start.
    ///
    /// # Errors
    /// When nothing was provided for it.
    pub fn new(wiring: &Wiring, seed: u64) -> Result<Canary, String> {
        let stored = File::options().read(true).write(true).open(stored_file(wiring)).map_err(text)?;
        Ok(Canary {
            ram: Ram::default(),
            stored,
            before: BTreeMap::new(),
            patterns: Patterns::of(seed),
            used: BTreeSet::new(),
            planted: BTreeSet::new(),
            spoilt: Vec::new(),
            told: Vec::new(),
            named: None,
        })
    }

    /// Finds the memory of the machine, which is the process `qemu`.
    ///
    /// # Errors
    /// When it has none that is shared.
    pub fn attach(&mut self, qemu: u32) -> Result<(), String> {
        if self.ram.pages() == 0 {
            self.ram = Ram::of(qemu).map_err(text)?;
        }
        Ok(())
    }

    /// Takes note of all memory. The machine stands still.
    ///
    /// # Errors
    /// When it cannot be read, or the monitor does not answer.
    pub fn begin(&mut self, monitor: &mut dyn Monitor) -> Result<String, String> {
        self.ram.learn(&monitor.line("info mtree -f")?)?;
        self.named = Some(devices::written(monitor, &self.ram)?);
        self.plant().map_err(text)?;
        self.remember().map_err(text)?;
        let pages = self.ram.pages();
        self.stored.write_all_at(&vec![0; pages], 0).map_err(text)?;
        Ok(format!("canary: {pages} pages of memory, the secret in {} of them\n", self.planted.len()))
    }

    /// Looks at all memory again. The machine stands still.
    ///
    /// # Errors
    /// When nothing has begun, or it cannot be read.
    pub fn end(&mut self) -> Result<Report, String> {
        let named = self.named.take().ok_or("the canary ends, but it has not begun")?;
        let stored = self.stored_pages().map_err(text)?;
        let rules =
            Rules { patterns: &self.patterns, named: &named, stored: &stored, planted: &self.planted };
        let (empty, secret) = ([0; PAGE], self.patterns.secret_page());
        let mut report = Report::default();
        self.ram
            .each(|number, is| {
                let unwritten = if self.planted.contains(&number) { &secret } else { &empty };
                let was = self.before.get(&number).map_or(unwritten, |page| &**page);
                rules.apply(&Page { number, was, is }, &mut report);
            })
            .map_err(text)?;
        for page in self.spoilt.drain(..) {
            self.ram.write_at(&empty, page * PAGE as u64).map_err(text)?;
        }
        self.used.extend(&stored);
        report.place(|page| self.ram.physical(page));
        Ok(report)
    }

    /// Does what devices are not to do, to see whether it is seen.
    ///
    /// # Errors
    /// When nothing has begun, or there is no memory that nobody uses.
    pub fn hand(&mut self, hand: Hand) -> Result<(), String> {
        if self.named.is_none() {
            return Err("the lab's hand, but the canary has not begun".into());
        }
        let page = self.planted.pop_last().ok_or("no memory is unused")?;
        if hand == Hand::Byte {
            self.planted.insert(page);
        }
        self.spoilt.push(page);
        hand::break_rule(hand, page, &self.ram, &self.stored, &self.patterns).map_err(text)
    }

    /// Does in the place of a virtio device what that does not do, as soon as it is through with what it has; what was done. The machine
    /// stands still.
    ///
    /// # Errors
    /// When there is no such device, or more than one; or one that is to be gone still reaches what it was told.
    pub fn misbehave(
        &mut self,
        misdeed: Misdeed,
        monitor: &mut dyn Monitor,
    ) -> Result<Option<String>, String> {
        self.ram.learn(&monitor.line("info mtree -f")?)?;
        if misdeed == Misdeed::Gone {
            return misdeeds::gone(&self.told, monitor, &self.ram).map(Some);
        }
        let done = misdeeds::commit(misdeed, monitor, &self.ram)?;
        Ok(done.map(|(text, told)| {
            self.told = told;
            text
        }))
    }

    fn stored_pages(&self) -> io::Result<BTreeSet<u64>> {
        let mut bytes = vec![0; self.ram.pages()];
        self.stored.read_exact_at(&mut bytes, 0)?;
        Ok((0..).zip(bytes).filter(|(_, byte)| *byte != 0).map(|(page, _)| page).collect())
    }

    /// The secret stands in pages that no processor has ever stored to and that hold nothing, far from what was loaded without a processor:
    /// files have empty pages, too.
    fn plant(&mut self) -> io::Result<()> {
        self.used.extend(self.stored_pages()?);
        let stride = self.ram.pages().div_ceil(PLANTED_MAX) as u64;
        let (empty, secret) = ([0; PAGE], self.patterns.secret_page());
        let (mut loaded, mut unused) = (BTreeSet::new(), Vec::new());
        self.ram.each(|number, page| {
            let is_unused = *page == empty || *page == secret;
            match self.used.contains(&number) {
                false if is_unused => unused.push(number),
                false => _ = loaded.insert(number),
                true => {}
            }
        })?;
        let is_near = |page: u64| loaded.range(page.saturating_sub(NEAR)..=page + NEAR).next().is_some();
        unused.retain(|page| page.is_multiple_of(stride) && !is_near(*page));
        for page in &unused {
            self.ram.write_at(&secret, page * PAGE as u64)?;
        }
        self.planted = unused.into_iter().collect();
        Ok(())
    }

    fn remember(&mut self) -> io::Result<()> {
        self.before.clear();
        self.ram.each(|number, page| {
            if *page != [0; PAGE] && !self.planted.contains(&number) {
                self.before.insert(number, Box::new(*page));
            }
        })
    }
}

fn text(error: io::Error) -> String {
    format!("shared memory: {error}")
}

#[cfg(test)]
mod tests;
