//! What it costs to learn a cluster: time, processor and memory, here and in the API server.
//!
//! Needs a control plane of `cargo xtask cluster start DIR --no-controllers`. Then
//! `cargo run --release -p cluster --example start_up -- fill DIR 10000` puts so many Services with a
//! slice each into it, and `… -- measure DIR [paged] [json]` learns them, in pages or in JSON if told
//! so. The figures of decision 0009 come from here.
#![expect(clippy::print_stdout, reason = "an example tells what it finds")]
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use cluster::Kind;
use cluster::watch::{Server, Settings, Watch};
use http::Request;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Instant;
use tokio::task::JoinSet;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Requests that create objects at the same time.
const WRITERS: usize = 8;

fn main() -> Outcome {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // One thread, so that its processor time is that of everything.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match words[..] {
        ["fill", directory, count] => runtime.block_on(fill(Path::new(directory), count.parse()?)),
        ["measure", directory, ref options @ ..] => {
            let _context = runtime.enter();
            let settings = settings(Path::new(directory), options)?;
            let server = Process::of_api_server(Path::new(directory))?;
            let watch = Watch::start(runtime.handle(), settings, |_| {})?;
            runtime.block_on(measure(&watch, &server))
        }
        _ => Err("expected `fill DIR COUNT` or `measure DIR [paged] [json]`".into()),
    }
}

fn settings(directory: &Path, options: &[&str]) -> Outcome<Settings> {
    let file = directory.join("kubeconfig");
    let mut settings = Settings::new(Server::Kubeconfig { file, context: None });
    for option in options {
        match *option {
            "paged" => settings.transfer.streaming = false,
            "json" => settings.transfer.protobuf = false,
            other => return Err(format!("`{other}` is neither `paged` nor `json`").into()),
        }
    }
    Ok(settings)
}

async fn measure(watch: &Watch, server: &Process) -> Outcome {
    let us = Process("self".to_owned());
    let (begun, before) = (Instant::now(), (us.processor_ms()?, server.processor_ms()?));
    let memory = server.memory("VmRSS")?;
    server.forget_peak()?;
    watch.synced().await;
    let waited = begun.elapsed();
    let (ours, theirs) = (us.processor_ms()? - before.0, server.processor_ms()? - before.1);
    println!("synced after {} ms", waited.as_millis());
    println!("processor: {ours} ms here, {theirs} ms in the API server");
    println!("memory here: {} kB, at most {} kB", us.memory("VmRSS")?, us.memory("VmHWM")?);
    let peak = server.memory("VmHWM")?.saturating_sub(memory);
    println!("memory of the API server: {memory} kB before, at most {peak} kB more");
    for kind in [Kind::Namespace, Kind::Service, Kind::EndpointSlice] {
        let counts = watch.status().counts(kind);
        let (lists, streamed) = (counts.lists, counts.streamed_lists);
        println!("{}: {lists} list, {streamed} of it streamed", kind.name());
    }
    Ok(())
}

/// A process, by what `/proc` calls it.
struct Process(String);

impl Process {
    fn of_api_server(directory: &Path) -> Outcome<Self> {
        let pid = fs::read_to_string(directory.join("kube-apiserver.pid"))?;
        Ok(Self(pid.trim().to_owned()))
    }

    /// Milliseconds of processor time, user and system.
    fn processor_ms(&self) -> Outcome<u64> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        // The name stands in parentheses and may hold anything; the times are fields 14 and 15.
        let (_, fields) = text.rsplit_once(')').ok_or("a process without a name")?;
        let times = fields.split_whitespace().skip(11).take(2);
        let ticks: u64 = times.map(str::parse::<u64>).sum::<Result<_, _>>()?;
        Ok(ticks * 10)
    }

    /// A line of `/proc/PID/status`, in kB.
    fn memory(&self, line: &str) -> Outcome<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let value = text.lines().find_map(|it| it.strip_prefix(line)?.strip_prefix(':'));
        let value = value.ok_or("no such line")?.trim().trim_end_matches(" kB");
        Ok(value.parse()?)
    }

    /// The highest memory so far shall be the one of now.
    fn forget_peak(&self) -> Outcome {
        Ok(fs::write(format!("/proc/{}/clear_refs", self.0), "5")?)
    }
}

async fn fill(directory: &Path, count: usize) -> Outcome {
    let read = Kubeconfig::read_from(directory.join("kubeconfig"))?;
    let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await?;
    let client = Client::try_from(config)?;
    let mut writers = JoinSet::new();
    for first in 0..WRITERS {
        let client = client.clone();
        writers.spawn(async move {
            for number in (first..count).step_by(WRITERS) {
                write(&client, number).await.map_err(|error| error.to_string())?;
            }
            Ok::<_, String>(())
        });
    }
    while let Some(written) = writers.join_next().await {
        written??;
    }
    println!("{count} Services and as many EndpointSlices");
    Ok(())
}

/// Creates a Service of namespace `default`, headless like half of all, and a slice of three pods.
async fn write(client: &Client, number: usize) -> kube::Result<()> {
    let ip = if number.is_multiple_of(2) { r#","clusterIP":"None""# } else { "" };
    let service = format!(
        r#"{{"metadata":{{"name":"service-{number}"}},"spec":{{"ports":[{{"name":"http","port":80}}],"selector":{{"app":"{number}"}}{ip}}}}}"#
    );
    let endpoint = |pod: usize| {
        let (high, low) = (number / 250, number % 250);
        format!(
            r#"{{"addresses":["10.{}.{high}.{low}"],"conditions":{{"ready":true,"serving":true,"terminating":false}},"nodeName":"node-{pod}","targetRef":{{"kind":"Pod","namespace":"default","name":"service-{number}-{pod}"}},"zone":"zone-{pod}"}}"#,
            pod + 128
        )
    };
    let endpoints = [0, 1, 2].map(endpoint).join(",");
    let slice = format!(
        r#"{{"metadata":{{"name":"service-{number}-x","labels":{{"kubernetes.io/service-name":"service-{number}"}}}},"addressType":"IPv4","endpoints":[{endpoints}],"ports":[{{"name":"http","port":8080,"protocol":"TCP"}}]}}"#
    );
    let services = "/api/v1/namespaces/default/services";
    let slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
    for (path, body) in [(services, service), (slices, slice)] {
        let request = Request::post(path).header("content-type", "application/json");
        let request = request.body(body.into_bytes()).map_err(kube::Error::HttpError)?;
        client.request_text(request).await?;
    }
    Ok(())
}
