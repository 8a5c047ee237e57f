//! The project's own commands: peers, compare, cluster, bench, gates.

fn main() {}
