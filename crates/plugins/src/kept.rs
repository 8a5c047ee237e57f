//! State that survives a reload.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Arc;

/// What a configuration shares with the one that follows it: caches, watches, sockets.
///
/// A plugin asks for its state by everything that decides what the state is: the same settings get
/// the same state, others begin anew. What the new configuration does not ask for ends with the
/// old one.
#[derive(Clone, Default)]
pub struct Kept {
    states: HashMap<(TypeId, String), Arc<dyn Any + Send + Sync>>,
}

impl Kept {
    /// The state of this type under this key.
    pub fn find<T: Send + Sync + 'static>(&self, key: &str) -> Option<Arc<T>> {
        let state = self.states.get(&(TypeId::of::<T>(), key.to_owned()))?;
        state.clone().downcast().ok()
    }

    /// Puts a state under a key.
    pub fn put<T: Send + Sync + 'static>(&mut self, key: String, state: Arc<T>) {
        self.states.insert((TypeId::of::<T>(), key), state);
    }
}
