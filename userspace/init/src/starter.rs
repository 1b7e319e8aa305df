//! Starts one service with exactly what the manifest gives it.

use crate::startup::Startup;
use crate::state::{Entry, Instance, State};
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use capos_manifest::{Grant, INIT, Service, Source};
use rt::abi::startup::Record;
use rt::generated::{EndpointClient, ProcessHandleClient, ServicesClient};
use rt::schema::interface_id;
use rt::schema::process_spawner::CreateParams;
use rt::{CallError, Cap, Client, Outgoing};

/// Name under which a service finds its receive right.
const SERVE: &str = "serve";

/// Starts service number `index`; why not, in words.
pub async fn start(state: &State, index: usize, entry: &Entry) -> Result<Instance, String> {
    let handle = create(state, &entry.service).await?;
    match equip(state, index, entry, &handle).await {
        Ok(pid) => Ok(Instance { handle: Rc::new(handle), pid }),
        Err(why) => {
            // A process that was made but not started would stay for ever.
            let _ = handle.kill().await;
            Err(why)
        }
    }
}

/// Loads the program; it has nothing yet.
async fn create(state: &State, service: &Service) -> Result<ProcessHandleClient, String> {
    let about = |error: CallError| format!("program `{}`: {error}", service.binary);
    let file = state.kernel.boot.open(&service.binary).await.map_err(about)?;
    let budget = &service.budget;
    let params = CreateParams {
        size: file.size,
        memory_pages: budget.memory_pages,
        cap_slots: budget.cap_slots,
        threads: budget.threads,
        calls_in_flight: budget.calls_in_flight,
        endpoint_entries: budget.endpoint_entries,
        log_bytes: budget.log_bytes,
        priority: budget.priority,
        name: service.name.get(..service.name.floor_char_boundary(31)).unwrap_or(""),
    };
    state.kernel.spawner.create(&file.object, params).await.map_err(about)
}

/// Gives it capabilities and words, and starts it; gives its process id.
async fn equip(
    state: &State,
    index: usize,
    entry: &Entry,
    handle: &ProcessHandleClient,
) -> Result<u64, String> {
    let mut startup = Startup::of(state, entry)?;
    for grant in &entry.service.caps {
        let about = |error: CallError| format!("capability `{}`: {error}", grant.name);
        let interface = interface_id(&grant.interface)
            .ok_or_else(|| format!("capability `{}`: unknown interface {}", grant.name, grant.interface))?;
        startup.push(Record::Cap { name: &grant.name, interface })?;
        let capability = capability(state, index, grant, interface).await?;
        handle.grant(capability).await.map_err(about)?;
    }
    if let Some(endpoint) = &entry.endpoint {
        startup.push(Record::Cap { name: SERVE, interface: EndpointClient::ID })?;
        handle.grant(endpoint).await.map_err(|error| format!("receive right: {error}"))?;
    }
    for export in &entry.service.exports {
        let interface = interface_id(&export.interface)
            .ok_or_else(|| format!("export `{}`: unknown interface {}", export.name, export.interface))?;
        startup.push(Record::Export { name: &export.name, interface })?;
    }
    let about = |error: CallError| format!("start: {error}");
    let pid = handle.info().await.map_err(about)?.id;
    handle.start(startup.bytes()).await.map_err(about)?;
    Ok(pid)
}

/// The capability that a grant means: a copy of init's own, or one made for this service, which moves to it.
async fn capability(state: &State, client: usize, grant: &Grant, interface: u64) -> Result<Outgoing, String> {
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
        Source::Export { service, export } if service == INIT => {
            let _ = export;
            mint(state.endpoint(), 0, client, ServicesClient::ID).await.map(Outgoing::from).map_err(about)
        }
        Source::Export { service, export } => {
            let (_, provider) = state.find(service).ok_or_else(missing)?;
            let number = provider
                .service
                .exports
                .iter()
                .position(|other| other.name == *export)
                .ok_or_else(missing)?;
            let endpoint = provider.endpoint.as_ref().ok_or_else(missing)?;
            mint(endpoint, number, client, interface).await.map(Outgoing::from).map_err(about)
        }
    }
}

/// A facet whose badge says which export is called by which client.
async fn mint(
    endpoint: &EndpointClient,
    export: usize,
    client: usize,
    interface: u64,
) -> Result<Cap, CallError> {
    endpoint.mint((export as u64) << 32 | client as u64, interface).await
}
