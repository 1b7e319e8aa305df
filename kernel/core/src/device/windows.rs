//! Registers, and what their owner may do with them.

use super::function::{Function, Mapping, State};
use super::{Refused, history};
use crate::cap::{leases, virtual_memory};
use crate::task::process::{Process, whole_pages};
use crate::task::registry;
use alloc::vec::Vec;
use capos_abi::ExceptionCode;
use capos_dma::class::{Class, Register, Registers as ClassRegisters, Verdict};
use capos_dma::window::{AccessError, Action, Backend, Mapping as Allowed, Table};
use capos_ledger::{Event, Item, Phase};
use capos_pci::{Bar, Function as Pci, Space, change_command, command};
use core::ops::Range;
use kernel_hal::device::Registers;
use kernel_hal::lease::Lease;
use kernel_hal::pci;
use kernel_hal::sync::Ref;
use kernel_hal::{MemError, PagesError, Protection, WINDOW_MAX, Width, mem::Frames};

/// Registers that are about to be mapped.
pub(crate) struct Lent {
    pub frames: Ref<Frames>,
    /// What they hang by, until they are taken back.
    pub lease: Ref<Lease>,
}

/// Pieces of one function's registers that are mapped at a time.
const MAPPINGS_MAX: usize = 64;

/// The registers behind one base address register.
pub(crate) struct Window {
    pub bar: u8,
    pub in_memory: bool,
    registers: Registers,
    table: Table,
    /// Where the function's messages lie, which are the kernel's.
    hidden: [Range<u64>; 2],
}

impl Window {
    /// Those of a function that has them where they can be reached.
    pub(super) fn all(function: &Pci, class: &Class) -> Result<Vec<Window>, Refused> {
        let mut windows = Vec::new();
        for bar in function.bars.iter().flatten().filter(|bar| bar.is_placed()) {
            windows.try_reserve(1).map_err(|_| ExceptionCode::OutOfMemory)?;
            windows.push(Window::open(function, bar, class)?);
        }
        Ok(windows)
    }

    fn open(function: &Pci, bar: &Bar, class: &Class) -> Result<Window, Refused> {
        let registers = match bar.space {
            Space::Memory { .. } => Registers::in_memory(bar.base, bar.size).map_err(memory)?,
            Space::Io => ports(bar).ok_or(ExceptionCode::DeviceFault)?,
        };
        let table = class.table(bar.index, bar.size).map_err(|_| ExceptionCode::DeviceFault)?;
        let nothing = 0..0;
        let hidden = function.msix.map_or([nothing.clone(), nothing.clone()], |msix| {
            let at = |(place, offset): (u8, u64), length: u64| {
                if place == bar.index { offset..offset.saturating_add(length) } else { nothing.clone() }
            };
            [at(msix.table, msix.table_bytes()), at(msix.pending, msix.pending_bytes())]
        });
        Ok(Window { bar: bar.index, in_memory: bar.is_memory(), registers, table, hidden })
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.registers.length()
    }

    /// The registers themselves, for the kernel.
    pub fn registers(&self) -> Registers {
        self.registers
    }

    /// Whether the driver may read there.
    pub fn may_read(&self, offset: u64, width: Width) -> Result<(), Refused> {
        self.is_for_drivers(offset, width)?;
        self.table.check_read(offset, width.bytes() as u8).map_err(refused)
    }

    /// Whether a driver may have anything there by way of the kernel, which reaches the first [`WINDOW_MAX`] bytes: what is behind is to be had by
    /// mapping only.
    fn is_for_drivers(&self, offset: u64, width: Width) -> Result<(), Refused> {
        let end = offset.saturating_add(width.bytes());
        if self.hidden.iter().any(|it| it.start < end && offset < it.end) {
            return Err(ExceptionCode::Denied);
        }
        if end > WINDOW_MAX { Err(self.beyond(end)) } else { Ok(()) }
    }

    #[cold]
    fn beyond(&self, end: u64) -> Refused {
        if end > self.size() { ExceptionCode::InvalidArgument } else { ExceptionCode::Unsupported }
    }

    /// What to do when it writes there.
    pub fn action(&self, backend: Backend, offset: u64, width: Width, value: u64) -> Result<Action, Refused> {
        self.is_for_drivers(offset, width)?;
        self.table.check_write(backend, offset, width.bytes() as u8, value).map_err(refused)
    }

    /// Pages of it to be mapped, if the driver may have all of each.
    pub fn pages(
        &self,
        backend: Backend,
        offset: u64,
        pages: usize,
        writable: bool,
    ) -> Result<Ref<Frames>, Refused> {
        for page in 0..pages as u64 {
            let allowed = self.table.mapping(backend, offset.saturating_add(page * 4096), &self.hidden);
            match allowed {
                Allowed::ReadWrite => {}
                Allowed::ReadOnly if !writable => {}
                Allowed::ReadOnly | Allowed::No => return Err(ExceptionCode::Denied),
            }
        }
        self.registers.pages(offset, pages).map_err(|error| match error {
            PagesError::Range => ExceptionCode::InvalidArgument,
            PagesError::Memory(error) => memory(error),
        })
    }
}

