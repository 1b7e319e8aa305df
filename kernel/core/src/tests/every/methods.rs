//! Every method.

use super::super::devices;
use super::super::{CAPS, MSG, TINY_ELF, User, World, call_sqe, tiny_elf};
use super::{Case, Scene, endure_all};
use crate::cap::boot_package::BootPackage;
use crate::cap::device_manager::DeviceManager;
use crate::cap::entropy_sink::EntropySink;
use crate::cap::entropy_source::EntropySource;
use crate::cap::hardware_audit_log::HardwareAuditLog;
use crate::cap::inspector::Inspector;
use crate::cap::interrupt::Interrupt;
use crate::cap::interrupt_controller::InterruptController;
use crate::cap::io_port::IoPort;
use crate::cap::log_reader::LogReader;
use crate::cap::log_sink::LogSink;
use crate::cap::memory_object::MemoryObject;
use crate::cap::process_handle::ProcessHandle;
use crate::cap::process_spawner::ProcessSpawner;
use crate::cap::process_watch::ProcessWatch;
use crate::cap::system_info::SystemInfo;
use crate::cap::timer::Timer;
use crate::cap::wall_clock::WallClock;
use crate::cap::{Object, interface_id};
use crate::task::thread::Run;
use capos_abi::{CapId, Sqe, layout};
use capos_pci::model::Device;
use capos_schema::log_sink::LogLevel;
use capos_schema::virtual_memory::Protection;
use capos_schema::{
    Empty, Encode, alarm, boot_package, device, device_manager, device_mmio, device_queue, dma_buffer,
    dma_pool, endpoint, endpoint_factory, entropy_sink, entropy_source, hardware_audit_log, inspector,
    interrupt_controller, io_port, log_reader, log_sink, memory_object, notification, process_debug,
    process_handle, process_spawner, process_watch, system_info, thread_control, timer, virtual_memory as vm,
};
use kernel_hal::mem::Frames;
use std::string::String;
use std::vec::Vec;

/// The dispatcher, where every method is named once.
const DISPATCHER: &str = include_str!("../../cap/dispatch.rs");

/// Methods that do not come back: there is nothing to see afterwards.
const NEVER_BACK: [&str; 2] = ["power::REBOOT", "power::HALT"];

/// More than one step has.
const LONG_PAGES: usize = 600;
const LONG: u64 = LONG_PAGES as u64 * 4096;

/// `interface::METHOD` of every method.
fn methods() -> Vec<String> {
    let start = DISPATCHER.find("impl Serve for").expect("the dispatcher serves");
    let arms = DISPATCHER[start..].lines().filter_map(|line| line.trim().split_once(" => "));
    let names = arms.map(|(name, _)| name).filter(|name| {
        name.split_once("::").is_some_and(|(_, method)| {
            method.chars().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == '_')
        })
    });
    names.map(String::from).collect()
}

#[test]
fn every_method_has_a_case() {
    let methods = methods();
    assert!(methods.len() > 50, "the list is read wrongly: {methods:?}");
    let known: Vec<&str> = CASES.iter().map(|case| case.name).chain(NEVER_BACK).collect();
    for method in &methods {
        assert!(known.contains(&method.as_str()), "{method} has no case under shortage: add one to CASES");
    }
    for name in known {
        assert!(methods.iter().any(|method| method == name), "{name} is no method");
    }
}

#[test]
fn every_method_endures_every_shortage() {
    let failures: u64 = CASES.iter().map(endure_all).sum();
    assert!(failures > 100, "{failures} failures in all: the shortages are not met");
}

/// A user that calls `method` of `object` with `params`.
fn on(world: &World, object: Object, method: u16, params: &impl Encode) -> Scene {
    let user = world.start("user");
    with(user, object, method, params, &[])
}

/// A user that calls with one of its own capabilities.
fn own(world: &World, target: CapId, method: u16, params: &impl Encode) -> Scene {
    let user = world.start("user");
    calls(user, target, method, params, &[])
}

fn with(user: User, object: Object, method: u16, params: &impl Encode, send: &[CapId]) -> Scene {
    let target = user.hold(object);
    calls(user, target, method, params, send)
}

fn calls(user: User, target: CapId, method: u16, params: &impl Encode, send: &[CapId]) -> Scene {
    let mut message = [0; 512];
    let len = params.encode(&mut message).expect("it fits");
    user.put(MSG, &message[..len]);
    for (n, id) in (0..).zip(send) {
        user.set_word(CAPS + 8 * n, id.raw());
    }
    let interface = interface_id(&user.object(target));
    let room = u8::from(send.is_empty()) | 1;
    let call = call_sqe(target, interface, method, len as u32);
    Scene::new(user, Sqe { caps_send: send.len() as u8, caps_recv: room, ..call })
}

