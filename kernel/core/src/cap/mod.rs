//! Kernel objects behind capabilities: one file per interface, and the call context they share.
//!
//! `dispatch.rs` is generated from the schema: an interface that the kernel is to host and does not implement does not compile.

mod dispatch;

pub(crate) mod alarm;
pub(crate) mod binding;
pub(crate) mod boot_package;
pub(crate) mod device;
pub(crate) mod device_manager;
pub(crate) mod device_mmio;
pub(crate) mod device_queue;
pub(crate) mod dma_buffer;
pub(crate) mod dma_pool;
pub(crate) mod endpoint;
pub(crate) mod endpoint_factory;
pub(crate) mod entropy_sink;
pub(crate) mod entropy_source;
pub(crate) mod hardware_audit_log;
pub(crate) mod inspector;
pub(crate) mod interrupt;
pub(crate) mod interrupt_controller;
pub(crate) mod io_port;
pub(crate) mod log_reader;
pub(crate) mod log_sink;
pub(crate) mod memory_object;
pub(crate) mod notification;
pub(crate) mod power;
pub(crate) mod process_debug;
pub(crate) mod process_handle;
pub(crate) mod process_spawner;
pub(crate) mod process_watch;
pub(crate) mod signaller;
pub(crate) mod system_info;
pub(crate) mod thread_control;
pub(crate) mod timer;
pub(crate) mod virtual_memory;
pub(crate) mod wall_clock;

mod context;
pub(crate) mod families;
pub(crate) mod leases;
pub(crate) mod long;

pub(crate) use context::{Call, Outcome, Sent};
pub(crate) use dispatch::{dispatch, interface_id};

use crate::ipc::endpoint::Facet;
use crate::ipc::ops::Buffers;
use crate::ipc::{deliver, direct};
use crate::ring::check;
use crate::ring::submit::Wait;
use crate::task::cpu::Cpu;
use crate::task::thread::Thread;
use capos_abi::{MAX_MESSAGE, TransportError};
use capos_cap::{Mobility, Table};
use capos_ring::{Kind, Queued};
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
    ProcessWatch(process_watch::ProcessWatch),
    ProcessDebug(process_debug::ProcessDebug),
    Timer(timer::Timer),
    Alarm(alarm::Alarm),
    WallClock(wall_clock::WallClock),
    EntropySink(entropy_sink::EntropySink),
    EntropySource(entropy_source::EntropySource),
    SystemInfo(system_info::SystemInfo),
    Power(power::Power),
    Inspector(inspector::Inspector),
    IoPort(io_port::IoPort),
    Interrupt(interrupt::Interrupt),
    Notification(notification::Notification),
    Signaller(signaller::Signaller),
    InterruptController(interrupt_controller::InterruptController),
    DeviceManager(device_manager::DeviceManager),
    Device(device::Device),
    DeviceMmio(device_mmio::DeviceMmio),
    DmaPool(dma_pool::DmaPool),
    DmaBuffer(dma_buffer::DmaBuffer),
    DeviceQueue(device_queue::DeviceQueue),
    HardwareAuditLog(hardware_audit_log::HardwareAuditLog),
    /// A facet of an endpoint: served by a process.
    Client(Ref<Facet>),
}

// A tag and two words: tables are full of them, and every call looks one up.
const _: () = assert!(size_of::<Object>() == 24);

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
    /// Carries out the method that `thread` calls, on `message`: the private copy of its parameters.
    fn serve(&self, thread: &Ref<Thread>, buffers: &Buffers, message: &[u8]) -> Outcome;

    /// The same without a message. A function of its own, since most of `serve` is about messages.
    #[inline(never)]
    fn serve_plain(&self, thread: &Ref<Thread>, buffers: &Buffers) -> Outcome {
        self.serve(thread, buffers, &[])
    }
}

/// What is known of a call that may go the direct way.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    /// It is all there is, and has neither flags nor capabilities; how long its thread is to sleep afterwards.
    Lone(&'static Cpu, Wait),
    /// It is the last of several.
    Last(Last),
    /// It may not.
    Ordinary,
}

/// What is known of a call that is the last of several, which are done, and has no flags: its thread is to sleep until it has `min`
/// completions, which will be with its own.
#[derive(Clone, Copy)]
pub(crate) struct Last {
    pub cpu: &'static Cpu,
    pub min: u64,
}

/// What the capability that a call names stands for, if it is of the interface that the call names.
#[inline]
fn named<'a>(table: &'a Table<Object>, cap: u64, call: &Queued<'_>) -> Result<&'a Object, TransportError> {
    object_at(table, cap, call.interface())
}

/// What a capability stands for, if it is of that interface.
#[inline]
fn object_at(table: &Table<Object>, cap: u64, interface: u64) -> Result<&Object, TransportError> {
    let entry = table.lookup_word(cap).map_err(|_| TransportError::InvalidCap)?;
    if entry.interface == interface { Ok(&entry.object) } else { Err(TransportError::WrongInterface) }
}

