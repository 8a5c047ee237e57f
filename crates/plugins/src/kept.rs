//! State that survives a reload.

use std::any::{Any, TypeId, type_name};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What a configuration shares with the one that follows it: caches, watches, sockets.
///
/// A plugin asks for its state by everything that decides what the state is: the same settings get
/// the same state, others begin anew. What the new configuration does not ask for ends with the
/// old one.
#[derive(Clone, Default)]
pub struct Kept {
    states: HashMap<(TypeId, String), State>,
}

#[derive(Clone)]
struct State {
    state: Arc<dyn Any + Send + Sync>,
    /// The name of its type, which says what plugin it is of.
    named: &'static str,
}

impl Kept {
    /// The state of this type under this key.
    pub fn find<T: Send + Sync + 'static>(&self, key: &str) -> Option<Arc<T>> {
        let found = self.states.get(&(TypeId::of::<T>(), key.to_owned()))?;
        found.state.clone().downcast().ok()
    }

    /// Puts a state under a key.
    pub fn put<T: Send + Sync + 'static>(&mut self, key: String, state: Arc<T>) {
        let named = type_name::<T>();
        self.states.insert((TypeId::of::<T>(), key), State { state, named });
    }

    /// How many states are those of `before`, by the module of this crate that they are of. For
    /// people.
    pub fn shared_with(&self, before: &Self) -> BTreeMap<String, usize> {
        let mut shared = BTreeMap::new();
        for (key, now) in &self.states {
            let same = before.states.get(key).is_some_and(|it| Arc::ptr_eq(&it.state, &now.state));
            let path = now.named.split_once(concat!(env!("CARGO_PKG_NAME"), "::"));
            let module = path.and_then(|(_, path)| path.split("::").next());
            if let Some(module) = module.filter(|_| same) {
                *shared.entry(module.to_owned()).or_default() += 1;
            }
        }
        shared
    }
}
