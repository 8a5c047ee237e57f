//! Lists of zones, as many directives have them.

use wire::{Name, NameBuf};

/// Zones, of which the longest that a name is in counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Zones {
    names: Vec<NameBuf>,
}

impl Zones {
    /// The zones of a directive: text in lower case with final dots, as the Corefile's reader gives
    /// it.
    pub(crate) fn new(names: &[String]) -> Self {
        // What the reader gives are names; anything else matches nothing.
        Self { names: names.iter().filter_map(|name| name.parse().ok()).collect() }
    }

    /// Whether `name` is in one of them.
    pub(crate) fn cover(&self, name: Name<'_>) -> bool {
        self.names.iter().any(|zone| name.is_at_or_below(zone.as_name()))
    }

    /// The zones in their order.
    pub(crate) fn names(&self) -> &[NameBuf] {
        &self.names
    }
}
