//! `autopath`: goes through the search list of a client in its place.
//!
//! **What this is.** On the way down it knows the first question of a search list again; on the way up
//! it asks the plugins below for the other elements, until a name exists, and puts a CNAME in front of
//! what was found.
//!
//! **What this is not.** It knows no client: whose list it is says a file, or whoever offers
//! [`SearchPath`] (`kubernetes`). It answers nothing and caches nothing: that is for the plugins below,
//! which see each element as a question of its own, and so do the access rules of `acl`.
//!
//! **Where to start reading.** [`AutoPath::query`].

mod config;

use crate::directive::{Built, Directive};
use crate::env::{Env, Whole};
use crate::metrics::{Counter, labels};
use crate::search_path::{Fixed, SearchPath};
use crate::zones::Zones;
use chain::{Exchange, Failure, Plugin, Step};
use config::{Config, List};
use corefile::{Accepted, Block, Code, Mistake, Mistakes, Span, shown};
use std::sync::{Arc, OnceLock};
use upstream::ResolvConf;
use wire::{NameBuf, Question, Rcode, RecordType, Section};

/// The directive and the plugin.
pub(crate) struct AutoPath {
    zones: Zones,
    /// Who knows the lists. Set once the block is whole, if anybody does.
    search: Search,
    /// What was found, for each server of the block.
    found: Box<[(u16, Arc<Counter>)]>,
}

type Search = Arc<OnceLock<Arc<dyn SearchPath>>>;

impl Directive for AutoPath {
    const NAME: &'static str = "autopath";
    type Config = Config;

    fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
        Config::read(block)
    }

    fn build(config: Config, env: &mut Env<'_>) -> Built {
        let search = match config.list {
            Some(List::File(at, file)) => of_file(at, &file, env)?,
            Some(List::Plugin(at, plugin)) => of_plugin(at, &plugin, env),
            None => Search::default(),
        };
        let found = env.site.servers.iter().map(|&server| (server, counter(server, env))).collect();
        Ok(Some(Box::new(Self { zones: Zones::new(&config.zones), search, found })))
    }
}

fn of_file(at: Span, file: &str, env: &mut Env<'_>) -> Result<Search, Mistakes> {
    let path = env.path(file);
    let text = env.read_file(&path).map_err(|error| {
        let message = format!("{} cannot be read: {error}", shown(file));
        Mistake::error(Code::BadValue, at, message)
            .help("name a file in the format of resolv.conf, or a plugin such as `@kubernetes`")
    })?;
    let read = ResolvConf::read(&String::from_utf8_lossy(&text));
    let search = Search::default();
    match Fixed::new(read.search) {
        Some(list) => {
            let _ = search.set(Arc::new(list)); // it was empty
        }
        None => env.warn("autopath", format!("{file} has no search list: nothing is completed")),
    }
    Ok(search)
}

fn of_plugin(at: Span, plugin: &str, env: &mut Env<'_>) -> Search {
    let search = Search::default();
    let Some(plugin) = env.site.directives.iter().find(|name| **name == plugin).copied() else {
        let message = format!("there is no `{plugin}` in this server block: nothing is completed");
        env.warn("autopath", message);
        return search;
    };
    let known = search.clone();
    env.once_whole(move |whole: &Whole| {
        let mut offers = whole.capabilities.of::<dyn SearchPath>();
        let Some((_, provider)) = offers.find(|(name, _)| *name == plugin) else {
            let message = format!("`{plugin}` knows no search lists");
            let mistake = Mistake::error(Code::BadValue, at, message);
            return Err(mistake.help("write `@kubernetes`, or the path of a resolv.conf").into());
        };
        let _ = known.set(provider.clone()); // nobody else sets it
        Ok(())
    });
    search
}

fn counter(server: u16, env: &Env<'_>) -> Arc<Counter> {
    env.process.metrics.counter(
        "coredns_autopath_success_total",
        "Questions for which an element of the search list was found.",
        &labels(&[("server", &env.site.server_names[usize::from(server)])]),
    )
}

impl Plugin for AutoPath {
    fn query(&self, x: &mut Exchange) -> Step {
        let name = x.question.name();
        if let Some(search) = self.search.get().filter(|_| self.zones.cover(name))
            && let Some(first) = search.first(x)
            && name.is_at_or_below(first.as_name())
            // The element itself was not searched for. CoreDNS fails then.
            && name != first.as_name()
        {
            x.note(|| format!("searches in the client's place, first in {first}"));
            let base = name.label_count() - first.as_name().label_count();
            x.remember(Progress { base, tried: 0 }.bits());
        }
        // The question is the first element's already.
        Step::Next
    }

