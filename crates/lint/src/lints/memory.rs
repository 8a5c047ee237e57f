//! Files and caches that need more memory than there is.

use super::Lint;
use crate::whole::{Site, Whole};
use corefile::{Code, Directive, Mistakes, Span};

pub(super) const ABOVE: Lint = Lint::warning(Code::MemoryAboveLimit).by(find);
pub(super) const CACHE: Lint = Lint::warning(Code::CacheAboveMemory);

/// The process itself, without names.
const BASE: u64 = 24 << 20;
/// Octets of memory for one of a hosts file: a name and its address, both ways.
const PER_HOSTS_OCTET: u64 = 6;
/// Octets of memory for one of a zone file.
const PER_ZONE_OCTET: u64 = 4;
/// Octets of a usual entry in a cache.
const PER_ENTRY: u64 = 350;
/// The part of the memory that all caches together may have.
const CACHE_SHARE: u64 = 4;

fn find(whole: &Whole<'_>, mistakes: &mut Mistakes) {
    let Some(limit) = whole.scene.memory else { return };
    files(whole, limit, mistakes);
    caches(whole, limit, mistakes);
}

fn files(whole: &Whole<'_>, limit: u64, mistakes: &mut Mistakes) {
    let loaded = whole.sites.iter().flat_map(|site| {
        let files = site.all("hosts").chain(site.all("file"));
        files.filter_map(|file| Some((memory_of(whole, site, file)?, file.at())))
    });
    let mut loaded: Vec<(u64, Span)> = loaded.collect();
    let total = loaded.iter().fold(BASE, |total, (octets, _)| total.saturating_add(*octets));
    loaded.sort_by_key(|(octets, _)| std::cmp::Reverse(*octets));
    let Some((largest, at)) = loaded.first().filter(|_| total > limit) else { return };
    let message = format!(
        "this configuration takes about {}, and may have {}",
        megabytes(total),
        megabytes(limit)
    );
    mistakes.push(
        ABOVE
            .at(*at, message)
            .label(format!("about {} of it", megabytes(*largest)))
            .note("a reload holds the old names and the new ones for a moment")
            .help(format!(
                "set the memory limit of the container to {} or more",
                megabytes(total * 2)
            )),
    );
}

/// What the names of a file take in memory.
fn memory_of(whole: &Whole<'_>, site: &Site<'_>, directive: &Directive) -> Option<u64> {
    let file = &directive.args.first()?.text;
    let root = site.all("root").find_map(|root| root.args.first());
    let path = match root.filter(|_| !file.starts_with('/')) {
        Some(root) => format!("{}/{file}", root.text.trim_end_matches('/')),
        None => file.clone(),
    };
    let octets = whole.scene.sizes.size(&path)?;
    let each = if directive.name.text == "hosts" { PER_HOSTS_OCTET } else { PER_ZONE_OCTET };
    Some(octets.saturating_mul(each))
}

fn caches(whole: &Whole<'_>, limit: u64, mistakes: &mut Mistakes) {
    for cache in whole.sites.iter().flat_map(|site| site.all("cache")) {
        for line in cache.body.iter().flatten() {
            let is_capacity = matches!(line.words[0].text.as_str(), "success" | "denial");
            let entries = line.words.get(1).and_then(|word| word.text.parse::<u64>().ok());
            let Some(entries) = entries.filter(|_| is_capacity) else { continue };
            let octets = entries.saturating_mul(PER_ENTRY);
            if octets <= limit / CACHE_SHARE {
                continue;
            }
            let fits = limit / CACHE_SHARE / PER_ENTRY;
            let message = format!("{entries} answers take about {}", megabytes(octets));
            let mut words: Vec<_> = line.words.iter().map(|word| word.text.clone()).collect();
            words[1] = (fits / 1000 * 1000).max(1).to_string();
            mistakes.push(
                CACHE
                    .at(line.at(), message)
                    .label(format!("all caches may have {}", megabytes(limit / CACHE_SHARE)))
                    .note("caches share a quarter of the memory; what is over leaves early")
                    .help(format!("write `{}`, or raise the memory limit", words.join(" "))),
            );
        }
    }
}

fn megabytes(octets: u64) -> String {
    format!("{} MiB", octets.div_ceil(1 << 20))
}

#[cfg(test)]
mod tests {
    use crate::lints::found_at;

    struct Names;

    impl crate::Sizes for Names {
        fn size(&self, path: &str) -> Option<u64> {
            (path == "/names").then_some(20 << 20)
        }
    }

    #[test]
    fn files_and_caches_against_a_limit() {
        let text = ". {\n hosts /names\n cache {\n  success 200000\n }\n}";
        let at = |limit: u64| {
            found_at(text, |scene| {
                scene.memory = Some(limit);
                scene.sizes = &Names;
            })
        };
        assert_eq!(at(64 << 20), ["memory-above-limit 2", "cache-above-memory 4"]);
        assert_eq!(at(1 << 30), [""; 0]);
    }
}
