//! The project's own commands, for use without anything installed but Rust (and Go, to build the
//! programs that Rutter is compared with).
//!
//! **What this is.** `cargo xtask` lists the commands. [`cluster`] is a library as well: a test starts
//! a real Kubernetes control plane with it.
//!
//! **What this is not.** No part of the product: nothing here is in the `rutter` binary.
//!
//! **Where to start reading.** `main.rs`, the table of commands.
#![expect(clippy::disallowed_methods, reason = "a tool has no clock but the real one")]
#![forbid(unsafe_code)]

pub mod cluster;
pub mod peers;

use std::path::PathBuf;

/// Cargo's target folder, found from the program that is running in it.
///
/// It holds a folder for each profile, which a file of Cargo's own tells apart. `None` for a program
/// that was copied elsewhere.
pub fn target_directory() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let mut folders = program.ancestors();
    let profile = folders.find(|folder| folder.join(".fingerprint").exists())?;
    profile.parent().map(PathBuf::from)
}