fn ports(bar: &Bar) -> Option<Registers> {
    Some(Registers::at_ports(u16::try_from(bar.base).ok()?, u16::try_from(bar.size).ok()?))
}

pub(super) fn memory(error: MemError) -> Refused {
    match error {
        MemError::OutOfMemory => ExceptionCode::OutOfMemory,
        MemError::BudgetExhausted => ExceptionCode::BudgetExhausted,
    }
}

fn refused(error: AccessError) -> Refused {
    match error {
        AccessError::Forbidden
        | AccessError::KernelsDoorbell
        | AccessError::KernelsAddress
        | AccessError::Straddles => ExceptionCode::Denied,
        AccessError::OutOfWindow | AccessError::Misaligned | AccessError::BadWidth => {
            ExceptionCode::InvalidArgument
        }
    }
}

/// How registers are dealt with under this backend of the ledger's.
pub(crate) fn backend(backend: capos_ledger::Backend) -> Backend {
    match backend {
        capos_ledger::Backend::Direct => Backend::Direct,
        capos_ledger::Backend::Bounce | capos_ledger::Backend::Unproven => Backend::Bounce,
    }
}

impl State {
    /// What a register says.
    pub fn read(&self, bar: u8, offset: u64, width: Width) -> Result<u64, Refused> {
        let window = self.window(bar).ok_or(ExceptionCode::NotFound)?;
        window.may_read(offset, width)?;
        window.registers().read(offset, width).map_err(|_| ExceptionCode::InvalidArgument)
    }

    /// Whether the driver may read there.
    pub fn may_read(&self, bar: u8, offset: u64, width: Width) -> Result<(), Refused> {
        self.window(bar).ok_or(ExceptionCode::NotFound)?.may_read(offset, width)
    }

    /// Whether the driver may write there, and if so what is to be done.
    pub fn check_write(&self, bar: u8, offset: u64, width: Width, value: u64) -> Result<Action, Refused> {
        let window = self.window(bar).ok_or(ExceptionCode::NotFound)?;
        window.action(backend(self.backend()), offset, width, value)
    }

    /// Tells a register something.
    pub fn write(&mut self, bar: u8, offset: u64, width: Width, value: u64) -> Result<(), Refused> {
        let value = match self.check_write(bar, offset, width, value)? {
            Action::Write(value) => value,
            Action::Translate { token, span } => self.pin_for_good(token, span)?,
            Action::Ask(value) => {
                // What it was told before is forgotten when its reset is through.
                if !self.go_on()? {
                    return Err(ExceptionCode::WrongState);
                }
                let class = self.class.as_mut().ok_or(ExceptionCode::Disconnected)?;
                match class.guard(bar, offset, value).map_err(|_| ExceptionCode::WrongState)? {
                    Verdict::Write(value) => value,
                    Verdict::Reset => return self.ask_for_reset(),
                }
            }
        };
        let window = self.window(bar).ok_or(ExceptionCode::NotFound)?;
        window.registers().write(offset, width, value).map_err(|_| ExceptionCode::InvalidArgument)
    }

    /// The driver would reset its device by a register. That is well before it has given it anything; later it has to say so to the kernel,
    /// which takes back what was given.
    fn ask_for_reset(&mut self) -> Result<(), Refused> {
        if self.dma.as_ref().is_some_and(|dma| dma.has_queues()) {
            return Err(ExceptionCode::WrongState);
        }
        self.quieting.begin();
        self.go_on().map(drop)
    }
}

impl State {
    /// Forgets mappings but those by such leases.
    fn keep_mappings(&mut self, keep: impl Fn(u64) -> bool) {
        let State { mappings, record, .. } = self;
        mappings.retain(|mapping| {
            let keeps = keep(mapping.lease.number());
            if !keeps {
                record.books.take(Item::MappedPages, mapping.pages as u32);
            }
            keeps
        });
    }
}

impl Function {
    /// What a register says.
    pub fn read(&self, generation: u32, bar: u8, offset: u64, width: Width) -> Result<u64, Refused> {
        let read = self.of(generation)?.read(bar, offset, width);
        self.note_if_denied(read, generation, bar, offset)
    }

    /// Tells a register something.
    pub fn write(
        &self,
        generation: u32,
        bar: u8,
        offset: u64,
        width: Width,
        value: u64,
    ) -> Result<(), Refused> {
        let mut state = self.of(generation)?;
        let written = state.write(bar, offset, width, value);
        self.keep_from_memory(&state);
        drop(state);
        self.note_if_denied(written, generation, bar, offset)
    }

