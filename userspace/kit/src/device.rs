//! What drivers of all devices do before they can rely on them.

use core::fmt;
use core::panic::Location;
use core::sync::atomic::{AtomicU32, Ordering};
use rt::generated::{DeviceClaimClient, DeviceClient, TimerClient};
use rt::schema::device_manager::DmaBackend;
use rt::{CallError, ExceptionCode, log};

/// How often it is looked whether a device does something by the IOMMU, and the time between: half a second in all.
const PROOF_LOOKS: u32 = 250;
const PROOF_EVERY_NS: u64 = 2_000_000;

/// Time until who hands devices out is asked again after it has ended, nanoseconds.
const AGAIN_NS: u64 = 20_000_000;

/// Resets in a row, after faults of the device. What comes later than that behind the last one begins a new row.
const RESETS: u32 = 8;
const _: () = assert!((capos_block::route::LIVES as u32) < RESETS, "what a disk dies of has to fail before");
const ROW_NS: u64 = 60_000_000_000;

/// A call that was refused, and where it was made: of all that can be refused, people want to know which it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// Why.
    pub error: CallError,
    at: &'static Location<'static>,
}

impl Refused {
    /// Whether the device did what it must not: it completed what the kernel has not given it.
    pub fn is_of_device(&self) -> bool {
        self.error.exception() == Some(ExceptionCode::DeviceFault)
    }
}

impl From<CallError> for Refused {
    #[track_caller]
    fn from(error: CallError) -> Self {
        Refused { error, at: Location::caller() }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}:{})", self.error, self.at.file(), self.at.line())
    }
}

/// Claims of this process for which there is no device yet.
static WAITING: AtomicU32 = AtomicU32::new(0);

/// Whether this process waits for a device, or for what is on one: its supervisor is told (see `Control.ping`).
pub fn is_waiting() -> bool {
    WAITING.load(Ordering::Relaxed) > 0
}

/// A wait for a device, until it is dropped.
pub struct Waiting(());

impl Waiting {
    /// It begins.
    #[must_use]
    pub fn begin() -> Waiting {
        WAITING.fetch_add(1, Ordering::Relaxed);
        Waiting(())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Has `drive` drive the device that the manifest describes, and when that is gone the next one that is like it: between them the driver waits, and goes
/// on answering. Gives what `drive` ended with on a device that is still there.
pub async fn each<E: From<CallError>>(
    right: &DeviceClaimClient,
    timer: &TimerClient,
    drive: impl AsyncFn(&DeviceClient) -> E,
) -> E {
    each_or(right, timer, &|| (), drive).await
}

/// The same, and `none` is called when it is known that there is no device now.
pub async fn each_or<E: From<CallError>>(
    right: &DeviceClaimClient,
    timer: &TimerClient,
    none: &dyn Fn(),
    drive: impl AsyncFn(&DeviceClient) -> E,
) -> E {
    loop {
        let function = match claim(right, timer, none).await {
            Ok(function) => function,
            Err(error) => return E::from(error),
        };
        let end = drive(&function).await;
        if !is_gone(&function) {
            return end;
        }
        log::info(format_args!("the device is gone; the next one is waited for"));
    }
}

/// Has `drive` drive a device from one reset to the next, until it ends with what no reset helps against, or with the eighth fault in a row.
pub async fn outlive<E: From<CallError> + fmt::Display>(
    device: &DeviceClient,
    timer: &TimerClient,
    may_pass: impl Fn(&E) -> bool,
    drive: impl AsyncFn() -> E,
) -> E {
    let (mut resets, mut last) = (0, 0);
    loop {
        let error = drive().await;
        let now = timer.now_blocking().unwrap_or(last);
        resets = if now.saturating_sub(last) < ROW_NS { resets + 1 } else { 1 };
        last = now;
        if !may_pass(&error) || resets > RESETS {
            return error;
        }
        log::warn(format_args!("device: {error}; it is reset"));
        if let Err(error) = device.reset_blocking() {
            return error.into();
        }
    }
}

/// Whether it was unplugged.
fn is_gone(device: &DeviceClient) -> bool {
    device.config_blocking(0, 4).is_err_and(|error| error.is_gone())
}

/// The device that the manifest describes, as soon as there is one, which may be never. So a driver answers its supervisor and its clients meanwhile.
async fn claim(
    right: &DeviceClaimClient,
    timer: &TimerClient,
    none: &dyn Fn(),
) -> Result<DeviceClient, CallError> {
    let mut waiting = None;
    loop {
        match right.claim(waiting.is_some()).await {
            Err(error) if waiting.is_none() && is_none_yet(&error) => {
                waiting = Some(Waiting::begin());
                none();
                continue;
            }
            // It has ended over our call; its successor knows nothing of it.
            Err(error) if error.is_gone() => {}
            other => return other,
        }
        timer.sleep_until(timer.now_blocking()?.saturating_add(AGAIN_NS)).await?;
    }
}

/// Whether there may be a device later.
fn is_none_yet(error: &CallError) -> bool {
    let codes = [ExceptionCode::NotFound, ExceptionCode::Exists, ExceptionCode::WrongState];
    error.exception().is_some_and(|code| codes.contains(&code))
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
