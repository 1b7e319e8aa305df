//! The structures that are shared without a lock, or are one, in every interleaving and with every old value that a processor may see.
//!
//! Atomics begin to be when they are first used (atomics.rs), and that must be before there are threads: hence the looks that nobody needs.

use crate::arena::Arena;
use crate::pure::mailbox::Mailbox;
use crate::pure::owner::Owner;
use crate::pure::residence::Residence;
use crate::sync::{Ref, RefSlot};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering, fence};
use loom::thread;

/// A word that must not be read while another writes it, nor without having heard of the last write: loom watches.
pub(crate) struct Word(UnsafeCell<u64>);

// SAFETY: loom runs all its threads on one of the host's, and finds out about any two that would meet here.
unsafe impl Sync for Word {}
// SAFETY: as above.
unsafe impl Send for Word {}

impl Word {
    pub(crate) fn new(value: u64) -> Word {
        Word(UnsafeCell::new(value))
    }

    pub(crate) fn get(&self) -> u64 {
        // SAFETY: loom watches.
        self.0.with(|value| unsafe { *value })
    }

    pub(crate) fn set(&self, new: u64) {
        // SAFETY: loom watches.
        self.0.with_mut(|value| unsafe { *value = new });
    }
}

impl Default for Word {
    fn default() -> Word {
        let word = Word::new(0);
        word.set(7);
        word
    }
}

/// Something that is changed by its drop: nobody may be reading it.
struct Last(Word);

impl Drop for Last {
    fn drop(&mut self) {
        self.0.set(0);
    }
}

#[test]
fn the_last_reference_drops_when_nobody_reads_any_more() {
    loom::model(|| {
        let first = Ref::try_new(Last(Word::new(5))).unwrap();
        let second = first.clone();
        let other = thread::spawn(move || assert_eq!(second.0.get(), 5));
        assert_eq!(first.0.get(), 5);
        drop(first);
        other.join().unwrap();
    });
}

#[test]
fn the_last_reference_is_taken_apart_once() {
    loom::model(|| {
        let first = Ref::try_new(Last(Word::new(5))).unwrap();
        let second = first.clone();
        let other = thread::spawn(move || {
            assert_eq!(second.0.get(), 5);
            second.into_inner().is_some()
        });
        assert_eq!(first.0.get(), 5);
        let mine = first.into_inner().is_some();
        assert!(mine != other.join().unwrap());
    });
}

#[test]
fn what_is_put_into_a_slot_is_taken_out_once_and_whole() {
    loom::model(|| {
        let slot = Arc::new(RefSlot::empty());
        assert!(slot.is_empty());
        let (one, two) = (slot.clone(), slot.clone());
        let puts = thread::spawn(move || {
            let new = Ref::try_new(Word::new(0)).unwrap();
            new.set(5);
            drop(one.put(new));
        });
        let takes = thread::spawn(move || two.take().map(|taken| taken.get()));
        let mine = slot.take().map(|taken| taken.get());
        let theirs = takes.join().unwrap();
        puts.join().unwrap();
        let left = slot.take().map(|taken| taken.get());
        let found: std::vec::Vec<u64> = [mine, theirs, left].into_iter().flatten().collect();
        assert_eq!(found, [5]);
    });
}

#[test]
fn things_of_an_arena_are_complete_when_they_are_found_and_made_once() {
    loom::model(|| {
        let arena: Arc<Arena<Word>> = Arc::new(Arena::new());
        assert!(arena.get(1).is_none());
        let (one, two) = (arena.clone(), arena.clone());
        let makers = [one, two].map(|arena| thread::spawn(move || arena.make(0).unwrap().start));
        if let Some(word) = arena.get(1) {
            assert_eq!(word.get(), 7);
        }
        makers.into_iter().for_each(|maker| assert_eq!(maker.join().unwrap(), 0));
        arena.get(1).unwrap().set(8);
        assert_eq!(arena.get(1).unwrap().get(), 8);
        // It never gives anything back.
    });
}

#[test]
fn what_goes_from_processor_to_processor_goes_whole() {
    loom::model(|| {
        let (owner, word) = (Arc::new(Owner::nobody()), Arc::new(Word::new(0)));
        assert!(!owner.is(0));
        let uses = |owner: &Owner, word: &Word, cpu| {
            while !owner.try_take(cpu) {
                loom::hint::spin_loop();
            }
            assert!(owner.is(cpu));
            word.set(word.get() + 1);
            owner.let_go();
        };
        let (theirs, same) = (owner.clone(), word.clone());
        let other = thread::spawn(move || uses(&theirs, &same, 1));
        uses(&owner, &word, 0);
        other.join().unwrap();
        assert!(owner.try_take(2) && word.get() == 2);
    });
}

