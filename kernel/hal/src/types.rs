//! Plain types that both machines share.

use crate::device::Registers as DeviceRegisters;
use crate::mem::Frames;
use crate::sync::{OutOfMemory, Ref};
use alloc::vec::Vec;
use capos_pci::Msi;

/// Why memory was not given out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MemError {
    /// The machine has none left.
    OutOfMemory,
    /// The budget that was to pay has none left.
    BudgetExhausted,
}

impl From<OutOfMemory> for MemError {
    fn from(_: OutOfMemory) -> Self {
        MemError::OutOfMemory
    }
}

/// What user code may do with a page. There is no writable and executable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protection {
    /// Nothing; the page keeps its contents.
    None,
    /// Read.
    Read,
    /// Read and write.
    ReadWrite,
    /// Read and execute.
    ReadExecute,
}

/// What an address space consists of, in pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SpaceUsage {
    /// Set aside without memory.
    pub reserved: u64,
    /// Backed with memory.
    pub backed: u64,
    /// How many of these lie in large pages.
    pub large: u64,
    /// Page tables, those in reserve included.
    pub tables: u64,
}

/// Why an address space refused a change. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VmError {
    /// Not page aligned, empty, wrapping, or outside of user space.
    InvalidArgument,
    /// Some of the range is in use.
    Exists,
    /// Some of the range is not there.
    NotFound,
    /// The memory may not be mapped in that way.
    Denied,
    /// What it was to be mapped by is over.
    Withdrawn,
    /// The machine has no memory left.
    OutOfMemory,
    /// The budget has none left.
    BudgetExhausted,
}

impl From<MemError> for VmError {
    fn from(error: MemError) -> Self {
        match error {
            MemError::OutOfMemory => VmError::OutOfMemory,
            MemError::BudgetExhausted => VmError::BudgetExhausted,
        }
    }
}

impl From<OutOfMemory> for VmError {
    fn from(_: OutOfMemory) -> Self {
        VmError::OutOfMemory
    }
}

/// An offset or length outside of the object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfRange;

/// Bytes of one access to a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Width {
    /// A byte.
    One,
    /// Two bytes.
    Two,
    /// Four bytes.
    Four,
    /// Eight bytes.
    Eight,
}

impl Width {
    /// The width of so many bytes.
    pub fn of(bytes: u8) -> Option<Width> {
        match bytes {
            1 => Some(Width::One),
            2 => Some(Width::Two),
            4 => Some(Width::Four),
            8 => Some(Width::Eight),
            _ => None,
        }
    }

    /// How many bytes.
    pub fn bytes(self) -> u64 {
        match self {
            Width::One => 1,
            Width::Two => 2,
            Width::Four => 4,
            Width::Eight => 8,
        }
    }
}

/// Why pages of registers were not given out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PagesError {
    /// They are not whole pages of the device.
    Range,
    /// There is no memory to describe them.
    Memory(MemError),
}

/// How a thread begins.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// First instruction.
    pub entry: u64,
    /// Initial stack pointer.
    pub stack: u64,
    /// `rdi`, `rsi`, `rdx`.
    pub args: [u64; 3],
    /// FS base.
    pub fs_base: u64,
}

/// The registers of a stopped thread. One that is in a system call has given up all but the preserved ones and `rax`: what it will
/// find there is what is here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Registers {
    /// Instruction pointer.
    pub rip: u64,
    /// Stack pointer.
    pub rsp: u64,
    /// Frame pointer.
    pub rbp: u64,
    /// Flags.
    pub rflags: u64,
    /// Base address of FS.
    pub fs_base: u64,
    /// Result register.
    pub rax: u64,
    /// Preserved.
    pub rbx: u64,
    /// Fourth argument; the return address in a system call.
    pub rcx: u64,
    /// Third argument.
    pub rdx: u64,
    /// Second argument.
    pub rsi: u64,
    /// First argument.
    pub rdi: u64,
    /// `r8` to `r15`.
    pub high: [u64; 8],
}

/// An exception that user code raised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Exception vector, 0 to 31.
    pub vector: u8,
    /// The processor's error code, 0 where there is none.
    pub error_code: u64,
    /// CR2 for page faults; for debug exceptions what brought them: [`Fault::HIT`] and [`Fault::STEP`] bits; else 0.
    pub address: u64,
}

