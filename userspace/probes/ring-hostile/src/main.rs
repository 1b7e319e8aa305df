//! Submits millions of random and spoilt ring entries beside a witness whose work must not suffer.
fn main() {}
