//! Tables as firmware writes them, and every way in which firmware may get them wrong.

mod builder;
mod dmar;
mod facts;
mod fixed;
mod hostile;
mod interrupts;
mod ivrs;
mod roots;
mod sleep;
mod small;
