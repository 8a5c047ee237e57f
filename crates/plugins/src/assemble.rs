//! A whole configuration out of the blocks of a Corefile.

use crate::bind;
use crate::capabilities::Capabilities;
use crate::directive::{Config, Entry};
use crate::env::{BuiltBlock, Env, Parts, Process, Site, Told, Whole};
use crate::files::Files;
use crate::kept::Kept;
use crate::order::ORDER;
use chain::{Block, Chain, Link, Router};
use corefile::{Claim, Claims, Code, Mistake, Mistakes, Scheme, ServerBlock, Sources, Span, shown};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use wire::NameBuf;

/// A configuration that is good to serve.
pub struct Assembly {
    /// What listens where, and what it answers with.
    pub servers: Vec<Server>,
    /// What the plugins want beside being asked.
    pub parts: Parts,
}

/// An address and the router behind it.
pub struct Server {
    /// Where to listen. Unspecified means every address of this machine.
    pub address: SocketAddr,
    /// The zones that are served there, as the banner shows them.
    pub zones: Vec<String>,
    /// What to answer with.
    pub router: Router,
}

/// What the process knows when it puts a configuration together.
pub struct Surroundings<'a> {
    /// What outlives the configuration.
    pub process: &'a Process,
    /// The port of keys that name none.
    pub port: u16,
    /// State of the configuration before.
    pub previous: &'a Kept,
    /// Where its files come from.
    pub files: &'a Arc<Files>,
}

/// What came of putting a configuration together.
pub struct Outcome {
    /// The configuration, if there is no error.
    pub assembly: Option<Assembly>,
    /// Errors and warnings.
    pub mistakes: Mistakes,
    /// Files that were read, or were not there: a change of one can make a bad configuration good.
    pub read: Vec<PathBuf>,
}

/// Builds everything that the blocks say, or tells all that keeps them from serving.
///
/// Opens no socket and starts nothing.
pub fn assemble(
    blocks: &[ServerBlock],
    sources: &Sources,
    surroundings: &Surroundings<'_>,
) -> Outcome {
    let names: Vec<_> = ORDER.iter().map(|entry| entry.name).collect();
    let mut mistakes = corefile::check_directives(blocks, &names);
    let mut drafts: Vec<_> = blocks.iter().map(|block| Draft::read(block, &mut mistakes)).collect();
    let mut plan = Plan::default();
    for (index, draft) in drafts.iter_mut().enumerate() {
        plan.add(index, draft, surroundings.port, &mut mistakes);
    }
    if plan.zones.len().max(plan.servers.len()) > NUMBERED_MAX
        && let Some(block) = blocks.last()
    {
        let message = format!("there are more than {NUMBERED_MAX} zones, or addresses");
        mistakes.push(Mistake::error(Code::TooLarge, block.at, message));
    }
    if mistakes.has_errors() {
        return Outcome { assembly: None, mistakes, read: Vec::new() };
    }
    let mut builder = Builder {
        sources,
        surroundings,
        server_names: plan.servers.iter().map(|server| server.name.clone()).collect(),
        zone_names: plan.zone_names(),
        parts: Parts::default(),
    };
    let mut chains = Vec::new();
    for (index, draft) in drafts.into_iter().enumerate() {
        chains.push(builder.build(index, draft, &plan, &mut mistakes));
    }
    let mut parts = builder.parts;
    let read = std::mem::take(&mut parts.read);
    if mistakes.has_errors() {
        return Outcome { assembly: None, mistakes, read };
    }
    if parts.admin.is_some() {
        let effective = corefile::effective(blocks, sources);
        parts.told = Some(Arc::new(Told { effective, content: corefile::content(blocks) }));
    }
    let servers = plan.into_servers(&chains, &parts, surroundings);
    Outcome { assembly: Some(Assembly { servers, parts }), mistakes, read }
}

/// The most zones, and the most addresses to listen on: exchanges number them with 16 bits.
const NUMBERED_MAX: usize = Router::OUTSIDE as usize;

/// A block with its directives read, in the order in which they run.
struct Draft<'a> {
    block: &'a ServerBlock,
    configs: Vec<(&'static Entry, Config)>,
}

impl<'a> Draft<'a> {
    fn read(block: &'a ServerBlock, mistakes: &mut Mistakes) -> Self {
        let mut configs = Vec::new();
        for entry in ORDER {
            let Some(lines) = block.block(entry.name) else { continue };
            match (entry.read)(&lines) {
                Ok(accepted) => {
                    mistakes.append(accepted.warnings);
                    configs.push((entry, accepted.config));
                }
                Err(wrong) => mistakes.append(wrong),
            }
        }
        Self { block, configs }
    }

