//! Kernel objects behind capabilities: one file per interface, and the call context they share.
//!
//! `dispatch.rs` is generated from the schema: an interface that the kernel is to host and does not implement does not compile.

mod dispatch;

pub(crate) mod alarm;
pub(crate) mod binding;
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
pub(crate) mod notification;
pub(crate) mod power;
pub(crate) mod process_handle;
pub(crate) mod process_spawner;
pub(crate) mod signaller;
pub(crate) mod system_info;
pub(crate) mod thread_control;
pub(crate) mod timer;
pub(crate) mod virtual_memory;
pub(crate) mod wall_clock;

mod context;

pub(crate) use context::{Call, Outcome, Sent};
pub(crate) use dispatch::{dispatch, interface_id};

use crate::ipc::endpoint::Facet;
use crate::ipc::{deliver, direct};
use crate::ring::submit::Wait;
use crate::task::thread::Thread;
use capos_abi::{MAX_MESSAGE, Sqe, TransportError};
use capos_cap::{Mobility, Table};
use capos_schema::Decode;
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
    Endpoint(endpoint::Endpoint),
    ProcessSpawner(process_spawner::ProcessSpawner),
    ProcessHandle(process_handle::ProcessHandle),
    Timer(timer::Timer),
    Alarm(alarm::Alarm),
    WallClock(wall_clock::WallClock),
    EntropySource(entropy_source::EntropySource),
    SystemInfo(system_info::SystemInfo),
    Power(power::Power),
    IoPort(io_port::IoPort),
    Interrupt(interrupt::Interrupt),
    Notification(notification::Notification),
    Signaller(signaller::Signaller),
    InterruptController(interrupt_controller::InterruptController),
    /// A facet of an endpoint: served by a process.
    Client(Ref<Facet>),
}

impl Object {
    /// How a capability for it leaves its holder's table.
    pub fn mobility(&self) -> Mobility {
        match self {
            // The calls that its holder has received end when it is given up.
            Object::Endpoint(_) => Mobility::CopyOnly,
            _ => Mobility::Free,
        }
    }
}

/// A kernel object's methods. Generated for each interface.
pub(crate) trait Serve {
    /// Carries out the method that `thread` calls with `sqe`, on `message`: the private copy of its parameters.
    fn serve(&self, thread: &Ref<Thread>, sqe: &Sqe, message: &[u8]) -> Outcome;

    /// The same without a message. A function of its own, since most of `serve` is about messages.
    #[inline(never)]
    fn serve_plain(&self, thread: &Ref<Thread>, sqe: &Sqe) -> Outcome {
        self.serve(thread, sqe, &[])
    }
}

/// What the capability that a call names stands for, if it is of the interface that the call names.
#[inline]
fn named<'a>(table: &'a Table<Object>, sqe: &Sqe) -> Result<&'a Object, TransportError> {
    let entry = table.lookup_word(sqe.cap).map_err(|_| TransportError::InvalidCap)?;
    if entry.interface == sqe.interface { Ok(&entry.object) } else { Err(TransportError::WrongInterface) }
}

/// Calls a server that waits and lets it run at once, if nothing stands in the way. With the caller's table locked.
#[inline(always)]
fn forward_directly(thread: &Ref<Thread>, facet: &Ref<Facet>, sqe: &Sqe, wait: Wait) -> bool {
    wait.is_for_one() && sqe.caps_send == 0 && direct::call(thread, facet, sqe)
}

/// Hands a call to the process that serves it.
#[inline(never)]
fn forward(thread: &Ref<Thread>, facet: &Ref<Facet>, sqe: &Sqe) -> Outcome {
    let sent = deliver::call(thread, &facet.endpoint, facet.badge, sqe);
    sent.map_or_else(Outcome::error, |()| Outcome::PENDING)
}

/// Calls a kernel object; `plain` when it is known that there is no message.
#[inline(always)]
fn serve(thread: &Ref<Thread>, object: &impl Serve, sqe: &Sqe, plain: bool) -> Outcome {
    if plain || sqe.msg_len == 0 {
        object.serve_plain(thread, sqe)
    } else {
        serve_message(thread, object, sqe)
    }
}

/// Reads the parameters of a method and carries it out, if there is `room` for its answer.
#[inline]
fn with<'a, P: Decode<'a>>(message: &'a [u8], room: bool, method: impl FnOnce(P) -> Outcome) -> Outcome {
    if !room {
        return Outcome::error(TransportError::ReplyTooLarge);
    }
    match P::decode(message) {
        Ok(params) => method(params),
        Err(_) => Outcome::error(TransportError::BadMessage),
    }
}

/// Messages up to this size are copied to a small buffer, so that an ordinary call need not clear a large one.
const SMALL: usize = 128;

/// Calls a kernel object with a message, which is copied once before anything in it is looked at.
#[inline(never)]
fn serve_message(thread: &Ref<Thread>, object: &dyn Serve, sqe: &Sqe) -> Outcome {
    if sqe.msg_len as usize <= SMALL {
        serve_from(thread, object, sqe, &mut [0; SMALL])
    } else {
        serve_large(thread, object, sqe)
    }
}

#[inline(never)]
fn serve_large(thread: &Ref<Thread>, object: &dyn Serve, sqe: &Sqe) -> Outcome {
    serve_from(thread, object, sqe, &mut [0; MAX_MESSAGE])
}

#[inline]
fn serve_from(thread: &Ref<Thread>, object: &dyn Serve, sqe: &Sqe, buffer: &mut [u8]) -> Outcome {
    let Some(message) = buffer.get_mut(..sqe.msg_len as usize) else {
        return Outcome::error(TransportError::InvalidArgument);
    };
    if thread.ring.arena_read(sqe.msg_off, message).is_err() {
        return Outcome::error(TransportError::InvalidArgument);
    }
    object.serve(thread, sqe, message)
}
