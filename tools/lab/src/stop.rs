//! Ctrl-C and termination: a flag that every loop of the lab looks at, so that machines are ended in order.

use std::sync::atomic::{AtomicBool, Ordering};

static STOPPED: AtomicBool = AtomicBool::new(false);

/// Installs the handler; a second call changes nothing.
pub fn install() {
    // An error means that a handler is in place already: the flag works then, too.
    let _ = ctrlc::set_handler(|| STOPPED.store(true, Ordering::SeqCst));
}

/// Whether the user asked to stop.
pub fn requested() -> bool {
    STOPPED.load(Ordering::SeqCst)
}