    /// The addresses of `bind`; none without it.
    fn bound(&self, mistakes: &mut Mistakes) -> Option<Vec<SocketAddr>> {
        let config =
            self.configs.iter().find_map(|(_, config)| config.downcast_ref::<bind::Config>())?;
        Some(config.addresses(mistakes))
    }
}

/// Who listens where for what.
#[derive(Default)]
struct Plan {
    servers: Vec<Planned>,
    /// Every zone with its number.
    zones: BTreeMap<NameBuf, u16>,
    claims: Claims,
    blocks: Vec<PlannedBlock>,
}

struct PlannedBlock {
    zones: Vec<NameBuf>,
    /// Its servers with the zones that it serves there, by number.
    served: Vec<(u16, u16)>,
}

impl PlannedBlock {
    fn servers(&self) -> Vec<u16> {
        let mut servers: Vec<_> = self.served.iter().map(|(server, _)| *server).collect();
        servers.sort_unstable();
        servers.dedup();
        servers
    }
}

struct Planned {
    address: SocketAddr,
    name: Arc<str>,
    /// Each zone with its block.
    zones: Vec<(NameBuf, usize)>,
}

impl Plan {
    fn add(&mut self, index: usize, draft: &Draft<'_>, port: u16, mistakes: &mut Mistakes) {
        let bound = draft.bound(mistakes);
        let mut zones = Vec::new();
        let mut served = Vec::new();
        for key in &draft.block.keys {
            if !matches!(key.scheme, Scheme::Dns | Scheme::Unix) {
                let scheme = format!("{}://", key.scheme.name());
                mistakes.push(
                    Mistake::error(
                        Code::UnsupportedDirective,
                        key.at(),
                        format!("{} is not served yet", shown(&scheme)),
                    )
                    .help("write the zone without a scheme to serve it over UDP and TCP"),
                );
                continue;
            }
            let port = key.port.unwrap_or(port);
            for text in &key.zones {
                // A key that was accepted has zones that are names.
                let Ok(zone) = text.parse::<NameBuf>() else { continue };
                zones.push(zone);
                if key.scheme == Scheme::Unix {
                    continue;
                }
                for address in self.claim(key, text, port, bound.as_deref(), mistakes) {
                    served.push(self.server(address, zone, index));
                }
            }
        }
        served.sort_unstable();
        served.dedup();
        self.blocks.push(PlannedBlock { zones, served });
    }

    /// The addresses on which the zone is free to be served.
    fn claim(
        &mut self,
        key: &corefile::Key,
        zone: &str,
        port: u16,
        bound: Option<&[SocketAddr]>,
        mistakes: &mut Mistakes,
    ) -> Vec<SocketAddr> {
        let claim = Claim { scheme: key.scheme, zone, port, address: None, at: key.at() };
        let Some(bound) = bound else {
            return match self.claims.claim(claim) {
                Ok(()) => vec![SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))],
                Err(mistake) => {
                    mistakes.push(mistake);
                    Vec::new()
                }
            };
        };
        let mut free = Vec::new();
        for address in bound {
            let text = address.to_string();
            let mut address = *address;
            address.set_port(port);
            match self.claims.claim(Claim { address: Some(&text), ..claim }) {
                Ok(()) => free.push(address),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        free
    }

    /// The number of the server at `address`, which now serves the zone too, and that of the zone.
    fn server(&mut self, address: SocketAddr, zone: NameBuf, block: usize) -> (u16, u16) {
        let known = self.servers.iter().position(|server| server.address == address);
        let number = known.unwrap_or_else(|| {
            let name = if address.ip().is_unspecified() {
                format!("dns://:{}", address.port())
            } else {
                format!("dns://{address}")
            };
            self.servers.push(Planned { address, name: name.into(), zones: Vec::new() });
            self.servers.len() - 1
        });
        self.servers[number].zones.push((zone, block));
        let next = self.zones.len() as u16;
        let zone = *self.zones.entry(zone).or_insert(next);
        (number as u16, zone)
    }

    /// The zones in text, by number.
    fn zone_names(&self) -> Arc<[Arc<str>]> {
        let mut names: Vec<_> = self.zones.iter().map(|(zone, number)| (*number, zone)).collect();
        names.sort_unstable();
        names.into_iter().map(|(_, zone)| zone.to_string().into()).collect()
    }

    fn into_servers(
        self,
        chains: &[Arc<Chain>],
        parts: &Parts,
        surroundings: &Surroundings<'_>,
    ) -> Vec<Server> {
        let panics = &surroundings.process.panics;
        let servers = self.servers.into_iter().enumerate();
        servers
            .map(|(number, planned)| {
                let all_classes =
                    planned.zones.iter().any(|(_, block)| parts.all_classes.contains(block));
                let outside = parts.outside_of(planned.zones.iter().map(|(_, block)| *block));
                let blocks = planned.zones.iter().map(|(zone, block)| Block {
                    zone: *zone,
                    zone_index: self.zones[zone],
                    chain: chains[*block].clone(),
                });
                let blocks = blocks.collect();
                let router = Router::new(number as u16, planned.name, blocks, panics.clone());
                Server {
                    address: planned.address,
                    zones: planned.zones.iter().map(|(zone, _)| zone.to_string()).collect(),
                    router: router.with_all_classes(all_classes).with_outside(outside),
                }
            })
            .collect()
    }
}

