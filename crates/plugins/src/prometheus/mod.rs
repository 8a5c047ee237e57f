//! `prometheus`: counts what clients ask and get, and shows all metrics over HTTP.
//!
//! Counting happens when a reply leaves ([`Observe`]), so that sizes are those that clients see, and
//! nothing is counted that no client asked. Start with [`Prometheus::replied`]; the tables are
//! [`traffic`], what is said of the process is [`process`].

mod config;
mod process;
mod traffic;

use crate::directive::{Built, Directive};
use crate::env::{Endpoint, Env, HttpAnswer, IfTaken, Site};
use crate::metrics::{Gauge, Registry, labels};
use crate::order::ORDER;
use chain::{Exchange, Observe, Plugin, Router};
use config::Config;
use corefile::{Accepted, Block, Mistakes};
use process::ProcessFigures;
use std::sync::{Arc, OnceLock};
use traffic::Traffic;

/// The directive and the plugin.
pub(crate) struct Prometheus {
    /// Sorted by server and zone.
    counted: Box<[Counted]>,
    /// The plugins of this block, with their places in the order of all.
    answerers: Box<[(&'static str, usize)]>,
    /// Gauges that are there for as long as this configuration is.
    enabled: Arc<OnceLock<Vec<Arc<Gauge>>>>,
    _process: Arc<ProcessFigures>,
}

/// What is counted for a zone at a server.
struct Counted {
    server: u16,
    zone: u16,
    traffic: Arc<Traffic>,
}

impl Directive for Prometheus {
    const NAME: &'static str = "prometheus";
    type Config = Config;

    fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
        Config::read(block)
    }

    fn build(config: Config, env: &mut Env<'_>) -> Built {
        let metrics = env.process.metrics.clone();
        env.serve_http(Endpoint {
            address: config.address,
            path: "/metrics",
            answer: Arc::new(move || HttpAnswer {
                status: 200,
                content_type: "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
                body: metrics.text(),
            }),
            if_taken: IfTaken::Warn("Failed to start metrics handler"),
        });
        let process = env.process.clone();
        let figures = env.keep("process".into(), || ProcessFigures::new(&process));
        env.process.metrics.collect(&figures);
        let plugin = Arc::new(Self {
            counted: counted(env),
            answerers: answerers(&env.site.directives),
            enabled: Arc::default(),
            _process: figures,
        });
        env.amend_refused(Self::NAME, plugin.clone());
        let (enabled, whole) = (plugin.enabled.clone(), env.whole());
        let (site, metrics) = (Served::of(env.site), env.process.metrics.clone());
        env.on_start(move |_| {
            let plugins = whole.get().map_or(&[][..], |whole| &whole.plugins);
            let _ = enabled.set(site.enable(plugins, &metrics)); // a configuration starts once
        });
        Ok(Some(Box::new(plugin)))
    }
}

impl Plugin for Prometheus {
    fn observer(&self) -> Option<&dyn Observe> {
        Some(self)
    }
}

impl Observe for Prometheus {
    fn replied(&self, x: &Exchange, octets: usize) {
        let key = (x.server, x.zone);
        let found = self.counted.binary_search_by_key(&key, |each| (each.server, each.zone));
        let Ok(at) = found else { return };
        self.counted[at].traffic.count(x, octets, self.answerer(x));
    }
}

impl Prometheus {
    /// The place of the plugin that answered in the order of all, plus one; 0 for nobody.
    fn answerer(&self, x: &Exchange) -> usize {
        let Some((name, _)) = x.answered_by() else { return 0 };
        let known = self.answerers.iter().find(|(known, _)| *known == name);
        known.map_or(0, |(_, place)| *place)
    }
}

fn answerers(directives: &[&'static str]) -> Box<[(&'static str, usize)]> {
    let place = |name| ORDER.iter().position(|entry| entry.name == name).map_or(0, |at| at + 1);
    directives.iter().map(|&name| (name, place(name))).collect()
}

/// What is counted for each zone of the block at each of its servers, and for what no block serves.
fn counted(env: &mut Env<'_>) -> Box<[Counted]> {
    let outside = env.site.servers.iter().map(|&server| (server, Router::OUTSIDE));
    let mut keys: Vec<_> = env.site.served.iter().copied().chain(outside).collect();
    keys.sort_unstable();
    let metrics = env.process.metrics.clone();
    keys.into_iter()
        .map(|(server, zone)| {
            let server_name = env.site.server_names[usize::from(server)].clone();
            let zone_name = env.site.zone_names.get(usize::from(zone)).cloned();
            let zone_name = zone_name.unwrap_or_else(|| "dropped".into());
            let key = format!("{server_name} {zone_name}");
            let make = || Traffic::new(server_name, zone_name, metrics.workers());
            let traffic = env.keep(key, make);
            metrics.collect(&traffic);
            Counted { server, zone, traffic }
        })
        .collect()
}

/// The names of what a block serves.
struct Served(Vec<(Arc<str>, Arc<str>)>);

impl Served {
    fn of(site: &Site) -> Self {
        let name = |names: &[Arc<str>], number: u16| names[usize::from(number)].clone();
        let served = site.served.iter();
        Self(
            served
                .map(|&(server, zone)| {
                    (name(&site.server_names, server), name(&site.zone_names, zone))
                })
                .collect(),
        )
    }

