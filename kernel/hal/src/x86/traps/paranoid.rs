//! Vectors that may come at any instruction and have a stack of their own.

use super::frame::{Frame, exception_name};
use crate::x86::debug;
use crate::x86::panic::{is_stopping, nmi_is_reported, report_exception, stop_here};

const NMI: u64 = 2;
const DEBUG: u64 = 1;

/// An NMI stops this CPU when another one panics. Otherwise it is nobody's, or, where the operator wants it so, his way to see what a
/// machine does that does not answer any more. Double faults and machine checks end the kernel. A debug exception of the kernel is one of user code that came late (see `ist::DEBUG`): the debugger
/// misses it, and nothing else happens.
pub(super) extern "sysv64" fn capos_on_paranoid(frame: &Frame) {
    if frame.vector == DEBUG {
        debug::take_causes();
        return;
    }
    if frame.vector == NMI && is_stopping() {
        stop_here();
    }
    if frame.vector != NMI || nmi_is_reported() {
        report_exception(frame, exception_name(frame.vector));
    }
}