/// Builds the plugins of one block after the other.
struct Builder<'a> {
    sources: &'a Sources,
    surroundings: &'a Surroundings<'a>,
    server_names: Arc<[Arc<str>]>,
    zone_names: Arc<[Arc<str>]>,
    parts: Parts,
}

impl Builder<'_> {
    fn build(
        &mut self,
        index: usize,
        draft: Draft<'_>,
        plan: &Plan,
        mistakes: &mut Mistakes,
    ) -> Arc<Chain> {
        let planned = &plan.blocks[index];
        let servers = planned.servers();
        let is_bound = draft.configs.iter().any(|(_, config)| config.is::<bind::Config>());
        let site = Site {
            index,
            is_bound,
            zones: planned.zones.clone(),
            served: planned.served.clone(),
            server_names: self.server_names.clone(),
            zone_names: self.zone_names.clone(),
            directives: draft.configs.iter().map(|(entry, _)| entry.name).collect(),
            addresses: servers
                .iter()
                .map(|number| reachable(plan.servers[usize::from(*number)].address))
                .collect(),
            servers,
        };
        let whole = Arc::new(OnceLock::new());
        let mut capabilities = Capabilities::default();
        let mut root = PathBuf::new();
        let (mut links, mut places) = (Vec::new(), Vec::new());
        for (entry, config) in draft.configs {
            let mut env = Env {
                process: self.surroundings.process,
                site: &site,
                root: &mut root,
                previous: self.surroundings.previous,
                files: self.surroundings.files,
                parts: &mut self.parts,
                capabilities: &mut capabilities,
                whole: &whole,
            };
            match (entry.build)(config, &mut env) {
                Ok(Some(plugin)) => {
                    let at = draft.block.block(entry.name).map(|lines| lines.at());
                    places.push(at.map(|at| self.place(at)).unwrap_or_default());
                    let line = at.map_or(0, |at| self.sources.position(at).line as u32);
                    links.push(Link { plugin, name: entry.name, line });
                }
                Ok(None) => {}
                Err(wrong) => mistakes.append(wrong),
            }
        }
        let plugins = links.iter().map(|link| link.name).collect();
        let known = whole.get_or_init(|| Whole { plugins, capabilities });
        for check in self.parts.checks.drain(..) {
            if let Err(wrong) = check(known) {
                mistakes.append(wrong);
            }
        }
        let chain = Arc::new(Chain::new(links));
        let place = self.place(draft.block.at);
        self.parts.blocks.push(BuiltBlock { chain: chain.clone(), whole, place, places });
        chain
    }

    /// `FILE:LINE`
    fn place(&self, at: Span) -> String {
        format!("{}:{}", self.sources.path(at), self.sources.position(at).line)
    }
}

/// Where a server that listens on `address` can be asked from this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if !ip.is_unspecified() => address,
        _ => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_serve_bothers_nobody() {
        let corefile =
            ". {\n loop\n health 127.0.0.1:1\n transfer {\n to 127.0.0.1\n }\n whoami\n}";
        let started = |serves| {
            let mut rig = crate::testing::Rig::new("");
            rig.process.serves = serves;
            rig.reload(corefile);
            rig.assembly().parts.on_start.len()
        };
        assert_eq!((started(true), started(false)), (3, 0));
    }

    #[test]
    fn more_zones_than_can_be_numbered_are_refused() {
        let keys: String = (0..=NUMBERED_MAX).map(|number| format!("z{number}. ")).collect();
        let found = crate::testing::mistakes(&format!("{keys}{{\n whoami\n}}"));
        assert!(found[0].contains("there are more than 65535 zones"), "{found:?}");
    }
}
