//! What user code asks for through its ring.

pub(crate) mod check;
pub(crate) mod enter;
pub(crate) mod submit;
pub(crate) mod traced;
