//! The order in which the plugins of a block are asked.

use crate::directive::{Entry, entry};

/// Every directive, in the order in which a question meets them. The Corefile picks which of them
/// run, never their order. It is CoreDNS's order, on which configurations rely: answers out of the
/// cache are still shuffled and rewritten, access rules see the rewritten name.
pub const ORDER: &[Entry] = &[
    entry::<crate::root::Root>(),
    entry::<crate::reload::Reload>(),
    entry::<crate::bind::Bind>(),
    entry::<crate::debug::Debug>(),
    entry::<crate::ready::Ready>(),
    entry::<crate::health::Health>(),
    entry::<crate::rewrite::Rewrite>(),
    entry::<crate::cache::Cache>(),
    entry::<crate::whoami::Whoami>(),
];