impl Fault {
    /// Bit n: breakpoint n was hit (or would have been, if it is not set).
    pub const HIT: u64 = 0xf;
    /// An instruction of a thread that is stepped is done.
    pub const STEP: u64 = 1 << 14;
    /// The vector of debug exceptions.
    pub const DEBUG: u8 = 1;
}

/// Where a thread is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Place {
    /// The instruction that it executes next.
    pub rip: u64,
    /// Its stack pointer.
    pub rsp: u64,
    /// Its flags.
    pub rflags: u64,
}

/// Flags of a user thread: trap after each instruction, and none of the breakpoints at the next one.
pub mod flags {
    /// Trap after each instruction.
    pub const STEP: u64 = 1 << 8;
    /// No breakpoint of execution at the next instruction.
    pub const RESUME: u64 = 1 << 16;
    /// What user code may have set: carry, parity, adjust, zero, sign, trap, direction, overflow, resume, alignment check, identification.
    pub const USER: u64 = 0x25_0dd5;
    /// What it always has: interrupts, and the bit that is always one.
    pub const ALWAYS: u64 = 0x202;
}

/// Handles a system call: number, first and second argument. Called by assembly, without anything between.
pub type SyscallHandler = extern "sysv64" fn(u64, u64, u64);

/// What the machine calls when something happens, on the CPU concerned, with interrupts off.
#[derive(Clone, Copy)]
pub struct Handlers {
    /// A system call of the current thread: number, first and second argument.
    pub syscall: SyscallHandler,
    /// The same of a thread that is traced.
    pub traced_syscall: SyscallHandler,
    /// The deadline given to `time::arm` has passed.
    pub timer: fn(),
    /// Another CPU asked this one to look again; also called once on each CPU when it starts.
    pub kick: fn(),
    /// An interrupt line fired. It is masked already.
    pub irq: fn(IrqLine),
    /// The current thread raised an exception.
    pub fault: fn(Fault),
}

/// Interrupt lines that can be claimed at once: one for each vector that the processor has for them.
pub const IRQ_PLACES: usize = 192;

/// An interrupt line that somebody claimed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IrqLine {
    /// Global system interrupt, or a [`message`].
    pub gsi: u32,
    /// Which of the [`IRQ_PLACES`] it has.
    pub place: u8,
    /// Which claim of that place it is: from 1.
    pub turn: u32,
}

/// The number that stands for message `entry` of the function at `address` (bus << 8 | device << 3 | function) where lines have theirs.
pub const fn message(address: u32, entry: u16) -> u32 {
    1 << 31 | (address & 0xffff) << 11 | entry as u32 & 0x7ff
}

/// The function and entry that a [`message`] stands for; `None` for a line.
pub const fn message_source(number: u32) -> Option<(u32, u32)> {
    if number >> 31 == 0 { None } else { Some((number >> 11 & 0xffff, number & 0x7ff)) }
}

/// One of a function's messages.
pub struct MessageEntry {
    /// bus << 8 | device << 3 | function.
    pub function: u32,
    /// Which of the function's messages.
    pub entry: u16,
    /// Where its address and data are.
    pub place: MessagePlace,
}

/// Registers of a device that an address space shows in one piece.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MappedRegisters {
    /// The number of the lease; 0 for none.
    pub lease: u64,
    /// Where the device answers there.
    pub address: u64,
    /// How many pages.
    pub pages: usize,
    /// Whether they may be made writable.
    pub writable: bool,
}

/// Most bytes of a range of registers that the kernel reads and writes itself. Devices have frame buffers behind their registers, which whoever wants
/// them has mapped.
pub const WINDOW_MAX: u64 = 2 << 20;

/// Where the address and data of a message are.
pub enum MessagePlace {
    /// In an entry of this table (PCI Express 6.0, 7.7.2).
    Table(DeviceRegisters),
    /// In configuration space: the function has one message only.
    Configuration(Msi),
}

/// Why a line was not given out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IrqError {
    /// No such line on this machine.
    NotFound,
    /// Somebody has it, or the kernel itself does.
    Taken,
    /// There is no memory for what an IOMMU has to know of it.
    NoMemory,
}

/// One routed line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IrqInfo {
    /// Global system interrupt, or a [`message`].
    pub gsi: u32,
    /// CPU vector.
    pub vector: u8,
    /// How often it fired.
    pub count: u64,
    /// Whether it is masked now.
    pub masked: bool,
    /// The CPU that its interrupts go to.
    pub cpu: u32,
}

