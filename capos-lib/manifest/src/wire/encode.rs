//! From the model to a message. Equal manifests give equal bytes.

use super::VERSION;
use crate::device::PciMatch;
use crate::generated::manifest_capnp as message;
use crate::model::{Budget, Escalate, Follow, Grant, Iommu, Manifest, PanicAction, Restart, Service, Source};
use alloc::vec::Vec;
use capnp::message::{Builder, HeapAllocator};
use capnp::serialize::write_message_to_words;

/// Words of the first segment, enough for a usual manifest, so that there is only one.
const FIRST_SEGMENT: u32 = 8192;

/// Writes a manifest.
pub fn encode(manifest: &Manifest) -> Vec<u8> {
    let mut builder = Builder::new(HeapAllocator::new().first_segment_words(FIRST_SEGMENT));
    let mut root = builder.init_root::<message::system_manifest::Builder<'_>>();
    root.set_version(VERSION);
    root.set_name(manifest.name.as_str());
    root.set_seed(manifest.seed);
    root.set_on_panic(match manifest.on_panic {
        PanicAction::Halt => message::PanicAction::Halt,
        PanicAction::Reboot => message::PanicAction::Reboot,
    });
    root.set_iommu(match manifest.iommu {
        Iommu::Optional => message::Iommu::Optional,
        Iommu::Required => message::Iommu::Required,
    });
    let mut services = root.init_services(count(&manifest.services));
    for (n, from) in (0..).zip(&manifest.services) {
        service(services.reborrow().get(n), from);
    }
    write_message_to_words(&builder)
}

fn count<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}

fn service(mut to: message::service::Builder<'_>, from: &Service) {
    to.set_name(from.name.as_str());
    to.set_binary(from.binary.as_str());
    to.set_autostart(from.autostart);
    to.set_restart(match from.restart {
        Restart::Never => message::Restart::Never,
        Restart::OnFailure => message::Restart::OnFailure,
        Restart::Always => message::Restart::Always,
    });
    budget(to.reborrow().init_budget(), &from.budget);
    supervision(to.reborrow(), from);
    let mut args = to.reborrow().init_args(count(&from.args));
    for (n, arg) in (0..).zip(&from.args) {
        args.set(n, arg.as_str());
    }
    let mut caps = to.reborrow().init_caps(count(&from.caps));
    for (n, from) in (0..).zip(&from.caps) {
        grant(caps.reborrow().get(n), from);
    }
    let mut exports = to.init_exports(count(&from.exports));
    for (n, from) in (0..).zip(&from.exports) {
        let mut to = exports.reborrow().get(n);
        to.set_name(from.name.as_str());
        to.set_interface(from.interface.as_str());
    }
}

fn grant(mut to: message::grant::Builder<'_>, from: &Grant) {
    to.set_name(from.name.as_str());
    to.set_interface(from.interface.as_str());
    match &from.source {
        Source::Kernel(name) => to.set_kernel(name.as_str()),
        Source::Export { service, export } => {
            let mut reference = to.init_export();
            reference.set_service(service.as_str());
            reference.set_export(export.as_str());
        }
        Source::IoPort { base, length } => {
            let mut ports = to.init_io_port();
            ports.set_base(*base);
            ports.set_length(*length);
        }
        Source::Irq(line) => to.set_irq(*line),
        Source::Pci(matches) => {
            let mut list = to.init_pci(count(matches));
            (0..).zip(matches).for_each(|(n, from)| pci(list.reborrow().get(n), from));
        }
    }
}

fn pci(mut to: message::pci_match::Builder<'_>, from: &PciMatch) {
    to.set_policy(from.policy.as_str());
    to.set_vendor(from.vendor.unwrap_or(u16::MAX));
    to.set_device(from.device.unwrap_or(u16::MAX));
    to.set_class(from.class.unwrap_or(u32::MAX));
    to.set_subsystem_vendor(from.subsystem_vendor.unwrap_or(u16::MAX));
    to.set_subsystem(from.subsystem.unwrap_or(u16::MAX));
    to.set_address(from.address.unwrap_or(u16::MAX));
    to.set_nth(from.nth.unwrap_or(u16::MAX));
}

fn budget(mut to: message::budget::Builder<'_>, from: &Budget) {
    to.set_memory_pages(from.memory_pages);
    to.set_cap_slots(from.cap_slots);
    to.set_threads(from.threads);
    to.set_calls_in_flight(from.calls_in_flight);
    to.set_endpoint_entries(from.endpoint_entries);
    to.set_log_bytes(from.log_bytes);
    to.set_priority(from.priority);
    to.set_cpu_percent(from.cpu_percent);
    to.set_dma_pages(from.dma_pages);
    to.set_vectors(from.vectors);
}

fn supervision(mut to: message::service::Builder<'_>, from: &Service) {
    let mut backoff = to.reborrow().init_backoff();
    backoff.set_first_ms(from.backoff.first_ms);
    backoff.set_longest_ms(from.backoff.longest_ms);
    let mut limit = to.reborrow().init_limit();
    limit.set_restarts(from.limit.restarts);
    limit.set_window_ms(from.limit.window_ms);
    if let Some(from) = &from.health {
        let mut health = to.reborrow().init_health();
        health.set_ready_ms(from.ready_ms);
        health.set_every_ms(from.every_ms);
        health.set_answer_ms(from.answer_ms);
    }
    to.set_drain_ms(from.drain_ms);
    to.set_follow(match from.follow {
        Follow::Nothing => message::Follow::Nothing,
        Follow::Told => message::Follow::Told,
        Follow::Restarted => message::Follow::Restarted,
    });
    to.set_escalate(match from.escalate {
        Escalate::Nothing => message::Escalate::Nothing,
        Escalate::Group => message::Escalate::Group,
        Escalate::Reboot => message::Escalate::Reboot,
    });
}
