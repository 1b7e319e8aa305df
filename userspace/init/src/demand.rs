//! What the manifest demands of the machine.

use crate::kernel::Kernel;
use alloc::format;
use alloc::string::String;
use rt::generated::SystemInfoClient;
use rt::{CallError, ExceptionCode, log};

/// Has the kernel keep devices from memory but through an IOMMU, before anybody can have one, and says what that means on this machine.
pub async fn iommu(kernel: &Kernel) -> Result<(), CallError> {
    kernel.devices.demand_iommu().await?;
    match missing(&kernel.system).await? {
        None => log::info(format_args!("the IOMMU that the manifest demands is there")),
        Some(why) => log::error(format_args!(
            "the manifest demands an IOMMU, and {why}: nobody is given a device that reaches memory"
        )),
    }
    Ok(())
}

/// Why no function is behind an IOMMU that counts, if none is.
async fn missing(system: &SystemInfoClient) -> Result<Option<String>, CallError> {
    for index in 0.. {
        let unit = match system.iommu(index).await {
            Ok(unit) => unit,
            Err(error) if error.exception() == Some(ExceptionCode::NotFound) => {
                return Ok((index == 0).then(|| String::from("this machine has none")));
            }
            Err(error) => return Err(error),
        };
        if unit.state != "on" {
            return Ok(Some(format!("that of this machine is not used ({})", unit.state)));
        }
    }
    Ok(None)
}
