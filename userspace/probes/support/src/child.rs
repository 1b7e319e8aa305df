//! Children: processes made from boot files.

use core::mem::ManuallyDrop;
use rt::abi::startup::{Record, Writer};
use rt::generated::{
    BootPackageClient, EndpointFactoryClient, MemoryObjectClient, ProcessHandleClient, ProcessSpawnerClient,
};
use rt::schema::process_spawner::CreateParams;
use rt::{CallError, Cap, CapId, Client, Env, EnvError, Outgoing};

/// What a child may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Memory, pages.
    pub memory_pages: u32,
    /// Capability slots.
    pub cap_slots: u32,
    /// Threads.
    pub threads: u32,
    /// Operations in flight: 64 for each thread.
    pub calls_in_flight: u32,
    /// Queued calls over all its endpoints.
    pub endpoint_entries: u32,
    /// Log bytes a second.
    pub log_bytes: u32,
    /// Highest priority.
    pub priority: u8,
    /// Hundredths of one processor's time; 0: whatever we have.
    pub cpu_percent: u16,
    /// Pages that devices may reach.
    pub dma_pages: u32,
    /// Interrupts of devices.
    pub vectors: u32,
}

impl Limits {
    /// Enough for a program of one thread.
    pub const SMALL: Limits = Limits {
        memory_pages: 160,
        cap_slots: 32,
        threads: 1,
        calls_in_flight: 64,
        endpoint_entries: 32,
        log_bytes: 4096,
        priority: 10,
        cpu_percent: 0,
        dma_pages: 0,
        vectors: 0,
    };

    /// Enough for a program of `threads` threads with a heap.
    pub const fn threads(threads: u32) -> Limits {
        Limits {
            memory_pages: 512 + 80 * threads,
            cap_slots: 64,
            threads,
            calls_in_flight: 64 * threads,
            endpoint_entries: 64,
            ..Limits::SMALL
        }
    }

    /// The parameters of `ProcessSpawner.create` for a program of `size` bytes.
    pub fn params<'n>(&self, size: u64, name: &'n str) -> CreateParams<'n> {
        CreateParams {
            size,
            memory_pages: self.memory_pages,
            cap_slots: self.cap_slots,
            threads: self.threads,
            calls_in_flight: self.calls_in_flight,
            endpoint_entries: self.endpoint_entries,
            log_bytes: self.log_bytes,
            priority: self.priority,
            cpu_percent: self.cpu_percent,
            dma_pages: self.dma_pages,
            vectors: self.vectors,
            name,
        }
    }
}

/// Our own `EndpointFactory`; it belongs to the process, so it is never released.
pub fn factory() -> ManuallyDrop<EndpointFactoryClient> {
    ManuallyDrop::new(EndpointFactoryClient::from(Cap::from_id(CapId::SELF_ENDPOINTS)))
}

/// A program and its length.
pub struct Program {
    /// Its file.
    pub object: MemoryObjectClient,
    /// Bytes of it.
    pub size: u64,
}

/// Makes children.
pub struct Nursery {
    boot: BootPackageClient,
    spawner: ProcessSpawnerClient,
}

impl Nursery {
    /// From the capabilities granted as `boot` and `spawner`.
    pub fn new(env: &mut Env) -> Result<Nursery, EnvError> {
        Ok(Nursery { boot: env.client("boot")?, spawner: env.client("spawner")? })
    }

    /// The boot files.
    pub fn boot(&self) -> &BootPackageClient {
        &self.boot
    }

    /// The right to make processes.
    pub fn spawner(&self) -> &ProcessSpawnerClient {
        &self.spawner
    }

    /// The program of that name.
    pub fn program(&self, name: &str) -> Result<Program, CallError> {
        self.boot.open_blocking(name).map(|reply| Program { object: reply.object, size: reply.size })
    }

    /// A process that does not run yet.
    pub fn child(&self, program: &Program, limits: &Limits, name: &str) -> Result<Child, CallError> {
        let handle = self.spawner.create_blocking(&program.object, limits.params(program.size, name))?;
        let mut child = Child { handle, block: [0; BLOCK], used: 0 };
        child.record(Record::Name(name));
        Ok(child)
    }
}

const BLOCK: usize = 512;

/// A child in the making.
pub struct Child {
    handle: ProcessHandleClient,
    block: [u8; BLOCK],
    used: usize,
}

impl Child {
    /// One more argument.
    pub fn arg(mut self, arg: &str) -> Child {
        self.record(Record::Arg(arg));
        self
    }

    /// Grants a capability under a name.
    pub fn give(mut self, name: &str, interface: u64, cap: impl Into<Outgoing>) -> Result<Child, CallError> {
        self.handle.grant_blocking(cap)?;
        self.record(Record::Cap { name, interface });
        Ok(self)
    }

    /// Grants a copy of a typed client under a name.
    pub fn lend<'c, C: Client>(self, name: &str, client: &'c C) -> Result<Child, CallError>
    where
        Outgoing: From<&'c C>,
    {
        self.give(name, C::ID, client)
    }

    /// The process.
    pub fn handle(&self) -> &ProcessHandleClient {
        &self.handle
    }

    /// Lets it run.
    pub fn start(self) -> Result<ProcessHandleClient, CallError> {
        self.handle.start_blocking(self.block.get(..self.used).unwrap_or_default())?;
        Ok(self.handle)
    }

    /// The handle of a child that is never started.
    pub fn unstarted(self) -> ProcessHandleClient {
        self.handle
    }

    /// A record too many is missed by the child, which then says what it lacks.
    fn record(&mut self, record: Record<'_>) {
        let mut writer = Writer::new(self.block.get_mut(self.used..).unwrap_or_default());
        if writer.push(record).is_ok() {
            self.used += writer.len();
        }
    }
}
