//! Load generator and comparison: server CPU per answer, in turns with other servers.

fn main() {}
