//! Boot: the Limine protocol on one side, the kernel core on the other.

mod info;
pub(super) mod layout;
pub(super) mod requests;
pub(super) mod sequence;

pub use info::info;
