//! The things that a server serves beside its exports: what a client asked for, one capability each.

use alloc::collections::BTreeMap;
use core::cell::{Cell, RefCell};
use rt::threads::process_id;
use rt::{CallContext, Client, Exception, ExceptionCode};

/// What tells facets from exports: clients are few, so the parent never sets it.
const FACET: u64 = 1 << 31;
/// Whose a facet is, as in the badges of exports.
const CLIENT: u64 = FACET - 1;
/// Which instance of the service minted it, in place of the number of the export (see [`crate::service::export_of`]). Those of instances that are gone
/// still come to their successor, and so does word of their end: they are nobody's there.
const LIFE: u32 = 32;
/// Where the number of the thing lies.
const NUMBER: u32 = 48;

/// Things by the badges of their facets. The export itself has none.
pub struct Facets<T> {
    things: RefCell<BTreeMap<u64, T>>,
    /// How many things each client has.
    counts: RefCell<BTreeMap<u64, usize>>,
    next: Cell<u16>,
    life: u16,
    /// How many there may be, and how many each client may have.
    most: usize,
    each: usize,
}

impl<T: Clone> Facets<T> {
    /// So many at a time, and so many for each client.
    pub fn new(most: usize, each: usize) -> Self {
        Facets::in_life(process_id() as u16, most, each)
    }

    fn in_life(life: u16, most: usize, each: usize) -> Self {
        let (things, counts) = (RefCell::default(), RefCell::default());
        Facets { things, counts, next: Cell::new(0), life, most, each }
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
        self.mint_with_badge(cx, thing).map(|(facet, _)| facet)
    }

    /// The same, and its badge: for who keeps something for each facet.
    ///
    /// # Errors
    /// As of [`Facets::mint`].
    pub fn mint_with_badge<C: Client>(&self, cx: &CallContext, thing: T) -> Result<(C, u64), Exception> {
        let badge = self.free_badge(cx.badge()).ok_or(ExceptionCode::BudgetExhausted)?;
        let facet = cx.mint(badge).map_err(|_| ExceptionCode::BudgetExhausted)?;
        self.insert(badge, thing);
        Ok((facet, badge))
    }

    fn insert(&self, badge: u64, thing: T) {
        self.things.borrow_mut().insert(badge, thing);
        *self.counts.borrow_mut().entry(badge & CLIENT).or_default() += 1;
    }

    /// A badge that no facet has.
    fn free_badge(&self, caller: u64) -> Option<u64> {
        let things = self.things.borrow();
        let own = self.counts.borrow().get(&(caller & CLIENT)).copied().unwrap_or(0);
        if things.len() >= self.most || own >= self.each {
            return None;
        }
        let client = caller & CLIENT | FACET | u64::from(self.life) << LIFE;
        let badge = |number: u16| u64::from(number) << NUMBER | client;
        let first = self.next.get();
        let mut numbers = (first..=u16::MAX).chain(0..first);
        let number = numbers.find(|number| !things.contains_key(&badge(*number)))?;
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
    use super::{CLIENT, Facets};
    use rt::ExceptionCode;

    /// As the parent makes it: the third instance of client 5, export 1.
    const EXPORT: u64 = 3 << 48 | 1 << 32 | 5;

    fn put(facets: &Facets<u8>, caller: u64, thing: u8) -> u64 {
        let badge = facets.free_badge(caller).unwrap();
        facets.insert(badge, thing);
        badge
    }

    #[test]
    fn facets_are_told_from_exports_and_from_each_other() {
        let facets: Facets<u8> = Facets::in_life(7, 3, 2);
        assert_eq!(facets.find(EXPORT), Ok(None));
        let badges = [1, 2].map(|thing| put(&facets, EXPORT, thing));
        assert_eq!(badges.map(|badge| facets.find(badge).unwrap()), [Some(1), Some(2)]);
        assert_eq!((facets.find(EXPORT), facets.free_badge(EXPORT)), (Ok(None), None));
        assert_eq!(facets.free_badge(badges[0]), None, "it is the same client's");
        // Another one may have what is left.
        put(&facets, EXPORT ^ 1, 3);
        assert_eq!(facets.free_badge(EXPORT ^ 1), None);
        assert_eq!(facets.gone(badges[0]), Some(1));
        assert_eq!((facets.gone(badges[0]), facets.counts.borrow()[&(EXPORT & CLIENT)]), (None, 1));
        assert_eq!(facets.find(badges[0]), Err(ExceptionCode::Disconnected.into()));
        assert!(facets.free_badge(badges[1]).is_some_and(|badge| badge != badges[1] && badge != EXPORT));
    }

    #[test]
    fn what_an_instance_before_minted_is_nothing_of_ours() {
        let (before, now) = (Facets::in_life(1, 9, 9), Facets::in_life(2, 9, 9));
        let (old, new) = (put(&before, EXPORT, 1), put(&now, EXPORT, 2));
        assert_eq!(now.find(old), Err(ExceptionCode::Disconnected.into()));
        assert_eq!((now.gone(old), now.find(new)), (None, Ok(Some(2))));
    }
}
