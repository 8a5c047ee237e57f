//! Orders of events that must not matter, one by one: what is answered on the way, and in the end.

use crate::common::{all_kinds, ask, check, events};
use crate::histories::{answers, view_of_all};
use cluster::{Changes, Document, Event, Found, Kind, Model, Object, View};
use wire::{NameBuf, Question, Reply};

/// A cluster that hears of one event after the other.
struct Told {
    model: Model,
    view: View,
    now: u32,
}

impl Told {
    /// Nothing has been listed: nobody knows what there is.
    fn nothing() -> Self {
        Self { model: Model::new(all_kinds()), view: view_of_all(false), now: 0 }
    }

    /// These are all that there is.
    fn listed(objects: &[&str]) -> Self {
        let mut told = Self::nothing();
        let begin = Kind::ALL.into_iter().map(Event::RelistBegin);
        let end = Kind::ALL.into_iter().map(Event::RelistEnd);
        told.apply(begin.chain(objects.iter().map(|it| set(it))).chain(end));
        told
    }

    fn apply(&mut self, events: impl IntoIterator<Item = Event>) -> Changes {
        self.now += 1;
        self.model.apply(events, self.now)
    }

    fn check(&self, table: &str) {
        check(self.model.cluster(), &self.view, table);
    }

    /// The records of one answer, or what was found in place of them.
    fn ask(&self, question: &str) -> Result<Vec<String>, Found> {
        let (found, lines) = ask(self.model.cluster(), &self.view, question);
        if lines.is_empty() { Err(found) } else { Ok(lines) }
    }

    fn serial(&self) -> u32 {
        self.model.cluster().serial()
    }
}

fn object(yaml: &str) -> Object {
    let is_object = |event| match event {
        Event::Apply(object) => Some(object),
        _ => None,
    };
    let [object] =
        <[_; 1]>::try_from(events(yaml).into_iter().filter_map(is_object).collect::<Vec<_>>())
            .unwrap();
    object
}

fn set(yaml: &str) -> Event {
    Event::Apply(object(yaml))
}

fn delete(yaml: &str) -> Event {
    Event::Delete(object(yaml).key())
}

const SHOP: &str = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}";
const DEV: &str = "{apiVersion: v1, kind: Namespace, metadata: {name: dev}}";
const WEB: &str = "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1], ports: [{name: http, port: 80}]}}";
const HEADLESS_WEB: &str = "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {clusterIP: None, clusterIPs: [None], ports: [{name: http, port: 80}]}}";
const ALIAS_WEB: &str = "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {type: ExternalName, externalName: www.example.org}}";
const WEB_SLICE: &str = "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: s, namespace: shop, labels: {kubernetes.io/service-name: web}}, addressType: IPv4, endpoints: [{addresses: [10.0.0.1], hostname: h}], ports: [{name: http, port: 8080, protocol: TCP}]}";
const CURL: &str = "{apiVersion: v1, kind: Pod, metadata: {name: curl, namespace: shop}, spec: {containers: []}, status: {phase: Running, podIP: 10.0.0.9}}";

/// Every order of some things.
fn orders<T: Clone>(things: &[T]) -> Vec<Vec<T>> {
    if things.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (at, first) in things.iter().enumerate() {
        let rest = [&things[..at], &things[at + 1..]].concat();
        all.extend(orders(&rest).into_iter().map(|order| [vec![first.clone()], order].concat()));
    }
    all
}

#[test]
fn slices_services_namespaces_and_pods_come_in_any_order() {
    let all = [SHOP, WEB, WEB_SLICE, CURL];
    for (order, is_known) in
        orders(&all).into_iter().flat_map(|it| [(it.clone(), false), (it, true)])
    {
        // What has not come is denied only if everything has been listed.
        let mut told = if is_known { Told::listed(&[]) } else { Told::nothing() };
        let absent = if is_known { "NXDOMAIN" } else { "SERVFAIL" };
        let mut come = Vec::new();
        for next in order {
            told.apply([set(next)]);
            come.push(next);
            let needs = |needed: &[&str], answer: &str| {
                let is_there = needed.iter().all(|it| come.contains(it));
                (if is_there { answer } else { absent }).to_owned()
            };
            told.check(&format!(
                "
                shop.svc.cluster.local A           = {}
                web.shop.svc.cluster.local A       = {}
                _http._tcp.web.shop.svc.cluster.local SRV = {}
                h.web.shop.svc.cluster.local A     = {}
                10-0-0-9.shop.pod.cluster.local A  = {}
                1.0.96.10.in-addr.arpa PTR         = {}
                1.0.0.10.in-addr.arpa PTR          = {}
                ",
                needs(&[SHOP], "NODATA"),
                needs(&[SHOP, WEB], "~ A 10.96.0.1"),
                needs(&[SHOP, WEB], "~ SRV 0 100 80 web.shop.svc.cluster.local.; + web.shop.svc.cluster.local. 5 A 10.96.0.1"),
                needs(&[SHOP, WEB, WEB_SLICE], "~ A 10.0.0.1"),
                needs(&[SHOP, CURL], "~ A 10.0.0.9"),
                needs(&[SHOP, WEB], "~ PTR web.shop.svc.cluster.local."),
                needs(&[SHOP, WEB_SLICE], "~ PTR h.web.shop.svc.cluster.local."),
            ));
        }
    }
}

