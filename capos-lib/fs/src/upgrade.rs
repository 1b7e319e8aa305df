//! Volumes of version 1, in which domains did not count names.

use alloc::collections::BTreeMap;

use crate::error::Error;
use crate::key::{self, ObjectId, Part};
use crate::look;
use crate::record::{Domain, MAX_RECORD, Object};
use crate::volume::View;

/// All domains that have names, with their number, and that what they say is to be written.
pub(crate) async fn domains(view: &impl View) -> Result<BTreeMap<u32, (Domain, bool)>, Error> {
    let mut domains = BTreeMap::new();
    for (number, names) in names(view).await? {
        match domain(view, number).await {
            // A record that makes no sense is for the check.
            Err(Error::Corrupt) => {}
            known => {
                domains.insert(number, (Domain { names, ..known? }, true));
            }
        }
    }
    Ok(domains)
}

/// What a domain's record says.
pub(crate) async fn domain(view: &impl View, number: u32) -> Result<Domain, Error> {
    let mut value = [0; MAX_RECORD];
    match view.get(&key::domain(number), &mut value).await? {
        Some(length) => Domain::decode(value.get(..length).unwrap_or_default()),
        None => Ok(Domain::default()),
    }
}

/// How many names the directories and namespaces of each domain have.
async fn names(view: &impl View) -> Result<BTreeMap<u32, u64>, Error> {
    let mut names: BTreeMap<u32, u64> = BTreeMap::new();
    let mut from = ObjectId::ROOT;
    while let Some(found) = look::next(view, &key::object(from)).await? {
        let Some((id, part, _)) = found.parse() else { break };
        let object = Object::decode(found.value()).ok().filter(|_| part == Part::Object);
        if let Some(object) = object.filter(|object| object.kind.has_names() && object.size > 0) {
            let sum = names.entry(object.domain).or_default();
            *sum = sum.saturating_add(object.size);
        }
        let Some(next) = id.0.checked_add(1) else { break };
        from = ObjectId(next);
    }
    Ok(names)
}
