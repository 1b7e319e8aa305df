//! How much is done in one go while interrupts and others have to wait.
//!
//! What may be long is done in slices. A slice has so many units, and whatever is to be done takes one: to end an operation, to take a
//! capability out, to lend a priority. Some hundred instructions each. Between two slices whoever is more urgent runs: what a thread asked for goes
//! on with its system call made anew ([`crate::cap::long`]), what nobody asked for with the timer ([`crate::task::reap`]).

/// Units of a slice of what a thread asked for.
pub(crate) const STEP: u32 = 32;
/// Members of a list that are looked at for one unit.
pub(crate) const LOOKED_AT: usize = 128;

/// Takes one unit. False when there are none left.
pub(crate) fn take(left: &mut u32) -> bool {
    match left.checked_sub(1) {
        Some(fewer) => {
            *left = fewer;
            true
        }
        None => false,
    }
}

/// A list of so many members is looked through. It may be the last thing that there were units for, and take more than that.
pub(crate) fn look_through(left: &mut u32, members: usize) {
    *left = left.saturating_sub(u32::try_from(members / LOOKED_AT).unwrap_or(u32::MAX));
}
