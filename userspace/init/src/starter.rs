//! Starts a process with exactly what the manifest gives it.

use crate::instances::Instance;
use crate::startup::Startup;
use crate::state::{Entry, State};
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use capos_manifest::{Budget, Grant, SUPERVISOR, SUPERVISOR_EXPORTS, SUPERVISOR_PAGES, Source, claims};
use rt::abi::startup::Record;
use rt::generated::{
    ControlClient, EndpointClient, KeeperClient, LogSinkClient, MemoryObjectClient, ProcessHandleClient,
    TimerClient,
};
use rt::schema::interface_id;
use rt::schema::process_spawner::CreateParams;
use rt::{CallError, Cap, Client, Outgoing};

/// Name under which a service finds its receive right.
const SERVE: &str = "serve";

/// Name under which it finds the one for what its supervisor says.
const CONTROL: &str = "control";

/// What the supervisor may use. Its priority is above that of everything that it may have to end.
const SUPERVISOR_BUDGET: Budget = Budget {
    memory_pages: SUPERVISOR_PAGES,
    cap_slots: 2048,
    threads: 1,
    calls_in_flight: 1024,
    endpoint_entries: 64,
    log_bytes: 262_144,
    priority: 30,
    cpu_percent: 0,
    dma_pages: 0,
    vectors: 0,
};

/// A process that has been made and has nothing yet, with what it will be told.
struct Making<'a> {
    state: &'a State,
    handle: ProcessHandleClient,
    startup: Startup,
}

impl Making<'_> {
    /// Gives it a capability under a name.
    async fn give(&mut self, name: &str, interface: u64, cap: impl Into<Outgoing>) -> Result<(), String> {
        self.startup.push(Record::Cap { name, interface })?;
        let given = self.handle.grant(cap).await;
        given.map(drop).map_err(|error| format!("capability `{name}`: {error}"))
    }

    /// Lets it run; gives its process id.
    async fn run(&self) -> Result<u64, String> {
        let about = |error: CallError| format!("start: {error}");
        let process = self.handle.info().await.map_err(about)?.id;
        self.handle.start(self.startup.bytes()).await.map_err(about)?;
        Ok(process)
    }
}

/// Starts an instance of service number `index` from a boot file; why not, in words.
pub async fn start(state: &State, index: usize, entry: &Entry, program: String) -> Result<Instance, String> {
    // It may have been closed since the last one.
    entry.open(&state.kernel).await.map_err(|error| format!("endpoint: {error}"))?;
    let service = &entry.service;
    let handle = create(state, &program, &service.name, &service.budget).await?;
    let mut making = Making { state, handle, startup: Startup::of(state, entry)? };
    match equip(&mut making, index, entry).await {
        Ok((process, control)) => {
            let epoch = entry.instances.borrow_mut().next();
            Ok(Instance { epoch, process, handle: Rc::new(making.handle), program, control })
        }
        Err(why) => {
            // A process that was made but not started would stay for ever.
            let _ = making.handle.kill().await;
            Err(why)
        }
    }
}

/// Starts the supervisor; gives its handle and its process id.
pub async fn supervisor(state: &State) -> Result<(ProcessHandleClient, u64), String> {
    let handle = create(state, SUPERVISOR, SUPERVISOR, &SUPERVISOR_BUDGET).await?;
    let mut making = Making { state, handle, startup: Startup::new(SUPERVISOR)? };
    match equip_supervisor(&mut making).await {
        Ok(process) => Ok((making.handle, process)),
        Err(why) => {
            let _ = making.handle.kill().await;
            Err(why)
        }
    }
}

/// Loads a program; it has nothing yet.
async fn create(
    state: &State,
    program: &str,
    name: &str,
    budget: &Budget,
) -> Result<ProcessHandleClient, String> {
    let about = |error: CallError| format!("program `{program}`: {error}");
    let file = state.kernel.boot.open(program).await.map_err(about)?;
    let params = CreateParams {
        size: file.size,
        memory_pages: budget.memory_pages,
        cap_slots: budget.cap_slots,
        threads: budget.threads,
        calls_in_flight: budget.calls_in_flight,
        endpoint_entries: budget.endpoint_entries,
        log_bytes: budget.log_bytes,
        priority: budget.priority,
        cpu_percent: budget.cpu_percent,
        dma_pages: budget.dma_pages,
        vectors: budget.vectors,
        name: name.get(..name.floor_char_boundary(31)).unwrap_or(""),
    };
    state.kernel.spawner.create(&file.object, params).await.map_err(about)
}

/// Gives a service capabilities and words, and starts it; gives its process id, and how to speak to it.
async fn equip(
    making: &mut Making<'_>,
    index: usize,
    entry: &Entry,
) -> Result<(u64, Option<Rc<Cap>>), String> {
    let number = making.state.next_facet();
    for grant in &entry.service.caps {
        let interface = interface_id(&grant.interface)
            .ok_or_else(|| format!("capability `{}`: unknown interface {}", grant.name, grant.interface))?;
        let capability = capability(making.state, index, grant, number).await?;
        making.give(&grant.name, interface, capability).await?;
    }
    if let Some(endpoint) = entry.endpoint() {
        making.give(SERVE, EndpointClient::ID, &*endpoint).await?;
    }
    let control = match entry.service.health {
        Some(_) => Some(control(making).await?),
        None => None,
    };
    for export in &entry.service.exports {
        let interface = interface_id(&export.interface)
            .ok_or_else(|| format!("export `{}`: unknown interface {}", export.name, export.interface))?;
        making.startup.push(Record::Export { name: &export.name, interface })?;
    }
    Ok((making.run().await?, control))
}

