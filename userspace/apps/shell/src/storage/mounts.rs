//! Volumes by the names that they have in this shell.

use super::path::Place;
use crate::held::Held;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::ops::Deref;
use rt::generated::{NamespaceClient, ProcessHandleClient, VolumeClient};
use rt::{Client, Lent};

/// The volume that the shell was given.
pub const GIVEN: &str = "files";

/// A capability that was granted, or one that came later.
pub enum Handle<C> {
    Granted(Lent<'static, C>),
    Own(C),
}

impl<C: Client> Deref for Handle<C> {
    type Target = C;

    fn deref(&self) -> &C {
        match self {
            Handle::Granted(client) => client,
            Handle::Own(client) => client,
        }
    }
}

/// A process that serves a disk or a partition to this shell alone.
pub struct Server {
    pub process: ProcessHandleClient,
    /// The number of the disk, and of the partition.
    pub part: (u32, u32),
}

/// One volume.
pub struct Mount {
    pub name: String,
    pub root: Handle<NamespaceClient>,
    /// None of a medium that is no volume of capOS.
    pub volume: Option<Handle<VolumeClient>>,
    /// None of the one that was given.
    pub server: Option<Server>,
}

/// All of them.
#[derive(Default)]
pub struct Mounts {
    list: RefCell<Vec<Rc<Mount>>>,
}

impl Mounts {
    /// What was granted.
    pub fn of(held: &'static Held) -> Mounts {
        let root = held.client::<NamespaceClient>(GIVEN).ok();
        let volume = held.client::<VolumeClient>("volume").ok().map(Handle::Granted);
        let given = root.map(|root| {
            let name = String::from(GIVEN);
            Rc::new(Mount { name, root: Handle::Granted(root), volume, server: None })
        });
        Mounts { list: RefCell::new(given.into_iter().collect()) }
    }

    /// One by its name.
    pub fn find(&self, name: &str) -> Option<Rc<Mount>> {
        self.all().into_iter().find(|mount| mount.name == name)
    }

    /// All, in the order in which they came. What was given is left out while something else has its name.
    pub fn all(&self) -> Vec<Rc<Mount>> {
        let all = self.list.borrow();
        let counts = |mount: &&Rc<Mount>| {
            mount.server.is_some() || !all.iter().any(|it| it.server.is_some() && it.name == mount.name)
        };
        all.iter().filter(counts).cloned().collect()
    }

    /// One more.
    pub fn add(&self, mount: Mount) {
        self.list.borrow_mut().push(Rc::new(mount));
    }

    /// One less, of those that were added.
    pub fn remove(&self, name: &str) {
        self.list.borrow_mut().retain(|mount| mount.name != name || mount.server.is_none());
    }

    /// Below what names are that say no place.
    pub fn usual(&self) -> Place {
        match self.find(GIVEN) {
            Some(_) => Place::Volume { name: String::from(GIVEN), snapshot: None },
            None => Place::Boot,
        }
    }
}
