//! In which order services are started: each after those whose exports it is granted.

use crate::facts::SUPERVISOR;
use crate::model::{Manifest, Service};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Services that wait for each other in a ring.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cycle {
    /// Their indices; each needs the next, and the last needs the first.
    pub services: Vec<usize>,
    /// Their names, in the same order.
    pub names: Vec<String>,
}

impl fmt::Display for Cycle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.names.first();
        self.names.iter().try_for_each(|name| write!(out, "{name} needs "))?;
        out.write_str(first.map_or("", String::as_str))
    }
}

impl core::error::Error for Cycle {}

/// Indices of the services whose exports `service` is granted, one for each grant. Names that nobody has are left out; [`crate::validate`] reports
/// them.
pub fn providers<'a>(manifest: &'a Manifest, service: &'a Service) -> impl Iterator<Item = usize> + 'a {
    service.caps.iter().filter_map(|grant| match grant.source.provider() {
        Some((service, _)) if service != SUPERVISOR => {
            manifest.services.iter().position(|other| other.name == *service)
        }
        _ => None,
    })
}

/// All services so that each comes after those it needs, and otherwise as in the manifest.
pub fn start_order(manifest: &Manifest) -> Result<Vec<usize>, Cycle> {
    let needs: Vec<Vec<usize>> =
        manifest.services.iter().map(|service| providers(manifest, service).collect()).collect();
    let mut order: Vec<usize> = Vec::with_capacity(needs.len());
    let mut placed = Vec::from_iter(needs.iter().map(|_| false));
    let is_placed = |placed: &[bool], n: usize| placed.get(n).copied().unwrap_or(true);
    while order.len() < needs.len() {
        let ready = |(n, needs): &(usize, &Vec<usize>)| {
            !is_placed(&placed, *n) && needs.iter().all(|need| is_placed(&placed, *need))
        };
        let Some((next, _)) = needs.iter().enumerate().find(ready) else {
            return Err(cycle(manifest, &needs, &placed));
        };
        if let Some(mark) = placed.get_mut(next) {
            *mark = true;
        }
        order.push(next);
    }
    Ok(order)
}

/// When every service left needs one that is left too, going from need to need must come around.
fn cycle(manifest: &Manifest, needs: &[Vec<usize>], placed: &[bool]) -> Cycle {
    let is_left = |n: &usize| placed.get(*n) == Some(&false);
    let mut path: Vec<usize> = Vec::new();
    let mut next = (0..needs.len()).find(|n| is_left(n));
    while let Some(at) = next {
        if let Some(start) = path.iter().position(|earlier| *earlier == at) {
            path.drain(..start);
            break;
        }
        path.push(at);
        next = needs.get(at).and_then(|needs| needs.iter().copied().find(|n| is_left(n)));
    }
    let names = path.iter().filter_map(|n| manifest.services.get(*n)).map(|service| service.name.clone());
    Cycle { names: names.collect(), services: path }
}
