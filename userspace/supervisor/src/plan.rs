//! The manifest, as far as it is for the supervisor. Init has checked it.

use crate::state::Given;
use alloc::vec::Vec;
use capos_manifest::{self as manifest, Service, decode, providers};
use capos_restart::{Escalation, Follow, Health, Policy, Spec, When};
use rt::{CallError, Exception, ExceptionCode};

/// Bytes that one read of an object gives at most.
const READ: u64 = 3072;

const MS: u64 = 1_000_000;

/// Reads it.
pub async fn load(given: &Given) -> Result<Vec<(Service, Spec)>, CallError> {
    let mut bytes: Vec<u8> = Vec::new();
    while (bytes.len() as u64) < given.manifest_bytes {
        let at = bytes.len() as u64;
        let part = given.manifest.read(at, (given.manifest_bytes - at).min(READ) as u32).await?;
        if part.is_empty() {
            break;
        }
        bytes.extend(part);
    }
    let malformed = |_| CallError::Exception(Exception::from(ExceptionCode::Malformed));
    let manifest = decode(&bytes).map_err(malformed)?;
    let specs: Vec<Spec> = manifest
        .services
        .iter()
        .map(|service| spec(service, providers(&manifest, service).collect()))
        .collect();
    Ok(manifest.services.into_iter().zip(specs).collect())
}

fn spec(service: &Service, providers: Vec<usize>) -> Spec {
    let ns = |ms: u32| u64::from(ms) * MS;
    Spec {
        policy: Policy {
            when: match service.restart {
                manifest::Restart::Never => When::Never,
                manifest::Restart::OnFailure => When::OnFailure,
                manifest::Restart::Always => When::Always,
            },
            first_ns: ns(service.backoff.first_ms),
            longest_ns: ns(service.backoff.longest_ms),
            restarts: service.limit.restarts,
            window_ns: ns(service.limit.window_ms),
        },
        autostart: service.autostart,
        health: service.health.map(|health| Health {
            ready_ns: ns(health.ready_ms),
            every_ns: ns(health.every_ms),
            answer_ns: ns(health.answer_ms),
        }),
        drain_ns: ns(service.drain_ms),
        follow: match service.follow {
            manifest::Follow::Nothing => Follow::Nothing,
            manifest::Follow::Told => Follow::Told,
            manifest::Follow::Restarted => Follow::Restarted,
        },
        escalation: match service.escalate {
            manifest::Escalate::Nothing => Escalation::Nothing,
            manifest::Escalate::Group => Escalation::Group,
            manifest::Escalate::Reboot => Escalation::Reboot,
        },
        providers,
        exports: !service.exports.is_empty(),
    }
}
