//! What a service is told when it starts: its arguments, and who calls it, if it asks for that.

use crate::device::PciMatch;
use crate::model::{Service, Source};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// This argument is replaced by `--client=NUMBER:NAME` for each service that holds something of this one.
const CLIENTS: &str = "--clients";
/// This one by `--claim=NUMBER:NAME:MATCH` for each device that a service may be given, and each match of that device.
pub(crate) const CLAIMS: &str = "--claims";

/// A device that a service is to have.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// Who is to have it.
    pub service: &'a str,
    /// Under which name it finds the right to it.
    pub name: &'a str,
    /// What the device is like: any of these.
    pub matches: &'a [PciMatch],
}

/// All devices that the services are to have. The place of one among them is the number by which it is known to who hands devices out.
pub fn claims<'a>(services: impl Iterator<Item = &'a Service>) -> impl Iterator<Item = Claim<'a>> {
    services.flat_map(|service| {
        service.caps.iter().filter_map(|grant| match &grant.source {
            Source::Pci(matches) => Some(Claim { service: &service.name, name: &grant.name, matches }),
            _ => None,
        })
    })
}

/// The arguments of a service, one of `services`.
pub fn arguments<'a>(services: impl Iterator<Item = &'a Service> + Clone, service: &Service) -> Vec<String> {
    let mut list = Vec::new();
    for arg in &service.args {
        match arg.as_str() {
            CLIENTS => list.extend(clients(services.clone(), &service.name)),
            CLAIMS => list.extend(claim_arguments(services.clone())),
            _ => list.push(arg.clone()),
        }
    }
    list
}

fn clients<'a>(services: impl Iterator<Item = &'a Service>, of: &str) -> impl Iterator<Item = String> {
    let holds = move |other: &Service| {
        other.caps.iter().any(|grant| grant.source.provider().is_some_and(|(service, _)| service == of))
    };
    let numbered = services.enumerate().filter(move |(_, other)| holds(other));
    numbered.map(|(number, other)| format!("--client={number}:{}", other.name))
}

fn claim_arguments<'a>(services: impl Iterator<Item = &'a Service>) -> impl Iterator<Item = String> {
    claims(services).enumerate().flat_map(|(number, claim)| {
        let each = move |found: &PciMatch| format!("--claim={number}:{}:{found}", claim.service);
        claim.matches.iter().map(each)
    })
}
