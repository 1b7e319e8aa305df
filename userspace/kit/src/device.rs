//! What drivers of all devices do before they can rely on them.

use rt::generated::{DeviceClaimClient, DeviceClient, TimerClient};
use rt::schema::device_manager::DmaBackend;
use rt::{CallError, ExceptionCode, TransportError};

/// How often it is looked whether a device does something by the IOMMU, and the time between: half a second in all.
const PROOF_LOOKS: u32 = 250;
const PROOF_EVERY_NS: u64 = 2_000_000;

/// Time until who hands devices out is asked again after it has ended, nanoseconds.
const AGAIN_NS: u64 = 20_000_000;

/// The device that the manifest describes, as soon as there is one, which may be never. So a driver answers its supervisor and its clients meanwhile.
pub async fn claim(right: &DeviceClaimClient, timer: &TimerClient) -> Result<DeviceClient, CallError> {
    loop {
        match right.claim(true).await {
            // It has ended over our call; its successor knows nothing of it.
            Err(error) if is_disconnected(&error) => {}
            other => return other,
        }
        timer.sleep_until(timer.now_blocking()?.saturating_add(AGAIN_NS)).await?;
    }
}

fn is_disconnected(error: &CallError) -> bool {
    *error == CallError::Transport(TransportError::Disconnected)
        || error.exception() == Some(ExceptionCode::Disconnected)
}

/// Whether all that was set up stays. If it is not known yet how the device reaches memory, it is to do something now, which `look` has the kernel
/// look at: then it is known, and everything is to be set up anew.
pub async fn is_settled<E: From<CallError>>(
    device: &DeviceClient,
    timer: &TimerClient,
    look: impl Fn() -> Result<(), E>,
) -> Result<bool, E> {
    if device.info_blocking()?.backend != DmaBackend::Unproven {
        return Ok(true);
    }
    for _ in 0..PROOF_LOOKS {
        look()?;
        if device.prove_blocking()? {
            device.reset_blocking()?;
            return Ok(false);
        }
        timer.sleep_until(timer.now_blocking()?.saturating_add(PROOF_EVERY_NS)).await?;
    }
    device.distrust_blocking()?;
    device.reset_blocking()?;
    Ok(false)
}

/// Lets the device reach memory; it may still be on its way through a reset.
pub async fn start(device: &DeviceClient, timer: &TimerClient) -> Result<(), CallError> {
    const EVERY_NS: u64 = 1_000_000;
    const MOST: u32 = 1000;
    for _ in 0..MOST {
        match device.start_blocking() {
            Err(CallError::Exception(exception)) if exception.code() == ExceptionCode::WrongState => {}
            other => return other,
        }
        let now = timer.now_blocking()?;
        timer.sleep_until(now.saturating_add(EVERY_NS)).await?;
    }
    device.start_blocking()
}
