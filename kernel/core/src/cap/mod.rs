//! Kernel objects behind capabilities: one file per interface, and the call context they share.
//!
//! `dispatch.rs` is generated from the schema: an interface that the kernel is to host and does not implement does not compile.

mod dispatch;

pub(crate) mod boot_package;
pub(crate) mod endpoint;
pub(crate) mod endpoint_factory;
pub(crate) mod entropy_source;
pub(crate) mod interrupt;
pub(crate) mod interrupt_controller;
pub(crate) mod io_port;
pub(crate) mod log_reader;
pub(crate) mod log_sink;
pub(crate) mod memory_object;
pub(crate) mod power;
pub(crate) mod process_handle;
pub(crate) mod process_spawner;
pub(crate) mod system_info;
pub(crate) mod thread_control;
pub(crate) mod timer;
pub(crate) mod virtual_memory;
pub(crate) mod wall_clock;

mod context;

pub(crate) use context::{Call, Outcome, Sent};
pub(crate) use dispatch::interface_id;

use crate::ipc::endpoint::{Facet, ReceiveRight};
use crate::task::thread::Thread;
use capos_abi::{MAX_MESSAGE, Sqe, TransportError};
use kernel_hal::sync::Ref;

/// What a capability can stand for. Cloning one never allocates.
#[derive(Clone)]
pub(crate) enum Object {
    LogSink(log_sink::LogSink),
    LogReader(log_reader::LogReader),
    BootPackage(boot_package::BootPackage),
    MemoryObject(memory_object::MemoryObject),
    VirtualMemory(virtual_memory::VirtualMemory),
    ThreadControl(thread_control::ThreadControl),
    EndpointFactory(endpoint_factory::EndpointFactory),
    Endpoint(ReceiveRight),
    ProcessSpawner(process_spawner::ProcessSpawner),
    ProcessHandle(process_handle::ProcessHandle),
    Timer(timer::Timer),
    WallClock(wall_clock::WallClock),
    EntropySource(entropy_source::EntropySource),
    SystemInfo(system_info::SystemInfo),
    Power(power::Power),
    IoPort(io_port::IoPort),
    Interrupt(interrupt::Interrupt),
    InterruptController(interrupt_controller::InterruptController),
    /// A facet of an endpoint: served by a process.
    Client(Ref<Facet>),
}

/// Messages up to this size are copied to a small buffer, so that an ordinary call need not clear a large one.
const SMALL: usize = 128;

/// Calls a kernel object for `thread`. The message is copied once before anything in it is looked at.
#[inline]
pub(crate) fn call(thread: &Ref<Thread>, object: &Object, sqe: &Sqe) -> Outcome {
    let len = sqe.msg_len as usize;
    if len == 0 {
        dispatch::dispatch(object, sqe.method, &[], &mut Call::new(thread, sqe))
    } else if len <= SMALL {
        call_with(thread, object, sqe, &mut [0; SMALL])
    } else {
        call_large(thread, object, sqe)
    }
}

#[inline(never)]
fn call_large(thread: &Ref<Thread>, object: &Object, sqe: &Sqe) -> Outcome {
    call_with(thread, object, sqe, &mut [0; MAX_MESSAGE])
}

#[inline]
fn call_with(thread: &Ref<Thread>, object: &Object, sqe: &Sqe, buffer: &mut [u8]) -> Outcome {
    let Some(message) = buffer.get_mut(..sqe.msg_len as usize) else {
        return Outcome::error(TransportError::InvalidArgument);
    };
    if thread.ring.arena_read(sqe.msg_off, message).is_err() {
        return Outcome::error(TransportError::InvalidArgument);
    }
    dispatch::dispatch(object, sqe.method, message, &mut Call::new(thread, sqe))
}
