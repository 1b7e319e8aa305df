//! `Device`: one function, claimed.

use super::device_manager::backend;
use super::device_mmio::DeviceMmio;
use super::device_queue::DeviceQueue;
use super::dma_pool::DmaPool;
use super::io_port::IoPort;
use super::{Call, Object, Outcome};
use crate::device::config;
use crate::device::function::Claim;
use capos_abi::ExceptionCode;
use capos_ledger::Phase;
use capos_schema::device::{
    ConfigParams, ConfigResults, InfoResults, InterruptParams, InterruptResults, PoolParams, PoolResults,
    PortsParams, PortsResults, ProveResults, QueueParams, QueueResults, ResetResults, WindowParams,
    WindowResults,
};
use kernel_hal::sync::{OutOfMemory, Ref};

/// The right to one function.
#[derive(Clone)]
pub(crate) struct Device {
    claim: Ref<Claim>,
}

impl Device {
    /// What was claimed.
    pub fn new(claim: Ref<Claim>) -> Self {
        Device { claim }
    }

    /// bus << 8 | device << 3 | function.
    pub fn address(&self) -> u32 {
        self.claim.function().address()
    }

    /// From now on it is the caller who drives it.
    fn is_driven_by(&self, call: &Call<'_>) {
        self.claim.function().lock().driver = call.process().id;
    }

    pub(super) fn info(&self, call: &mut Call<'_>) -> Outcome {
        let function = self.claim.function();
        let header = &function.pci.header;
        let (way, generation) = {
            let state = function.lock();
            (state.backend(), state.record.generation())
        };
        call.reply(&InfoResults {
            address: function.address(),
            vendor: header.vendor,
            device: header.device,
            class: header.class,
            revision: header.revision,
            subsystem_vendor: header.subsystem.0,
            subsystem: header.subsystem.1,
            messages: function.messages(),
            line: header.pin != 0,
            backend: backend(way),
            generation,
            arrival: function.arrival,
        })
    }

    pub(super) fn config(&self, call: &mut Call<'_>, params: ConfigParams) -> Outcome {
        // Where it was there may be another one by now.
        if self.claim.function().lock().record.phase() == Phase::Gone {
            return Outcome::exception(ExceptionCode::Disconnected);
        }
        match config::read(self.claim.function(), params.offset, params.width) {
            Some(value) => call.reply(&ConfigResults { value }),
            None => Outcome::exception(ExceptionCode::InvalidArgument),
        }
    }

    pub(super) fn window(&self, call: &mut Call<'_>, params: WindowParams) -> Outcome {
        self.is_driven_by(call);
        let Some((generation, _)) = self.registers(params.bar, true) else {
            return Outcome::exception(ExceptionCode::NotFound);
        };
        let window = DeviceMmio::new(self.claim.function(), generation, params.bar);
        call.reply_with_facet(Object::DeviceMmio(window), &WindowResults)
    }

    pub(super) fn interrupt(&self, call: &mut Call<'_>, params: InterruptParams) -> Outcome {
        self.is_driven_by(call);
        let account = call.process().account.clone();
        match self.claim.function().interrupt(self.claim.generation(), params.index, &account) {
            Ok(interrupt) => call.reply_with_facet(Object::Interrupt(interrupt), &InterruptResults),
            Err(refused) => Outcome::exception(refused),
        }
    }

    pub(super) fn pool(&self, call: &mut Call<'_>, params: PoolParams) -> Outcome {
        self.is_driven_by(call);
        let (function, generation) = (self.claim.function(), self.claim.generation());
        let account = call.process().account.clone();
        let pool = Object::DmaPool(DmaPool::new(function, generation));
        let make = || function.pool(generation, params.address_bits, params.buffer_bits, &account);
        match call.give_facet_of(pool, make) {
            Ok(()) => call.reply(&PoolResults),
            Err(outcome) => outcome,
        }
    }

    pub(super) fn queue(&self, call: &mut Call<'_>, params: QueueParams) -> Outcome {
        let (function, generation) = (self.claim.function(), self.claim.generation());
        let queue = Object::DeviceQueue(DeviceQueue::new(function, generation, params.index));
        match call.give_facet_of(queue, || function.attach(generation, params.index, params.entries)) {
            Ok(()) => call.reply(&QueueResults),
            Err(outcome) => outcome,
        }
    }

    pub(super) fn start(&self, call: &mut Call<'_>) -> Outcome {
        self.is_driven_by(call);
        let started = self.claim.function().start(self.claim.generation());
        started.map_or_else(Outcome::exception, |()| Outcome::EMPTY)
    }

    pub(super) fn reset(&self, call: &mut Call<'_>) -> Outcome {
        match self.claim.function().reset(self.claim.generation()) {
            Ok(generation) => call.reply(&ResetResults { generation }),
            Err(refused) => Outcome::exception(refused),
        }
    }
}

impl Device {
    /// The generation of a window, and its bytes, if it is one in memory, or one of ports.
    fn registers(&self, bar: u8, in_memory: bool) -> Option<(u32, u64)> {
        let state = self.claim.function().lock();
        let window = state.window(bar).filter(|window| window.in_memory == in_memory)?;
        Some((state.record.generation(), window.size()))
    }

    pub(super) fn ports(&self, call: &mut Call<'_>, params: PortsParams) -> Outcome {
        let Some((generation, length)) = self.registers(params.bar, false) else {
            return Outcome::exception(ExceptionCode::NotFound);
        };
        match IoPort::of_device(self.claim.function(), generation, params.bar, length as u32) {
            Ok(ports) => call.reply_with_facet(Object::IoPort(ports), &PortsResults),
            Err(OutOfMemory) => Outcome::exception(ExceptionCode::OutOfMemory),
        }
    }

    pub(super) fn prove(&self, call: &mut Call<'_>) -> Outcome {
        match self.claim.function().prove(self.claim.generation()) {
            Ok(proven) => call.reply(&ProveResults { proven }),
            Err(refused) => Outcome::exception(refused),
        }
    }

    pub(super) fn distrust(&self, _call: &mut Call<'_>) -> Outcome {
        let distrusted = self.claim.function().distrust(self.claim.generation());
        distrusted.map_or_else(Outcome::exception, |()| Outcome::EMPTY)
    }
}
