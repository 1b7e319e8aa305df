//! The state machine against a good device and against several bad ones.

extern crate std;
use super::register::{Register, ier, lsr};
use super::{Counters, DeviceFault, FIFO, Queue, RECEIVE_ROOM, Step, TRANSMIT_ROOM, Uart};
use std::collections::VecDeque;
use std::vec;
use std::vec::Vec;

/// A 16550 as far as the driver can tell, with ways to be broken.
#[derive(Default)]
struct Device {
    incoming: VecDeque<u8>,
    outgoing: Vec<u8>,
    status: u8,
    scratch: u8,
    enabled: u8,
    latch: bool,
    scratch_broken: bool,
    stuck: bool,
    forced_status: Option<u8>,
    writes: Vec<(Register, u8)>,
}

impl Device {
    fn read(&mut self, register: Register) -> u8 {
        match register {
            Register::LineStatus => {
                let ready = if self.incoming.is_empty() { 0 } else { lsr::DATA_READY };
                let empty = if self.stuck { 0 } else { lsr::TRANSMIT_EMPTY };
                let status = self.forced_status.unwrap_or(self.status | ready | empty);
                self.status = 0;
                status
            }
            Register::Data => self.incoming.pop_front().unwrap_or(0),
            Register::Scratch if self.scratch_broken => 0xff,
            Register::Scratch => self.scratch,
            _ => 0,
        }
    }

    fn write(&mut self, register: Register, value: u8) {
        self.writes.push((register, value));
        match register {
            Register::Scratch => self.scratch = value,
            Register::LineControl => self.latch = value & 0x80 != 0,
            Register::InterruptEnable if !self.latch => self.enabled = value,
            _ => {}
        }
    }
}

/// Does what the machine says until it rests; fails when it does not within reason.
fn settle(uart: &mut Uart, device: &mut Device) {
    for _ in 0..20_000 {
        match uart.step() {
            Step::Write(register, value) => device.write(register, value),
            Step::Read(register) => {
                let value = device.read(register);
                uart.value(value);
            }
            Step::Transmit => {
                let mut chunk = [0; FIFO];
                let count = uart.chunk(&mut chunk);
                assert!(count > 0 && count <= FIFO);
                device.outgoing.extend(&chunk[..count]);
            }
            Step::Idle => return,
        }
    }
    panic!("the machine never rests");
}

fn ready() -> (Uart, Device) {
    let (mut uart, mut device) = (Uart::new(), Device::default());
    settle(&mut uart, &mut device);
    assert_eq!(uart.fault(), None);
    (uart, device)
}

#[test]
fn reset_sets_the_line_up_and_enables_receive_interrupts() {
    let (_, device) = ready();
    assert_eq!(device.writes[0], (Register::InterruptEnable, 0));
    assert!(device.writes.contains(&(Register::LineControl, 0x03)));
    assert!(device.writes.contains(&(Register::FifoControl, 0x87)));
    assert!(!device.latch);
    assert_eq!(device.enabled, ier::RECEIVED);
}

#[test]
fn a_port_without_a_device_is_found_at_reset() {
    let (mut uart, mut device) = (Uart::new(), Device { scratch_broken: true, ..Device::default() });
    settle(&mut uart, &mut device);
    assert_eq!(uart.fault(), Some(DeviceFault::Absent));
    uart.interrupt();
    assert_eq!(uart.step(), Step::Idle);
}

#[test]
fn received_bytes_arrive_in_order() {
    let (mut uart, mut device) = ready();
    device.incoming.extend(b"capos");
    uart.interrupt();
    settle(&mut uart, &mut device);
    let mut out = [0; 8];
    assert_eq!(uart.receive(&mut out), 5);
    assert_eq!(&out[..5], b"capos");
    assert_eq!(uart.counters(), Counters { received: 5, ..Counters::default() });
}

#[test]
fn bytes_leave_in_fifo_sized_chunks() {
    let (mut uart, mut device) = ready();
    let text: Vec<u8> = (0..100).collect();
    assert_eq!(uart.send(&text), 100);
    settle(&mut uart, &mut device);
    assert_eq!(device.outgoing, text);
    assert_eq!(uart.unsent(), 0);
    assert_eq!(device.enabled, ier::RECEIVED);
}

#[test]
fn a_busy_transmitter_is_waited_for_by_interrupt() {
    let (mut uart, mut device) = ready();
    device.stuck = true;
    uart.send(b"later");
    settle(&mut uart, &mut device);
    assert_eq!(device.enabled, ier::RECEIVED | ier::TRANSMIT_EMPTY);
    device.stuck = false;
    uart.interrupt();
    settle(&mut uart, &mut device);
    assert_eq!(device.outgoing, b"later");
    assert_eq!(device.enabled, ier::RECEIVED);
}

