//! What the plugins of a block can do for each other.

use std::any::Any;
use std::sync::Arc;

/// What the plugins of a block offer, each under a trait of `env`: a plugin asks for what somebody
/// can do, and needs to know neither who that is nor where it stands in the order.
#[derive(Default)]
pub struct Capabilities {
    offers: Vec<Offer>,
}

struct Offer {
    plugin: &'static str,
    /// An `Arc<C>`, where `C` is the trait.
    provider: Box<dyn Any + Send + Sync>,
}

impl Capabilities {
    /// Adds what `plugin` can do.
    pub(crate) fn offer<C: ?Sized + Send + Sync + 'static>(
        &mut self,
        plugin: &'static str,
        provider: Arc<C>,
    ) {
        self.offers.push(Offer { plugin, provider: Box::new(provider) });
    }

    /// All who can do this, with their names, in the order of the block.
    pub fn of<C: ?Sized + 'static>(&self) -> impl Iterator<Item = (&'static str, &Arc<C>)> {
        self.offers.iter().filter_map(|Offer { plugin, provider }| {
            provider.downcast_ref().map(|provider| (*plugin, provider))
        })
    }
}
