//! Making processes and threads. All or nothing: what fails half way takes back what it did by dropping it, or ends as other processes do.

use crate::cap::Object;
use crate::cap::endpoint_factory::EndpointFactory;
use crate::cap::thread_control::ThreadControl;
use crate::cap::virtual_memory::VirtualMemory;
use crate::ipc::ops::Ops;
use crate::task::cpu;
use crate::task::load::{LoadError, Loading};
use crate::task::process::{Name, Parts, Process, Status};
use crate::task::share::{Share, ShareError};
use crate::task::thread::{self, Thread};
use crate::task::trace::{self, Record, Trace};
use crate::task::{debug, end, registry, schedule};
use capos_abi::{PAGE_SIZE, RingShape, layout};
use capos_cap::{Mobility, Table, TransferError};
use capos_log::LogBudget;
use capos_mem::Resource;
use capos_sched::Priority;
use capos_schema::process_handle::TraceKind;
use kernel_hal::account::{Account, AccountError};
use kernel_hal::mem::Frames;
use kernel_hal::ring::RingBlock;
use kernel_hal::sync::{OutOfMemory, Ref};
use kernel_hal::user::UserContext;
use kernel_hal::vm::AddressSpace;
use kernel_hal::{MemError, Protection, Start, VmError, cpu as machine};

/// What a new process may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub memory_pages: u64,
    pub cap_slots: u32,
    pub threads: u64,
    pub calls_in_flight: u64,
    pub endpoint_entries: u64,
    pub log_bytes: u64,
    pub dma_pages: u64,
    pub vectors: u64,
    pub priority: u8,
    /// Hundredths of one processor; 0: its maker's share.
    pub cpu_percent: u32,
}

/// Why nothing was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CreateError {
    InvalidArgument,
    BudgetExhausted,
    OutOfMemory,
    /// The program is not one.
    Malformed,
    /// The process is ending.
    Ended,
}

impl From<OutOfMemory> for CreateError {
    fn from(_: OutOfMemory) -> Self {
        CreateError::OutOfMemory
    }
}

impl From<MemError> for CreateError {
    fn from(error: MemError) -> Self {
        match error {
            MemError::OutOfMemory => CreateError::OutOfMemory,
            MemError::BudgetExhausted => CreateError::BudgetExhausted,
        }
    }
}

impl From<VmError> for CreateError {
    fn from(error: VmError) -> Self {
        match error {
            VmError::OutOfMemory => CreateError::OutOfMemory,
            VmError::BudgetExhausted => CreateError::BudgetExhausted,
            VmError::InvalidArgument
            | VmError::Exists
            | VmError::NotFound
            | VmError::Denied
            | VmError::Withdrawn => CreateError::InvalidArgument,
        }
    }
}

impl From<TransferError> for CreateError {
    fn from(error: TransferError) -> Self {
        match error {
            TransferError::OutOfMemory => CreateError::OutOfMemory,
            _ => CreateError::BudgetExhausted,
        }
    }
}

impl From<ShareError> for CreateError {
    fn from(error: ShareError) -> Self {
        match error {
            ShareError::Exhausted => CreateError::BudgetExhausted,
            ShareError::OutOfMemory => CreateError::OutOfMemory,
        }
    }
}

impl From<LoadError> for CreateError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Malformed => CreateError::Malformed,
            LoadError::Memory(error) => error.into(),
        }
    }
}

/// Who pays for a new process.
pub(crate) struct Payer<'a> {
    pub account: &'a Ref<Account>,
    pub share: &'a Ref<Share>,
}

/// A process with the program in the first `size` bytes of `binary`, its budget taken from `payer`. It holds its three self
/// capabilities and has no threads.
pub(crate) fn process(
    payer: &Payer<'_>,
    name: Name,
    limits: &Limits,
    binary: &Ref<Frames>,
    size: u64,
) -> Result<Ref<Process>, CreateError> {
    let mut making = Making::begin(payer, name, limits, binary, size)?;
    loop {
        if let Some(process) = making.step()? {
            return Ok(process);
        }
    }
}

/// A process whose program is being loaded. Nobody knows it before it is finished; when it is not, it ends.
pub(crate) struct Making {
    process: Option<Ref<Process>>,
    loading: Loading,
}

impl Drop for Making {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            end::end_process(&process, Status::Killed);
        }
    }
}

