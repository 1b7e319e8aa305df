//! Interrupts that signal: COM1's, which is ours here. It interrupts whenever its transmitter is empty and is asked to say so.

use crate::Setup;
use probe::factory;
use rt::CallError;
use rt::generated::{InterruptClient, IoPortClient};

/// Registers of the port, and what is written there.
const ENABLE: u16 = 1;
const MODEM: u16 = 4;
const WHEN_EMPTY: u8 = 2;
/// The line is connected.
const CONNECTED: u8 = 8;
/// Long enough for an interrupt that is to come.
const SOON_NS: u64 = 2_000_000;

/// All cases; gives how many clauses were checked.
pub fn all(setup: &Setup, ports: &IoPortClient, line: &InterruptClient) -> Result<usize, CallError> {
    let report = &setup.report;
    let event = factory().create_notification_blocking()?;
    let raise = || {
        ports.write8_blocking(ENABLE, 0)?;
        ports.write8_blocking(ENABLE, WHEN_EMPTY)
    };
    // What is to come is waited for, as the machine may stand still at any time; what is not to come cannot be.
    let comes = || raise().and_then(|()| event.wait_blocking());
    let comes_not = || {
        raise()?;
        setup.audit.pause(SOON_NS);
        event.poll_blocking()
    };
    line.bind_blocking(event.mint_blocking(1, 0)?)?;
    line.bind_blocking(event.mint_blocking(2, 0)?)?;
    ports.write8_blocking(MODEM, CONNECTED)?;
    report.equal("N7 a line is masked in the beginning", comes_not()?, 0);
    line.acknowledge_blocking()?;
    report.equal("N7 an interrupt signals, and the last binding counts", comes()?, 2);
    report.equal("N7 and then it is masked", comes_not()?, 0);
    line.acknowledge_blocking()?;
    report.equal("N7 until it is acknowledged", comes()?, 2);
    line.unbind_blocking()?;
    line.acknowledge_blocking()?;
    report.equal("N7 a line that is bound to nobody signals nobody", comes_not()?, 0);
    ports.write8_blocking(ENABLE, 0)?;
    line.mask_blocking()?;
    Ok(5)
}
