//! Who is served what.

use crate::disk::Blocks;
use crate::found::Found;
use crate::interfaces::{Blob, Directory, File, Namespace, Store, Whole};
use crate::mounted::Files;
use crate::proof::Proofs;
use crate::snapshots::Open;
use crate::thing::{Bytes, Names, Thing};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use capos_fs::{Error, ObjectId, Source, Stamp, TimeSource};
use core::cell::{Cell, RefCell};
use kit::facets::Facets;
use kit::memory::Memory;
use kit::service::{Handler, export_of};
use rt::generated::blob::serve_blob;
use rt::generated::blob_writer::serve_blob_writer;
use rt::generated::directory::serve_directory;
use rt::generated::file::serve_file;
use rt::generated::namespace::serve_namespace;
use rt::generated::store::serve_store;
use rt::generated::volume::serve_volume;
use rt::generated::{
    BlobClient, EntropySourceClient, FileClient, NamespaceClient, StoreClient, TimerClient, VolumeClient,
    WallClockClient,
};
use rt::schema::wall_clock::ClockSource;
use rt::{CallContext, CallError, Client, Exception, ExceptionCode, Outgoing, Request, Signal, spawn};

/// Facets at a time, of all clients.
const FACETS: usize = 16_384;
/// And of one client.
const EACH: usize = 4096;

/// What tells the time.
pub struct Clocks {
    /// Of day.
    pub wall: WallClockClient,
    /// Since the machine was started.
    pub timer: TimerClient,
}

/// The service.
pub struct Server {
    /// Once it is known: the volume, or why there is none.
    pub files: RefCell<Option<Result<Rc<Files>, Exception>>>,
    there: Signal,
    pub facets: Facets<Thing>,
    pub proofs: Proofs,
    clocks: Clocks,
    /// The volume's epoch when somebody began to rely on what he does, by badge. Who has a facet from another relies on what was done through that.
    since: RefCell<BTreeMap<u64, u64>>,
    /// The last commit that was settled, if it could be, and how much the disk was known to have spoiled then.
    pub settled: Cell<(u64, u64)>,
    /// There is one behind that, or more.
    pub unsettled: Signal,
    /// Who has snapshots open.
    pub open: Open,
    /// What the last check of the volume found.
    pub found: RefCell<Found>,
    /// Interfaces of our exports, in the order of their numbers.
    exports: Vec<u64>,
}

/// One call: of whom, and on what.
pub struct Call<T> {
    /// The service.
    pub server: Rc<Server>,
    /// The volume.
    pub files: Rc<Files>,
    /// Who calls.
    pub cx: CallContext,
    /// What was called.
    pub on: T,
}

impl Server {
    /// Before the disk is there.
    pub fn new(clocks: Clocks, entropy: EntropySourceClient, exports: Vec<u64>) -> Server {
        Server {
            files: RefCell::default(),
            there: Signal::new(),
            facets: Facets::new(FACETS, EACH),
            proofs: Proofs::new(entropy),
            clocks,
            since: RefCell::default(),
            settled: Cell::default(),
            unsettled: Signal::new(),
            open: Open::default(),
            found: RefCell::default(),
            exports,
        }
    }

    /// From now on there is something to serve, or nothing for ever.
    pub fn has(&self, files: Result<Rc<Files>, Exception>) {
        self.files.replace(Some(files));
        self.there.notify();
    }

    async fn mounted(&self) -> Result<Rc<Files>, Exception> {
        loop {
            let there = self.there.wait();
            let files = self.files.borrow().clone();
            match files {
                Some(files) => return files,
                None => there.await,
            }
        }
    }

    /// What time it is, and how that is known.
    pub fn now(&self) -> Stamp {
        let time = self.clocks.wall.now_blocking().ok();
        let known = time.and_then(|time| match time.source {
            ClockSource::None => None,
            ClockSource::Firmware => Some(Stamp { ns: time.unix_ns, source: TimeSource::Firmware }),
            ClockSource::Rtc => Some(Stamp { ns: time.unix_ns, source: TimeSource::Rtc }),
        });
        let since_start = || self.clocks.timer.now_blocking().unwrap_or(0);
        known.unwrap_or_else(|| Stamp { ns: since_start(), source: TimeSource::Unknown })
    }

    /// Lets so much time pass.
    pub async fn pause(&self, ns: u64) -> Result<(), CallError> {
        let now = self.clocks.timer.now().await?;
        self.clocks.timer.sleep_until(now.saturating_add(ns)).await
    }

    fn call_on<T>(self: Rc<Self>, files: Rc<Files>, cx: CallContext, on: T) -> Call<T> {
        Call { server: self, files, cx, on }
    }

    /// What is called through a badge: an export has its interface, a facet is what it stands for.
    fn called(&self, badge: u64) -> Result<Thing, Exception> {
        if let Some(thing) = self.facets.find(badge)? {
            return Ok(thing);
        }
        let root = Names { id: ObjectId::ROOT, writable: true, at: None };
        match self.exports.get(export_of(badge) as usize).copied() {
            Some(VolumeClient::ID) => Ok(Thing::Volume),
            Some(NamespaceClient::ID) => Ok(Thing::Namespace(root)),
            Some(StoreClient::ID) => Ok(Thing::Store(true, None)),
            _ => Err(ExceptionCode::Unsupported.into()),
        }
    }

