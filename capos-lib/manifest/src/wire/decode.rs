//! From a message to the model. The message may come from anybody.

use super::{MAX_BYTES, MAX_SERVICES, ManifestError, VERSION};
use crate::device::PciMatch;
use crate::generated::manifest_capnp as message;
use crate::model::{
    Backoff, Budget, Escalate, Export, Follow, Grant, Health, Iommu, Limit, Manifest, PanicAction, Restart,
    Service, Source,
};
use alloc::string::String;
use alloc::vec::Vec;
use capnp::Word;
use capnp::message::ReaderOptions;
use capnp::serialize::read_message_from_flat_slice;

/// System, service, grant, its source: no sound manifest is nested deeper.
const NESTING: i32 = 8;

/// Reads a manifest. Whether it makes sense, [`crate::validate`] says.
pub fn decode(bytes: &[u8]) -> Result<Manifest, ManifestError> {
    if bytes.len() > MAX_BYTES {
        return Err(ManifestError::TooLong { bytes: bytes.len() });
    }
    let words = aligned(bytes);
    // A sound message is read once, so anything beyond its own length is a pointer trick. Lists of empty structs count too.
    let mut options = ReaderOptions::new();
    options.traversal_limit_in_words(Some(words.len() + 1)).nesting_limit(NESTING);
    let mut rest = Word::words_to_bytes(&words);
    let reader = read_message_from_flat_slice(&mut rest, options)?;
    system(reader.get_root::<message::system_manifest::Reader<'_>>()?)
}

/// The bytes again, where a message may lie; the last word is filled up with zeros.
fn aligned(bytes: &[u8]) -> Vec<Word> {
    let mut words = Word::allocate_zeroed_vec(bytes.len().div_ceil(size_of::<Word>()));
    Word::words_to_bytes_mut(&mut words).iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    words
}

fn text(reader: capnp::text::Reader<'_>) -> Result<String, ManifestError> {
    Ok(String::from(reader.to_str()?))
}

fn system(reader: message::system_manifest::Reader<'_>) -> Result<Manifest, ManifestError> {
    if reader.get_version() != VERSION {
        return Err(ManifestError::Version(reader.get_version()));
    }
    let services = reader.get_services()?;
    if services.len() as usize > MAX_SERVICES {
        return Err(ManifestError::TooManyServices(services.len()));
    }
    let on_panic = match reader.get_on_panic()? {
        message::PanicAction::Halt => PanicAction::Halt,
        message::PanicAction::Reboot => PanicAction::Reboot,
    };
    Ok(Manifest {
        name: text(reader.get_name()?)?,
        services: services.iter().map(service).collect::<Result<_, _>>()?,
        on_panic,
        seed: reader.get_seed(),
        iommu: match reader.get_iommu()? {
            message::Iommu::Optional => Iommu::Optional,
            message::Iommu::Required => Iommu::Required,
        },
    })
}

fn service(reader: message::service::Reader<'_>) -> Result<Service, ManifestError> {
    let restart = match reader.get_restart()? {
        message::Restart::Never => Restart::Never,
        message::Restart::OnFailure => Restart::OnFailure,
        message::Restart::Always => Restart::Always,
    };
    Ok(Service {
        name: text(reader.get_name()?)?,
        binary: text(reader.get_binary()?)?,
        args: reader.get_args()?.iter().map(|arg| text(arg?)).collect::<Result<_, _>>()?,
        caps: reader.get_caps()?.iter().map(grant).collect::<Result<_, _>>()?,
        exports: reader.get_exports()?.iter().map(export).collect::<Result<_, _>>()?,
        budget: budget(reader.get_budget()?),
        restart,
        autostart: reader.get_autostart(),
        backoff: backoff(reader.get_backoff()?),
        limit: limit(reader.get_limit()?),
        health: if reader.has_health() { Some(health(reader.get_health()?)) } else { None },
        drain_ms: reader.get_drain_ms(),
        follow: match reader.get_follow()? {
            message::Follow::Nothing => Follow::Nothing,
            message::Follow::Told => Follow::Told,
            message::Follow::Restarted => Follow::Restarted,
        },
        escalate: match reader.get_escalate()? {
            message::Escalate::Nothing => Escalate::Nothing,
            message::Escalate::Group => Escalate::Group,
            message::Escalate::Reboot => Escalate::Reboot,
        },
    })
}

fn backoff(reader: message::backoff::Reader<'_>) -> Backoff {
    Backoff { first_ms: reader.get_first_ms(), longest_ms: reader.get_longest_ms() }
}

fn limit(reader: message::limit::Reader<'_>) -> Limit {
    Limit { restarts: reader.get_restarts(), window_ms: reader.get_window_ms() }
}

fn health(reader: message::health::Reader<'_>) -> Health {
    Health {
        ready_ms: reader.get_ready_ms(),
        every_ms: reader.get_every_ms(),
        answer_ms: reader.get_answer_ms(),
    }
}

fn grant(reader: message::grant::Reader<'_>) -> Result<Grant, ManifestError> {
    let source = match reader.which()? {
        message::grant::Which::Kernel(name) => Source::Kernel(text(name?)?),
        message::grant::Which::Export(export) => {
            let export = export?;
            Source::Export { service: text(export.get_service()?)?, export: text(export.get_export()?)? }
        }
        message::grant::Which::IoPort(ports) => {
            let ports = ports?;
            Source::IoPort { base: ports.get_base(), length: ports.get_length() }
        }
        message::grant::Which::Irq(line) => Source::Irq(line),
        message::grant::Which::Pci(matches) => {
            Source::Pci(matches?.iter().map(pci).collect::<Result<_, _>>()?)
        }
    };
    Ok(Grant { name: text(reader.get_name()?)?, interface: text(reader.get_interface()?)?, source })
}

fn pci(reader: message::pci_match::Reader<'_>) -> Result<PciMatch, ManifestError> {
    let number = |number| (number != u16::MAX).then_some(number);
    let class = reader.get_class();
    Ok(PciMatch {
        policy: text(reader.get_policy()?)?,
        vendor: number(reader.get_vendor()),
        device: number(reader.get_device()),
        class: (class != u32::MAX).then_some(class),
        subsystem_vendor: number(reader.get_subsystem_vendor()),
        subsystem: number(reader.get_subsystem()),
        address: number(reader.get_address()),
        nth: number(reader.get_nth()),
    })
}

fn export(reader: message::export::Reader<'_>) -> Result<Export, ManifestError> {
    Ok(Export { name: text(reader.get_name()?)?, interface: text(reader.get_interface()?)? })
}

fn budget(reader: message::budget::Reader<'_>) -> Budget {
    Budget {
        memory_pages: reader.get_memory_pages(),
        cap_slots: reader.get_cap_slots(),
        threads: reader.get_threads(),
        calls_in_flight: reader.get_calls_in_flight(),
        endpoint_entries: reader.get_endpoint_entries(),
        log_bytes: reader.get_log_bytes(),
        priority: reader.get_priority(),
        cpu_percent: reader.get_cpu_percent(),
        dma_pages: reader.get_dma_pages(),
        vectors: reader.get_vectors(),
    }
}
