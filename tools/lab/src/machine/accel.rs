//! Which accelerator a machine gets on this host.

use crate::case::Accel;

use super::kvm;

/// Whether to use KVM, or why the case has to be skipped.
pub fn choose(wanted: Accel, icount: bool) -> Result<bool, String> {
    decide(wanted, icount, kvm::works)
}

fn decide(wanted: Accel, icount: bool, probe: impl FnOnce() -> Result<(), String>) -> Result<bool, String> {
    match wanted {
        Accel::Tcg => Ok(false),
        Accel::Auto => Ok(!icount && probe().is_ok()),
        Accel::Kvm if icount => Err("instructions are counted under TCG only".into()),
        Accel::Kvm => probe().map(|()| true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tcg_asks_nobody() {
        assert_eq!(decide(Accel::Tcg, false, || panic!("not asked")), Ok(false));
    }

    #[test]
    fn auto_follows_the_probe() {
        assert_eq!(decide(Accel::Auto, false, || Ok(())), Ok(true));
        assert_eq!(decide(Accel::Auto, false, || Err("no".into())), Ok(false));
        assert_eq!(decide(Accel::Auto, true, || Ok(())), Ok(false));
    }

    #[test]
    fn kvm_is_skipped_where_it_does_not_work() {
        assert_eq!(decide(Accel::Kvm, false, || Ok(())), Ok(true));
        assert_eq!(decide(Accel::Kvm, false, || Err("no".into())), Err("no".into()));
        assert!(decide(Accel::Kvm, true, || Ok(())).is_err());
    }
}
