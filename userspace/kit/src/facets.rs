//! The things that a server serves beside its exports: what a client asked for, one capability each.

use alloc::collections::BTreeMap;
use core::cell::{Cell, RefCell};
use rt::{CallContext, Client, Exception, ExceptionCode};

/// Where the number of a thing lies in a badge, in place of that of the export's facet; below it is who was given which export (see
/// [`crate::service::export_of`]).
const NUMBER: u32 = 48;

/// The badge is of a thing: no export has so high a number.
const OWN: u64 = 1 << 47;

/// Things by the badges of their facets. The export itself has none.
pub struct Facets<T> {
    things: RefCell<BTreeMap<u64, T>>,
    next: Cell<u16>,
    most: usize,
}

impl<T: Clone> Facets<T> {
    /// For at most so many at a time.
    pub const fn new(most: usize) -> Self {
        Facets { things: RefCell::new(BTreeMap::new()), next: Cell::new(1), most }
    }

    /// A facet for `thing`, in the name of who calls.
    ///
    /// # Errors
    /// `budgetExhausted` when there are too many.
    pub fn mint<C: Client>(&self, cx: &CallContext, thing: T) -> Result<C, Exception> {
        let badge = self.free_badge(cx.badge()).ok_or(ExceptionCode::BudgetExhausted)?;
        let facet = cx.mint(badge).map_err(|_| ExceptionCode::BudgetExhausted)?;
        self.things.borrow_mut().insert(badge, thing);
        Ok(facet)
    }

    /// A badge that no facet has.
    fn free_badge(&self, caller: u64) -> Option<u64> {
        let things = self.things.borrow();
        if things.len() >= self.most {
            return None;
        }
        let client = caller & ((1 << NUMBER) - 1);
        let first = self.next.get().max(1);
        let badge = |number: u16| u64::from(number) << NUMBER | OWN | client;
        let number = (first..=u16::MAX).chain(1..first).find(|it| !things.contains_key(&badge(*it)))?;
        self.next.set(number.wrapping_add(1));
        Some(badge(number))
    }

    /// What a badge stands for: nothing for the export itself.
    ///
    /// # Errors
    /// `disconnected` when that thing is there no more.
    pub fn find(&self, badge: u64) -> Result<Option<T>, Exception> {
        match self.things.borrow().get(&badge) {
            Some(thing) => Ok(Some(thing.clone())),
            None if badge & OWN == 0 => Ok(None),
            None => Err(ExceptionCode::Disconnected.into()),
        }
    }

    /// The last capability with this badge is gone. What it stood for.
    pub fn gone(&self, badge: u64) -> Option<T> {
        self.things.borrow_mut().remove(&badge)
    }
}
