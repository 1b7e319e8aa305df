//! What a function can do, in words. Without addresses of memory: these are for who looks at a machine, and none of them leaves the kernel.

use crate::bar::Space;
use crate::capability::{Capability, Extended, id};
use crate::config::Config;
use crate::express::{Express, Port};
use crate::function::Function;
use crate::message::{Msi, MsiX};
use crate::power::PowerManagement;
use crate::virtio::{self, Block};
use core::fmt::{self, Write};

impl Function {
    /// Writes what a capability of it is, and how it is set now.
    pub fn describe(&self, config: &impl Config, found: Capability, out: &mut impl Write) -> fmt::Result {
        let at = self.address;
        let on = |on: bool| if on { "on" } else { "off" };
        match found.id {
            id::POWER => match PowerManagement::read(config, at, found) {
                Ok(power) => {
                    let keeps = if power.no_soft_reset { ", keeps its state" } else { "" };
                    write!(out, "power management, D{}{keeps}", power.state(config, at))
                }
                Err(fault) => write!(out, "{fault}"),
            },
            id::MSI => match Msi::read(config, at, found) {
                Ok(msi) => write!(out, "MSI {}, {msi}", on(msi.is_enabled(config, at))),
                Err(fault) => write!(out, "{fault}"),
            },
            id::MSIX => match MsiX::read(config, at, found, &self.bars) {
                Ok(msix) => write!(out, "MSI-X {}, {msix}", on(msix.is_enabled(config, at))),
                Err(fault) => write!(out, "{fault}"),
            },
            id::EXPRESS => match Express::read(config, at, found) {
                Ok(express) => write!(out, "PCI Express {express}"),
                Err(fault) => write!(out, "{fault}"),
            },
            id::VENDOR if self.header.vendor == virtio::VENDOR => {
                match virtio::read(config, at, found, &self.bars) {
                    Ok(Some(it)) => write!(out, "virtio {}, {} bytes in BAR {}", it.block, it.length, it.bar),
                    Ok(None) => out.write_str("virtio, in no BAR"),
                    Err(fault) => write!(out, "{fault}"),
                }
            }
            other => out.write_str(name(other)),
        }
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Space::Io => "ports",
            Space::Memory { wide: false, prefetchable: false } => "memory, 32 bits",
            Space::Memory { wide: false, prefetchable: true } => "memory, 32 bits, prefetchable",
            Space::Memory { wide: true, prefetchable: false } => "memory, 64 bits",
            Space::Memory { wide: true, prefetchable: true } => "memory, 64 bits, prefetchable",
        })
    }
}

/// So many messages.
struct Messages(u16);

impl fmt::Display for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0 == 1 { "" } else { "s" };
        write!(f, "{} message{plural}", self.0)
    }
}

impl fmt::Display for Msi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = if self.wide { 64 } else { 32 };
        let masks = if self.maskable { ", maskable" } else { "" };
        write!(f, "{}, {width} bits{masks}", Messages(self.vectors.into()))
    }
}

impl fmt::Display for MsiX {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((table, at), (pending, pending_at)) = (self.table, self.pending);
        write!(f, "{}, table in BAR {table} at {at:#x}, ", Messages(self.vectors))?;
        write!(f, "pending in BAR {pending} at {pending_at:#x}")
    }
}

impl fmt::Display for Express {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Port::Endpoint => f.write_str("endpoint")?,
            Port::LegacyEndpoint => f.write_str("legacy endpoint")?,
            Port::IntegratedEndpoint => f.write_str("integrated endpoint")?,
            Port::Root => f.write_str("root port")?,
            Port::Upstream => f.write_str("upstream port")?,
            Port::Downstream => f.write_str("downstream port")?,
            Port::ToPci => f.write_str("bridge to PCI")?,
            Port::FromPci => f.write_str("bridge from PCI")?,
            Port::EventCollector => f.write_str("event collector")?,
            Port::Other(number) => write!(f, "port of kind {number}")?,
        }
        if self.can_reset {
            f.write_str(", can be reset alone")?;
        }
        if let Some(slot) = self.slot {
            write!(f, ", slot {}", slot.number)?;
            if slot.hot_plug {
                f.write_str(", hot plug")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Block::Common => f.write_str("common"),
            Block::Notify(multiplier) => write!(f, "doorbells {multiplier} bytes apart"),
            Block::Interrupt => f.write_str("interrupt status"),
            Block::Device => f.write_str("device"),
            Block::Window => f.write_str("window"),
            Block::Shared => f.write_str("shared memory"),
            Block::Other(kind) => write!(f, "block of kind {kind}"),
        }
    }
}

impl fmt::Display for Extended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.id {
            0x01 => "error reporting",
            0x02 | 0x09 => "virtual channels",
            0x03 => "serial number",
            0x0b => "vendor's",
            0x0d => "access control",
            0x0e => "routing by function alone",
            0x0f => "translating by itself",
            0x10 => "virtual functions",
            0x13 => "page requests",
            0x15 => "resizable BARs",
            0x18 => "latency tolerance",
            0x19 => "secondary PCI Express",
            0x1b => "address spaces of processes",
            0x1e => "power states of the link",
            0x1f => "time measurement",
            0x23 => "designated vendor's",
            _ => "extended",
        })
    }
}

/// Names of what we have no use for (PCI Code and ID Assignment 1.11, chapter 2).
fn name(id: u8) -> &'static str {
    match id {
        0x00 => "given up",
        0x02 => "AGP",
        0x03 => "product data",
        0x04 => "slot number",
        0x06 => "CompactPCI hot swap",
        0x07 => "PCI-X",
        0x08 => "HyperTransport",
        id::VENDOR => "vendor's",
        0x0a => "debug port",
        0x0c => "hot plug",
        0x0d => "bridge's subsystem",
        0x0e => "AGP 8x",
        0x0f => "secure device",
        0x12 => "SATA",
        0x13 => "advanced features",
        id::ENHANCED => "enhanced allocation",
        _ => "other",
    }
}
