//! The driver of QEMU's `edu`.

use alloc::vec;
use alloc::vec::Vec;
use probe::{Driver, Keeper, Report};
use rt::generated::EduClient;
use rt::{CallError, ExceptionCode, block_on, select};

/// Vendor and device.
pub const IDS: (u16, u16) = (0x1234, 0x11e8);

fn start(keeper: &Keeper) -> Result<Driver<EduClient>, CallError> {
    keeper.start("edu", IDS, "edu")
}

/// It computes, interrupts and copies.
pub fn works(report: &Report, keeper: &Keeper) -> Result<(), CallError> {
    let driver = start(keeper)?;
    let edu = &driver.client;
    report.equal("0!", edu.factorial_blocking(0)?, 1);
    report.equal("12!", edu.factorial_blocking(12)?, 479_001_600);
    report.equal("20! modulo 2^32", edu.factorial_blocking(20)?, 2_192_834_560);
    report.works("an interrupt", edu.interrupt_blocking(0x40));
    report.fails("an interrupt for nothing", edu.interrupt_blocking(0), ExceptionCode::InvalidArgument);
    let bytes: Vec<u8> = (0..3001u32).map(|n| (n % 251) as u8).collect();
    let copied = edu.copy_blocking(&bytes)?;
    report.check("what was copied arrived", copied == bytes, copied.len());
    report.fails("a copy of nothing", edu.copy_blocking(&[]), ExceptionCode::InvalidArgument);
    report.equal("5! after all that", edu.factorial_blocking(5)?, 120);
    driver.handle.kill_blocking()
}

/// Kills it so many nanoseconds after it was asked for copies without end: two transfers of a tenth of a second each.
pub fn kill(keeper: &Keeper, after: u64) -> Result<(), CallError> {
    let driver = start(keeper)?;
    let at = keeper.audit.timer().now_blocking()?.saturating_add(after);
    block_on(async {
        let bytes = vec![7; 1000];
        let copy = async { while driver.client.copy(&bytes).await.is_ok() {} };
        select(copy, keeper.audit.timer().sleep_until(at)).await;
    });
    driver.handle.kill_blocking()
}