    /// `coredns_plugin_enabled` for each of `plugins`.
    fn enable(&self, plugins: &[&str], metrics: &Registry) -> Vec<Arc<Gauge>> {
        let pairs = self.0.iter().flat_map(|served| plugins.iter().map(move |name| (served, name)));
        pairs
            .map(|((server, zone), name)| {
                let labels =
                    labels(&[("server", server), ("zone", zone), ("view", ""), ("name", name)]);
                let help = "Plugins that questions for a zone pass.";
                let gauge = metrics.gauge("coredns_plugin_enabled", help, &labels);
                gauge.set(1);
                gauge
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Asker, Rig};
    use chain::Transport;
    use std::time::Duration;
    use wire::Edns;

    const COREFILE: &str = "a.test b.test:54 {\n prometheus\n errors\n canned {\n \
         answer www.a.test A 192.0.2.1\n }\n}\n\
         c.test {\n prometheus :9153\n whoami\n}\n\
         dropped.test {\n prometheus\n canned {\n drop\n }\n}\n\
         bug.test {\n prometheus\n canned {\n panic\n }\n}\n\
         uncounted.test {\n whoami\n}";

    /// The samples whose names begin with `coredns_` and this, without the prefix.
    fn samples(rig: &Rig, name: &str) -> Vec<String> {
        let name = format!("coredns_{name}");
        let page = rig.metrics().into_iter();
        page.filter(|line| line.starts_with(&name) && !line.contains("_bucket"))
            .map(|line| line["coredns_".len()..].replace("view=\"\",", ""))
            .collect()
    }

    fn tcp(asker: &mut Asker) {
        asker.client.transport = Transport::Tcp;
    }

    #[test]
    fn requests_by_server_zone_transport_family_and_type() {
        let rig = Rig::new(COREFILE);
        rig.ask("www.a.test A");
        rig.ask("x.a.test A");
        rig.ask_as("x.a.test TYPE65280", tcp);
        rig.ask_as("b.test HTTPS", |asker| asker.server = 1);
        rig.ask_as("c.test AAAA", |asker| {
            asker.client.peer = "[2001:db8::1]:5".parse().unwrap();
            asker.edns = Some(Edns { dnssec_ok: true, udp_size: 1232, ..Edns::default() });
        });
        rig.ask("elsewhere A");
        rig.ask("x.uncounted.test A");
        assert_eq!(
            samples(&rig, "dns_requests_total"),
            [
                "dns_requests_total{family=\"1\",proto=\"tcp\",server=\"dns://:53\",type=\"other\",zone=\"a.test.\"} 1",
                "dns_requests_total{family=\"1\",proto=\"udp\",server=\"dns://:53\",type=\"A\",zone=\"a.test.\"} 2",
                "dns_requests_total{family=\"1\",proto=\"udp\",server=\"dns://:53\",type=\"A\",zone=\"dropped\"} 1",
                "dns_requests_total{family=\"1\",proto=\"udp\",server=\"dns://:54\",type=\"HTTPS\",zone=\"b.test.\"} 1",
                "dns_requests_total{family=\"2\",proto=\"udp\",server=\"dns://:53\",type=\"AAAA\",zone=\"c.test.\"} 1",
            ]
        );
        assert_eq!(
            samples(&rig, "dns_do_requests_total"),
            ["dns_do_requests_total{server=\"dns://:53\",zone=\"c.test.\"} 1"]
        );
        assert_eq!(
            samples(&rig, "dns_request_type_count_total{server=\"dns://:53\",type=\"other\""),
            [
                "dns_request_type_count_total{server=\"dns://:53\",type=\"other\",zone=\"a.test.\"} 1"
            ]
        );
    }

    #[test]
    fn responses_by_code_and_who_answered() {
        let rig = Rig::new(COREFILE);
        rig.ask("www.a.test A");
        rig.ask("c.test A");
        rig.ask("x.dropped.test A");
        rig.ask("x.bug.test A");
        rig.ask("elsewhere A");
        assert_eq!(
            samples(&rig, "dns_responses_total"),
            [
                "dns_responses_total{plugin=\"\",rcode=\"REFUSED\",server=\"dns://:53\",zone=\"dropped\"} 1",
                "dns_responses_total{plugin=\"\",rcode=\"SERVFAIL\",server=\"dns://:53\",zone=\"dropped\"} 1",
                "dns_responses_total{plugin=\"canned\",rcode=\"NOERROR\",server=\"dns://:53\",zone=\"a.test.\"} 1",
                "dns_responses_total{plugin=\"canned\",rcode=\"NOERROR\",server=\"dns://:53\",zone=\"dropped.test.\"} 1",
                "dns_responses_total{plugin=\"whoami\",rcode=\"NOERROR\",server=\"dns://:53\",zone=\"c.test.\"} 1",
            ]
        );
        assert_eq!(samples(&rig, "panics_total"), ["panics_total 1"]);
        assert_eq!(samples(&rig, "panic_count_total"), ["panic_count_total 1"]);
    }

    #[test]
    fn failures_by_kind() {
        let rig = Rig::new(COREFILE);
        for question in ["elsewhere A", "x.bug.test A", "elsewhere AAAA", "www.a.test A"] {
            rig.ask(question);
        }
        let page = rig.metrics();
        let failures: Vec<_> =
            page.iter().filter(|line| line.starts_with("rutter_dns_failures_total")).collect();
        let of = "server=\"dns://:53\",zone=\"dropped\"";
        assert_eq!(
            failures,
            [
                &format!("rutter_dns_failures_total{{kind=\"no_block\",{of}}} 2"),
                &format!("rutter_dns_failures_total{{kind=\"panicked\",{of}}} 1"),
            ]
        );
    }

    #[test]
    fn codes_that_nobody_knows_cannot_fill_the_memory() {
        let rig = Rig::new(
            "test {\n prometheus\n canned {\n rcode 24\n }\n}\n\
                            t {\n prometheus\n canned {\n rcode 11\n }\n}",
        );
        rig.ask("test A");
        rig.ask("t A");
        let codes = samples(&rig, "dns_responses_total");
        assert!(codes[0].contains("rcode=\"RCODE11\"") && codes[1].contains("rcode=\"other\""));
    }

    #[test]
    fn sizes_are_those_that_clients_see_and_durations_those_that_they_wait() {
        let rig = Rig::new(COREFILE);
        let mut x = chain::Exchange::new();
        x.service_time = Duration::from_micros(300);
        rig.ask_into(&mut x, "www.a.test A", |_| {});
        let end = "server=\"dns://:53\",zone=\"a.test.\"}";
        assert_eq!(
            samples(&rig, "dns_request_duration_seconds"),
            [
                format!("dns_request_duration_seconds_sum{{{end} 0.0003"),
                format!("dns_request_duration_seconds_count{{{end} 1"),
            ]
        );
        // The owner of the record is a pointer to the question.
        let (request, reply) = (12 + 12 + 4, 12 + 12 + 4 + 2 + 10 + 4);
        assert_eq!(
            samples(&rig, "dns_request_size_bytes_sum"),
            [format!("dns_request_size_bytes_sum{{proto=\"udp\",{end} {request}")]
        );
        assert_eq!(
            samples(&rig, "dns_response_size_bytes_sum"),
            [format!("dns_response_size_bytes_sum{{proto=\"udp\",{end} {reply}")]
        );
        let page = rig.metrics().join("\n").replace("view=\"\",", "");
        for sample in [
            "dns_request_duration_seconds_bucket{SERVER,le=\"0.00025\"} 0",
            "dns_request_duration_seconds_bucket{SERVER,le=\"0.0005\"} 1",
            "dns_request_duration_seconds_bucket{SERVER,le=\"8.192\"} 1",
            "dns_request_duration_seconds_bucket{SERVER,le=\"+Inf\"} 1",
            "dns_response_size_bytes_bucket{proto=\"udp\",SERVER,le=\"0\"} 0",
            "dns_response_size_bytes_bucket{proto=\"udp\",SERVER,le=\"100\"} 1",
            "dns_response_size_bytes_bucket{proto=\"udp\",SERVER,le=\"64000\"} 1",
        ] {
            let sample = sample.replace("SERVER", "server=\"dns://:53\",zone=\"a.test.\"");
            assert!(page.contains(&sample), "{sample}\n{page}");
        }
        rig.ask("dropped.test A");
        let silence = "dns_response_size_bytes_bucket{proto=\"udp\",server=\"dns://:53\",\
                       zone=\"dropped.test.\",le=\"0\"} 1";
        assert!(rig.metrics().join("\n").replace("view=\"\",", "").contains(silence));
    }

    #[test]
    fn only_what_clients_ask_is_counted() {
        let rig = Rig::new(
            "one {\n prometheus\n canned {\n chase www.two\n }\n}\n\
             two {\n prometheus\n canned {\n answer www.two A 192.0.2.1\n }\n}",
        );
        assert_eq!(rig.ask("www.one A").reply.body.answer.len(), 2);
        assert_eq!(samples(&rig, "dns_requests_total").len(), 1);
    }

    #[tokio::test]
    async fn counters_go_on_after_a_reload_and_end_with_their_zone() {
        let mut rig = Rig::new(COREFILE);
        rig.start();
        rig.ask("www.a.test A");
        rig.ask("c.test A");
        rig.reload("a.test {\n prometheus\n whoami\n}");
        rig.start();
        rig.ask("www.a.test A");
        let labels = "family=\"1\",proto=\"udp\",server=\"dns://:53\",type=\"A\",zone=\"a.test.\"";
        assert_eq!(
            samples(&rig, "dns_requests_total"),
            [format!("dns_requests_total{{{labels}}} 2")]
        );
        assert_eq!(
            samples(&rig, "plugin_enabled"),
            [
                "plugin_enabled{name=\"prometheus\",server=\"dns://:53\",zone=\"a.test.\"} 1",
                "plugin_enabled{name=\"whoami\",server=\"dns://:53\",zone=\"a.test.\"} 1",
            ]
        );
    }

    #[test]
    fn what_is_said_of_the_process() {
        let rig = Rig::new(COREFILE);
        let page = rig.metrics();
        let value = |name: &str| -> f64 {
            let line = page.iter().find(|line| line.starts_with(&format!("{name} "))).unwrap();
            line.split_once(' ').unwrap().1.parse().unwrap()
        };
        assert!(value("process_resident_memory_bytes") > 1e6);
        assert!(value("process_virtual_memory_bytes") > value("process_resident_memory_bytes"));
        assert!(value("process_cpu_seconds_total") > 0.0);
        assert!(value("process_open_fds") >= 3.0);
        assert!(value("process_max_fds") >= value("process_open_fds"));
        assert_eq!(value("process_start_time_seconds"), 1_700_000_000.0);
        let build = page.iter().find(|line| line.starts_with("coredns_build_info{")).unwrap();
        assert!(build.contains("version=\"0.1.0\"") && build.ends_with("} 1"), "{build}");
    }

    #[test]
    fn the_page_is_served_where_the_corefile_says() {
        let rig = Rig::new(COREFILE);
        let endpoints = &rig.assembly().parts.endpoints;
        assert_eq!(endpoints[0].address, "localhost:9153");
        assert_eq!(endpoints[1].address, ":9153");
        assert!((endpoints[0].answer)().body.contains("coredns_panics_total 0\n"));
    }
}
