//! How to switch the machine off: what to write where (7.4.2, 4.8.3).

use crate::fadt::Fadt;
use crate::gas::GenericAddress;
use crate::sleep::{SleepType, find_s5};
use crate::tables::Tables;

/// One write to a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RegisterWrite {
    /// Where.
    pub register: GenericAddress,
    /// What, in the register's width.
    pub value: u16,
}

/// The writes that switch the machine off, in order. `None` when the tables do not tell. The first register of a machine with
/// fixed hardware is PM1a, the second PM1b; a hardware-reduced machine has its sleep control register alone.
pub fn soft_off(tables: &Tables<'_>, fadt: &Fadt<'_>) -> Option<[Option<RegisterWrite>; 2]> {
    let types = sleep_type(tables, fadt)?;
    if fadt.is_hardware_reduced() {
        let register = fadt.sleep_control()?;
        return Some([Some(RegisterWrite { register, value: sleep_control_value(types.a) }), None]);
    }
    let [first, second] = fadt.pm1_control();
    let first = first.map(|register| RegisterWrite { register, value: pm1_value(types.a) })?;
    Some([Some(first), second.map(|register| RegisterWrite { register, value: pm1_value(types.b) })])
}

/// `_S5_` is in the DSDT as a rule; some firmware puts it into an SSDT.
fn sleep_type(tables: &Tables<'_>, fadt: &Fadt<'_>) -> Option<SleepType> {
    let dsdt = fadt.dsdt().and_then(|address| tables.load(address).ok()?.named(b"DSDT").ok());
    dsdt.into_iter().chain(tables.all(*b"SSDT")).find_map(|table| find_s5(table.body()))
}

/// `SLP_TYP` in bits 10 to 12 and `SLP_EN` in bit 13 (table 4.18).
fn pm1_value(sleep_type: u8) -> u16 {
    u16::from(sleep_type) << 10 | 1 << 13
}

/// `SLP_TYP` in bits 2 to 4 and `SLP_EN` in bit 5 (table 4.25).
fn sleep_control_value(sleep_type: u8) -> u16 {
    u16::from(sleep_type) << 2 | 1 << 5
}
