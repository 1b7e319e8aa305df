//! Further threads of this process, each with its own ring block and its own executor.

use crate::cap::Cap;
use crate::generated::thread_control::ThreadControlClient;
use crate::generated::virtual_memory::VirtualMemoryClient;
use crate::ipc::CallError;
use crate::sys;
use crate::thread::{self, Thread};
use alloc::boxed::Box;
use capos_abi::{CapId, PAGE_SIZE, RingShape};
use capos_schema::thread_control::{CreateParams, CreateResults};
use capos_schema::virtual_memory::Protection;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

/// Stack of a thread, bytes.
const STACK: u64 = 32 * PAGE_SIZE as u64;

/// A thread that was started. Dropping this does not end it.
pub struct JoinHandle {
    thread: u64,
    stack: u64,
    /// Address of its `Thread`; zero for a thread without one.
    place: usize,
}

/// What a new thread finds behind its argument.
struct Birth {
    work: Box<dyn FnOnce() + Send>,
    shape: RingShape,
    thread: *mut core::mem::MaybeUninit<Thread>,
}

/// Our own `ThreadControl`; it belongs to the process, so it is never released.
fn control() -> ManuallyDrop<ThreadControlClient> {
    ManuallyDrop::new(ThreadControlClient::from(Cap::from_id(CapId::SELF_THREADS)))
}

/// Our own `VirtualMemory`; it belongs to the process, so it is never released.
pub fn memory() -> ManuallyDrop<VirtualMemoryClient> {
    ManuallyDrop::new(VirtualMemoryClient::from(Cap::from_id(CapId::SELF_MEMORY)))
}

/// The ring block of a thread that waits for a thousand things at a time; another one waits for 64, and has room for the messages of fewer.
pub const WIDE: RingShape = RingShape { sq_entries: 1024, cq_entries: 2048, arena_pages: 128 };

/// Starts a thread of `priority` that does `work` and ends.
pub fn spawn(priority: u8, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle, CallError> {
    spawn_with(RingShape::DEFAULT, priority, work)
}

/// The same with a ring block of that shape, which is paid for by the process as all its memory is.
pub fn spawn_with(
    shape: RingShape,
    priority: u8,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle, CallError> {
    let place: *mut core::mem::MaybeUninit<Thread> = Box::into_raw(Box::<Thread>::new_uninit());
    let birth = Box::into_raw(Box::new(Birth { work: Box::new(work), shape, thread: place }));
    let entry = born as extern "C" fn(NonNull<u8>, *mut Birth) -> ! as usize as u64;
    let started = start(|control, stack| {
        control.create_blocking(CreateParams {
            entry,
            stack,
            argument: birth as u64,
            fs_base: place as u64,
            priority,
            sq_entries: shape.sq_entries,
            cq_entries: shape.cq_entries,
            arena_pages: shape.arena_pages,
        })
    });
    match started {
        Ok(handle) => Ok(JoinHandle { place: place.expose_provenance(), ..handle }),
        Err(error) => {
            // SAFETY: the thread was not started, so both are still ours alone.
            unsafe {
                drop(Box::from_raw(birth));
                drop(Box::from_raw(place));
            }
            Err(error)
        }
    }
}

/// Makes a stack and lets `create` start a thread on it.
pub(crate) fn start(
    create: impl FnOnce(&ThreadControlClient, u64) -> Result<CreateResults, CallError>,
) -> Result<JoinHandle, CallError> {
    let memory = memory();
    let stack = memory.reserve_blocking(STACK)?;
    let committed = memory.commit_blocking(stack, STACK, Protection::ReadWrite);
    // The stack pointer as a C function finds it: aligned to 16 minus the return address that is not there.
    match committed.and_then(|()| create(&control(), stack + STACK - 8)) {
        Ok(results) => Ok(JoinHandle { thread: results.thread, stack, place: 0 }),
        Err(error) => {
            let _ = memory.unmap_blocking(stack, STACK);
            Err(error)
        }
    }
}

impl JoinHandle {
    /// Waits for its end and gives its memory back.
    pub fn join(self) -> Result<(), CallError> {
        control().join_blocking(self.thread)?;
        let place = core::ptr::with_exposed_provenance_mut::<Thread>(self.place);
        if !place.is_null() {
            // SAFETY: `spawn` made the place for the thread, which initialised it first of all and has ended. The handle is the
            // only one, and `is_idle` says that nothing in there refers to the thread any more.
            unsafe {
                if (*place).is_idle() {
                    drop(Box::from_raw(place));
                }
            }
        }
        memory().unmap_blocking(self.stack, STACK)
    }

    /// Its id.
    pub fn id(&self) -> u64 {
        self.thread
    }
}

/// Lets others of the same priority run.
pub fn yield_now() {
    let _ = control().yield_blocking();
}

/// The first Rust of a new thread; the FS base already points at `birth.thread`.
extern "C" fn born(block: NonNull<u8>, birth: *mut Birth) -> ! {
    // SAFETY: `spawn` made it for this thread alone.
    let Birth { work, shape, thread } = *unsafe { Box::from_raw(birth) };
    // SAFETY: as above; the place stays where it is until the thread has ended.
    let place = unsafe { &mut *thread };
    // SAFETY: the kernel made this block for this thread, in the shape that `spawn_with` asked for.
    place.write(unsafe { Thread::new(block, shape, 0) }).settle();
    work();
    let _ = control().exit_blocking();
    sys::exit(0)
}

/// Id of the calling thread, for people.
pub fn current_id() -> u64 {
    thread::current().ring.thread_id()
}

/// Id of this process, for people and for `SystemInfo`.
pub fn process_id() -> u64 {
    thread::current().ring.process_id()
}
