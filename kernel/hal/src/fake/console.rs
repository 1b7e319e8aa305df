//! The raw console: a string.

use std::string::String;
use std::sync::Mutex;

static OUTPUT: Mutex<String> = Mutex::new(String::new());

pub(super) fn reset() {
    OUTPUT.lock().expect("no test panics inside").clear();
}

/// Writes while the kernel owns the console.
pub fn write(text: &str) {
    OUTPUT.lock().expect("no test panics inside").push_str(text);
}

/// Leaves the console to a driver.
pub fn release() {}

/// Takes it back.
pub fn retake() {}

/// What was written.
pub fn output() -> String {
    OUTPUT.lock().expect("no test panics inside").clone()
}
