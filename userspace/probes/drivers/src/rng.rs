//! The driver of virtio's entropy device.

use alloc::format;
use alloc::vec::Vec;
use probe::{Driver, Fields, Keeper, Report};
use rt::generated::ByteStreamClient;
use rt::{CallError, block_on, select};

/// Vendor and device.
pub const IDS: (u16, u16) = (0x1af4, 0x1044);
/// Bytes that are asked for.
const BYTES: usize = 20_000;

fn start(keeper: &Keeper) -> Result<Driver<ByteStreamClient>, CallError> {
    keeper.start("rng", IDS, "virtio")
}

/// Bytes come, as many as anybody wants, and no block of them twice.
pub fn works(report: &Report, keeper: &Keeper) -> Result<(), CallError> {
    let driver = start(keeper)?;
    let mut bytes = Vec::new();
    while bytes.len() < BYTES {
        bytes.extend(driver.client.read_blocking(3072)?);
    }
    let backend = keeper.backend(IDS)?;
    driver.handle.kill_blocking()?;
    let (blocks, _) = bytes.as_chunks::<8>();
    let mut sorted: Vec<[u8; 8]> = blocks.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    report.equal("blocks of eight bytes that came once", sorted.len(), blocks.len());
    let ones: u32 = bytes.iter().map(|byte| byte.count_ones()).sum();
    let all = bytes.len() as u32 * 8;
    report.check("half of the bits are ones", ones.abs_diff(all / 2) < all / 50, ones);
    let fields = Fields::new().value("bytes", bytes.len());
    report.event("drivers.rng", fields.text("backend", &format!("{backend:?}")));
    Ok(())
}

/// Kills it so many nanoseconds after it was asked for bytes without end.
pub fn kill(keeper: &Keeper, after: u64) -> Result<(), CallError> {
    let driver = start(keeper)?;
    let at = keeper.audit.timer().now_blocking()?.saturating_add(after);
    block_on(async {
        let read = async {
            while let Ok(bytes) = driver.client.read(3072).await {
                drop(bytes);
            }
        };
        select(read, keeper.audit.timer().sleep_until(at)).await;
    });
    driver.handle.kill_blocking()
}
