//! All functions of the machine that were ever asked for.

use super::Refused;
use super::function::Function;
use alloc::vec::Vec;
use capos_abi::ExceptionCode;
use capos_pci::Buses;
use kernel_hal::order::LockRank;
use kernel_hal::pci;
use kernel_hal::sync::{Lock, Ref};

/// In no order: there are few.
static FUNCTIONS: Lock<Vec<Ref<Function>>> = Lock::new(LockRank::List, Vec::new());

/// The function at `address`, if it was ever asked for.
pub(crate) fn known(address: u32) -> Option<Ref<Function>> {
    FUNCTIONS.lock().iter().find(|function| function.address() == address).cloned()
}

/// The function at `address` (bus << 8 | device << 3 | function).
pub(crate) fn find(address: u32) -> Result<Ref<Function>, Refused> {
    if let Some(function) = known(address) {
        return Ok(function);
    }
    let pci = pci::find(address).ok_or(ExceptionCode::NotFound)?;
    let function = Ref::try_new(Function::new(pci)).map_err(|_| ExceptionCode::OutOfMemory)?;
    enter(function)
}

/// Knows the function from now on, unless it has gone since it was looked at: who takes back what goes may have looked here before.
pub(crate) fn enter(function: Ref<Function>) -> Result<Ref<Function>, Refused> {
    let entered = {
        let mut functions = FUNCTIONS.lock();
        // Somebody else may have asked meanwhile.
        if let Some(known) = functions.iter().find(|known| known.address() == function.address()) {
            return Ok(known.clone());
        }
        functions.try_reserve(1).map_err(|_| ExceptionCode::OutOfMemory)?;
        functions.push(function.clone());
        function
    };
    if pci::find(entered.address()).is_none_or(|now| now != entered.pci) {
        forget(|known| Ref::ptr_eq(known, &entered));
        entered.vanish();
        return Err(ExceptionCode::NotFound);
    }
    Ok(entered)
}

/// Such functions are not known any more.
fn forget(such: impl Fn(&Ref<Function>) -> bool) {
    let mut functions = FUNCTIONS.lock();
    while let Some(at) = functions.iter().position(&such) {
        let gone = functions.swap_remove(at);
        drop(functions);
        // With nothing locked: it may be the last reference.
        drop(gone);
        functions = FUNCTIONS.lock();
    }
}

/// The first at or after `cursor` that was ever asked for.
pub(crate) fn at_or_after(cursor: u32) -> Option<Ref<Function>> {
    let functions = FUNCTIONS.lock();
    let after = functions.iter().filter(|function| function.address() >= cursor);
    after.min_by_key(|function| function.address()).cloned()
}

/// Those from `cursor` on that were ever asked for, in order.
pub(super) fn from(cursor: u32) -> impl Iterator<Item = Ref<Function>> {
    let mut cursor = cursor;
    core::iter::from_fn(move || {
        let function = at_or_after(cursor)?;
        cursor = function.address() + 1;
        Some(function)
    })
}

/// What is attached to some device by such a lease is not any more.
pub(crate) fn free_leased(number: u64) {
    // There is one place by that lease at most.
    let _ = from(0).any(|function| function.free_leased(number));
}

/// What is behind a bridge is no longer there. Who still has something of it has it for nothing.
pub(super) fn forget_behind(buses: Buses) {
    forget(|function| buses.holds(function.pci.address));
}

#[cfg(test)]
pub(crate) fn forget_all() {
    super::slots::forget_all();
    super::demand::forget();
    super::history::forget();
    let functions = core::mem::take(&mut *FUNCTIONS.lock());
    drop(functions);
}
