//! Everything that the texts define, not only what is about to run: whoever changes a line learns at once that it is wrong.

use std::collections::BTreeSet;

use capos_manifest::export::Json;
use capos_manifest::{Facts, Manifest};

use super::Systems;
use crate::error::CueError;

pub(super) fn check(systems: &Systems, facts: &Facts) -> Result<(), CueError> {
    let mut found = Found::default();
    let mut used = BTreeSet::new();
    for name in systems.definitions.systems() {
        match systems.definitions.system(name) {
            Ok(manifest) => {
                used.extend(manifest.services.iter().map(|service| service.name.clone()));
                found.take(systems.check(&manifest, facts))?;
            }
            Err(error) => found.take(Err(systems.refuse(&error)))?,
        }
    }
    // How much memory they need is for the machines to say that they will run on.
    let roomy = Facts { memory_pages: u64::MAX, ..facts.clone() };
    for name in systems.definitions.services().filter(|name| !used.contains(*name)) {
        let result = beside_its_needs(systems, name).and_then(|manifest| systems.check(&manifest, &roomy));
        found.take(result)?;
    }
    match found.lines.is_empty() {
        true => Ok(()),
        false => Err(CueError::Refused(found.lines)),
    }
}

/// Refusals, each once: systems share services.
#[derive(Default)]
struct Found {
    lines: Vec<String>,
}

impl Found {
    fn take(&mut self, result: Result<(), CueError>) -> Result<(), CueError> {
        match result {
            Err(CueError::Refused(lines)) => {
                for line in lines {
                    if !self.lines.contains(&line) {
                        self.lines.push(line);
                    }
                }
                Ok(())
            }
            other => other,
        }
    }
}

/// A system of one service and those whose exports it is granted, and so on.
fn beside_its_needs(systems: &Systems, service: &str) -> Result<Manifest, CueError> {
    let mut uses = vec![service.to_owned()];
    loop {
        let list = Json::List(uses.iter().cloned().map(Json::Text).collect());
        let manifest = systems.compose("", &Json::Object(vec![("use".into(), list)]))?;
        let before = uses.len();
        for needed in needs(&manifest) {
            if !uses.iter().any(|used| used == needed)
                && systems.definitions.services().any(|known| known == needed)
            {
                uses.push(needed.to_string());
            }
        }
        if uses.len() == before {
            return Ok(manifest);
        }
    }
}

fn needs(manifest: &Manifest) -> impl Iterator<Item = &str> {
    let grants = manifest.services.iter().flat_map(|service| &service.caps);
    grants.filter_map(|grant| grant.source.provider()).map(|(service, _)| service)
}