    /// Nobody has a facet for it any more.
    fn let_go(&self, thing: Thing) {
        self.open.remove(thing.at());
        // Without a volume there was nothing to hold.
        let Some(Ok(files)) = self.files.borrow().clone() else { return };
        spawn(async move {
            match thing {
                Thing::Writer(writer) => {
                    if let Some(writer) = writer.writer.take() {
                        files.drop_blob(writer).await;
                    }
                }
                other => {
                    if let Some(object) = other.held() {
                        files.release(object).await;
                    }
                }
            }
        });
    }
}

impl<T> Call<T> {
    /// A facet for something that the caller holds from now on.
    pub fn facet<C: Client + Into<Outgoing>>(&self, thing: Thing) -> Result<Outgoing, Exception> {
        self.server.open.add(thing.at());
        match self.server.facets.mint_with_badge::<C>(&self.cx, thing.clone()) {
            Ok((facet, badge)) => {
                let since = self.since();
                self.server.since.borrow_mut().insert(badge, since);
                Ok(facet.into())
            }
            Err(refused) => {
                self.server.let_go(thing);
                Err(refused)
            }
        }
    }

    /// What is there, or was when a snapshot was made.
    pub fn source(&self, at: Option<u64>) -> Result<Source<'_, Blocks>, Exception> {
        self.files.source(at).map_err(|_| ExceptionCode::Disconnected.into())
    }

    /// A facet of a file.
    pub fn file(&self, id: ObjectId, writable: bool, at: Option<u64>) -> Result<Outgoing, Exception> {
        let memory = Memory::default();
        self.facet::<FileClient>(Thing::File(Rc::new(Bytes { id, writable, at, memory })))
    }

    /// A facet of a blob.
    pub fn blob(&self, id: ObjectId, at: Option<u64>) -> Result<Outgoing, Exception> {
        let (writable, memory) = (false, Memory::default());
        self.facet::<BlobClient>(Thing::Blob(Rc::new(Bytes { id, writable, at, memory })))
    }

    /// The thing that a capability stands for, which a client passes.
    pub async fn passed(
        &self,
        ask: impl AsyncFnOnce(u64) -> Result<(), CallError>,
    ) -> Result<Thing, Exception> {
        let badge = self.server.proofs.badge(ask).await?;
        self.server.called(badge)
    }

    /// Somebody asks for proof of what was called.
    pub fn prove(&self, challenge: u64) {
        self.server.proofs.answered(challenge, self.cx.badge());
    }

    /// Answers when all that was done before is durable; refuses when something of it is lost, and begins anew.
    pub async fn sync(&self) -> Result<(), Exception> {
        let synced = self.files.sync(self.since()).await;
        self.server.since.borrow_mut().insert(self.cx.badge(), self.files.epoch());
        synced.map_err(refused)
    }

    /// The epoch since which the caller relies on what he does.
    fn since(&self) -> u64 {
        self.server.since.borrow().get(&self.cx.badge()).copied().unwrap_or(0)
    }

    /// What time it is.
    pub fn now(&self) -> Stamp {
        self.server.now()
    }
}

/// The last commit, and how much the disk is known to have spoiled.
pub fn state(files: &Files) -> (u64, u64) {
    (files.volume().commit_number(), files.volume().spoils())
}

/// Refuses through facets that may only look.
pub fn writable(is_writable: bool) -> Result<(), Exception> {
    if is_writable { Ok(()) } else { Err(ExceptionCode::Denied.into()) }
}

/// What a client is told.
pub fn refused(error: Error) -> Exception {
    Exception::new(error.exception(), &format!("{error}"))
}

impl Handler for Server {
    // What is left of a commit is for everybody, and memory is the device's until it is done with it.
    const TO_THE_END: bool = true;

    fn at_once(&self, request: Request) -> Option<Request> {
        self.read_at_once(request)
    }

    async fn call(self: Rc<Self>, request: Request) {
        let cx = request.context();
        let thing = match self.called(cx.badge()) {
            Ok(thing) => thing,
            Err(refused) => return request.fail(refused),
        };
        let files = match self.mounted().await {
            Ok(files) => files,
            Err(refused) => return request.fail(refused),
        };
        self.since.borrow_mut().entry(cx.badge()).or_insert_with(|| files.epoch());
        let (server, volume) = (Rc::clone(&self), Rc::clone(&files));
        match thing {
            Thing::Volume => serve_volume(&self.call_on(files, cx, Whole), request).await,
            Thing::Namespace(on) => serve_namespace(&self.call_on(files, cx, Namespace(on)), request).await,
            Thing::Directory(on) => serve_directory(&self.call_on(files, cx, Directory(on)), request).await,
            Thing::File(on) => serve_file(&self.call_on(files, cx, File(on)), request).await,
            Thing::Blob(on) => serve_blob(&self.call_on(files, cx, Blob(on)), request).await,
            Thing::Store(writable, at) => {
                serve_store(&self.call_on(files, cx, Store { writable, at }), request).await
            }
            Thing::Writer(on) => serve_blob_writer(&self.call_on(files, cx, on), request).await,
        }
        if state(&volume) != server.settled.get() {
            server.unsettled.notify();
        }
    }

    fn may_wait(&self, _request: &Request) -> bool {
        self.files.borrow().is_none()
    }

    fn gone(&self, badge: u64) {
        self.since.borrow_mut().remove(&badge);
        if let Some(thing) = self.facets.gone(badge) {
            self.let_go(thing);
        }
    }
}
