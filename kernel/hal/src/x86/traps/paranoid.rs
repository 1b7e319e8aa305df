//! Vectors that may come at any instruction and have a stack of their own.

use super::frame::{Frame, exception_name};
use crate::x86::panic::{is_stopping, report_exception, stop_here};

const NMI: u64 = 2;

/// An NMI stops this CPU when another one panics, and is otherwise nobody's. Double faults and machine checks end the kernel.
pub(super) extern "sysv64" fn capos_on_paranoid(frame: &Frame) {
    if frame.vector != NMI {
        report_exception(frame, exception_name(frame.vector));
    }
    if is_stopping() {
        stop_here();
    }
}
