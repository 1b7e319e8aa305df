//! The volume as a whole: mounted, locked, counted and committed.

use alloc::collections::BTreeMap;
use core::cell::RefCell;

use crate::change::{Change, Charge, Names};
use crate::error::Error;
use crate::key::{self, ObjectId, Part};
use crate::lock::{Guard, Lock};
use crate::recent::Recent;
use crate::record::{Domain, Kind, Object, Orphan, VolumeRecord};
use crate::time::Stamp;
use crate::volume::Volume;
use crate::{look, record, upgrade};
use capos_store::{Need, Pointer};

/// Files and names on a volume. Its futures are for one thread; any number of them may be under way.
pub struct Fs<V> {
    pub(crate) view: Recent<V>,
    /// Whose turn it is to change something, or to commit.
    turn: Lock,
    /// Held alone while records change, so that nobody sees half of it, or follows a pointer to a block that is given back.
    pub(crate) tree: Lock,
    pub(crate) state: RefCell<State>,
}

/// What is in memory of it.
pub(crate) struct State {
    pub(crate) volume: VolumeRecord,
    /// What the tree has of it.
    written: VolumeRecord,
    /// Those that were used, and whether they differ from what the tree has.
    domains: BTreeMap<u32, (Domain, bool)>,
    /// How often objects are held.
    holds: BTreeMap<ObjectId, u32>,
    /// What is to go of objects.
    pub(crate) orphans: BTreeMap<ObjectId, Orphan>,
    /// What was changed since the last commit has to be committed.
    changed: bool,
    /// Of the volume when this was read from it.
    epoch: u64,
}

impl<V: Volume> Fs<V> {
    /// Makes an empty root on an empty volume, and commits it.
    ///
    /// # Errors
    /// What the volume says.
    pub async fn format(volume: &V, now: Stamp) -> Result<(), Error> {
        let root = Object::new(Kind::Namespace, 0, now);
        let next = ObjectId::ROOT.0.saturating_add(1);
        let numbers = VolumeRecord { next, objects: 1, collection: 0, counts_names: true };
        let mut change = Change::default();
        change.put(&key::object(ObjectId::ROOT), &root.encode());
        change.put(&key::domain(0), &Domain { objects: 1, ..Domain::default() }.encode());
        change.put(&key::object(ObjectId::VOLUME), &numbers.encode());
        volume.apply(&change.records(), Need::Ordinary).await?;
        volume.commit().await?;
        // Nothing more follows: it is settled.
        Ok(volume.commit().await?)
    }

    /// Takes a volume that has a root. What a crash left to be removed is for [`Fs::tidy`].
    ///
    /// # Errors
    /// `Version` when nothing, or something else, is on it.
    pub async fn mount(volume: V) -> Result<Fs<V>, Error> {
        let state = RefCell::new(State::read(&volume).await?);
        Ok(Fs { view: Recent::new(volume), turn: Lock::default(), tree: Lock::default(), state })
    }

    /// The volume below, for what is no matter of files.
    pub const fn volume(&self) -> &V {
        &self.view.volume
    }

    /// Gives the volume back; what was not synced may be lost.
    pub fn into_volume(self) -> V {
        self.view.volume
    }

    /// A number that changes when something that was done is lost, as a commit failed.
    pub fn epoch(&self) -> u64 {
        self.view.volume.epoch()
    }

    /// Answers when all that was done before is durable. `since` is the epoch that the caller saw before it did what is to be.
    ///
    /// # Errors
    /// `Lost` when that is not what the volume has any more; what the volume says.
    pub async fn sync(&self, since: u64) -> Result<(), Error> {
        let _turn = self.turn().await?;
        if self.epoch() == since {
            let changed = self.state.borrow().changed;
            match changed {
                true => self.commit().await?,
                // What the last mount found may not be durable, and what was committed last has not been settled.
                false => self.view.volume.commit().await?,
            }
        }
        if self.epoch() == since { Ok(()) } else { Err(Error::Lost) }
    }

    /// Has what is durable stay so whatever block is spoiled later. What was not synced is as before.
    ///
    /// # Errors
    /// What the volume says; nothing is lost then.
    pub async fn settle_commit(&self) -> Result<(), Error> {
        let _turn = self.turn.change().await;
        Ok(self.view.volume.settle().await?)
    }

