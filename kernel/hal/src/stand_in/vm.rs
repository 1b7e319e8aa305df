//! Tables of an address space: audits see whatever they have that they should not.

#[path = "../x86/vm/tables.rs"]
#[expect(dead_code, reason = "ends of address spaces are not tried here")]
mod tables;
#[path = "../x86/vm/window.rs"]
mod window;

use super::mem::{Frames, phys};
use super::paging::{PAGE, bits, index, table};
use crate::account::Account;
use crate::sync::Ref;
use capos_mem::{Backing, LARGE_PAGES, Protection, RESOURCES};
use core::sync::atomic::{AtomicU64, Ordering};
use tables::{Pruned, Tables};

/// What lies behind a mapping.
#[derive(Clone)]
struct Memory {
    frames: Ref<Frames>,
}

/// Where it is shown: the last page of one table, and the first ones of the next.
const AT: u64 = 0x7f_ffff_f000;

/// What is shown somewhere.
struct Shown {
    tables: Tables,
    account: Ref<Account>,
    pages: usize,
    protection: Protection,
    backing: Backing<Memory>,
}

impl Shown {
    fn new(pages: alloc::vec::Vec<u64>, is_device: bool, at: u64, protection: Protection) -> Shown {
        let account = Account::root([1000; RESOURCES]).expect("host memory");
        let mut tables = Tables::new(&account).expect("host memory");
        let length = pages.len();
        let frames = Ref::try_new(Frames(pages, is_device)).expect("host memory");
        let backing = Backing { object: Memory { frames }, first: 0 };
        let mut pruned = Pruned::none();
        tables.show((at, length), protection, &backing, &account, &mut pruned).expect("nothing is there");
        assert!(pruned.is_empty());
        Shown { tables, account, pages: length, protection, backing }
    }

    fn is_right(&self, at: u64) -> bool {
        let shown = if self.protection == Protection::None { 0 } else { self.pages as u64 };
        self.tables.shows((at, self.pages), self.protection, &self.backing) && self.tables.shown() == shown
    }

    /// The entry of `level` on the way to an address.
    fn slot(&self, va: u64, level: u32) -> &'static AtomicU64 {
        let mut at = self.tables.top();
        for upper in (level + 1..=4).rev() {
            // SAFETY: the tables were just made, and lead there.
            at = unsafe { table(at) }[index(va, upper)].load(Ordering::Relaxed);
        }
        // SAFETY: as above.
        unsafe { &table(at)[index(va, level)] }
    }

    /// Bits that somebody changes in an entry are seen.
    fn is_seen(&self, at: u64, (va, level): (u64, u32), bits: u64) {
        let slot = self.slot(va, level);
        assert!(self.is_right(at));
        slot.fetch_xor(bits, Ordering::Relaxed);
        assert!(!self.is_right(at), "{va:#x}: {bits:#x}");
        slot.fetch_xor(bits, Ordering::Relaxed);
        // What processors note there is not.
        slot.fetch_or(1 << 5 | 1 << 6, Ordering::Relaxed);
        assert!(self.is_right(at));
    }
}

fn frames(count: usize) -> alloc::vec::Vec<u64> {
    (0..count).map(|_| phys::kernel_frame().expect("host memory")).collect()
}

#[test]
fn pages_of_memory_and_of_registers() {
    for (is_device, protection) in [
        (false, Protection::Read),
        (false, Protection::ReadWrite),
        (false, Protection::ReadExecute),
        (true, Protection::Read),
        (true, Protection::ReadWrite),
    ] {
        let shown = Shown::new(frames(3), is_device, AT, protection);
        let caching = bits::UNCACHED | bits::WRITE_THROUGH;
        for bits in [PAGE, 1 << 40, bits::WRITABLE, bits::USER, caching, bits::NO_EXECUTE, bits::PRESENT] {
            shown.is_seen(AT, (AT + PAGE, 1), bits);
        }
        // A page more, beside it: another one, and registers somewhere.
        let beside = shown.slot(AT + 3 * PAGE, 1);
        beside.store(0xfee0_0000 | bits::PRESENT | bits::USER, Ordering::Relaxed);
        assert!(!shown.is_right(AT));
        beside.store(0, Ordering::Relaxed);
        assert!(shown.is_right(AT));
        assert!(shown.account.used(capos_mem::Resource::MemoryPages) > 0);
    }
}

#[test]
fn pages_that_nobody_may_touch() {
    let shown = Shown::new(frames(2), false, AT, Protection::None);
    shown.is_seen(AT, (AT, 1), bits::PRESENT);
}

#[test]
fn a_large_page() {
    let length = LARGE_PAGES as u64 * PAGE;
    let run = phys::kernel_run(2 * LARGE_PAGES).expect("host memory").next_multiple_of(length);
    let pages: alloc::vec::Vec<u64> = (0..LARGE_PAGES as u64).map(|n| run + n * PAGE).collect();
    let at = AT.next_multiple_of(length);
    let mut shown = Shown::new(pages, false, at, Protection::ReadWrite);
    assert_ne!(shown.slot(at, 2).load(Ordering::Relaxed) & bits::LARGE, 0);
    for bits in [length, bits::WRITABLE, bits::NO_EXECUTE, bits::UNCACHED, bits::PRESENT] {
        shown.is_seen(at, (at, 2), bits);
    }
    // Cut into small ones, the first of which goes.
    let mut pruned = Pruned::none();
    shown.tables.empty(at, 1, &mut pruned);
    assert!(!shown.is_right(at));
    let rest = shown.tables.shows(
        (at + PAGE, LARGE_PAGES - 1),
        shown.protection,
        &Backing { first: 1, ..shown.backing.clone() },
    );
    assert!(rest && shown.tables.shown() == LARGE_PAGES as u64 - 1);
    shown.tables.release_pruned(pruned, &shown.account);
}