    /// Devices may let themselves reach memory when they are told something, as QEMU's of the legacy interface of virtio do when their driver says that it is
    /// there: not before they are started.
    fn keep_from_memory(&self, state: &State) {
        if state.record.phase() != Phase::Running {
            change_command(&pci::Access, self.pci.address, command::BUS_MASTER, 0);
        }
    }

    fn note_if_denied<T>(
        &self,
        done: Result<T, Refused>,
        generation: u32,
        bar: u8,
        offset: u64,
    ) -> Result<T, Refused> {
        if matches!(done, Err(ExceptionCode::Denied)) {
            self.note_refused(generation, u64::from(bar) << 32 | offset);
        }
        done
    }

    /// Maps whole pages of registers, `(offset, bytes)`, into `process`.
    pub fn map(
        &self,
        generation: u32,
        bar: u8,
        (offset, size): (u64, u64),
        writable: bool,
        process: &Process,
    ) -> Result<u64, Refused> {
        let pages = whole_pages(size).ok_or(ExceptionCode::InvalidArgument)?;
        self.prune_mappings(generation)?;
        let lent = self.lend(generation, bar, (offset, pages), writable, process.id)?;
        let protection = if writable { Protection::ReadWrite } else { Protection::Read };
        // It may have been taken back meanwhile: then its lease is over, and nothing is mapped by it.
        let mapped =
            process.space.map(&lent.frames, 0, pages, protection, writable, Some(lent.lease.clone()));
        mapped.map_err(|error| {
            self.forget_mapping(generation, lent.lease.number());
            virtual_memory::exception(error)
        })
    }

    /// Promises process number `process` pages of registers, and writes it down.
    pub fn lend(
        &self,
        generation: u32,
        bar: u8,
        (offset, pages): (u64, usize),
        writable: bool,
        process: u64,
    ) -> Result<Lent, Refused> {
        let lease = Ref::try_new(leases::of_registers()).map_err(|_| ExceptionCode::OutOfMemory)?;
        let mut state = self.of(generation)?;
        let way = backend(state.backend());
        let window = state.window(bar).ok_or(ExceptionCode::NotFound)?;
        let frames = window.pages(way, offset, pages, writable)?;
        state.mappings.try_reserve(1).map_err(|_| ExceptionCode::OutOfMemory)?;
        state.mappings.push(Mapping { process, lease: lease.clone(), bar, offset, pages, writable });
        state.record.books.add(Item::MappedPages, pages as u32);
        Ok(Lent { frames, lease })
    }

    /// Forgets those that their processes have taken out themselves, when there are many.
    fn prune_mappings(&self, generation: u32) -> Result<(), Refused> {
        let mut known = [(0, 0); MAPPINGS_MAX];
        {
            let state = self.of(generation)?;
            if state.mappings.len() < MAPPINGS_MAX {
                return Ok(());
            }
            for (place, mapping) in known.iter_mut().zip(&state.mappings) {
                *place = (mapping.process, mapping.lease.number());
            }
        }
        // With nothing locked: the memory of the processes is looked at.
        let is_there = |(process, lease): &(u64, u64)| {
            let process = registry::find(*process);
            process.is_some_and(|process| {
                (0..).map_while(|index| process.space.registers(index)).any(|found| found.lease == *lease)
            })
        };
        let gone = known.map(|mapping| if is_there(&mapping) { 0 } else { mapping.1 });
        let mut state = self.of(generation)?;
        state.keep_mappings(|lease| !gone.contains(&lease));
        if state.mappings.len() < MAPPINGS_MAX { Ok(()) } else { Err(ExceptionCode::BudgetExhausted) }
    }

    fn forget_mapping(&self, generation: u32, lease: u64) {
        if let Ok(mut state) = self.of(generation) {
            state.keep_mappings(|other| other != lease);
        }
    }

    /// A driver was refused a register.
    pub fn note_refused(&self, generation: u32, register: u64) {
        history::add(Event::RegisterRefused, self.address(), generation, register);
    }
}

/// The registers of a function as its class wants to see them.
pub(crate) struct Reach<'a>(pub &'a [Window]);

impl Reach<'_> {
    fn find(&self, register: Register) -> Option<(Registers, Width)> {
        let window = self.0.iter().find(|window| window.bar == register.bar)?;
        Some((window.registers(), Width::of(register.width)?))
    }
}

impl ClassRegisters for Reach<'_> {
    /// What is not there reads as all ones, as on the bus.
    fn read(&mut self, register: Register) -> u64 {
        let read =
            self.find(register).and_then(|(registers, width)| registers.read(register.offset, width).ok());
        read.unwrap_or(u64::MAX)
    }

    fn write(&mut self, register: Register, value: u64) {
        if let Some((registers, width)) = self.find(register) {
            // Outside of the window there is nothing to tell.
            let _ = registers.write(register.offset, width, value);
        }
    }
}