impl Making {
    /// Begins.
    pub fn begin(
        payer: &Payer<'_>,
        name: Name,
        limits: &Limits,
        binary: &Ref<Frames>,
        size: u64,
    ) -> Result<Self, CreateError> {
        let (loading, entry) = Loading::begin(binary, size)?;
        let process = unloaded(payer, name, limits, entry)?;
        process.trace.add(0, &Record::new(TraceKind::Created, size, u64::from(limits.priority)));
        Ok(Making { process: Some(process), loading })
    }

    /// One step. The process when it is finished.
    pub fn step(&mut self) -> Result<Option<Ref<Process>>, CreateError> {
        let Some(process) = &self.process else { return Err(CreateError::Ended) };
        if !self.loading.step(&process.space, &process.account)? {
            return Ok(None);
        }
        give_self_capabilities(process)?;
        registry::enter(process)?;
        Ok(self.process.take())
    }
}

fn unloaded(payer: &Payer<'_>, name: Name, limits: &Limits, entry: u64) -> Result<Ref<Process>, CreateError> {
    let amounts = [
        limits.memory_pages,
        u64::from(limits.cap_slots),
        limits.threads,
        limits.calls_in_flight,
        limits.endpoint_entries,
        limits.log_bytes,
        limits.dma_pages,
        limits.vectors,
    ];
    let share = Share::of_child(payer.share, limits.cpu_percent)?;
    let account = Account::open(payer.account, amounts).map_err(|error| match error {
        AccountError::Exhausted(_) => CreateError::BudgetExhausted,
        AccountError::OutOfMemory => CreateError::OutOfMemory,
    })?;
    let space = AddressSpace::new(&account)?;
    Ok(Process::new(Parts {
        id: registry::next_process_id(),
        name,
        share,
        space,
        table: Table::new(limits.cap_slots as usize),
        entry,
        priority: limits.priority,
        log: LogBudget::new(limits.log_bytes),
        trace: Trace::new(&account)?,
        account,
    })?)
}

/// In the order of `CapId::SELF_MEMORY`, `SELF_THREADS`, `SELF_ENDPOINTS`.
fn give_self_capabilities(process: &Ref<Process>) -> Result<(), CreateError> {
    let own = [
        Object::VirtualMemory(VirtualMemory::new(process.space.clone(), process.account.clone())),
        Object::ThreadControl(ThreadControl::new(process.clone())),
        Object::EndpointFactory(EndpointFactory),
    ];
    for object in own {
        process.insert_as(object, Mobility::Fixed)?;
    }
    Ok(())
}

/// What a new thread is to be like.
pub(crate) struct NewThread<'a> {
    pub entry: u64,
    pub stack: u64,
    pub argument: u64,
    pub fs_base: u64,
    pub shape: RingShape,
    pub priority: u8,
    /// Left at the beginning of its arena.
    pub startup: &'a [u8],
}

/// The first thread: at the program's entry, on a stack of its own.
pub(crate) fn first_thread(process: &Ref<Process>, startup: &[u8]) -> Result<Ref<Thread>, CreateError> {
    let stack = Frames::zeroed(layout::STACK_PAGES, &process.account)?;
    let bottom = layout::STACK_TOP - (layout::STACK_PAGES * PAGE_SIZE) as u64;
    process.space.map_fixed(bottom, &stack, 0, layout::STACK_PAGES, Protection::ReadWrite, true)?;
    let new = NewThread {
        entry: process.entry,
        // As at the entry of a C function, where a return address has just been pushed.
        stack: layout::STACK_TOP - 8,
        argument: startup.len() as u64,
        fs_base: 0,
        shape: RingShape::DEFAULT,
        priority: process.priority,
        startup,
    };
    thread(process, &new).inspect_err(|_| {
        // The mapping was made above, so this cannot be refused.
        let _ = process.space.unmap(bottom, layout::STACK_PAGES);
    })
}

