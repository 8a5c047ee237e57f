//! A Kubernetes API server that lists and watches what a test puts into it, and fails when told to.
//!
//! It speaks JSON over plain HTTP and serves lists with pages, watches with bookmarks, streaming
//! lists, label and field selectors, of all namespaces or one. It has no authentication and no writing
//! requests: a DNS server uses none of these on it. Start with [`FakeApi::start`].

mod resource;
mod selector;
mod serve;
mod store;
mod watch;

use crate::net::TcpServer;
use crate::scenario::Mistake;
use resource::Resource;
use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use store::Store;

/// Requests that are remembered; what comes later is answered and forgotten.
const REQUESTS_MAX: usize = 100_000;

/// A running fake API server; its port closes when it is dropped.
pub struct FakeApi {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: Option<TcpServer>,
}

/// What the API server makes of requests for a streaming list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streaming {
    /// It gives one.
    Given,
    /// It answers 422, as servers before 1.32 do.
    Refused,
    /// It begins, and then finds that its etcd is too old to say how far a list has come.
    Broken,
}

/// How the API server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// As it should.
    Up,
    /// The port is closed; open connections are cut.
    Down,
    /// Connections are taken and requests read, but nothing is answered and no event sent.
    Hanging,
    /// Every request gets this HTTP status; open watches are cut.
    Failing(u16),
}

/// A request that the API server got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What was asked for.
    pub verb: Verb,
    /// The resource's plural, such as `services`; the path, if it is none.
    pub resource: String,
    /// The HTTP status that it got; 0 if none.
    pub status: u16,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// A list, or a further page of one.
    List,
    /// A watch.
    Watch,
    /// A watch that begins with a list (`sendInitialEvents`).
    StreamingList,
}

struct Shared {
    state: Mutex<State>,
    /// Told of every change of the state.
    changed: Condvar,
}

struct State {
    store: Store,
    condition: Condition,
    streaming: Streaming,
    page_max: usize,
    denied: BTreeSet<String>,
    /// Resources that are not served, as if their definition were missing.
    absent: BTreeSet<String>,
    /// Watches that began under another number end.
    generation: u64,
    /// How many pieces of garbage watches have been sent.
    garbage: u64,
    requests: Vec<Request>,
}

impl FakeApi {
    /// Listens on a port of 127.0.0.1; port 0 lets the system choose one.
    pub fn start(port: u16) -> io::Result<Self> {
        let state = State {
            store: Store::new(),
            condition: Condition::Up,
            streaming: Streaming::Given,
            page_max: usize::MAX,
            denied: BTreeSet::new(),
            absent: BTreeSet::new(),
            generation: 0,
            garbage: 0,
            requests: Vec::new(),
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let mut api = Self {
            address: (Ipv4Addr::LOCALHOST, port).into(),
            shared: Arc::clone(&shared),
            server: None,
        };
        api.open()?;
        Ok(api)
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Creates or replaces the objects of YAML documents.
    pub fn apply(&self, manifests: &str) -> Result<(), Mistake> {
        self.change(|state| state.store.apply(manifests))
    }

    /// Deletes the objects that YAML documents name.
    pub fn delete(&self, manifests: &str) -> Result<(), Mistake> {
        self.change(|state| state.store.delete(manifests))
    }

    /// Goes down, hangs, fails or comes up.
    pub fn set(&mut self, condition: Condition) -> io::Result<()> {
        self.change(|state| {
            state.condition = condition;
            let cut = matches!(condition, Condition::Failing(_) | Condition::Down);
            state.generation += u64::from(cut);
        });
        match condition {
            Condition::Down => self.server = None,
            _ => self.open()?,
        }
        Ok(())
    }

    /// What comes of watches that shall begin with a list.
    pub fn set_streaming(&self, streaming: Streaming) {
        self.change(|state| state.streaming = streaming);
    }

    /// The most objects of a page, whatever the client's limit.
    pub fn limit_pages(&self, objects: usize) {
        self.change(|state| state.page_max = objects.max(1));
    }

    /// Answers requests for a resource (by plural) with 403, and cuts open watches.
    pub fn deny(&self, plural: &str) -> Result<(), Mistake> {
        self.known(plural)?;
        self.change(|state| {
            state.denied.insert(plural.to_owned());
            state.generation += 1;
        });
        Ok(())
    }

    /// Ends what [`FakeApi::deny`] began.
    pub fn allow(&self, plural: &str) -> Result<(), Mistake> {
        self.known(plural)?;
        self.change(|state| state.denied.remove(plural));
        Ok(())
    }

    /// Answers requests for a resource with 404, as if its CustomResourceDefinition were missing, and
    /// ends open watches. Its objects are forgotten by nobody but the clients.
    pub fn remove(&self, plural: &str) -> Result<(), Mistake> {
        self.known(plural)?;
        self.change(|state| {
            state.absent.insert(plural.to_owned());
            state.generation += 1;
        });
        Ok(())
    }

    /// Ends what [`FakeApi::remove`] began.
    pub fn bring(&self, plural: &str) -> Result<(), Mistake> {
        self.known(plural)?;
        self.change(|state| state.absent.remove(plural));
        Ok(())
    }

    fn known(&self, plural: &str) -> Result<(), Mistake> {
        match Resource::of_plural(plural) {
            Some(_) => Ok(()),
            None => Err(Mistake::new(format!("`{plural}` is no resource that is served here"))),
        }
    }

    /// Ends all watches in good order.
    pub fn cut_watches(&self) {
        self.change(|state| state.generation += 1);
    }

    /// Forgets the history: who watches from before now, or continues a list, gets 410.
    pub fn expire(&self) {
        self.change(|state| {
            state.store.forget();
            state.generation += 1;
        });
    }

    /// Goes back to a backup of before the first change: versions that clients know lie in the future
    /// from now on, and a watch of such a version is told nothing, not even bookmarks. That is what a
    /// real server does whose etcd was restored. The objects stay as they are.
    pub fn restore_backup(&self) {
        self.change(|state| {
            state.store.go_back();
            state.generation += 1;
        });
    }

    /// Sends an event with an object that cannot be read on every watch.
    pub fn send_garbage(&self) {
        self.change(|state| state.garbage += 1);
    }

    /// Every request so far, in the order in which they came.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.state).requests.clone()
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut lock(&self.shared.state));
        self.shared.changed.notify_all();
        result
    }

    fn open(&mut self) -> io::Result<()> {
        if self.server.is_none() {
            let shared = Arc::clone(&self.shared);
            let serve = move |stream| serve::connection(&shared, &stream);
            let server = TcpServer::start(self.address, serve)?;
            self.address = server.address();
            self.server = Some(server);
        }
        Ok(())
    }
}

impl Drop for FakeApi {
    fn drop(&mut self) {
        // Threads that wait for something to tell see that there is nothing any more.
        self.change(|state| {
            state.condition = Condition::Down;
            state.generation += 1;
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