/// The server behind a capability, if it is one and of that interface.
#[inline]
pub(crate) fn server_at(table: &Table<Object>, cap: u64, interface: u64) -> Option<&Ref<Facet>> {
    if let Ok(Object::Client(facet)) = object_at(table, cap, interface) { Some(facet) } else { None }
}

/// A call that names nothing it may name. What is wrong with the submission itself comes first (the book's R4 and R5).
#[cold]
#[inline(never)]
fn refuse(thread: &Ref<Thread>, call: &Queued<'_>, kind: Kind, error: TransportError) -> Outcome {
    let good = check::call(&thread.ring, &Buffers::read(call, kind, 0));
    Outcome::error(good.err().unwrap_or(error))
}

/// Calls a server that waits and lets it run at once, if nothing stands in the way. With the caller's table locked.
#[inline(always)]
fn forward_directly(
    thread: &Ref<Thread>,
    facet: &Ref<Facet>,
    cap: u64,
    call: &Queued<'_>,
    kind: Kind,
    way: Way,
) -> bool {
    match way {
        Way::Lone(cpu, wait) => wait.is_for_one() && direct::call(cpu, thread, facet, cap, call, kind),
        Way::Last(..) | Way::Ordinary => false,
    }
}

/// Hands a call to the process that serves it.
#[inline(always)]
fn forward(
    thread: &Ref<Thread>,
    facet: &Ref<Facet>,
    cap: u64,
    call: &Queued<'_>,
    kind: Kind,
    way: Way,
) -> Outcome {
    if let Way::Last(Last { cpu, min }) = way
        && direct::carry_call(cpu, thread, facet, cap, call, kind, min)
    {
        return Outcome::AWAY;
    }
    forward_ordinarily(thread, facet, cap, call, kind)
}

/// The same when it may have to wait there.
#[inline(never)]
fn forward_ordinarily(
    thread: &Ref<Thread>,
    facet: &Ref<Facet>,
    cap: u64,
    call: &Queued<'_>,
    kind: Kind,
) -> Outcome {
    let buffers = &Buffers::read(call, kind, cap);
    let sent = check::call(&thread.ring, buffers)
        .and_then(|()| deliver::call(thread, &facet.endpoint, facet.badge, buffers));
    sent.map_or_else(Outcome::error, |()| Outcome::PENDING)
}

/// Calls a kernel object: the shortest way of all where nothing is carried there.
#[inline(always)]
fn serve(
    thread: &Ref<Thread>,
    object: &impl Serve,
    cap: u64,
    call: &Queued<'_>,
    kind: Kind,
    way: Way,
) -> Outcome {
    if let Way::Lone(..) = way {
        let buffers = Buffers::read(call, kind, cap);
        if check::plain_call(&thread.ring, &buffers) {
            return object.serve_plain(thread, &buffers);
        }
    }
    serve_any(thread, object, cap, call, kind)
}

/// Calls a kernel object with whatever the call carries. What was read of it before is read anew, and judged anew.
#[inline(never)]
fn serve_any(thread: &Ref<Thread>, object: &dyn Serve, cap: u64, call: &Queued<'_>, kind: Kind) -> Outcome {
    let buffers = &Buffers::read(call, kind, cap);
    if let Err(error) = check::call(&thread.ring, buffers) {
        return Outcome::error(error);
    }
    match buffers.message.len() as usize {
        0 => object.serve(thread, buffers, &[]),
        len if len <= TINY => serve_from(thread, object, buffers, &mut [0; TINY]),
        len if len <= SMALL => serve_from(thread, object, buffers, &mut [0; SMALL]),
        _ => serve_large(thread, object, buffers),
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

/// Messages up to this size are the parameters of most methods.
const TINY: usize = 32;
/// Messages up to this size are copied to a small buffer, so that an ordinary call need not clear a large one.
const SMALL: usize = 128;

#[inline(never)]
fn serve_large(thread: &Ref<Thread>, object: &dyn Serve, buffers: &Buffers) -> Outcome {
    serve_from(thread, object, buffers, &mut [0; MAX_MESSAGE])
}

/// The message is copied once before anything in it is looked at.
#[inline]
fn serve_from(thread: &Ref<Thread>, object: &dyn Serve, buffers: &Buffers, buffer: &mut [u8]) -> Outcome {
    let Some(message) = buffer.get_mut(..buffers.message.len() as usize) else {
        return Outcome::error(TransportError::InvalidArgument);
    };
    if thread.ring.arena_read(buffers.message.off(), message).is_err() {
        return Outcome::error(TransportError::InvalidArgument);
    }
    object.serve(thread, buffers, message)
}