#[test]
fn a_service_comes_back_as_another_kind() {
    let kinds = [
        (WEB, "~ A 10.96.0.1", "NODATA", "~ A 10.0.0.1", "~ PTR web.shop.svc.cluster.local."),
        (HEADLESS_WEB, "~ A 10.0.0.1", "NODATA", "~ A 10.0.0.1", "NXDOMAIN"),
        (ALIAS_WEB, "~ CNAME www.example.org.", "~ CNAME www.example.org.", "NXDOMAIN", "NXDOMAIN"),
    ];
    let is = |told: &Told,
              (_, address, alias, endpoint, pointer): (&str, &str, &str, &str, &str)| {
        told.check(&format!(
            "
            web.shop.svc.cluster.local A     = {address}
            web.shop.svc.cluster.local CNAME = {alias}
            h.web.shop.svc.cluster.local A   = {endpoint}
            1.0.96.10.in-addr.arpa PTR       = {pointer}
            "
        ));
    };
    for (from, to) in kinds.into_iter().flat_map(|from| kinds.map(|to| (from, to))) {
        // Its end is seen by itself, together with its return, or never.
        let (ends, comes) = (delete(from.0), set(to.0));
        for batches in [
            vec![vec![ends.clone()], vec![comes.clone()]],
            vec![vec![ends, comes.clone()]],
            vec![vec![comes]],
        ] {
            let mut told = Told::listed(&[SHOP, WEB_SLICE, from.0]);
            is(&told, from);
            let (last, first) = batches.split_last().unwrap();
            for batch in first {
                told.apply(batch.clone());
                is(&told, ("", "NXDOMAIN", "NXDOMAIN", "NXDOMAIN", "NXDOMAIN"));
            }
            told.apply(last.clone());
            is(&told, to);
        }
    }
}

#[test]
fn a_namespace_goes_before_its_services() {
    let mut told = Told::listed(&[SHOP, DEV, WEB, WEB_SLICE, CURL]);
    let there = "
        shop.svc.cluster.local A          = NODATA
        web.shop.svc.cluster.local A      = ~ A 10.96.0.1
        h.web.shop.svc.cluster.local A    = ~ A 10.0.0.1
        10-0-0-9.shop.pod.cluster.local A = ~ A 10.0.0.9
        1.0.96.10.in-addr.arpa PTR        = ~ PTR web.shop.svc.cluster.local.
        1.0.0.10.in-addr.arpa PTR         = ~ PTR h.web.shop.svc.cluster.local.
    ";
    let gone = "
        shop.svc.cluster.local A          = NXDOMAIN
        web.shop.svc.cluster.local A      = NXDOMAIN
        h.web.shop.svc.cluster.local A    = NXDOMAIN
        10-0-0-9.shop.pod.cluster.local A = NXDOMAIN
        1.0.96.10.in-addr.arpa PTR        = NXDOMAIN
        1.0.0.10.in-addr.arpa PTR         = NXDOMAIN
    ";
    told.check(there);
    told.apply([delete(SHOP)]);
    told.check(gone);
    told.apply([set(SHOP)]);
    told.check(there);
    // What lingers goes one by one, and is not there when the name is used again.
    for event in [delete(SHOP), delete(WEB), delete(CURL), delete(WEB_SLICE)] {
        told.apply([event]);
        told.check(gone);
    }
    told.apply([set(SHOP)]);
    told.check(&gone.replacen("NXDOMAIN", "NODATA", 1));
}