/// Whether IOMMUs keep devices to what they were given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IommuState {
    /// The machine has none.
    Absent,
    /// It has some, of which one is not used, and so none is: what comes by one way in would make the others pointless.
    Unusable,
    /// Every function reaches what it is attached to, and nothing else.
    On,
}

/// One IOMMU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IommuInfo {
    /// Whose kind.
    pub kind: IommuKind,
    /// Why it is not used, if it is not.
    pub unusable: Option<&'static str>,
    /// Whether interrupts are kept to those who have them.
    pub interrupts: IommuInterrupts,
    /// Bits of addresses that it translates.
    pub bits: u32,
    /// Whether it has done what it was told so far. One that has not is told nothing any more.
    pub answers: bool,
    /// How often it kept a device from something.
    pub faults: u64,
    /// How often it could not tell from what, as too much came at once.
    pub lost: u64,
    /// The function that it last kept from something.
    pub last: u16,
}

/// Whether an IOMMU keeps interrupts to those who have them, as tried at boot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IommuInterrupts {
    /// One that was entered arrived, one that was not did not.
    Proven,
    /// One that was not entered arrived: a device that may write where interrupts are can raise any.
    Forgeable,
    /// Neither arrived, so that nothing is known.
    Unproven,
}

/// Kinds of IOMMUs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IommuKind {
    /// Firmware's tables do not hold together.
    Unknown,
    /// VT-d.
    Intel,
    /// AMD-Vi.
    Amd,
}

/// Why a domain was not made or changed. Nothing was changed, but for [`IommuError::Unresponsive`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IommuError {
    /// No IOMMU that is on serves the function.
    Absent,
    /// Another function has the same id towards the IOMMU, as both are behind one old bridge, and is attached.
    Taken,
    /// Not page aligned, empty, beyond what the domain has, or what no device may have.
    InvalidArgument,
    /// Some of the range is in use.
    Exists,
    /// Nothing was mapped there.
    NotFound,
    /// The machine has no memory left, or the IOMMU no number for another domain.
    OutOfMemory,
    /// The budget has none left.
    BudgetExhausted,
    /// The IOMMU does not do what it is told. What it was to forget it may remember: memory that the domain had stays where it is for ever.
    Unresponsive,
}

impl From<MemError> for IommuError {
    fn from(error: MemError) -> Self {
        match error {
            MemError::OutOfMemory => IommuError::OutOfMemory,
            MemError::BudgetExhausted => IommuError::BudgetExhausted,
        }
    }
}

/// Something that an IOMMU kept a device from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DmaFault {
    /// When the kernel heard of it, in nanoseconds since boot.
    pub when_ns: u64,
    /// Who (bus << 8 | device << 3 | function, as the IOMMU sees it), what, where (an address as the device gave it), and why.
    pub what: capos_iommu::Fault,
}

/// Why a port range was not given out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PortError {
    /// Some of it is the kernel's own.
    Reserved,
    /// Empty, or beyond port 65,535.
    InvalidRange,
}

/// Why there are no random bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntropyError {
    /// The processor has no source.
    Absent,
    /// The source failed its health check.
    Unhealthy,
}

/// What to do after a kernel panic was reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PanicAction {
    /// Stop all processors.
    Halt,
    /// Reset the machine.
    Reboot,
}

/// How the machine was booted.
pub struct BootInfo {
    /// The kernel's command line.
    pub command_line: &'static str,
    /// Name and version of the loader.
    pub loader: &'static str,
    /// "bios", "uefi" or "pvh" where the loader says, else "unknown".
    pub firmware: &'static str,
    /// Files that came along.
    pub modules: Vec<BootModule>,
    /// The firmware's memory map.
    pub memory: Vec<MemoryRange>,
}

/// A file that came along.
pub struct BootModule {
    /// Base name of its path.
    pub name: &'static str,
    /// Exact length in bytes.
    pub length: usize,
    /// Its pages, read-only.
    pub frames: Ref<Frames>,
}

/// One range of the memory map.
#[derive(Clone, Copy, Debug)]
pub struct MemoryRange {
    /// Length in pages.
    pub pages: u64,
    /// What it is, in words.
    pub kind: &'static str,
}

/// One ACPI table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TableInfo {
    /// Four letters.
    pub signature: [u8; 4],
    /// Bytes.
    pub length: u32,
    /// Revision.
    pub revision: u8,
}

/// Where the interrupt line of a PCI function arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PciLine {
    /// Global system interrupt.
    pub gsi: u32,
    /// Active when low.
    pub active_low: bool,
    /// By level instead of by edge.
    pub level: bool,
}
