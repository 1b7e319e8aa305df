//! Capability transfers that fail at each step, checked against a model of both tables.
fn main() {}
