//! Does what the core says, whenever something happened.

use alloc::rc::Rc;
use capos_uart::register::{Register, ier};
use capos_uart::{DeviceFault, FIFO, RECEIVE_ROOM, Step, Uart};
use core::cell::{Cell, RefCell};
use core::fmt;
use kit::device::Refused;
use kit::irq::Line;
use kit::ports::Window;
use rt::generated::TimerClient;
use rt::{CallError, Either, Signal, log, select};

/// The transmitter is stuck when it takes nothing for this long; its FIFO is sent in 1.4 ms.
const STUCK_NS: u64 = 2_000_000_000;

/// The device, and who waits for it.
pub struct Device {
    window: Window,
    pub uart: RefCell<Uart>,
    /// There is something to do: bytes to send, or room for received ones.
    pub work: Signal,
    /// Bytes were received.
    pub received: Signal,
    /// There is room for bytes to send, or what was to be sent was given up.
    pub room: Signal,
    /// How often sending was given up.
    pub given_up: Cell<u64>,
}

/// Why the driver ends.
pub enum End {
    /// The kernel refuses ports or interrupt.
    Call(Refused),
    /// The device is no device.
    Device(DeviceFault),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Call(refused) => refused.fmt(f),
            End::Device(DeviceFault::Absent) => f.write_str("no 16550 answers at these ports"),
            End::Device(DeviceFault::TransmitStuck) => f.write_str("the transmitter is stuck"),
        }
    }
}

impl From<CallError> for End {
    #[track_caller]
    fn from(error: CallError) -> Self {
        End::Call(Refused::from(error))
    }
}

impl Device {
    /// Not touched yet.
    pub fn new(window: Window) -> Self {
        Device {
            window,
            uart: RefCell::new(Uart::new()),
            work: Signal::new(),
            received: Signal::new(),
            room: Signal::new(),
            given_up: Cell::new(0),
        }
    }

    /// Steps until there is nothing to do. Port calls answer at once, so this does not wait for the device.
    fn settle(&self) -> Result<(), End> {
        let mut uart = self.uart.borrow_mut();
        loop {
            match uart.step() {
                Step::Write(register, value) => {
                    let value = bearable(register, value, uart.received());
                    self.window.write8(register.offset(), value)?;
                }
                Step::Read(register) => {
                    let value = self.window.read8(register.offset())?;
                    uart.value(value);
                }
                Step::Transmit => {
                    let mut chunk = [0; FIFO];
                    let count = uart.chunk(&mut chunk);
                    self.window.write_all(Register::Data.offset(), chunk.get(..count).unwrap_or(&[]))?;
                }
                Step::Idle => break,
            }
        }
        if uart.received() > 0 {
            self.received.notify();
        }
        if uart.send_room() > 0 {
            self.room.notify();
        }
        uart.fault().map_or(Ok(()), |fault| Err(End::Device(fault)))
    }
}

/// What to write instead of `value` when so many received bytes wait to be read.
///
/// Bytes that there is no room for stay in the device, which then takes no more from the line (QEMU lets the sender wait). Its
/// receive interrupt would fire for them again and again, so it is off until a read makes room: that read looks at the device,
/// which switches it on.
fn bearable(register: Register, value: u8, waiting: usize) -> u8 {
    match register {
        Register::InterruptEnable if waiting >= RECEIVE_ROOM => value & !ier::RECEIVED,
        _ => value,
    }
}

/// Drives the device until it can not be driven any more.
pub async fn run(device: Rc<Device>, mut line: Line) -> End {
    loop {
        if let Err(error) = line.arm().await {
            return End::from(error);
        }
        if let Err(end) = device.settle() {
            return end;
        }
        let work = device.work.wait();
        match select(line.fired(), work).await {
            Either::First(Ok(_)) => device.uart.borrow_mut().interrupt(),
            Either::First(Err(error)) => return End::from(error),
            Either::Second(()) => device.uart.borrow_mut().look(),
        }
    }
}

/// Gives up sending when the transmitter takes nothing, so that writers get an error instead of waiting for ever.
pub async fn watch(device: Rc<Device>, timer: TimerClient) {
    loop {
        while device.uart.borrow().unsent() == 0 {
            device.work.wait().await;
        }
        let sent = device.uart.borrow().counters().sent;
        let Ok(now) = timer.now().await else { return };
        if timer.sleep_until(now.saturating_add(STUCK_NS)).await.is_err() {
            return;
        }
        let stuck = device.uart.borrow().unsent() > 0 && device.uart.borrow().counters().sent == sent;
        if stuck {
            let fault = device.uart.borrow_mut().give_up_sending();
            log::warn(format_args!("{}", End::Device(fault)));
            device.given_up.set(device.given_up.get() + 1);
            device.room.notify();
            device.work.notify();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::bearable;
    use capos_uart::RECEIVE_ROOM;
    use capos_uart::register::{Register, ier};

    #[test]
    fn a_full_queue_does_not_interrupt_for_what_it_can_not_take() {
        let both = ier::RECEIVED | ier::TRANSMIT_EMPTY;
        assert_eq!(bearable(Register::InterruptEnable, both, RECEIVE_ROOM), ier::TRANSMIT_EMPTY);
        assert_eq!(bearable(Register::InterruptEnable, both, RECEIVE_ROOM - 1), both);
        assert_eq!(bearable(Register::LineControl, 3, RECEIVE_ROOM), 3);
    }
}
