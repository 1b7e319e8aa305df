//! `mount`: what disks there are, and a process for one of them that holds this disk and nothing of the others.

use super::disks::{self, Part};
use super::mounts::{Handle, Mount, Server};
use super::path::{is_plain, shown};
use crate::launch::{self, Startup};
use crate::session::Session;
use crate::trouble::Trouble;
use alloc::format;
use alloc::string::String;
use capos_text::{Align, Table, size};
use rt::abi::startup::Record;
use rt::generated::{
    BlockDeviceClient, EndpointClient, EndpointFactoryClient, NamespaceClient, ProcessHandleClient,
    StoreClient, VolumeClient,
};
use rt::schema::block_device::Content;
use rt::schema::process_spawner::CreateParams;
use rt::{Cap, CapId, Client, ExceptionCode, Lent, Outgoing};

/// What a program may use that serves a disk.
const BUDGET: CreateParams<'static> = CreateParams {
    size: 0,
    memory_pages: 3584,
    cap_slots: 320,
    threads: 1,
    calls_in_flight: 256,
    endpoint_entries: 256,
    log_bytes: 65_536,
    priority: 10,
    cpu_percent: 0,
    dma_pages: 512,
    vectors: 0,
    name: "",
};

/// Calls that wait for it at a time.
const DEPTH: u32 = 64;

/// What it finds beside its disk, as far as the shell has that: `files` can not do without the first four.
const GRANTS: [&str; 4] = ["entropy", "log", "timer", "wall_clock"];

/// What it serves. The root is all that a medium has that is no volume.
const EXPORTS: [(&str, u64); 3] =
    [("root", NamespaceClient::ID), ("volume", VolumeClient::ID), ("store", StoreClient::ID)];

/// `mount`, `mount DISK NAME`, `mount -u NAME`.
pub async fn mount(session: &Session, words: &[String]) -> Result<String, Trouble> {
    match words {
        [] => list(session).await,
        [flag, name] if flag == "-u" => leave(session, name).await,
        [disk, name] if !disk.starts_with('-') => add(session, disk, name).await,
        _ => Err(Trouble::Usage("mount [DISK NAME | -u NAME]")),
    }
}

async fn list(session: &Session) -> Result<String, Trouble> {
    let disks = disks::client(session)?;
    let columns = [("DISK", Align::Left), ("SIZE", Align::Right), ("CONTENT", Align::Left)];
    let more = [("MOUNTED", Align::Left), ("PARTITION", Align::Left), ("DEVICE", Align::Left)];
    let mut table = Table::new(&[columns.as_slice(), more.as_slice()].concat());
    let all = disks::all(&disks).await?;
    if all.is_empty() {
        return Ok(String::from("no disks\n"));
    }
    for part in &all {
        let bytes = part.part.sectors.saturating_mul(part.disk.sector_size.into());
        let device = format!("{} {}", part.disk.model.trim(), part.disk.serial.trim());
        table.row([
            part.name.clone(),
            size(bytes),
            String::from(diag::storage::content(part.part.content)),
            as_what(session, part).map(|name| format!("{name}:")).unwrap_or_default(),
            if part.part.name.is_empty() { String::new() } else { shown(&part.part.name) },
            if device.trim().is_empty() { String::new() } else { shown(device.trim()) },
        ]);
    }
    Ok(table.render())
}

/// Under which name it is mounted.
fn as_what(session: &Session, part: &Part) -> Option<String> {
    let which = (part.disk.number, part.part.number);
    let mounts = session.mounts.all();
    let own = mounts.iter().find(|it| it.server.as_ref().is_some_and(|server| server.part == which));
    let given = mounts.iter().find(|it| it.server.is_none() && part.part.taken);
    own.or(given).map(|mount| mount.name.clone())
}

async fn add(session: &Session, disk: &str, name: &str) -> Result<String, Trouble> {
    if matches!(name, "boot" | "store") {
        let what = if name == "boot" { "the boot files" } else { "the volume's blobs" };
        return Err(Trouble::Say(format!(
            "`{name}:` is {what} already: take another name, as in `mount {disk} other`"
        )));
    }
    if !is_plain(name) || name.contains(['/', '@', ':']) {
        return Err(Trouble::Say(format!("{} can be no name of a place", shown(name))));
    }
    match session.mounts.find(name) {
        Some(mount) if mount.server.is_some() => {
            return Err(Trouble::Say(format!(
                "`{name}` is something else already; `mount -u {name}` ends it"
            )));
        }
        // Where nothing is behind it the name is free.
        Some(_) if disks::volume(session).await.is_ok() => {
            return Err(Trouble::Say(format!(
                "`{name}` is the machine's own place: take another name, as in `mount {disk} other`"
            )));
        }
        _ => {}
    }
    let disks = disks::client(session)?;
    let all = disks::all(&disks).await?;
    let part = all.iter().find(|part| part.name == disk);
    let part = part.ok_or_else(|| Trouble::Say(format!("no disk {}; `mount` lists them", shown(disk))))?;
    let program = match part.part.content {
        _ if as_what(session, part).is_some() => {
            return Err(Trouble::Say(format!(
                "{disk} is mounted; a volume is served once, or it would be spoiled"
            )));
        }
        Content::Volume => "files",
        Content::Fat | Content::Iso9660 => "media",
        Content::Unknown => {
            return Err(Trouble::Say(format!(
                "nothing is known of what is on {disk}; it needs a volume, FAT or ISO 9660"
            )));
        }
    };
    let device = device(&disks, part).await?;
    let mount = serve(session, program, name, part, device).await?;
    // It is there when it answers; a disk that is no volume at all ends it.
    if let Err(trouble) = super::interruptible(session, async {
        mount.root.list("").await.map(drop).map_err(|error| match error.exception() {
            None | Some(ExceptionCode::Disconnected) => {
                Trouble::Say(format!("{disk} could not be mounted; `log` says why"))
            }
            _ => super::refused(name)(error),
        })
    })
    .await
    {
        if let Some(server) = &mount.server {
            let _ = server.process.kill().await;
        }
        return Err(trouble);
    }
    session.mounts.add(mount);
    Ok(format!("{disk} is {name}:\n"))
}