#[test]
fn a_stuck_transmitter_can_be_given_up_and_tried_again() {
    let (mut uart, mut device) = ready();
    device.stuck = true;
    uart.send(b"never");
    settle(&mut uart, &mut device);
    assert_eq!(uart.give_up_sending(), DeviceFault::TransmitStuck);
    settle(&mut uart, &mut device);
    assert_eq!((uart.unsent(), uart.fault()), (0, None));
    device.stuck = false;
    uart.send(b"again");
    settle(&mut uart, &mut device);
    assert_eq!(device.outgoing, b"again");
}

#[test]
fn the_transmit_queue_is_bounded() {
    let (mut uart, mut device) = ready();
    device.stuck = true;
    assert_eq!(uart.send(&vec![7; TRANSMIT_ROOM + 10]), TRANSMIT_ROOM);
    assert_eq!(uart.send(b"x"), 0);
    assert_eq!(uart.send_room(), 0);
}

#[test]
fn a_full_receive_queue_stops_fetching_and_goes_on_when_read() {
    let (mut uart, mut device) = ready();
    device.incoming.extend(vec![1; RECEIVE_ROOM + 5]);
    uart.interrupt();
    settle(&mut uart, &mut device);
    assert_eq!((uart.received(), device.incoming.len()), (RECEIVE_ROOM, 5));
    let mut out = [0; 16];
    assert_eq!(uart.receive(&mut out), 16);
    settle(&mut uart, &mut device);
    assert_eq!(device.incoming.len(), 0);
}

#[test]
fn sending_goes_on_while_the_receive_queue_is_full() {
    let (mut uart, mut device) = ready();
    device.incoming.extend(vec![1; RECEIVE_ROOM + 5]);
    uart.interrupt();
    settle(&mut uart, &mut device);
    uart.send(b"out");
    settle(&mut uart, &mut device);
    assert_eq!(device.outgoing, b"out");
}

#[test]
fn a_receiver_that_is_never_empty_is_bounded() {
    let (mut uart, mut device) = ready();
    device.forced_status = Some(lsr::DATA_READY);
    uart.interrupt();
    settle(&mut uart, &mut device);
    assert_eq!(uart.received(), RECEIVE_ROOM);
}

#[test]
fn damaged_bytes_are_dropped_and_counted() {
    let (mut uart, mut device) = ready();
    device.incoming.extend(b"ab");
    device.status = 0b1000;
    uart.interrupt();
    settle(&mut uart, &mut device);
    assert_eq!((uart.received(), uart.counters().damaged), (1, 1));
}

#[test]
fn overruns_are_counted_and_data_goes_on() {
    let (mut uart, mut device) = ready();
    device.incoming.extend(b"ab");
    device.status = lsr::OVERRUN;
    uart.interrupt();
    settle(&mut uart, &mut device);
    assert_eq!((uart.received(), uart.counters().overruns), (2, 1));
}

#[test]
fn a_bus_that_reads_all_ones_is_a_device_that_is_gone() {
    let (mut uart, mut device) = ready();
    device.forced_status = Some(0xff);
    uart.interrupt();
    settle(&mut uart, &mut device);
    assert_eq!(uart.fault(), Some(DeviceFault::Absent));
    assert_eq!(uart.received(), 0);
}

#[test]
fn spurious_interrupts_cost_one_look_each() {
    let (mut uart, mut device) = ready();
    for _ in 0..10 {
        uart.interrupt();
        settle(&mut uart, &mut device);
    }
    assert_eq!(uart.counters().spurious, 10);
    assert_eq!(uart.fault(), None);
}

#[test]
fn answers_nobody_asked_for_change_nothing() {
    let (mut uart, mut device) = ready();
    uart.value(0xff);
    uart.value(0);
    settle(&mut uart, &mut device);
    assert_eq!((uart.fault(), uart.received()), (None, 0));
}

#[test]
fn queues_wrap() {
    let mut queue: Queue<4> = Queue::new();
    let mut out = [0; 3];
    for round in 0..10u8 {
        assert_eq!(queue.push(&[round, round + 1, round + 2]), 3);
        assert_eq!(queue.pop(&mut out), 3);
        assert_eq!(out, [round, round + 1, round + 2]);
    }
    assert_eq!((queue.push(&[0; 9]), queue.room(), queue.is_empty()), (4, 0, false));
    queue.clear();
    assert!(queue.is_empty());
}

#[test]
fn every_wait_begins_with_an_edge() {
    let (mut uart, mut device) = (Uart::new(), Device::default());
    settle(&mut uart, &mut device);
    // An interrupt line that was high all the time tells nothing new; off and on again makes an edge of what is pending.
    for _ in 0..3 {
        device.writes.clear();
        uart.interrupt();
        settle(&mut uart, &mut device);
        let enables: Vec<u8> = device
            .writes
            .iter()
            .filter(|(at, _)| *at == Register::InterruptEnable)
            .map(|(_, it)| *it)
            .collect();
        assert_eq!(enables, [0, ier::RECEIVED]);
    }
}
