//! What stands around the server of one scenario: its folder, its ports, its neighbours.

use super::mistake::Mistake;
use super::step::{Cluster, Upstream};
use super::variables::{KUBERNETES_PORT, UPSTREAM_PORTS, UPSTREAMS, Variables};
use crate::kubernetes::FakeApi;
use crate::ports::PortBlock;
use crate::upstream::{FakeUpstream, Script};
use std::fs;
use std::io;
use std::path::Path;
use tempfile::TempDir;

/// Folder, ports and fakes; gone when it is dropped.
pub(super) struct Stage {
    pub(super) variables: Variables,
    folder: TempDir,
    ports: PortBlock,
    upstreams: [Option<FakeUpstream>; 2],
    scripts: [Script; 2],
    api: Option<FakeApi>,
}

impl Stage {
    pub(super) fn set_up() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("rutter-scenario-").tempdir()?;
        let ports = PortBlock::take()?;
        let variables = Variables::new(&ports, folder.path());
        let upstreams = [const { None }; 2];
        Ok(Self { variables, folder, ports, upstreams, scripts: Default::default(), api: None })
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file so that nobody sees half of it.
    pub(super) fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let path = self.folder().join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        // Beside the folder that a server may be reading file by file.
        let new = self.folder().join(".new");
        fs::write(&new, text)?;
        fs::rename(new, path)
    }

    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.folder().join(name))
    }

    pub(super) fn upstream(&mut self, index: usize, change: &Upstream) -> io::Result<()> {
        let running = &mut self.upstreams[index];
        match change {
            Upstream::Add(script) => self.scripts[index].add(script.clone()),
            Upstream::Down => {
                *running = None;
                return Ok(());
            }
            Upstream::Up => {}
        }
        match running {
            Some(running) => running.add(self.scripts[index].clone()),
            None => {
                let port = self.ports.port(UPSTREAM_PORTS[index]);
                *running = Some(FakeUpstream::start(port, self.scripts[index].clone())?);
            }
        }
        Ok(())
    }

    pub(super) fn fake_upstream(&self, index: usize) -> Result<&FakeUpstream, Mistake> {
        let name = UPSTREAMS[index];
        let running = self.upstreams[index].as_ref();
        running.ok_or_else(|| Mistake::new(format!("no `upstream` fence has started {name}")))
    }

    pub(super) fn cluster(&mut self, change: &Cluster) -> Result<(), Mistake> {
        let failed = |error: io::Error| Mistake::new(format!("the fake API: {error}"));
        let api = match &mut self.api {
            Some(api) => api,
            none => {
                let port = self.ports.port(KUBERNETES_PORT);
                none.insert(FakeApi::start(port).map_err(failed)?)
            }
        };
        match change {
            Cluster::Apply(manifests) => return api.apply(manifests),
            Cluster::Delete(manifests) => return api.delete(manifests),
            Cluster::Deny(plural) => return api.deny(plural),
            Cluster::Allow(plural) => return api.allow(plural),
            Cluster::Remove(plural) => return api.remove(plural),
            Cluster::Bring(plural) => return api.bring(plural),
            Cluster::Set(condition) => return api.set(*condition).map_err(failed),
            Cluster::LimitPages(objects) => api.limit_pages(*objects),
            Cluster::Streaming(streaming) => api.set_streaming(*streaming),
            Cluster::CutWatches => api.cut_watches(),
            Cluster::Expire => api.expire(),
            Cluster::Garbage => api.send_garbage(),
        }
        Ok(())
    }
}
