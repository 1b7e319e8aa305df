//! The generator as a person at the command line has it.

mod commands;
mod refused;
mod repo;