/// A user that has the device for teaching, a pool and a queue of it.
fn driver(world: &World) -> devices::Driver {
    devices::plug();
    devices::Driver::new(world)
}

fn on_device(world: &World, method: u16, params: &impl Encode) -> Scene {
    let devices::Driver { user, device } = driver(world);
    calls(user, device, method, params, &[])
}

fn on_window(world: &World, method: u16, params: &impl Encode) -> Scene {
    let driver = driver(world);
    let window = driver.window();
    calls(driver.user, window, method, params, &[])
}

fn on_pool(world: &World, method: u16, params: &impl Encode) -> Scene {
    let driver = driver(world);
    let pool = driver.pool();
    calls(driver.user, pool, method, params, &[])
}

fn on_buffer(world: &World, method: u16) -> Scene {
    let driver = driver(world);
    let pool = driver.pool();
    let (buffer, _) = driver.buffer(pool, 1);
    calls(driver.user, buffer, method, &Empty, &[])
}

fn on_queue(world: &World, method: u16) -> Scene {
    let driver = driver(world);
    let pool = driver.pool();
    let (_, token) = driver.buffer(pool, 1);
    let queue = driver.queue();
    devices::describe(&driver, queue, [token, 0x4_0000, 64, 1]);
    calls(driver.user, queue, method, &Empty, &[])
}

fn on_manager(world: &World, method: u16, params: &impl Encode) -> Scene {
    devices::plug();
    on(world, Object::DeviceManager(DeviceManager), method, params)
}

/// What `method` of the user's own capability answers with.
fn made(user: &User, target: CapId, method: u16, params: &impl Encode) -> CapId {
    let interface = interface_id(&user.object(target));
    user.call_for_cap(target, interface, method, params).expect("there is enough")
}

fn object(user: &User) -> CapId {
    made(user, CapId::SELF_MEMORY, vm::CREATE_OBJECT, &vm::CreateObjectParams { size: 8192 })
}

fn on_object(world: &World, method: u16, params: &impl Encode) -> Scene {
    let user = world.start("user");
    let object = object(&user);
    calls(user, object, method, params, &[])
}

fn on_event(world: &World, method: u16, params: &impl Encode) -> Scene {
    let user = world.start("user");
    let event = made(&user, CapId::SELF_ENDPOINTS, endpoint_factory::CREATE_NOTIFICATION, &Empty);
    calls(user, event, method, params, &[])
}

/// A user that calls a part of the ports.
fn on_ports(world: &World, method: u16, params: &impl Encode) -> Scene {
    let user = world.start("user");
    let all = user.hold(Object::IoPort(IoPort::all()));
    let part = made(&user, all, io_port::SUBRANGE, &io_port::SubrangeParams { base: 0x2f8, length: 8 });
    calls(user, part, method, params, &[])
}

fn on_line(world: &World, method: u16) -> Scene {
    on(world, line(), method, &Empty)
}

/// A user that calls the handle of a process that was not started.
fn on_handle(world: &World, method: u16, params: &impl Encode, send: bool) -> Scene {
    let user = world.start("user");
    let child = world.process("child");
    let sent: Vec<CapId> = send.then(|| user.hold(Object::Timer(Timer))).into_iter().collect();
    let handle = ProcessHandle::new(child.clone()).unwrap_or_else(|_| panic!("memory"));
    let mut scene = with(user, Object::ProcessHandle(handle), method, params, &sent);
    scene._keeps.push(child);
    scene
}

/// The same for one that is only watched.
fn on_watch(world: &World, method: u16) -> Scene {
    let (user, child) = (world.start("user"), world.process("child"));
    let mut scene = with(user, Object::ProcessWatch(ProcessWatch::new(child.clone())), method, &Empty, &[]);
    scene._keeps.push(child);
    scene
}

/// The same for one that died of a fault.
fn on_crashed(world: &World, method: u16) -> Scene {
    let (user, child) = (world.start("user"), world.start("child"));
    child.run();
    let handle = ProcessHandle::new(child.process().clone()).unwrap_or_else(|_| panic!("memory"));
    (crate::trap::HANDLERS.fault)(kernel_hal::Fault { vector: 6, error_code: 0, address: 0 });
    with(user, Object::ProcessHandle(handle), method, &Empty, &[])
}

/// A user that asks for one of the listings of all.
fn on_all(world: &World, listing: inspector::Listing) -> Scene {
    let params = inspector::ListParams { listing, ..inspector::ListParams::default() };
    on(world, Object::Inspector(Inspector), inspector::LIST, &params)
}