/// A thread that does not run yet: see [`run`].
pub(crate) fn thread(process: &Ref<Process>, new: &NewThread<'_>) -> Result<Ref<Thread>, CreateError> {
    if !new.shape.is_valid() || new.startup.len() > new.shape.arena_len() {
        return Err(CreateError::InvalidArgument);
    }
    let share = process.share.lock().clone().ok_or(CreateError::Ended)?;
    let charge = Charge::take(process, &new.shape)?;
    let id = registry::next_thread_id();
    let ring = RingBlock::new(new.shape, &process.account)?;
    ring.init_header(id, process.id, new.startup.len() as u32);
    ring.arena_write(0, new.startup).map_err(|_| CreateError::InvalidArgument)?;
    let ops = Ops::new(new.shape.sq_entries)?;
    let place = Place::take(process)?;
    let ring_address = place.address;
    let context = UserContext::new(
        Start {
            entry: new.entry,
            stack: new.stack,
            args: [ring_address, new.argument, 0],
            fs_base: new.fs_base,
        },
        &process.space,
    )?;
    let thread = Ref::try_new(Thread::new(thread::Parts {
        id,
        process: process.clone(),
        context,
        ring,
        ring_address,
        shape: new.shape,
        priority: Priority::new(new.priority).ok_or(CreateError::InvalidArgument)?,
        share: share.is_limited().then_some(share),
        ops,
    }))?;
    let frames = thread.ring.frames();
    process.space.map_fixed(ring_address, frames, 0, new.shape.pages(), Protection::ReadWrite, true)?;
    admit(process, &thread).inspect_err(|_| {
        // The mapping was made above, so this cannot be refused.
        let _ = process.space.unmap(ring_address, new.shape.pages());
    })?;
    charge.keep();
    place.keep();
    trace::add(&thread, TraceKind::ThreadBegan, new.entry, ring_address);
    Ok(thread)
}

/// Enters a thread with its process, and keeps room for it in every run queue.
fn admit(process: &Ref<Process>, thread: &Ref<Thread>) -> Result<(), CreateError> {
    enter_queues()?;
    registry::thread_came();
    let result = {
        let mut threads = process.threads.lock();
        match threads.list.try_reserve(1) {
            _ if threads.closed => Err(CreateError::Ended),
            Err(_) => Err(CreateError::OutOfMemory),
            Ok(()) => {
                // In the order of their ids.
                let at = threads.list.partition_point(|other| other.id < thread.id);
                threads.list.insert(at, thread.clone());
                threads.changes += 1;
                threads.newest = threads.newest.max(thread.id);
                Ok(())
            }
        }
    };
    result.inspect_err(|_| {
        registry::thread_left();
        leave_queues();
    })
}

/// Keeps room for one more thread in every CPU's queues.
fn enter_queues() -> Result<(), CreateError> {
    for id in 0..machine::count() {
        let cpu = cpu::of(id);
        if cpu.queue.lock().admit().is_err() {
            (0..id).for_each(leave_queues_of);
            return Err(CreateError::OutOfMemory);
        }
        if cpu.aside.lock().admit().is_err() {
            cpu.queue.lock().dismiss();
            (0..id).for_each(leave_queues_of);
            return Err(CreateError::OutOfMemory);
        }
    }
    Ok(())
}

/// A thread has ended: its room in the queues is free.
pub(crate) fn leave_queues() {
    (0..machine::count()).for_each(leave_queues_of);
}

fn leave_queues_of(id: usize) {
    let cpu = cpu::of(id);
    cpu.queue.lock().dismiss();
    cpu.aside.lock().dismiss();
}

/// Lets a new thread run.
pub(crate) fn run(thread: &Ref<Thread>) {
    debug::adopt(thread);
    schedule::make_ready(thread.clone());
}

/// The place of a new thread's ring block, given back unless kept.
struct Place<'a> {
    process: &'a Process,
    address: u64,
}

impl<'a> Place<'a> {
    fn take(process: &'a Process) -> Result<Self, OutOfMemory> {
        Ok(Place { process, address: process.threads.lock().rings.take()? })
    }

    /// From now on the thread's end gives it back.
    fn keep(self) {
        core::mem::forget(self);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.process.threads.lock().rings.give_back(self.address);
    }
}

/// The part of a budget that a thread takes up, given back unless kept.
struct Charge<'a> {
    process: &'a Process,
    calls: u64,
}

impl<'a> Charge<'a> {
    fn take(process: &'a Process, shape: &RingShape) -> Result<Self, CreateError> {
        let (account, calls) = (&process.account, u64::from(shape.sq_entries));
        account.charge(Resource::Threads, 1).map_err(|_| CreateError::BudgetExhausted)?;
        account.charge(Resource::CallsInFlight, calls).map_err(|_| {
            account.refund(Resource::Threads, 1);
            CreateError::BudgetExhausted
        })?;
        Ok(Charge { process, calls })
    }

    /// From now on the thread's end gives it back.
    fn keep(self) {
        core::mem::forget(self);
    }
}

impl Drop for Charge<'_> {
    fn drop(&mut self) {
        self.process.account.refund(Resource::Threads, 1);
        self.process.account.refund(Resource::CallsInFlight, self.calls);
    }
}