    /// Waits for the turn to change something.
    pub(crate) async fn begin(&self) -> Result<Guard<'_>, Error> {
        let turn = self.turn().await?;
        if self.view.volume.is_due() {
            self.commit().await?;
        }
        Ok(turn)
    }

    /// Waits for the turn to do something with what is in memory, which is what the volume has: nobody else may read it again meanwhile.
    pub(crate) async fn turn(&self) -> Result<Guard<'_>, Error> {
        let turn = self.turn.change().await;
        if self.state.borrow().epoch != self.epoch() {
            self.read_again().await?;
        }
        Ok(turn)
    }

    /// What was counted since the last commit was lost with what it counts.
    async fn read_again(&self) -> Result<(), Error> {
        let mut state = State::read(&self.view.volume).await?;
        state.holds = core::mem::take(&mut self.state.borrow_mut().holds);
        self.state.replace(state);
        Ok(())
    }

    pub(crate) async fn commit(&self) -> Result<(), Error> {
        if !self.state.borrow().changed {
            return Ok(());
        }
        self.put_counters().await?;
        self.view.volume.commit().await?;
        let mut state = self.state.borrow_mut();
        state.changed = false;
        Ok(())
    }

    /// Writes down what was counted, if it is not what is written.
    pub(crate) async fn put_counters(&self) -> Result<(), Error> {
        let mut change = Change::default();
        let numbers = {
            let state = self.state.borrow();
            if state.volume != state.written {
                change.put(&key::object(ObjectId::VOLUME), &state.volume.encode());
            }
            for (number, (domain, _)) in state.domains.iter().filter(|(_, (_, changed))| *changed) {
                change.put(&key::domain(*number), &domain.encode());
            }
            state.volume
        };
        if change.is_empty() {
            return Ok(());
        }
        {
            let _alone = self.tree.change().await;
            // These records are read by nobody else, and not kept.
            self.view.volume.apply(&change.records(), Need::Upkeep).await?;
        }
        let mut state = self.state.borrow_mut();
        state.written = numbers;
        state.domains.values_mut().for_each(|(_, changed)| *changed = false);
        Ok(())
    }

    /// Makes a change as a whole, or nothing of it; then counts.
    pub(crate) async fn apply(&self, change: Change) -> Result<(), Error> {
        let alone = self.tree.change().await;
        self.apply_alone(alone, change).await
    }

    /// The same for who is alone with the tree already. Blocks are given back while nobody follows a pointer.
    pub(crate) async fn apply_alone(&self, alone: Guard<'_>, change: Change) -> Result<(), Error> {
        // It is counted in memory from now on.
        self.used(change.charge.domain).await?;
        self.used(change.names.domain).await?;
        let records = change.records();
        let done = self.view.volume.apply(&records, change.need()).await;
        self.view.changed(&records, done.is_ok());
        let unused = if done.is_ok() { &change.freed } else { &change.fresh };
        self.give_back(unused);
        drop(alone);
        done?;
        let mut state = self.state.borrow_mut();
        state.changed = true;
        state.count(change.charge);
        state.count_names(change.names);
        Ok(())
    }

    /// Gives back blocks that nothing points to. One that the volume does not take was no block of a file: that is for the volume's check.
    pub(crate) fn give_back(&self, pointers: &[Pointer]) {
        for pointer in pointers.iter().filter(|pointer| !pointer.is_none()) {
            let _ = self.view.volume.free(pointer);
        }
    }

    /// What a domain uses.
    ///
    /// # Errors
    /// What the volume says.
    pub async fn domain(&self, number: u32) -> Result<Domain, Error> {
        let _turn = self.turn().await?;
        self.used(number).await
    }

    /// The same for who has the turn.
    async fn used(&self, number: u32) -> Result<Domain, Error> {
        if let Some((domain, _)) = self.state.borrow().domains.get(&number) {
            return Ok(*domain);
        }
        let domain = upgrade::domain(&self.view.volume, number).await?;
        self.state.borrow_mut().domains.insert(number, (domain, false));
        Ok(domain)
    }

    /// Sets the most that a domain may use; 0 is no limit.
    ///
    /// # Errors
    /// What the volume says.
    pub async fn set_quota(&self, number: u32, blocks_most: u64, objects_most: u64) -> Result<(), Error> {
        let _turn = self.begin().await?;
        let domain = self.used(number).await?;
        let mut state = self.state.borrow_mut();
        state.domains.insert(number, (Domain { blocks_most, objects_most, ..domain }, true));
        state.changed = true;
        Ok(())
    }

    /// Looks whether a domain has room for what is to be charged to it.
    pub(crate) async fn room(&self, charge: Charge) -> Result<(), Error> {
        let domain = self.used(charge.domain).await?;
        let blocks = fits(domain.blocks, charge.blocks, domain.blocks_most);
        let objects = fits(domain.objects, charge.objects, domain.objects_most);
        if blocks && objects { Ok(()) } else { Err(Error::Quota) }
    }

    /// The same for names. A domain may have as many as it may have objects: without [`Fs::bind`] it never has more.
    pub(crate) async fn room_for_names(&self, names: Names) -> Result<(), Error> {
        let domain = self.used(names.domain).await?;
        if fits(domain.names, names.more, domain.objects_most) { Ok(()) } else { Err(Error::Quota) }
    }

    /// How many objects there are.
    ///
    /// # Errors
    /// What the volume says.
    pub async fn objects(&self) -> Result<u64, Error> {
        if self.state.borrow().epoch != self.epoch() {
            drop(self.turn().await?);
        }
        Ok(self.state.borrow().volume.objects)
    }

    /// Holds an object that is held already once more, until [`Fs::release`].
    pub fn hold(&self, object: ObjectId) {
        let mut state = self.state.borrow_mut();
        let holds = state.holds.entry(object).or_default();
        *holds = holds.saturating_add(1);
    }

    pub(crate) fn is_held(&self, object: ObjectId) -> bool {
        self.state.borrow().holds.contains_key(&object)
    }

    /// Gives back what [`Fs::open`] gave. A file without names goes with the last.
    pub async fn release(&self, object: ObjectId) {
        let is_last = {
            let mut state = self.state.borrow_mut();
            let Some(holds) = state.holds.get_mut(&object) else { return };
            *holds = holds.saturating_sub(1);
            *holds == 0
        };
        if is_last {
            self.state.borrow_mut().holds.remove(&object);
            self.clean(object).await;
        }
    }
}