/// A user that debugs a child, whose thread is stopped; the parameters may name that.
fn on_debugged<P: Encode>(world: &World, method: u16, params: impl Fn(u64) -> P) -> Scene {
    let (user, child) = (world.start("user"), world.start("child"));
    let handle = ProcessHandle::new(child.process().clone()).unwrap_or_else(|_| panic!("memory"));
    let handle = user.hold(Object::ProcessHandle(handle));
    let debug = made(&user, handle, process_handle::DEBUG, &Empty);
    let all = process_debug::StopParams { thread: 0 };
    let stopped = user.call::<Empty>(debug, process_debug::INTERFACE_ID, process_debug::STOP, &all);
    assert!(stopped.is_ok() && child.thread.state.lock().run == Run::Stopped);
    let mut scene = calls(user, debug, method, &params(child.thread.id), &[]);
    scene.others.push(child);
    scene
}

fn breakpoint(_: u64) -> process_debug::SetBreakpointParams {
    process_debug::SetBreakpointParams {
        length: 1,
        hits: 1,
        address: layout::IMAGE_BASE,
        ..Default::default()
    }
}

fn on_system(world: &World, method: u16, params: &impl Encode) -> Scene {
    on(world, Object::SystemInfo(SystemInfo), method, params)
}

/// A user with four pages set aside, of which the first is backed.
fn on_space(world: &World, method: u16, params: impl Fn(u64) -> ([u8; 64], usize)) -> Scene {
    let user = world.start("user");
    let space = &user.process().space;
    let address = space.reserve(4).expect("room");
    space.commit(address, 1, kernel_hal::Protection::ReadWrite).expect("memory");
    let (message, len) = params(address);
    let mut scene = calls(user, CapId::SELF_MEMORY, method, &Empty, &[]);
    scene.user.put(MSG, &message[..len]);
    scene.sqe.msg_len = len as u32;
    scene
}

fn encoded(params: &impl Encode) -> ([u8; 64], usize) {
    let mut message = [0; 64];
    let len = params.encode(&mut message).expect("it fits");
    (message, len)
}

fn map(world: &World) -> Scene {
    let user = world.start("user");
    let object = object(&user);
    let params = vm::MapParams { offset: 0, size: 8192, protection: Protection::ReadWrite };
    calls(user, CapId::SELF_MEMORY, vm::MAP, &params, &[object])
}

fn spawn(world: &World) -> Scene {
    let user = world.start("user");
    let elf = Frames::module(&tiny_elf());
    let binary = user.hold(Object::MemoryObject(MemoryObject::read_only_of(elf)));
    let params = process_spawner::CreateParams {
        size: TINY_ELF as u64,
        memory_pages: 100,
        cap_slots: 8,
        threads: 1,
        calls_in_flight: 64,
        endpoint_entries: 1,
        log_bytes: 1,
        dma_pages: 0,
        vectors: 0,
        priority: 1,
        cpu_percent: 0,
        name: "child",
    };
    with(user, Object::ProcessSpawner(ProcessSpawner), process_spawner::CREATE, &params, &[binary])
}

fn thread(world: &World) -> Scene {
    let params = thread_control::CreateParams {
        entry: 0x40_0000,
        stack: 0x50_0000,
        argument: 0,
        fs_base: 0,
        sq_entries: 8,
        cq_entries: 16,
        arena_pages: 1,
        priority: 1,
    };
    own(world, CapId::SELF_THREADS, thread_control::CREATE, &params)
}

fn join(world: &World) -> Scene {
    let scene = thread(world);
    let other = scene.user.one(scene.sqe);
    assert!(other.result > 0, "{other:?}");
    let params = thread_control::JoinParams { thread: scene.user.process().threads.lock().newest };
    calls(scene.user, CapId::SELF_THREADS, thread_control::JOIN, &params, &[])
}

fn signal(world: &World) -> Scene {
    let user = world.start("user");
    let signaller = signaller(&user);
    calls(user, signaller, capos_schema::signaller::SIGNAL, &Empty, &[])
}

/// A signaller of a notification of the user's own.
fn signaller(user: &User) -> CapId {
    let event = made(user, CapId::SELF_ENDPOINTS, endpoint_factory::CREATE_NOTIFICATION, &Empty);
    made(user, event, notification::MINT, &notification::MintParams { bits: 1, lost: 0 })
}

/// A user that calls `method` of `object` and sends a signaller.
fn with_signaller(world: &World, object: Object, method: u16) -> Scene {
    let user = world.start("user");
    let signaller = signaller(&user);
    with(user, object, method, &Empty, &[signaller])
}

fn line() -> Object {
    Object::Interrupt(Interrupt::isa(4).unwrap_or_else(|_| panic!("a free line")))
}

/// A user that calls an alarm of its own.
fn on_alarm(world: &World, method: u16, params: &impl Encode) -> Scene {
    let scene = with_signaller(world, Object::Timer(Timer), timer::ALARM);
    let made = scene.user.one(scene.sqe);
    assert_eq!(made.caps, 1, "{made:?}");
    let alarm = CapId::from_raw(scene.user.word(CAPS));
    calls(scene.user, alarm, method, params, &[])
}