    fn response(&self, x: &mut Exchange) {
        let Some(mut progress) = x.recall().map(Progress::from_bits) else { return };
        let Some(search) = self.search.get().filter(|_| !x.is_dropped()) else { return };
        let others = search.others(x.question.name());
        if !is_absent(x) {
            return self.answer(
                x,
                progress.tried.checked_sub(1).map(|index| others[index]),
                progress,
            );
        }
        if progress.tried == 0 {
            x.set_reply_aside();
        }
        while let Some(element) = others.get(progress.tried) {
            progress.tried += 1;
            let Some(name) = progress.name_in(x, element) else { continue };
            let mut question = Question::new(name.as_name(), x.question.rtype);
            question.class = x.question.class;
            x.remember(progress.bits());
            x.note(|| format!("asks for {name} next"));
            if x.ask_again(question) {
                return;
            }
            break;
        }
        x.note(|| "has come to the end of the search list".to_owned());
        x.take_reply_back();
    }
}

impl AutoPath {
    /// Makes the answer for the name in `element` one to the question; none: it is one.
    fn answer(&self, x: &mut Exchange, element: Option<NameBuf>, progress: Progress) {
        if x.failure().is_none()
            && let Some((_, found)) = self.found.iter().find(|(server, _)| *server == x.server)
        {
            found.increment(x.worker);
        }
        let target = element.and_then(|element| progress.name_in(x, &element));
        let (Some(target), Some(first)) = (target, x.reply.body.answer.first()) else { return };
        x.note(|| format!("leads to {target}"));
        let (owner, ttl) = (x.question.name(), first.ttl);
        let body = &mut x.reply.body;
        body.push_name(Section::Answer, owner, ttl, RecordType::CNAME, target.as_name());
        body.answer.rotate_right(1);
    }
}

/// Whether the next element is to be tried. As in CoreDNS a name without records of the type
/// exists, so that A and AAAA stop at the same element; and a failure is nothing to guess behind,
/// unless it says no more than that a source has not got the name. What `acl` refuses ends the search
/// too: nobody learns by searching what he may not ask.
fn is_absent(x: &Exchange) -> bool {
    match x.failure() {
        Some(failure) => *failure == Failure::NotFound,
        None => x.reply.rcode == Rcode::NXDOMAIN,
    }
}

/// How far the search has come.
#[derive(Clone, Copy)]
struct Progress {
    /// How many labels of the question stand in front of the first element.
    base: usize,
    /// How many of the other elements were tried.
    tried: usize,
}

impl Progress {
    fn bits(self) -> u64 {
        (self.base as u64) << 32 | self.tried as u64
    }

    fn from_bits(bits: u64) -> Self {
        Self { base: (bits >> 32) as usize, tried: bits as u32 as usize }
    }

    /// What was searched for, in another element; none if that is too long for a name.
    fn name_in(self, x: &Exchange, element: &NameBuf) -> Option<NameBuf> {
        let name = x.question.name();
        let base = name.labels_above(name.skip_labels(self.base)?)?;
        NameBuf::join(base, element.as_name()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Rig, mistakes};

    #[test]
    fn the_table_is_sound() {
        assert_eq!(config::SYNTAX.faults(), [""; 0]);
    }

    #[test]
    fn what_knows_no_list_is_a_mistake() {
        for (line, expected) in [
            ("autopath", "`autopath` lacks"),
            ("autopath @canned", "`canned` knows no search lists"),
            ("autopath a.test /nosuch/resolv.conf", "`/nosuch/resolv.conf` cannot be read"),
            ("autopath /dev/null {\n ttl 5\n }", "`autopath` takes no block"),
        ] {
            let found = mistakes(&format!(". {{\n {line}\n canned\n}}"));
            assert!(found.iter().any(|mistake| mistake.contains(expected)), "{line}: {found:?}");
        }
    }

    #[test]
    fn without_a_list_nothing_is_completed() {
        for line in ["autopath @kubernetes", "autopath /dev/null"] {
            let rig = Rig::new(&format!(". {{\n {line}\n canned {{\n rcode NXDOMAIN\n }}\n}}"));
            assert!(rig.assembly().parts.warnings[0].contains("nothing is completed"));
            let x = rig.ask("www.shop.svc.cluster.local A");
            assert_eq!((x.reply.rcode, x.reply.body.len()), (Rcode::NXDOMAIN, 0));
        }
    }

    fn x(name: &str) -> Exchange {
        let mut x = Exchange::new();
        x.question = Question::new(name.parse::<NameBuf>().unwrap().as_name(), RecordType::A);
        x
    }

    #[test]
    fn a_name_in_another_element() {
        let progress = Progress::from_bits(Progress { base: 2, tried: 7 }.bits());
        assert_eq!((progress.base, progress.tried), (2, 7));
        let name_in = |element: &str| {
            let name = progress.name_in(&x("www.example.shop.svc.test"), &element.parse().unwrap());
            name.map(|name| name.to_string())
        };
        assert_eq!(name_in("svc.test").as_deref(), Some("www.example.svc.test."));
        assert_eq!(name_in(".").as_deref(), Some("www.example."));
        assert_eq!(name_in(&format!("{0}.{0}.{0}.{0}", "x".repeat(60))), None);
        assert_eq!(progress.name_in(&x("test"), &NameBuf::root()), None);
    }
}