impl State {
    async fn read(volume: &impl Volume) -> Result<State, Error> {
        let epoch = volume.epoch();
        let mut value = [0; record::MAX_RECORD];
        let length = volume.get(&key::object(ObjectId::VOLUME), &mut value).await?;
        let bytes = length.and_then(|length| value.get(..length)).unwrap_or_default();
        let numbers = VolumeRecord::decode(bytes)?;
        // Written with the next commit. Until then everybody who mounts it counts.
        let domains = if numbers.counts_names { BTreeMap::new() } else { upgrade::domains(volume).await? };
        Ok(State {
            volume: VolumeRecord { counts_names: true, ..numbers },
            written: numbers,
            domains,
            holds: BTreeMap::new(),
            orphans: orphans(volume).await?,
            changed: false,
            epoch,
        })
    }

    fn count(&mut self, charge: Charge) {
        if charge.objects > 0 {
            self.volume.next = self.volume.next.saturating_add(1);
        }
        self.volume.objects = self.volume.objects.saturating_add_signed(charge.objects);
        if charge.blocks == 0 && charge.objects == 0 {
            return;
        }
        let (domain, changed) = self.domains.entry(charge.domain).or_default();
        domain.blocks = domain.blocks.saturating_add_signed(charge.blocks);
        domain.objects = domain.objects.saturating_add_signed(charge.objects);
        *changed = true;
    }

    fn count_names(&mut self, names: Names) {
        if names.more != 0 {
            let (domain, changed) = self.domains.entry(names.domain).or_default();
            domain.names = domain.names.saturating_add_signed(names.more);
            *changed = true;
        }
    }
}

/// Whether so many more are within a limit.
fn fits(used: u64, more: i64, most: u64) -> bool {
    more <= 0 || most == 0 || used.saturating_add_signed(more) <= most
}

/// What was to be removed when the volume was last committed.
async fn orphans(volume: &impl Volume) -> Result<BTreeMap<ObjectId, Orphan>, Error> {
    let mut orphans = BTreeMap::new();
    let mut from = key::orphan(ObjectId::VOLUME);
    while let Some(found) = look::next(volume, &from).await? {
        let Some((ObjectId::VOLUME, Part::Orphan, rest)) = found.parse() else { break };
        let object = ObjectId(key::number(rest).ok_or(Error::Corrupt)?);
        orphans.insert(object, Orphan::decode(found.value())?);
        let Some(next) = object.0.checked_add(1) else { break };
        from = key::orphan(ObjectId(next));
    }
    Ok(orphans)
}
