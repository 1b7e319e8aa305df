//! The raw console: a string.

use super::heap;
use std::string::String;
use std::sync::Mutex;
use std::vec::Vec;

/// Every change of hands: whether the kernel has it afterwards.
static CHANGES: Mutex<Vec<bool>> = Mutex::new(Vec::new());
static OUTPUT: Mutex<String> = Mutex::new(String::new());

pub(super) fn reset() {
    OUTPUT.lock().expect("no test panics inside").clear();
    changes();
}

/// Writes while the kernel owns the console.
pub fn write(text: &str) {
    heap::unfailing(|| OUTPUT.lock().expect("no test panics inside").push_str(text));
}

/// Leaves the console to a driver.
pub fn release() {
    heap::unfailing(|| CHANGES.lock().expect("no test panics inside").push(false));
}

/// Takes it back.
pub fn retake() {
    heap::unfailing(|| CHANGES.lock().expect("no test panics inside").push(true));
}

/// How it changed hands since the last call: whether the kernel had it afterwards.
pub fn changes() -> Vec<bool> {
    core::mem::take(&mut CHANGES.lock().expect("no test panics inside"))
}

/// What was written.
pub fn output() -> String {
    OUTPUT.lock().expect("no test panics inside").clone()
}
