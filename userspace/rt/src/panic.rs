//! A panic ends in the log and in a crash record, never silently.
//!
//! The message goes to the log sink, if the process was given one. Then an undefined instruction makes the kernel record
//! registers and backtrace for whoever supervises us, exactly as for any other fault.

use crate::emergency;
use crate::log;
use crate::thread;
use core::fmt::Write;
use core::panic::PanicInfo;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    if let Some(sink) = log::sink() {
        let mut line = log::Line::new();
        let _ = write!(line, "panicked");
        if let Some(place) = info.location() {
            let _ = write!(line, " at {}:{}", place.file(), place.line());
        }
        let _ = write!(line, ": {}", info.message());
        emergency::last_words(thread::current(), sink, line.as_str());
    }
    loop {
        // SAFETY: the instruction faults; that is the point.
        unsafe { core::arch::asm!("ud2", options(nomem, nostack)) };
    }
}
