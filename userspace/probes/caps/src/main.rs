//! Checks capability tables and the small kernel objects.
fn main() {}
