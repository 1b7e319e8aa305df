//! Shares are neither exceeded nor missed.

use super::{Bucket, PERIOD_NS, next_period};
use proptest::prelude::{ProptestConfig, any, prop, prop_assert, proptest};

/// Hundredths of a CPU as nanoseconds of a period.
fn quota(percent: u32) -> u64 {
    PERIOD_NS / 100 * u64::from(percent)
}

#[test]
fn periods_begin_at_multiples() {
    assert_eq!((next_period(0), next_period(PERIOD_NS - 1)), (PERIOD_NS, PERIOD_NS));
    assert_eq!(next_period(PERIOD_NS), 2 * PERIOD_NS);
}

#[test]
fn what_is_used_up_comes_back_with_the_next_period() {
    let mut bucket = Bucket::new(20, 5);
    assert_eq!(bucket.take(5, u64::MAX, false), quota(20));
    bucket.settle(quota(20), quota(20));
    assert_eq!(bucket.take(PERIOD_NS - 1, u64::MAX, false), 0);
    assert_eq!(bucket.take(PERIOD_NS, u64::MAX, false), quota(20));
}

#[test]
fn what_was_taken_and_not_used_is_there_again() {
    let mut bucket = Bucket::new(30, 0);
    let granted = bucket.take(0, 1_000_000, false);
    assert_eq!(granted, 1_000_000);
    bucket.settle(granted, 400_000);
    assert_eq!(bucket.take(0, u64::MAX, false), quota(30) - 400_000);
}

#[test]
fn a_debt_is_paid_before_anything_is_given() {
    let mut bucket = Bucket::new(10, 0);
    let granted = bucket.take(0, u64::MAX, false);
    bucket.settle(granted, granted + quota(25));
    assert_eq!(bucket.take(PERIOD_NS, u64::MAX, false), 0);
    assert_eq!(bucket.take(2 * PERIOD_NS, u64::MAX, false), 0);
    assert_eq!(bucket.take(3 * PERIOD_NS, u64::MAX, false), quota(30 - 25));
}

#[test]
fn no_more_than_two_periods_are_saved() {
    let mut bucket = Bucket::new(10, 0);
    assert_eq!(bucket.take(100 * PERIOD_NS, u64::MAX, false), 2 * quota(10));
}

#[test]
fn who_is_pressed_overdraws_by_one_period_and_pays_it_back() {
    let mut bucket = Bucket::new(10, 0);
    assert_eq!(bucket.take(0, u64::MAX, true), 2 * quota(10));
    bucket.settle(2 * quota(10), 2 * quota(10));
    assert_eq!((bucket.take(0, u64::MAX, true), bucket.take(PERIOD_NS, u64::MAX, false)), (0, 0));
    assert_eq!(bucket.take(2 * PERIOD_NS, u64::MAX, false), quota(10));
}

#[test]
fn a_smaller_share_takes_effect_at_once() {
    let mut bucket = Bucket::new(50, 0);
    bucket.set_percent(10);
    assert_eq!(bucket.take(0, u64::MAX, false), 2 * quota(10), "what is saved is bounded by the new share");
    assert_eq!(bucket.take(PERIOD_NS, u64::MAX, false), quota(10));
}

#[test]
fn no_share_is_no_time() {
    let mut bucket = Bucket::new(0, 0);
    assert_eq!(bucket.take(u64::MAX, u64::MAX, true), 0);
}

/// How long the greedy are watched.
const PERIODS: u64 = if cfg!(miri) { 1 } else { 200 };

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 1 } else { 300 }, failure_persistence: None, ..Default::default() })]

    /// Whoever always wants more gets its share to within a grant, however long the grants and however late the clock is looked at.
    #[test]
    fn the_greedy_get_exactly_their_share(percent in 1u32..300, late in prop::collection::vec(0u64..30_000, 1..20), most in 10_000u64..2_000_000) {
        let mut bucket = Bucket::new(percent, 0);
        let (mut now, mut used, end) = (0, 0, PERIODS * PERIOD_NS);
        let mut late = late.into_iter().cycle();
        // As many CPUs as the share needs take turns, so one after the other time passes so much slower.
        let cpus = u64::from(percent.div_ceil(100));
        while now < end {
            match bucket.take(now, most, false) {
                0 => now = next_period(now),
                granted => {
                    let ran = granted + late.next().unwrap_or(0);
                    bucket.settle(granted, ran);
                    used += ran;
                    now += ran.div_ceil(cpus);
                }
            }
        }
        let share = end / 100 * u64::from(percent);
        prop_assert!(used <= share + 2 * quota(percent) + most + 30_000, "{used} of {share}");
        prop_assert!(used + 2 * quota(percent) + most + 30_000 >= share, "{used} of {share}");
    }

    /// Nobody gets more than its share and what it had saved and what the kernel was late, whatever it does.
    #[test]
    fn nobody_gets_more_than_its_share(
        percent in 0u32..200,
        steps in prop::collection::vec((0u64..20_000_000, 0u64..3_000_000, 0u64..20_000, any::<bool>()), 1..200),
    ) {
        let mut bucket = Bucket::new(percent, 0);
        let (mut now, mut used, mut overrun) = (0, 0, 0);
        for (wait, most, late, pressed) in steps {
            now += wait;
            let granted = bucket.take(now, most, pressed);
            if granted > 0 {
                // Sometimes less than granted is used, sometimes more.
                let ran = if late % 2 == 0 { granted / 2 } else { granted + late };
                overrun = overrun.max(ran.saturating_sub(granted));
                bucket.settle(granted, ran);
                used += ran;
            }
            let came = (now / PERIOD_NS + 1) * quota(percent);
            prop_assert!(used <= came + quota(percent) + overrun, "{used} of {came}");
        }
    }
}
