//! Tests of all types at once.

mod cases;
mod properties;
mod vectors;