#[test]
fn what_no_answer_depends_on_moves_no_serial() {
    let service = |kept: &str| {
        format!(
            r#"{{"metadata":{{"name":"web","namespace":"shop",{kept}}},"spec":{{"clusterIP":"None","clusterIPs":["None"],"ports":[{{"name":"http","port":80}}]}}}}"#
        )
    };
    let slice = |kept: &str| {
        format!(
            r#"{{"metadata":{{"name":"s","namespace":"shop",{kept}}},"addressType":"IPv4","endpoints":[{{"addresses":["10.0.0.1"]}}],"ports":[{{"name":"http","port":80,"protocol":"TCP"}}]}}"#
        )
    };
    let namespace = |kept: &str| format!(r#"{{"metadata":{{"name":"shop",{kept}}}}}"#);
    let pod = |kept: &str| {
        format!(
            r#"{{"metadata":{{"name":"curl","namespace":"shop",{kept}}},"status":{{"phase":"Running","podIP":"10.0.0.9"}}}}"#
        )
    };
    let metadata = |number: usize| {
        format!(
            r#""resourceVersion":"{number}","generation":{number},"labels":{{"kubernetes.io/service-name":"web","n":"{number}"}},"annotations":{{"endpoints.kubernetes.io/last-change-trigger-time":"2018-06-01T00:00:0{number}Z"}},"managedFields":[{{"manager":"{number}"}}]"#
        )
    };
    let all = |number| {
        let kept = metadata(number);
        [
            (Kind::Namespace, namespace(&kept)),
            (Kind::Service, service(&kept)),
            (Kind::EndpointSlice, slice(&kept)),
            (Kind::Pod, pod(&kept)),
        ]
        .map(|(kind, json)| Document::from_json(kind, &json).unwrap().into_event())
    };
    let mut told = Told::listed(&[]);
    told.apply(all(1));
    let (serial, answer) = (told.serial(), told.ask("web.shop.svc.cluster.local A"));
    assert!(answer.is_ok(), "{answer:?}");
    for event in all(2) {
        assert_eq!(told.apply([event]), Changes::default());
        assert_eq!(
            (told.serial(), told.ask("web.shop.svc.cluster.local A")),
            (serial, answer.clone())
        );
    }
}

#[test]
fn what_nobody_knows_goes_and_what_is_known_comes() {
    let all = [SHOP, WEB, WEB_SLICE, CURL];
    let mut told = Told::listed(&all);
    let view = view_of_all(false);
    let (serial, before) = (told.serial(), answers(told.model.cluster(), &view));
    let unknown = WEB.replace("name: web", "name: other");
    let unknown_slice = WEB_SLICE.replace("name: s,", "name: t,");
    let nobodys = [DEV, &unknown, &unknown_slice].map(delete);
    for event in all.map(set).into_iter().chain(nobodys) {
        assert_eq!(told.apply([event.clone()]), Changes::default(), "{event:?}");
        told.check("web.shop.svc.cluster.local A = ~ A 10.96.0.1");
    }
    // A list has dropped it: the event that says so comes behind.
    told.apply([Event::RelistBegin(Kind::Service), Event::RelistEnd(Kind::Service)]);
    told.check("web.shop.svc.cluster.local A = NXDOMAIN");
    assert_eq!(told.apply([delete(WEB)]), Changes::default());
    told.apply([set(WEB)]);
    told.check("web.shop.svc.cluster.local A = ~ A 10.96.0.1");
    assert_eq!(answers(told.model.cluster(), &view), before);
    assert!(told.serial() > serial);
}

#[test]
fn a_list_comes_while_events_of_the_old_watch_wait() {
    let moved = |last: u8| {
        WEB.replace("name: web", "name: moved").replace("10.96.0.1", &format!("10.96.1.{last}"))
    };
    let named = |name: &str| WEB.replace("name: web", &format!("name: {name}"));
    let [first, second, third] = [1, 2, 3].map(moved);
    // The end of `lost` was between the watch and the list, so that only the list can tell it.
    let [ended, lost, came] = ["ended", "lost", "came"].map(named);
    let old = [set(&second), delete(&ended)];
    let list = [set(WEB), set(&third), set(&came)];
    // The events that wait are told before the list begins, or when it has begun.
    for split in 0..=old.len() {
        let mut events = old[..split].to_vec();
        events.push(Event::RelistBegin(Kind::Service));
        events.extend_from_slice(&old[split..]);
        events.extend_from_slice(&list);
        events.push(Event::RelistEnd(Kind::Service));
        for (size, by_page) in (1..=events.len()).flat_map(|size| [(size, false), (size, true)]) {
            let mut told = Told::listed(&[SHOP, WEB, &first, &ended, &lost]);
            let (mut last_moved, mut has_ended, mut has_come) = (String::new(), false, false);
            for batch in events.chunks(size) {
                told.now += 1;
                match by_page {
                    true => told.model.apply_page(batch.to_vec(), told.now),
                    false => told.model.apply(batch.to_vec(), told.now),
                };
                // What stays is never away, and time never runs backwards.
                told.check("web.shop.svc.cluster.local A = ~ A 10.96.0.1");
                let now = told.ask("moved.shop.svc.cluster.local A").unwrap().concat();
                assert!(now >= last_moved, "{now} after {last_moved}");
                last_moved = now;
                let is_there =
                    |name: &str| told.ask(&format!("{name}.shop.svc.cluster.local A")).is_ok();
                assert!(!has_ended || !is_there("ended"), "what is gone has come back");
                assert!(!has_come || is_there("came"), "what has come is gone");
                (has_ended, has_come) = (!is_there("ended"), is_there("came"));
            }
            told.apply([]);
            told.check(
                "
                web.shop.svc.cluster.local A   = ~ A 10.96.0.1
                moved.shop.svc.cluster.local A = ~ A 10.96.1.3
                came.shop.svc.cluster.local A  = ~ A 10.96.0.1
                ended.shop.svc.cluster.local A = NXDOMAIN
                lost.shop.svc.cluster.local A  = NXDOMAIN
                1.1.96.10.in-addr.arpa PTR     = NXDOMAIN
                2.1.96.10.in-addr.arpa PTR     = NXDOMAIN
                ",
            );
        }
    }
}

#[test]
fn slices_of_two_namespaces_have_one_name() {
    let in_dev = |yaml: &str| yaml.replace("namespace: shop", "namespace: dev");
    let headless_dev = in_dev(HEADLESS_WEB);
    // They even have an address together.
    let slice_dev = in_dev(WEB_SLICE).replace("10.0.0.1]", "10.0.0.1, 10.0.0.2]");
    let both = "
        web.shop.svc.cluster.local A = ~ A 10.0.0.1
        web.dev.svc.cluster.local A  = ~ A 10.0.0.1; ~ A 10.0.0.2
        1.0.0.10.in-addr.arpa PTR    = ~ PTR h.web.shop.svc.cluster.local.; ~ PTR h.web.dev.svc.cluster.local.
        2.0.0.10.in-addr.arpa PTR    = ~ PTR h.web.dev.svc.cluster.local.
    ";
    let all = [SHOP, DEV, HEADLESS_WEB, &headless_dev, WEB_SLICE, &slice_dev];
    let mut told = Told::listed(&all);
    told.check(both);
    told.apply([delete(&slice_dev)]);
    let alone = "
        web.shop.svc.cluster.local A = ~ A 10.0.0.1
        web.dev.svc.cluster.local A  = NXDOMAIN
        1.0.0.10.in-addr.arpa PTR    = ~ PTR h.web.shop.svc.cluster.local.
        2.0.0.10.in-addr.arpa PTR    = NXDOMAIN
    ";
    told.check(alone);
    told.apply([set(&slice_dev)]);
    told.check(both);
    // A list without one of them drops that one alone.
    told.apply([
        Event::RelistBegin(Kind::EndpointSlice),
        set(WEB_SLICE),
        Event::RelistEnd(Kind::EndpointSlice),
    ]);
    told.check(alone);
}

#[test]
fn the_order_of_endpoints_is_never_seen() {
    let endpoints = [
        "{addresses: [10.0.0.1], hostname: h}",
        "{addresses: [10.0.0.2]}",
        "{addresses: [10.0.0.3], hostname: h}",
        "{addresses: [10.0.0.4, 10.0.0.5]}",
    ];
    let slice = |order: &[&str]| {
        WEB_SLICE.replace("{addresses: [10.0.0.1], hostname: h}", &order.join(", "))
    };
    let mut told = Told::listed(&[SHOP, HEADLESS_WEB, &slice(&endpoints)]);
    let serial = told.serial();
    let records = |told: &Told| {
        [
            "web.shop.svc.cluster.local A",
            "web.shop.svc.cluster.local SRV",
            "h.web.shop.svc.cluster.local A",
        ]
        .map(|question| {
            let (name, rtype) = question.split_once(' ').unwrap();
            let (name, mut reply): (NameBuf, _) = (name.parse().unwrap(), Reply::default());
            let question = Question::new(name.as_name(), rtype.parse().unwrap());
            told.model.cluster().answer(&told.view, &question, &mut reply);
            let data = reply.body.answer.iter().map(|record| reply.body.rdata(record).to_vec());
            data.collect::<Vec<_>>()
        })
    };
    let before = records(&told);
    assert_eq!(before.each_ref().map(Vec::len), [5, 4, 2]);
    for order in orders(&endpoints) {
        assert_eq!(told.apply([set(&slice(&order))]), Changes::default(), "{order:?}");
        assert_eq!(records(&told), before, "{order:?}");
    }
    assert_eq!(told.serial(), serial);
}
