//! What the process is told from outside: its command line and its surroundings.

pub mod flags;
