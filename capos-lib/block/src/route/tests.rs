//! Rules one by one, and a world in which everything happens at random.

mod clients;
mod model;
mod rules;
mod world;
