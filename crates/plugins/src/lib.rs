//! Every directive of the Corefile, a folder each.
#![forbid(unsafe_code)]

pub mod metrics;