/// An entry of a page table, what a processor remembers of it, and who may remember.
struct Machine {
    entry: AtomicU64,
    remembered: [Word; 2],
    residence: Residence,
    mailboxes: [Mailbox; 2],
}

const OLD: u64 = 1;
const NEW: u64 = 2;

impl Machine {
    fn new() -> Arc<Machine> {
        let machine = Machine {
            entry: AtomicU64::new(OLD),
            remembered: [Word::new(0), Word::new(0)],
            residence: Residence::nowhere(),
            mailboxes: [Mailbox::new(), Mailbox::new()],
        };
        assert_eq!(machine.residence.after_change(), 0);
        assert!(machine.mailboxes.iter().all(|mailbox| mailbox.asked() == 0 && mailbox.has_done(0)));
        Arc::new(machine)
    }

    /// Forgets, and walks the tables again.
    fn walk(&self, cpu: usize) {
        self.remembered[cpu].set(self.entry.load(Ordering::Relaxed));
    }

    /// Loads the tables. Like the processor's way of doing that it begins no walk before what went before is seen.
    fn load(&self, cpu: usize) {
        self.residence.enter(1 << cpu, || {
            fence(Ordering::SeqCst);
            self.walk(cpu);
        });
    }

    fn serve(&self, cpu: usize) {
        self.mailboxes[cpu].serve(|| self.walk(cpu));
    }

    /// `cpu` changes the entry, and waits for all who may remember the old one.
    fn change(&self, cpu: usize, new: u64) -> u64 {
        self.entry.store(new, Ordering::Relaxed);
        let who = self.residence.after_change();
        let others = (0..2).filter(|other| *other != cpu && who >> other & 1 != 0);
        let asked: std::vec::Vec<(usize, u64)> = others.map(|it| (it, self.mailboxes[it].ask())).collect();
        for (it, ticket) in asked {
            while !self.mailboxes[it].has_done(ticket) {
                self.serve(cpu);
                loom::hint::spin_loop();
            }
            // It may be doing it once more, but not for us.
        }
        who
    }
}

#[test]
fn nobody_remembers_what_was_changed_while_he_loaded_the_tables() {
    loom::model(|| {
        let machine = Machine::new();
        let other = machine.clone();
        let loads = thread::spawn(move || {
            other.load(1);
            // The interrupt comes when it likes.
            other.serve(1);
        });
        machine.entry.store(NEW, Ordering::Relaxed);
        let told = machine.residence.after_change() >> 1 & 1 != 0;
        let ticket = if told { machine.mailboxes[1].ask() } else { 0 };
        loads.join().unwrap();
        // Who was told may not have looked yet when it had looked already.
        if machine.mailboxes[1].has_done(ticket) {
            assert_eq!(machine.remembered[1].get(), NEW);
        }
    });
}

#[test]
fn who_waits_for_another_to_forget_knows_that_it_has() {
    loom::model(|| {
        let machine = Machine::new();
        machine.load(1);
        let other = machine.clone();
        let serves = thread::spawn(move || {
            while machine_is_old(&other) {
                other.serve(1);
                loom::hint::spin_loop();
            }
        });
        assert_eq!(machine.change(0, NEW), 0b10);
        // Here nobody writes it any more: the one flush that was wanted is done.
        assert_eq!(machine.remembered[1].get(), NEW);
        serves.join().unwrap();
    });
}

fn machine_is_old(machine: &Machine) -> bool {
    !machine.mailboxes[1].has_done(1)
}

#[test]
fn of_two_who_change_and_serve_each_other_neither_remembers_what_is_old() {
    loom::model(|| {
        let machine = Machine::new();
        let other = machine.clone();
        let round = |machine: &Machine, cpu: usize| {
            machine.entry.store(NEW, Ordering::Relaxed);
            let ticket = machine.mailboxes[1 - cpu].ask();
            machine.serve(cpu);
            machine.mailboxes[1 - cpu].has_done(ticket)
        };
        let theirs = thread::spawn(move || {
            let done = round(&other, 1);
            done.then(|| other.remembered[0].get())
        });
        let seen = round(&machine, 0).then(|| machine.remembered[1].get());
        let seen = [seen, theirs.join().unwrap()];
        assert!(seen.into_iter().flatten().all(|entry| entry == NEW));
        // Whoever is late finds it wanted still.
        (0..2).for_each(|cpu| machine.serve(cpu));
        assert!((0..2).all(|cpu| machine.mailboxes[cpu].has_done(1) && machine.remembered[cpu].get() == NEW));
    });
}
