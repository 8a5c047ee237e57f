//! Configurations that distributions of Kubernetes ship: whatever is found in one of them must be
//! true of it.

fn found(corefile: &str) -> Vec<String> {
    let order = ["errors", "cache", "template", "hosts", "kubernetes", "file", "loop", "forward"];
    let parsed = corefile::parse("Corefile", corefile.as_bytes(), &());
    assert!(!parsed.mistakes.has_errors(), "{:?}", parsed.mistakes);
    let mistakes = lint::lint(&parsed.blocks, &lint::Scene::unknown(53, &order));
    mistakes.iter().map(|mistake| mistake.message.clone()).collect()
}

#[test]
fn minikube() {
    let corefile = ".:53 {
    log
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    hosts {
       192.168.49.1 host.minikube.internal
       fallthrough
    }
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30
    loop
    reload
    loadbalance
}";
    assert_eq!(found(corefile), [""; 0]);
}

#[test]
fn k3s() {
    let corefile = ".:53 {
    errors
    health
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
      pods insecure
      fallthrough in-addr.arpa ip6.arpa
    }
    hosts /etc/coredns/NodeHosts {
      ttl 60
      reload 15s
      fallthrough
    }
    prometheus :9153
    cache 30
    loop
    reload
    loadbalance
    import /etc/coredns/custom/*.override
    forward . /etc/resolv.conf
}
import /etc/coredns/custom/*.server";
    assert_eq!(found(corefile), [""; 0]);
}

#[test]
fn azure() {
    let corefile = r#".:53 {
    errors
    ready
    health {
      lameduck 5s
    }
    kubernetes cluster.local in-addr.arpa ip6.arpa {
      pods insecure
      fallthrough in-addr.arpa ip6.arpa
      ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf
    cache 30
    loop
    reload
    loadbalance
    import custom/*.override
    template ANY ANY internal.cloudapp.net {
      match "^(?:[^.]+\.){4,}internal\.cloudapp\.net\.$"
      rcode NXDOMAIN
      fallthrough
    }
    template ANY ANY reddog.microsoft.com {
      rcode NXDOMAIN
    }
}
import custom/*.server"#;
    assert_eq!(found(corefile), [""; 0]);
}

#[test]
fn openshift() {
    let corefile = "company.test:5353 {
    prometheus 127.0.0.1:9153
    forward . 192.0.2.53 {
        policy random
    }
    errors
    cache 900
}
.:5353 {
    bufsize 1232
    errors
    log . {
        class error
    }
    health {
        lameduck 20s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
    }
    prometheus 127.0.0.1:9153
    forward . /etc/resolv.conf {
        policy sequential
    }
    cache 900 {
        denial 9984 30
    }
    reload
}
hostname.bind:5353 {
    chaos
}";
    assert_eq!(found(corefile), ["a block for a cluster goes without `loop`"]);
}

#[test]
fn a_cache_on_each_node() {
    let zone = |zone: &str, server: &str| {
        format!(
            "{zone}:53 {{
    errors
    cache 30
    reload
    loop
    bind 169.254.20.10 10.96.0.10
    forward . {server} {{
        force_tcp
    }}
    prometheus :9253
}}\n"
        )
    };
    let zones = ["cluster.local", "in-addr.arpa", "ip6.arpa"].map(|name| zone(name, "10.96.7.7"));
    assert_eq!(found(&(zones.concat() + &zone(".", "/etc/resolv.conf"))), [""; 0]);
}
