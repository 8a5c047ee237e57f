//! Every directive of the Corefile, a folder each.
#![forbid(unsafe_code)]

pub mod env;
pub mod kept;
pub mod lines;
pub mod metrics;
