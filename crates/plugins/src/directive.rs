//! How a directive of the Corefile becomes a plugin.

use crate::env::Env;
use chain::Plugin;
use corefile::{Accepted, Block, Mistakes};
use std::any::Any;

/// A directive: text to configuration to plugin.
pub trait Directive: 'static {
    /// The word that begins it.
    const NAME: &'static str;

    /// What it says, read and checked.
    type Config: Send + 'static;

    /// Reads all directives of this name in a server block. Pure: the same text always means the
    /// same. Every mistake has a position, and says what to write instead.
    fn read(block: &Block<'_>) -> Result<Accepted<Self::Config>, Mistakes>;

    /// Makes the plugin; none for a directive that only configures its surroundings.
    ///
    /// May read files, opens no socket and starts nothing, see [`Env`].
    fn build(config: Self::Config, env: &mut Env<'_>) -> Built;
}

/// The plugin, or none for a directive that only configures its surroundings; or what is wrong.
pub type Built = Result<Option<Box<dyn Plugin>>, Mistakes>;

/// A directive in the list of all.
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    pub(crate) read: fn(&Block<'_>) -> Result<Accepted<Config>, Mistakes>,
    pub(crate) build: fn(Config, &mut Env<'_>) -> Built,
}

/// The configuration of whichever directive.
pub(crate) type Config = Box<dyn Any + Send>;

/// The entry of a directive.
pub(crate) const fn entry<D: Directive>() -> Entry {
    Entry { name: D::NAME, read: read::<D>, build: build::<D> }
}

fn read<D: Directive>(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
    let Accepted { config, warnings } = D::read(block)?;
    Ok(Accepted { config: Box::new(config), warnings })
}

fn build<D: Directive>(config: Config, env: &mut Env<'_>) -> Built {
    match config.downcast::<D::Config>() {
        Ok(config) => D::build(*config, env),
        // `read` and `build` of an entry belong to one directive.
        Err(_) => Ok(None),
    }
}
