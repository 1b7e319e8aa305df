//! Conversion between two clocks that run at fixed rates.

/// `to` ticks of one clock for every `from` ticks of another, as a 32.32 fixed-point factor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    factor: u64,
}

impl Rate {
    /// The rate at which `to` ticks pass while `from` do. `None` when `from` is zero or the factor does not fit.
    pub fn new(to: u64, from: u64) -> Option<Rate> {
        let factor = (u128::from(to) << 32).checked_div(u128::from(from))?;
        Some(Rate { factor: u64::try_from(factor).ok()? })
    }

    /// The factor in its raw form, for an atomic.
    pub const fn to_raw(self) -> u64 {
        self.factor
    }

    /// From [`Rate::to_raw`].
    #[inline]
    pub const fn from_raw(factor: u64) -> Rate {
        Rate { factor }
    }

    /// Converts, rounding down; saturates.
    #[inline]
    pub fn convert(self, ticks: u64) -> u64 {
        let wide = (u128::from(ticks) * u128::from(self.factor)) >> 32;
        if wide >> 64 == 0 { wide as u64 } else { u64::MAX }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Rate;

    #[test]
    fn equal_clocks_convert_to_the_same() {
        let rate = Rate::new(1_000_000_000, 1_000_000_000).unwrap();
        assert_eq!(rate.convert(0), 0);
        assert_eq!(rate.convert(u64::MAX), u64::MAX);
    }

    #[test]
    fn a_year_at_three_gigahertz_is_exact_to_a_second() {
        let (tsc, ns) = (2_999_998_123, 1_000_000_000);
        let year = 365 * 86_400u64;
        let converted = Rate::new(ns, tsc).unwrap().convert(tsc * year);
        assert!(converted.abs_diff(year * ns) < ns);
    }

    #[test]
    fn large_values_saturate() {
        assert_eq!(Rate::new(1 << 31, 1).unwrap().convert(u64::MAX), u64::MAX);
    }

    #[test]
    fn impossible_rates_are_refused() {
        assert_eq!(Rate::new(1, 0), None);
        assert_eq!(Rate::new(u64::MAX, 1), None);
    }

    #[test]
    fn the_raw_form_is_the_same_rate() {
        let rate = Rate::new(7, 3).unwrap();
        assert_eq!(Rate::from_raw(rate.to_raw()), rate);
    }
}
