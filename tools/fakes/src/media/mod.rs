//! Media that others wrote, sound and spoiled.

mod exercise;
mod image;

pub use exercise::{Walk, block_on, exercise};
pub use image::{Image, samples};