/// A user that calls the handle of a process that was not started, with a signaller.
fn on_exit(world: &World) -> Scene {
    let user = world.start("user");
    let child = world.process("child");
    let handle = ProcessHandle::new(child.clone()).unwrap_or_else(|_| panic!("memory"));
    let signaller = signaller(&user);
    let object = Object::ProcessHandle(handle);
    let mut scene = with(user, object, process_handle::SIGNAL_ON_EXIT, &Empty, &[signaller]);
    scene._keeps.push(child);
    scene
}

fn mint(world: &World) -> Scene {
    let user = world.start("user");
    let create = endpoint_factory::CreateParams { depth: 8 };
    let right = made(&user, CapId::SELF_ENDPOINTS, endpoint_factory::CREATE, &create);
    calls(user, right, endpoint::MINT, &endpoint::MintParams { badge: 1, interface: 7 }, &[])
}

const fn case(name: &'static str, scene: fn(&World) -> Scene) -> Case {
    Case { name, scene }
}

static CASES: &[Case] = &[
    case("boot_package::COUNT", |world| {
        on(world, Object::BootPackage(BootPackage), boot_package::COUNT, &Empty)
    }),
    case("boot_package::INFO", |world| {
        let params = boot_package::InfoParams { index: 0 };
        on(world, Object::BootPackage(BootPackage), boot_package::INFO, &params)
    }),
    case("boot_package::OPEN", |world| {
        let name = kernel_hal::boot::info().modules.first().map_or("", |file| file.name);
        let params = boot_package::OpenParams { name };
        on(world, Object::BootPackage(BootPackage), boot_package::OPEN, &params)
    }),
    case("endpoint::MINT", mint),
    case("endpoint_factory::CREATE", |world| {
        let params = endpoint_factory::CreateParams { depth: 8 };
        own(world, CapId::SELF_ENDPOINTS, endpoint_factory::CREATE, &params)
    }),
    case("endpoint_factory::CREATE_NOTIFICATION", |world| {
        own(world, CapId::SELF_ENDPOINTS, endpoint_factory::CREATE_NOTIFICATION, &Empty)
    }),
    case("entropy_sink::FEED", |world| {
        let params = entropy_sink::FeedParams { data: &[1; capos_entropy::FEED] };
        on(world, Object::EntropySink(EntropySink), entropy_sink::FEED, &params)
    }),
    case("entropy_source::FED", |world| {
        on(world, Object::EntropySource(EntropySource), entropy_source::FED, &Empty)
    }),
    case("entropy_source::FILL", |world| {
        let params = entropy_source::FillParams { length: 64 };
        on(world, Object::EntropySource(EntropySource), entropy_source::FILL, &params)
    }),
    case("inspector::LIST", |world| on_all(world, inspector::Listing::Processors)),
    case("inspector::LIST", |world| on_all(world, inspector::Listing::Processes)),
    case("inspector::LIST", |world| on_all(world, inspector::Listing::Threads)),
    case("inspector::LIST", |world| on_all(world, inspector::Listing::Capabilities)),
    case("interrupt::WAIT", |world| on_line(world, capos_schema::interrupt::WAIT)),
    case("interrupt::MASK", |world| on_line(world, capos_schema::interrupt::MASK)),
    case("interrupt::BIND", |world| with_signaller(world, line(), capos_schema::interrupt::BIND)),
    case("interrupt::UNBIND", |world| on_line(world, capos_schema::interrupt::UNBIND)),
    case("interrupt::ACKNOWLEDGE", |world| on_line(world, capos_schema::interrupt::ACKNOWLEDGE)),
    case("interrupt_controller::ISA", |world| {
        let params = interrupt_controller::IsaParams { line: 3 };
        on(world, Object::InterruptController(InterruptController), interrupt_controller::ISA, &params)
    }),
    case("io_port::READ8", |world| on_ports(world, io_port::READ8, &io_port::Read8Params { offset: 0 })),
    case("io_port::WRITE8", |world| {
        on_ports(world, io_port::WRITE8, &io_port::Write8Params { offset: 0, value: 1 })
    }),
    case("io_port::READ16", |world| on_ports(world, io_port::READ16, &io_port::Read16Params { offset: 0 })),
    case("io_port::WRITE16", |world| {
        on_ports(world, io_port::WRITE16, &io_port::Write16Params { offset: 0, value: 1 })
    }),
    case("io_port::READ32", |world| on_ports(world, io_port::READ32, &io_port::Read32Params { offset: 0 })),
    case("io_port::WRITE32", |world| {
        on_ports(world, io_port::WRITE32, &io_port::Write32Params { offset: 0, value: 1 })
    }),
    case("io_port::WRITE_BYTES", |world| {
        on_ports(world, io_port::WRITE_BYTES, &io_port::WriteBytesParams { offset: 0, data: b"ab" })
    }),
    case("io_port::READ_BYTES", |world| {
        on_ports(world, io_port::READ_BYTES, &io_port::ReadBytesParams { offset: 0, length: 4 })
    }),
    case("io_port::INFO", |world| on_ports(world, io_port::INFO, &Empty)),
    case("io_port::SUBRANGE", |world| {
        let params = io_port::SubrangeParams { base: 0x2f8, length: 8 };
        on(world, Object::IoPort(IoPort::all()), io_port::SUBRANGE, &params)
    }),
    case("log_reader::READ", |world| {
        on(world, Object::LogReader(LogReader), log_reader::READ, &log_reader::ReadParams { cursor: 0 })
    }),
    case("log_sink::WRITE", |world| {
        let params = log_sink::WriteParams { level: LogLevel::Info, text: "x" };
        on(world, Object::LogSink(LogSink), log_sink::WRITE, &params)
    }),
    case("memory_object::INFO", |world| on_object(world, memory_object::INFO, &Empty)),
    case("memory_object::READ", |world| {
        on_object(world, memory_object::READ, &memory_object::ReadParams { offset: 0, length: 16 })
    }),
    case("memory_object::WRITE", |world| {
        on_object(world, memory_object::WRITE, &memory_object::WriteParams { offset: 0, data: b"x" })
    }),
    case("memory_object::READ_ONLY", |world| on_object(world, memory_object::READ_ONLY, &Empty)),
    case("memory_object::PART", |world| {
        on_object(world, memory_object::PART, &memory_object::PartParams { offset: 0, size: 4096 })
    }),
    case("notification::WAIT", |world| on_event(world, notification::WAIT, &Empty)),
    case("notification::POLL", |world| on_event(world, notification::POLL, &Empty)),
    case("notification::MINT", |world| {
        on_event(world, notification::MINT, &notification::MintParams { bits: 1, lost: 0 })
    }),
    case("process_debug::THREAD", |world| {
        on_debugged(world, process_debug::THREAD, |cursor| process_debug::ThreadParams { cursor })
    }),
    case("process_debug::STOP", |world| {
        on_debugged(world, process_debug::STOP, |thread| process_debug::StopParams { thread })
    }),
    case("process_debug::RESUME", |world| {
        on_debugged(world, process_debug::RESUME, |thread| process_debug::ResumeParams {
            thread,
            ..Default::default()
        })
    }),
    case("process_debug::WAIT", |world| on_debugged(world, process_debug::WAIT, |_| Empty)),
    case("process_debug::RESUME_AND_WAIT", |world| {
        on_debugged(world, process_debug::RESUME_AND_WAIT, |thread| process_debug::ResumeAndWaitParams {
            thread,
            ..Default::default()
        })
    }),
    case("process_debug::REGISTERS", |world| {
        on_debugged(world, process_debug::REGISTERS, |thread| process_debug::RegistersParams { thread })
    }),
    case("process_debug::SET_REGISTERS", |world| {
        on_debugged(world, process_debug::SET_REGISTERS, |thread| process_debug::SetRegistersParams {
            thread,
            rip: layout::IMAGE_BASE,
            ..Default::default()
        })
    }),
    case("process_debug::READ", |world| {
        on_debugged(world, process_debug::READ, |_| process_debug::ReadParams {
            address: layout::IMAGE_BASE,
            length: 16,
        })
    }),
    case("process_debug::WRITE", |world| {
        on_debugged(world, process_debug::WRITE, |_| process_debug::WriteParams {
            address: layout::IMAGE_BASE,
            data: b"x",
        })
    }),
    case("process_debug::SET_BREAKPOINT", |world| {
        on_debugged(world, process_debug::SET_BREAKPOINT, breakpoint)
    }),
    case("process_debug::CLEAR_BREAKPOINT", |world| {
        let mut scene = on_debugged(world, process_debug::SET_BREAKPOINT, breakpoint);
        assert_eq!(scene.user.one(scene.sqe).result, 0);
        let params = process_debug::ClearBreakpointParams { slot: 0 };
        let (message, len) = encoded(&params);
        scene.user.put(MSG, &message[..len]);
        scene.sqe = Sqe { method: process_debug::CLEAR_BREAKPOINT, msg_len: len as u32, ..scene.sqe };
        scene
    }),
    case("process_debug::INJECT", |world| {
        on_debugged(world, process_debug::INJECT, |thread| process_debug::InjectParams { thread, vector: 6 })
    }),
    case("process_debug::SET_TRACE", |world| {
        on_debugged(world, process_debug::SET_TRACE, |_| process_debug::SetTraceParams { on: true })
    }),
    case("process_handle::TRACE", |world| {
        on_handle(world, process_handle::TRACE, &process_handle::TraceParams { cursor: 0 }, false)
    }),
    case("process_handle::DEBUG", |world| on_handle(world, process_handle::DEBUG, &Empty, false)),
    case("process_handle::GRANT", |world| {
        on_handle(world, process_handle::GRANT, &process_handle::GrantParams, true)
    }),
    case("process_handle::START", |world| {
        on_handle(world, process_handle::START, &process_handle::StartParams { startup: b"x" }, false)
    }),
    case("process_handle::WAIT", |world| on_handle(world, process_handle::WAIT, &Empty, false)),
    case("process_handle::KILL", |world| on_handle(world, process_handle::KILL, &Empty, false)),
    case("process_handle::INFO", |world| on_handle(world, process_handle::INFO, &Empty, false)),
    case("process_handle::CRASH", |world| on_crashed(world, process_handle::CRASH)),
    case("process_handle::SIGNAL_ON_EXIT", on_exit),
    case("process_handle::UNBIND", |world| on_handle(world, process_handle::UNBIND, &Empty, false)),
    case("process_handle::WATCH", |world| on_handle(world, process_handle::WATCH, &Empty, false)),
    case("process_watch::WAIT", |world| on_watch(world, process_watch::WAIT)),
    case("process_watch::INFO", |world| on_watch(world, process_watch::INFO)),
    case("device_manager::LIST", |world| {
        on_manager(world, device_manager::LIST, &device_manager::ListParams { cursor: devices::AT })
    }),
    case("device_manager::CLAIM", |world| {
        let params = device_manager::ClaimParams { address: devices::AT, policy: "edu", owner: 1 };
        on_manager(world, device_manager::CLAIM, &params)
    }),
    case("device_manager::AUDIT", |world| {
        let driver = driver(world);
        let manager = driver.user.hold(Object::DeviceManager(DeviceManager));
        let params = device_manager::AuditParams { cursor: devices::AT };
        calls(driver.user, manager, device_manager::AUDIT, &params, &[])
    }),
    case("hardware_audit_log::READ", |world| {
        let driver = driver(world);
        let log = driver.user.hold(Object::HardwareAuditLog(HardwareAuditLog));
        let params = hardware_audit_log::ReadParams { cursor: 0 };
        calls(driver.user, log, hardware_audit_log::READ, &params, &[])
    }),
    case("hardware_audit_log::END", |world| {
        on(world, Object::HardwareAuditLog(HardwareAuditLog), hardware_audit_log::END, &Empty)
    }),
    case("device_manager::SETTLE", |world| {
        let driver = driver(world);
        let manager = driver.user.hold(Object::DeviceManager(DeviceManager));
        let params = device_manager::SettleParams { address: devices::AT };
        calls(driver.user, manager, device_manager::SETTLE, &params, &[])
    }),
    case("device_manager::DEMAND_IOMMU", |world| on_manager(world, device_manager::DEMAND_IOMMU, &Empty)),
    case("device_manager::ATTEND", |world| {
        devices::empty_slot();
        let params = device_manager::AttendParams { cursor: 0 };
        on(world, Object::DeviceManager(DeviceManager), device_manager::ATTEND, &params)
    }),
    case("device::INFO", |world| on_device(world, device::INFO, &Empty)),
    case("device::CONFIG", |world| {
        on_device(world, device::CONFIG, &device::ConfigParams { offset: 0, width: 4 })
    }),
    case("device::WINDOW", |world| on_device(world, device::WINDOW, &device::WindowParams { bar: 0 })),
    case("device::INTERRUPT", |world| {
        on_device(world, device::INTERRUPT, &device::InterruptParams { index: 1 })
    }),
    case("device::POOL", |world| {
        on_device(world, device::POOL, &device::PoolParams { address_bits: 64, buffer_bits: 16 })
    }),
    case("device::QUEUE", |world| {
        let driver = driver(world);
        driver.pool();
        let params = device::QueueParams { index: 0, entries: 1 };
        calls(driver.user, driver.device, device::QUEUE, &params, &[])
    }),
    case("device::PORTS", |world| {
        let (driver, ..) = devices::legacy_driver(world);
        calls(driver.user, driver.device, device::PORTS, &device::PortsParams { bar: 0 }, &[])
    }),
    case("device::PROVE", |world| on_device(world, device::PROVE, &Empty)),
    case("device::DISTRUST", |world| on_device(world, device::DISTRUST, &Empty)),
    case("dma_pool::PROOF", |world| {
        kernel_hal::fake::iommu::install();
        on_pool(world, dma_pool::PROOF, &Empty)
    }),
    case("device::START", |world| on_device(world, device::START, &Empty)),
    case("device::RESET", |world| on_device(world, device::RESET, &Empty)),
    case("device_mmio::INFO", |world| on_window(world, device_mmio::INFO, &Empty)),
    case("device_mmio::READ", |world| {
        on_window(world, device_mmio::READ, &device_mmio::ReadParams { offset: 0, width: 4 })
    }),
    case("device_mmio::WRITE", |world| {
        on_window(world, device_mmio::WRITE, &device_mmio::WriteParams { offset: 8, width: 4, value: 5 })
    }),
    case("device_mmio::BATCH", |world| {
        let accesses = [4, 0, 0, 0, 4, 1, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0];
        on_window(world, device_mmio::BATCH, &device_mmio::BatchParams { accesses: &accesses })
    }),
    case("device_mmio::MAP", |world| {
        devices::plug();
        let user = world.start("user");
        let device = devices::claim(&user, "plain").expect("free");
        let driver = devices::Driver { user, device };
        let window = driver.window();
        let params = device_mmio::MapParams { offset: 0, size: 8192, writable: true };
        calls(driver.user, window, device_mmio::MAP, &params, &[])
    }),
    case("dma_pool::ALLOCATE", |world| {
        on_pool(world, dma_pool::ALLOCATE, &dma_pool::AllocateParams { pages: 3 })
    }),
    case("dma_pool::ATTACH", |world| {
        let driver = driver(world);
        let pool = driver.pool();
        let params = vm::CreateDmaObjectParams { size: 8192, address_bits: 64 };
        let memory = made(&driver.user, CapId::SELF_MEMORY, vm::CREATE_DMA_OBJECT, &params);
        calls(driver.user, pool, dma_pool::ATTACH, &Empty, &[memory])
    }),
    case("dma_pool::USAGE", |world| on_pool(world, dma_pool::USAGE, &Empty)),
    case("dma_buffer::INFO", |world| on_buffer(world, dma_buffer::INFO)),
    case("dma_buffer::MEMORY", |world| on_buffer(world, dma_buffer::MEMORY)),
    case("device_queue::INFO", |world| on_queue(world, device_queue::INFO)),
    case("device_queue::SUBMISSION", |world| on_queue(world, device_queue::SUBMISSION)),
    case("device_queue::COMPLETION", |world| {
        let (driver, _, queue) = devices::legacy_driver(world);
        calls(driver.user, queue, device_queue::COMPLETION, &Empty, &[])
    }),
    case("device_queue::PUBLISH", |world| on_queue(world, device_queue::PUBLISH)),
    case("process_spawner::CREATE", spawn),
    case("signaller::SIGNAL", signal),
    case("system_info::SYSTEM", |world| on_system(world, system_info::SYSTEM, &Empty)),
    case("system_info::CPU", |world| {
        on_system(world, system_info::CPU, &system_info::CpuParams { index: 0 })
    }),
    case("system_info::FEATURES", |world| on_system(world, system_info::FEATURES, &Empty)),
    case("system_info::PROCESS", |world| {
        on_system(world, system_info::PROCESS, &system_info::ProcessParams { cursor: 0 })
    }),
    case("system_info::MEMORY_RANGE", |world| {
        on_system(world, system_info::MEMORY_RANGE, &system_info::MemoryRangeParams { index: 0 })
    }),
    case("system_info::ACPI_TABLE", |world| {
        on_system(world, system_info::ACPI_TABLE, &system_info::AcpiTableParams { index: 0 })
    }),
    case("system_info::PCI_FUNCTION", |world| {
        on_system(world, system_info::PCI_FUNCTION, &system_info::PciFunctionParams { cursor: 0 })
    }),
    case("system_info::ACPI_FACT", |world| {
        on_system(world, system_info::ACPI_FACT, &system_info::AcpiFactParams { table: 0, index: 1 })
    }),
    case("system_info::PCI_BAR", |world| {
        kernel_hal::fake::pci::plug(8, Device::new(1, 2, 0xff_0000).bar(0, 0xfe00_0000, 0x1000, 0));
        on_system(world, system_info::PCI_BAR, &system_info::PciBarParams { function: 8, cursor: 0 })
    }),
    case("system_info::PCI_CAPABILITY", |world| {
        kernel_hal::fake::pci::plug(8, Device::new(1, 2, 0xff_0000).capability(1, &[0; 6]));
        let params = system_info::PciCapabilityParams { function: 8, index: 0 };
        on_system(world, system_info::PCI_CAPABILITY, &params)
    }),
    case("system_info::IOMMU", |world| {
        kernel_hal::fake::iommu::install();
        on_system(world, system_info::IOMMU, &system_info::IommuParams { index: 0 })
    }),
    case("system_info::IRQ", |world| {
        let scene = on_system(world, system_info::IRQ, &system_info::IrqParams { index: 0 });
        let line = Interrupt::isa(4).unwrap_or_else(|_| panic!("a free line"));
        scene.user.hold(Object::Interrupt(line));
        scene
    }),
    case("system_info::DERIVATION", |world| on_system(world, system_info::DERIVATION, &Empty)),
    case("system_info::AUDIT", |world| on_system(world, system_info::AUDIT, &Empty)),
    case("system_info::AUDIT_PROCESS", |world| {
        on_system(world, system_info::AUDIT_PROCESS, &system_info::AuditProcessParams { cursor: 0 })
    }),
    case("system_info::AUDIT_DEVICE", |world| {
        let driver = driver(world);
        let system = driver.user.hold(Object::SystemInfo(SystemInfo));
        let params = system_info::AuditDeviceParams { cursor: devices::AT };
        calls(driver.user, system, system_info::AUDIT_DEVICE, &params, &[])
    }),
    case("system_info::CAPABILITY", |world| {
        let params = system_info::CapabilityParams { process: 0, slot: 0 };
        let mut scene = on_system(world, system_info::CAPABILITY, &params);
        let params = system_info::CapabilityParams { process: scene.user.process().id, slot: 0 };
        let (message, len) = encoded(&params);
        scene.user.put(MSG, &message[..len]);
        scene.sqe.msg_len = len as u32;
        scene
    }),
    case("system_info::TIMERS", |world| on_system(world, system_info::TIMERS, &Empty)),
    case("system_info::BOOT", |world| on_system(world, system_info::BOOT, &Empty)),
    case("thread_control::CREATE", thread),
    case("thread_control::SET_FS_BASE", |world| {
        let params = thread_control::SetFsBaseParams { base: 0x5000 };
        own(world, CapId::SELF_THREADS, thread_control::SET_FS_BASE, &params)
    }),
    case("thread_control::EXIT", |world| own(world, CapId::SELF_THREADS, thread_control::EXIT, &Empty)),
    case("thread_control::JOIN", join),
    case("thread_control::YIELD", |world| own(world, CapId::SELF_THREADS, thread_control::YIELD, &Empty)),
    case("alarm::SET", |world| on_alarm(world, alarm::SET, &alarm::SetParams { ns: 1 << 40 })),
    case("alarm::CANCEL", |world| on_alarm(world, alarm::CANCEL, &Empty)),
    case("timer::ALARM", |world| with_signaller(world, Object::Timer(Timer), timer::ALARM)),
    case("timer::NOW", |world| on(world, Object::Timer(Timer), timer::NOW, &Empty)),
    case("timer::SLEEP_UNTIL", |world| {
        on(world, Object::Timer(Timer), timer::SLEEP_UNTIL, &timer::SleepUntilParams { ns: 1 << 40 })
    }),
    case("virtual_memory::RESERVE", |world| {
        own(world, CapId::SELF_MEMORY, vm::RESERVE, &vm::ReserveParams { size: 8192 })
    }),
    case("virtual_memory::CREATE_DMA_OBJECT", |world| {
        let params = vm::CreateDmaObjectParams { size: 8192, address_bits: 64 };
        own(world, CapId::SELF_MEMORY, vm::CREATE_DMA_OBJECT, &params)
    }),
    case("virtual_memory::COMMIT", |world| {
        on_space(world, vm::COMMIT, |address| {
            let protection = Protection::ReadWrite;
            encoded(&vm::CommitParams { address: address + 4096, size: 8192, protection })
        })
    }),
    case("virtual_memory::PROTECT", |world| {
        on_space(world, vm::PROTECT, |address| {
            encoded(&vm::ProtectParams { address, size: 4096, protection: Protection::Read })
        })
    }),
    case("virtual_memory::UNMAP", |world| {
        on_space(world, vm::UNMAP, |address| encoded(&vm::UnmapParams { address, size: 4096 }))
    }),
    case("virtual_memory::CREATE_OBJECT", |world| {
        own(world, CapId::SELF_MEMORY, vm::CREATE_OBJECT, &vm::CreateObjectParams { size: 8192 })
    }),
    // The same in several steps.
    case("virtual_memory::CREATE_OBJECT", |world| {
        own(world, CapId::SELF_MEMORY, vm::CREATE_OBJECT, &vm::CreateObjectParams { size: LONG })
    }),
    case("virtual_memory::COMMIT", |world| {
        let mut scene = on_space(world, vm::COMMIT, |_| ([0; 64], 0));
        let address = scene.user.process().space.reserve(LONG_PAGES).expect("room");
        let protection = Protection::ReadWrite;
        let (message, len) = encoded(&vm::CommitParams { address, size: LONG, protection });
        scene.user.put(MSG, &message[..len]);
        scene.sqe.msg_len = len as u32;
        scene
    }),
    case("virtual_memory::MAP", map),
    case("virtual_memory::USAGE", |world| own(world, CapId::SELF_MEMORY, vm::USAGE, &Empty)),
    case("wall_clock::NOW", |world| {
        on(world, Object::WallClock(WallClock), capos_schema::wall_clock::NOW, &Empty)
    }),
];