/// A facet of that disk or partition: one that can not be written where nobody would write it.
async fn device(disks: &rt::generated::DisksClient, part: &Part) -> Result<BlockDeviceClient, Trouble> {
    let about = || Trouble::about(&part.name);
    let mut device = disks.disk(part.disk.number).await.map_err(about())?;
    if part.part.number > 0 {
        device = device.part(part.part.first, part.part.sectors).await.map_err(about())?;
    }
    if part.part.content != Content::Volume {
        device = device.read_only().await.map_err(about())?;
    }
    Ok(device)
}

/// Starts the program.
async fn serve(
    session: &Session,
    program: &str,
    name: &str,
    part: &Part,
    device: BlockDeviceClient,
) -> Result<Mount, Trouble> {
    let params = |size| CreateParams { size, name: program, ..BUDGET };
    let process = launch::load(session, program, params).await.map_err(short)?;
    match equip(session, program, part, device, &process).await {
        Ok((root, volume)) => {
            let server = Server { process, part: (part.disk.number, part.part.number) };
            Ok(Mount { name: String::from(name), root, volume, server: Some(server) })
        }
        Err(trouble) => {
            let _ = process.kill().await;
            Err(short(trouble))
        }
    }
}

/// What serving a disk takes may be more than the shell has left.
fn short(trouble: Trouble) -> Trouble {
    match trouble {
        Trouble::Call(_, error) if error.exception() == Some(ExceptionCode::BudgetExhausted) => Trouble::say(
            "this shell's own budget has not enough left to serve one more; `mount -u NAME` ends one",
        ),
        other => other,
    }
}

type Served = (Handle<NamespaceClient>, Option<Handle<VolumeClient>>);

async fn equip(
    session: &Session,
    program: &str,
    part: &Part,
    device: BlockDeviceClient,
    process: &ProcessHandleClient,
) -> Result<Served, Trouble> {
    let about = || Trouble::about(program);
    let own = Cap::from_id(CapId::SELF_ENDPOINTS);
    let endpoint = Lent::<EndpointFactoryClient>::of(&own).create(DEPTH).await;
    // It is the process's own, and stays.
    core::mem::forget(own);
    let endpoint: EndpointClient = endpoint.map_err(about())?;
    let mut startup = Startup::new();
    startup.push(Record::Name(program))?;
    startup.push(Record::Cap { name: "disk", interface: BlockDeviceClient::ID })?;
    process.grant(Outgoing::from(device)).await.map_err(about())?;
    for name in GRANTS {
        if let Some((granted, cap)) = session.held.find(name) {
            startup.push(Record::Cap { name, interface: granted.interface })?;
            process.grant(cap).await.map_err(about())?;
        }
    }
    startup.push(Record::Cap { name: "serve", interface: EndpointClient::ID })?;
    process.grant(&endpoint).await.map_err(about())?;
    let is_volume = part.part.content == Content::Volume;
    for (name, interface) in EXPORTS.into_iter().take(if is_volume { EXPORTS.len() } else { 1 }) {
        startup.push(Record::Export { name, interface })?;
    }
    let pid = process.info().await.map_err(about())?.id;
    process.start(startup.bytes()).await.map_err(about())?;
    session.names.note(pid, program);
    // As init does it: the number of the export, and of the client.
    let badge = |export: u64| export << 32 | 1;
    let root = endpoint.mint(badge(0), NamespaceClient::ID).await.map_err(about())?;
    let volume = match is_volume {
        true => Some(endpoint.mint(badge(1), VolumeClient::ID).await.map_err(about())?),
        false => None,
    };
    Ok((Handle::Own(NamespaceClient::from(root)), volume.map(|cap| Handle::Own(VolumeClient::from(cap)))))
}

async fn leave(session: &Session, name: &str) -> Result<String, Trouble> {
    let mount = session.mounts.find(name);
    let mount = mount.ok_or_else(|| Trouble::Say(format!("nothing is mounted as {}", shown(name))))?;
    let Some(server) = &mount.server else {
        return Err(Trouble::Say(format!("`{name}` is the machine's own place, and stays")));
    };
    // What was not synced is lost with who serves it.
    if let Some(volume) = &mount.volume {
        volume.sync().await.map_err(super::refused(name))?;
    }
    server.process.kill().await.map_err(Trouble::about(name))?;
    session.mounts.remove(name);
    Ok(String::new())
}