/// Makes an endpoint for one instance alone, so that what is said to it reaches no other, and ends with it.
async fn control(making: &mut Making<'_>) -> Result<Rc<Cap>, String> {
    let about = |error: CallError| format!("capability `{CONTROL}`: {error}");
    let endpoint = making.state.kernel.endpoints().create(8).await.map_err(about)?;
    making.give(CONTROL, EndpointClient::ID, &endpoint).await?;
    let facet = endpoint.mint(0, ControlClient::ID).await.map_err(about)?;
    Ok(Rc::new(facet))
}

/// What the supervisor needs: its endpoint, init's ear, the manifest, a clock and a log. It holds nothing of any service.
async fn equip_supervisor(making: &mut Making<'_>) -> Result<u64, String> {
    let state = making.state;
    let about = |error: CallError| format!("{error}");
    let missing = || String::from("the kernel gave no such object");
    making.startup.push(Record::Arg(&format!("--manifest-bytes={}", state.manifest.1)))?;
    making.give(SERVE, EndpointClient::ID, &state.supervisor_endpoint).await?;
    let keeper = state.keeper.mint(state.supervisor.badge(), KeeperClient::ID).await.map_err(about)?;
    making.give("keeper", KeeperClient::ID, keeper).await?;
    making.give("manifest", MemoryObjectClient::ID, &state.manifest.0).await?;
    for (name, interface) in [("log", LogSinkClient::ID), ("timer", TimerClient::ID)] {
        let (_, cap) = state.kernel.object(name).ok_or_else(missing)?;
        making.give(name, interface, cap).await?;
    }
    making.run().await
}

/// The capability that a grant means: a copy of init's own, or one made for this service, which moves to it.
async fn capability(state: &State, client: usize, grant: &Grant, number: u16) -> Result<Outgoing, String> {
    let about = |error: CallError| format!("capability `{}`: {error}", grant.name);
    let missing = || format!("capability `{}`: there is no such thing", grant.name);
    match &grant.source {
        Source::Kernel(name) => {
            let (_, cap) = state.kernel.object(name).ok_or_else(missing)?;
            Ok(Outgoing::from(cap))
        }
        Source::IoPort { base, length } => {
            let ports = state.kernel.ports.subrange(*base, u32::from(*length)).await.map_err(about)?;
            Ok(Outgoing::from(ports))
        }
        Source::Irq(line) => {
            let line = u8::try_from(*line).map_err(|_| missing())?;
            Ok(Outgoing::from(state.kernel.lines.isa(line).await.map_err(about)?))
        }
        Source::Export { .. } | Source::Pci(_) => {
            facet(state, client, grant, number).await?.ok_or_else(missing)
        }
    }
}

/// A facet of what a grant means, if that is an export. Its badge says which export is called by which client, or, for a device, for which of all
/// devices that are claimed. `number` tells instances of the client apart, and what one of them got later from what it started with: a server that hears that one of them is gone must not think so of
/// the others.
pub async fn facet(
    state: &State,
    client: usize,
    grant: &Grant,
    number: u16,
) -> Result<Option<Outgoing>, String> {
    let about = |error: CallError| format!("capability `{}`: {error}", grant.name);
    let Some((service, export)) = grant.source.provider() else { return Ok(None) };
    let Some(caller) = caller(state, client, grant) else { return Ok(None) };
    let Some(interface) = interface_id(&grant.interface) else { return Ok(None) };
    let badge = |export: usize| {
        u64::from(number) << 48 | (export as u64 & 0xffff) << 32 | (caller as u64 & 0xffff_ffff)
    };
    if service == SUPERVISOR {
        let Some(at) = SUPERVISOR_EXPORTS.iter().position(|(name, _)| *name == export) else {
            return Ok(None);
        };
        let minted = state.supervisor_endpoint.mint(badge(at), interface).await;
        return minted.map(|cap| Some(Outgoing::from(cap))).map_err(about);
    }
    let Some(provider) = state.find(service) else { return Ok(None) };
    let Some(at) = provider.service.exports.iter().position(|it| it.name == export) else { return Ok(None) };
    let endpoint = match provider.endpoint() {
        Some(endpoint) => endpoint,
        // Nobody will serve: calls end with `disconnected`, as they do for everybody else who holds the export. Its last receive right goes
        // when this function returns.
        None => Rc::new(state.kernel.endpoints().create(1).await.map_err(about)?),
    };
    let minted = endpoint.mint(badge(at), interface).await;
    minted.map(|cap| Some(Outgoing::from(cap))).map_err(about)
}

/// By which number the provider knows who calls: that of the service, or that of the device among all that are claimed.
fn caller(state: &State, client: usize, grant: &Grant) -> Option<usize> {
    if !matches!(grant.source, Source::Pci(_)) {
        return Some(client);
    }
    let service = &state.entry(client)?.service.name;
    claims(state.services()).position(|claim| claim.service == *service && claim.name == grant.name)
}
