//! Being asked: UDP and TCP, one worker per core. The only crate with unsafe.

pub mod mmsg;
