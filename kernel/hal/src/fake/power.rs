//! Power: a panic that the test expects.

/// Resets the machine.
pub fn reboot() -> ! {
    panic!("the fake machine was rebooted")
}

/// Stops the machine.
pub fn halt() -> ! {
    panic!("the fake machine was halted")
}
