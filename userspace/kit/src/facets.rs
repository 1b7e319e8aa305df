//! The things that a server serves beside its exports: what a client asked for, one capability each.

use alloc::collections::BTreeMap;
use core::cell::{Cell, RefCell};
use core::ops::RangeInclusive;
use rt::{CallContext, Client, Exception, ExceptionCode};

/// Where the number of a thing lies in a badge, in place of the instance of who was given the export (see [`crate::service::export_of`]).
const NUMBER: u32 = 48;
/// What tells facets from exports: clients are few, so the parent never sets it.
const FACET: u64 = 1 << 31;

/// The number of the thing that a badge is for; none for an export itself.
pub const fn number_of(badge: u64) -> Option<u16> {
    if badge & FACET == 0 { None } else { Some((badge >> NUMBER) as u16) }
}

/// Bits of a badge that say whose it is.
const CLIENT: u64 = ((1 << NUMBER) - 1) & !FACET;

/// Things by the badges of their facets. The export itself has none.
pub struct Facets<T> {
    things: RefCell<BTreeMap<u64, T>>,
    /// How many things each client has.
    counts: RefCell<BTreeMap<u64, usize>>,
    next: Cell<u16>,
    /// The numbers that they have.
    numbers: RangeInclusive<u16>,
    /// How many each client may have.
    each: usize,
}

impl<T: Clone> Facets<T> {
    /// With numbers of their own, so that the things of several that are served together are told apart, and so many at a time.
    /// Each client may have `each` of them.
    pub const fn new(numbers: RangeInclusive<u16>, each: usize) -> Self {
        Facets {
            things: RefCell::new(BTreeMap::new()),
            counts: RefCell::new(BTreeMap::new()),
            next: Cell::new(*numbers.start()),
            numbers,
            each,
        }
    }

    /// How many things like that the one who calls has.
    pub fn count(&self, cx: &CallContext, like: impl Fn(&T) -> bool) -> usize {
        let things = self.things.borrow();
        let own = things.iter().filter(|(badge, thing)| (*badge ^ cx.badge()) & CLIENT == 0 && like(thing));
        own.count()
    }

    /// A facet for `thing`, in the name of who calls.
    ///
    /// # Errors
    /// `budgetExhausted` when there are too many.
    pub fn mint<C: Client>(&self, cx: &CallContext, thing: T) -> Result<C, Exception> {
        let badge = self.free_badge(cx.badge()).ok_or(ExceptionCode::BudgetExhausted)?;
        let facet = cx.mint(badge).map_err(|_| ExceptionCode::BudgetExhausted)?;
        self.insert(badge, thing);
        Ok(facet)
    }

    fn insert(&self, badge: u64, thing: T) {
        self.things.borrow_mut().insert(badge, thing);
        *self.counts.borrow_mut().entry(badge & CLIENT).or_default() += 1;
    }

    /// A badge that no facet has.
    fn free_badge(&self, caller: u64) -> Option<u64> {
        let things = self.things.borrow();
        let client = caller & ((1 << NUMBER) - 1) | FACET;
        let badge = |number: u16| u64::from(number) << NUMBER | client;
        let (begin, first, end) = (*self.numbers.start(), self.next.get(), *self.numbers.end());
        let is_full = things.len() > usize::from(end.saturating_sub(begin));
        let own = self.counts.borrow().get(&(caller & CLIENT)).copied().unwrap_or(0);
        if is_full || own >= self.each {
            return None;
        }
        let number = (first..=end).chain(begin..first).find(|it| !things.contains_key(&badge(*it)))?;
        self.next.set(if number == end { begin } else { number + 1 });
        Some(badge(number))
    }

    /// What a badge stands for: nothing for the export itself.
    ///
    /// # Errors
    /// `disconnected` when that thing is there no more.
    pub fn find(&self, badge: u64) -> Result<Option<T>, Exception> {
        match self.things.borrow().get(&badge) {
            Some(thing) => Ok(Some(thing.clone())),
            None if badge & FACET == 0 => Ok(None),
            None => Err(ExceptionCode::Disconnected.into()),
        }
    }

    /// The last capability with this badge is gone. What it stood for.
    pub fn gone(&self, badge: u64) -> Option<T> {
        let thing = self.things.borrow_mut().remove(&badge)?;
        let mut counts = self.counts.borrow_mut();
        if let Some(count) = counts.get_mut(&(badge & CLIENT)) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&(badge & CLIENT));
            }
        }
        Some(thing)
    }
}

#[cfg(test)]
mod tests {
    use super::{CLIENT, Facets, number_of};
    use rt::ExceptionCode;

    /// As the parent makes it: the third instance of client 5, export 1.
    const EXPORT: u64 = 3 << 48 | 1 << 32 | 5;

    #[test]
    fn facets_are_told_from_exports_and_from_each_other() {
        let facets: Facets<u8> = Facets::new(7..=9, 2);
        assert_eq!((facets.find(EXPORT), number_of(EXPORT)), (Ok(None), None));
        let badges = [1, 2].map(|thing| {
            let badge = facets.free_badge(EXPORT).unwrap();
            facets.insert(badge, thing);
            badge
        });
        assert_eq!(badges.map(crate::service::export_of), [1, 1]);
        assert_eq!(badges.map(number_of), [Some(7), Some(8)]);
        assert_eq!(badges.map(|badge| facets.find(badge).unwrap()), [Some(1), Some(2)]);
        assert_eq!((facets.find(EXPORT), facets.free_badge(EXPORT)), (Ok(None), None));
        assert_eq!(facets.free_badge(badges[0]), None, "it is the same client's");
        // Another one may have what is left.
        let other = facets.free_badge(EXPORT ^ 1).unwrap();
        facets.insert(other, 3);
        assert_eq!((number_of(other), facets.free_badge(EXPORT ^ 1)), (Some(9), None));
        assert_eq!(facets.gone(badges[0]), Some(1));
        assert_eq!((facets.gone(badges[0]), facets.counts.borrow()[&(EXPORT & CLIENT)]), (None, 1));
        assert_eq!(facets.find(badges[0]), Err(ExceptionCode::Disconnected.into()));
        assert!(facets.free_badge(badges[1]).is_some_and(|badge| badge != badges[1] && badge != EXPORT));
    }
}
