//! Who is served what.

use crate::disk::Disk;
use crate::interfaces::{Call, Names, Open};
use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use capos_media::{Directory, Error, Media, SourceError};
use core::cell::RefCell;
use kit::facets::Facets;
use kit::service::{Handler, export_of};
use rt::generated::directory::serve_directory;
use rt::generated::file::serve_file;
use rt::generated::namespace::serve_namespace;
use rt::generated::{DirectoryClient, NamespaceClient};
use rt::{Client, Exception, ExceptionCode, Request, Signal};

/// Facets at a time, of all clients.
const FACETS: usize = 16_384;
/// And of one client.
const EACH: usize = 1024;

/// What is served.
pub type Medium = Media<Disk>;

/// What facets stand for.
#[derive(Clone)]
pub enum Thing {
    /// A directory, as a directory.
    Directory(Rc<Directory>),
    /// A directory, as a namespace.
    Namespace(Rc<Directory>),
    /// A file.
    File(Rc<Open>),
}

/// The service.
pub struct Server {
    /// None until the disk is there; then what is on it, or why it is not served.
    medium: RefCell<Option<Result<Rc<Medium>, Exception>>>,
    there: Signal,
    pub facets: Facets<Thing>,
    /// Interfaces of our exports, in the order of their numbers.
    exports: Vec<u64>,
}

impl Server {
    /// Before the disk is there.
    pub fn new(exports: Vec<u64>) -> Server {
        Server {
            medium: RefCell::default(),
            there: Signal::new(),
            facets: Facets::new(FACETS, EACH),
            exports,
        }
    }

    /// From now on there is something to answer.
    pub fn has(&self, medium: Result<Rc<Medium>, Exception>) {
        self.medium.replace(Some(medium));
        self.there.notify();
    }

    async fn medium(&self) -> Result<Rc<Medium>, Exception> {
        loop {
            let there = self.there.wait();
            let medium = self.medium.borrow().clone();
            match medium {
                Some(medium) => return medium,
                None => there.await,
            }
        }
    }

    /// What is called through a badge: an export is the root, a facet is what it stands for.
    fn called(&self, badge: u64, medium: &Medium) -> Result<Thing, Exception> {
        if let Some(thing) = self.facets.find(badge)? {
            return Ok(thing);
        }
        match self.exports.get(export_of(badge) as usize).copied() {
            Some(NamespaceClient::ID) => Ok(Thing::Namespace(medium.root())),
            Some(DirectoryClient::ID) => Ok(Thing::Directory(medium.root())),
            _ => Err(ExceptionCode::Unsupported.into()),
        }
    }
}

/// What a client is told.
pub fn refused(error: Error) -> Exception {
    let code = match error {
        Error::Source(SourceError::Gone) => ExceptionCode::Disconnected,
        Error::Source(SourceError::Unreadable) | Error::Damaged(_) => ExceptionCode::DeviceFault,
        Error::Unknown => ExceptionCode::Unsupported,
        Error::NotFound => ExceptionCode::NotFound,
        Error::Kind => ExceptionCode::WrongState,
    };
    Exception::new(code, &format!("{error}"))
}

impl Handler for Server {
    async fn call(self: Rc<Self>, request: Request) {
        let cx = request.context();
        let called = match self.medium().await {
            Ok(medium) => self.called(cx.badge(), &medium).map(|thing| (medium, thing)),
            Err(refused) => Err(refused),
        };
        let (medium, thing) = match called {
            Ok(called) => called,
            Err(refused) => return request.fail(refused),
        };
        match thing {
            Thing::Namespace(on) => {
                serve_namespace(&Call { server: self, medium, cx, on: Names(on) }, request).await
            }
            Thing::Directory(on) => serve_directory(&Call { server: self, medium, cx, on }, request).await,
            Thing::File(on) => serve_file(&Call { server: self, medium, cx, on }, request).await,
        }
    }

    fn may_wait(&self, _request: &Request) -> bool {
        self.medium.borrow().is_none()
    }

    fn gone(&self, badge: u64) {
        self.facets.gone(badge);
    }
}
