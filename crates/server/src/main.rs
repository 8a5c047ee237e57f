//! The binary.
#![forbid(unsafe_code)]

mod admin;
mod clock;
mod log;
mod settings;

fn main() {}
