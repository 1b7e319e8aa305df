//! Which class a function is of: what the manager names, and the function looks like.

use super::Refused;
use super::windows::{self, Reach, Window};
use capos_abi::ExceptionCode;
use capos_dma::class::{Class, Legacy, Modern, Region, virtio as policy};
use capos_dma::e1000e::Adapter;
use capos_dma::nvme::{Controller, ControllerError};
use capos_pci::virtio::{self, Block, Virtio};
use capos_pci::{Function, Space};
use kernel_hal::device::Registers;
use kernel_hal::{WINDOW_MAX, Width, pci};

/// What an NVMe controller says of itself (NVMe 1.4, 2.1.5: class code).
const NVME: u32 = 0x01_0802;

/// The device for teaching.
const EDU: (u16, u16) = (0x1234, 0x11e8);

/// The 82574L (datasheet, 5.3.1).
const E1000E: (u16, u16) = (0x8086, 0x10d3);

/// The class that `policy` names, if the function can be of it.
pub(super) fn of(function: &Function, policy: &str) -> Result<Class, Refused> {
    if function.header.is_platform() {
        return Err(ExceptionCode::Denied);
    }
    if function.fault.is_some() {
        return Err(ExceptionCode::DeviceFault);
    }
    let header = &function.header;
    match policy {
        "virtio" => virtio_of(function),
        "edu" if (header.vendor, header.device) == EDU => Ok(Class::Edu),
        "e1000e" if (header.vendor, header.device) == E1000E => Ok(Class::E1000e(Adapter::default())),
        "nvme" if header.class == NVME => nvme(function),
        "plain" => Ok(Class::Plain),
        "edu" | "nvme" | "e1000e" => Err(ExceptionCode::Unsupported),
        _ => Err(ExceptionCode::NotFound),
    }
}

/// Modern where it can be, else legacy (virtio 1.2, 4.1.2.1).
fn virtio_of(function: &Function) -> Result<Class, Refused> {
    let header = &function.header;
    let id = match header.device {
        modern @ 0x1040..=0x107f => modern - 0x1040,
        0x1000..=0x103f => header.subsystem.1,
        _ => return Err(ExceptionCode::Unsupported),
    };
    if header.vendor != virtio::VENDOR || !policy::is_admitted(id) {
        return Err(ExceptionCode::Unsupported);
    }
    if let Some(modern) = modern(function)? {
        return Ok(Class::Modern(modern));
    }
    let ports = function.bars.iter().flatten().find(|bar| bar.index == 0 && bar.space == Space::Io);
    ports.map(|_| Class::Legacy(Legacy::new(function.msix.is_some()))).ok_or(ExceptionCode::Unsupported)
}

/// By what its capabilities register says (NVMe 1.4, 3.1.1), in halves, as controllers may have it.
fn nvme(function: &Function) -> Result<Class, Refused> {
    let bar = function.bars.iter().flatten().find(|bar| bar.index == 0 && bar.is_memory() && bar.is_placed());
    let bar = bar.ok_or(ExceptionCode::Unsupported)?;
    let registers = Registers::in_memory(bar.base, bar.size).map_err(windows::memory)?;
    let half = |offset| registers.read(offset, Width::Four).map_err(|_| ExceptionCode::DeviceFault);
    Controller::new(half(0)? | half(4)? << 32).map(Class::Nvme).map_err(|error| match error {
        ControllerError::PageSize | ControllerError::CommandSet => ExceptionCode::Unsupported,
        ControllerError::OutOfMemory => ExceptionCode::OutOfMemory,
    })
}

/// Whether an IOMMU is to translate for the function, as far as it says itself.
pub(super) fn obeys_iommu(class: &Class, windows: &[Window]) -> bool {
    class.obeys_iommu(&mut Reach(windows))
}

/// `None` when it lacks some of what the modern interface has.
fn modern(function: &Function) -> Result<Option<Modern>, Refused> {
    let config = pci::Access;
    let mut regions: [Option<Region>; 4] = [None; 4];
    let mut multiplier = 0;
    for block in virtio::blocks(&config, function.address, &function.header, &function.bars) {
        let Virtio { block, bar, offset, length } = block.map_err(|_| ExceptionCode::DeviceFault)?;
        let place = match block {
            Block::Common => 0,
            Block::Notify(each) => {
                if regions[1].is_none() {
                    multiplier = each;
                }
                1
            }
            Block::Interrupt => 2,
            Block::Device => 3,
            Block::Window | Block::Shared | Block::Other(_) => continue,
        };
        // The kernel comes no further.
        let length = length.min(WINDOW_MAX.saturating_sub(offset));
        if length == 0 {
            return Err(ExceptionCode::Unsupported);
        }
        regions[place].get_or_insert(Region { bar, offset, length });
    }
    let [Some(common), Some(notify), Some(isr), device] = regions else { return Ok(None) };
    Ok(Modern::new(common, notify, multiplier, isr, device))
}
