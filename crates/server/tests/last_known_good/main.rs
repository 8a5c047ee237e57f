//! Starts on configurations that cannot serve: `docs/operate/last-known-good.md`, row by row.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]
#![expect(clippy::disallowed_methods, reason = "a test has no clock but the real one")]

mod world;

use rustix::process::Signal;
use std::fs;
use std::net::UdpSocket;
use std::time::{Duration, Instant};
use testkit::Process;
use world::{Disk, PATIENCE, World};

/// What is on the disk at a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnDisk {
    Good,
    /// Two mistakes: both must be told.
    Bad,
    Missing,
    Empty,
    /// A new Corefile, and of its files one is not there.
    Partial,
}

/// What was kept before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    None,
    Good,
    Damaged,
    OtherFormat,
}

const BAD: &str = ". {\n    hots {\n    }\n    reload soon\n}\n";

/// The version that was kept, and that of the files on the disk.
const OLD: u8 = 3;
const NEW: u8 = 4;

impl World {
    fn put(&self, on_disk: OnDisk) {
        self.write(NEW);
        match on_disk {
            OnDisk::Good => {}
            OnDisk::Bad => self.replace("Corefile", BAD),
            OnDisk::Missing => fs::remove_file(self.path("Corefile")).unwrap(),
            OnDisk::Empty => self.replace("Corefile", "# nothing\n"),
            OnDisk::Partial => fs::remove_file(self.path("db.zone")).unwrap(),
        }
    }

    fn put_kept(&self, kept: Kept, good: &[u8]) {
        let text = String::from_utf8_lossy(good);
        let octets = match kept {
            Kept::None => return fs::remove_file(self.kept()).unwrap_or_default(),
            Kept::Good => good.to_vec(),
            Kept::Damaged => text.replacen("192.0.2.3", "192.0.2.9", 1).into_bytes(),
            Kept::OtherFormat => {
                text.replacen("configuration 1", "configuration 0", 1).into_bytes()
            }
        };
        fs::write(self.kept(), octets).unwrap();
    }
}

/// Every row of the table: what serves, how it ends, what metrics and the log say.
fn check_row(world: &mut World, (on_disk, kept, disk): (OnDisk, Kept, Disk), good: &[u8]) {
    world.prepare(Disk::Writable);
    world.put(on_disk);
    world.put_kept(kept, good);
    world.prepare(disk);
    let before = fs::read(world.kept()).ok();
    // The variable says the new version: what serves must say the one that was kept.
    let mut process = Process::start(world.command(NEW, disk)).unwrap();
    let row = format!("{on_disk:?} × {kept:?} × {disk:?}");
    let logs = |process: &Process, line: &str| {
        let found = process.find_line(0, line, Instant::now() + PATIENCE);
        assert!(found.is_some(), "{row}: nothing of {line}: {:#?}", process.lines());
    };
    match on_disk {
        OnDisk::Bad => ["…hots…", "…INTERVAL…"].iter().for_each(|line| logs(&process, line)),
        OnDisk::Missing => {
            logs(&process, "loading Corefile via flag: open …/Corefile: No such file…");
        }
        OnDisk::Partial => logs(&process, "…db.zone…cannot be read…"),
        OnDisk::Empty if kept == Kept::Good => logs(&process, "…/Corefile is empty…"),
        _ => {}
    }
    // A good Corefile never needs the kept one.
    if on_disk != OnDisk::Good && matches!(kept, Kept::Damaged | Kept::OtherFormat) {
        logs(
            &process,
            "…the kept configuration state/configuration/last-good cannot be used: it …",
        );
    }
    match (on_disk, kept) {
        (OnDisk::Good, _) => {
            world.soon(&process, &row, |world| world.is_ready() && world.serves(NEW));
            assert_eq!(world.status(), Some((0.0, true, false)), "{row}");
            if disk == Disk::Writable {
                world.soon(&process, &row, |world| {
                    let now = fs::read(world.kept()).ok();
                    now.is_some() && now != before
                });
            } else {
                logs(
                    &process,
                    "…the configuration that serves is not kept in state/configuration/last-good: …",
                );
                let failures = world.metric("rutter_config_keep_failures_total{reason=\"io\"}");
                assert!(failures > Some(0.0), "{row}");
            }
        }
        (_, Kept::Good) => {
            world.soon(&process, &row, |world| world.is_ready() && world.serves(OLD));
            logs(
                &process,
                "…ERROR…/Corefile is refused: serving the configuration that was kept … ago…",
            );
            assert_eq!(world.status(), Some((1.0, false, true)), "{row}");
        }
        (OnDisk::Empty, _) => world.soon(&process, &row, World::is_whoami),
        _ => {
            let status = process.wait(Instant::now() + PATIENCE).unwrap();
            assert_eq!(status.and_then(|status| status.code()), Some(1), "{row}");
        }
    }
    if on_disk != OnDisk::Good {
        assert_eq!(fs::read(world.kept()).ok(), before, "{row}: it stays as it was");
    }
    drop(process);
    world.prepare(Disk::Writable);
}

#[test]
fn every_row_of_the_table() {
    let mut world = World::new();
    world.leave(OLD);
    let good = fs::read(world.kept()).unwrap();
    for on_disk in [OnDisk::Good, OnDisk::Bad, OnDisk::Missing, OnDisk::Empty, OnDisk::Partial] {
        for kept in [Kept::None, Kept::Good, Kept::Damaged, Kept::OtherFormat] {
            for disk in [Disk::Writable, Disk::Full, Disk::ReadOnly] {
                check_row(&mut world, (on_disk, kept, disk), &good);
            }
        }
    }
}

#[test]
fn nothing_of_the_disk_is_mixed_in_until_all_of_it_is_good() {
    let mut world = World::new();
    world.leave(OLD);
    world.put(OnDisk::Partial);
    let process = world.start(NEW);
    world.soon(&process, "the kept one serves", |world| world.serves(OLD));
    // Files that their plugins would look at every 20 and 50 ms, new ones too. The signal is refused
    // after they had the time, and it is one for all.
    world.replace("zones/db.more.test", "@ 300 IN SOA ns a 1 2 3 4 5\n@ 300 A 192.0.2.9\n");
    let refused = "coredns_reload_failed_total";
    for count in 1..=3 {
        process.signal(Signal::HUP).unwrap();
        world.soon(&process, "it is refused", |world| {
            world.metric(refused) >= Some(f64::from(count))
        });
        assert!(world.serves(OLD), "{:#?}", process.lines());
        assert!(!world.says("more", 9));
    }
    world.put(OnDisk::Good);
    // There is no `reload`, and nobody tells it to.
    world.soon(&process, "it moves over by itself", |world| world.serves(NEW));
    world.soon(&process, "new zones too", |world| world.says("more", 9));
    assert_eq!(world.status(), Some((0.0, true, false)));
    let over = "…/Corefile serves, and the kept configuration no more";
    assert!(process.find_line(0, over, Instant::now() + PATIENCE).is_some());
    drop(process);
    world.put(OnDisk::Bad);
    let process = world.start(OLD);
    world.soon(&process, "what serves now is kept", |world| world.serves(NEW));
}

#[test]
fn what_files_say_later_is_kept_and_what_is_refused_is_not() {
    let mut world = World::new();
    world.leave(OLD);
    let process = world.start(OLD);
    world.soon(&process, "it serves", |world| world.serves(OLD));
    world.replace("hosts.txt", "192.0.2.7 hosts.test\n");
    world.replace("zones/db.auto.test", "no zone\n");
    world.soon(&process, "the hosts are followed", |world| world.says("hosts", 7));
    let told = "…Failed to load zone …auto.test…";
    assert!(process.find_line(0, told, Instant::now() + PATIENCE).is_some());
    world.soon(&process, "they are kept", |world| {
        String::from_utf8_lossy(&fs::read(world.kept()).unwrap()).contains("192.0.2.7")
    });
    drop(process);
    world.put(OnDisk::Bad);
    let process = world.start(NEW);
    world.soon(&process, "it serves", |world| world.says("hosts", 7));
    for source in ["corefile", "import", "zone", "auto", "variable"] {
        assert!(world.says(source, OLD), "{source}");
    }
}

#[test]
fn a_port_that_is_taken_is_no_mistake_of_the_configuration() {
    let mut world = World::new();
    world.leave(OLD);
    let _holder = UdpSocket::bind(("0.0.0.0", world.port())).unwrap();
    world.replace("Corefile", ". {\n    whoami\n}\n");
    let mut process = world.start(OLD);
    let status = process.wait(Instant::now() + PATIENCE).unwrap();
    assert_eq!(status.and_then(|status| status.code()), Some(1), "{:#?}", process.lines());
}

#[test]
fn without_a_directory_for_state_a_bad_configuration_ends_the_process() {
    let world = World::new();
    world.put(OnDisk::Bad);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rutter"));
    command.arg("-conf").arg(world.path("Corefile"));
    let mut process = Process::start(command).unwrap();
    let status = process.wait(Instant::now() + PATIENCE).unwrap();
    assert_eq!(status.and_then(|status| status.code()), Some(1));
}

#[test]
fn secrets_are_not_copied() {
    let mut world = World::new();
    let cluster = "clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}]\n\
                   contexts: [{name: a, context: {cluster: a, user: a}}]\ncurrent-context: a\n";
    let user = "users: [{name: a, user: {token: PRECIOUS}}]\n";
    world.replace("kubeconfig", &format!("apiVersion: v1\nkind: Config\n{cluster}{user}"));
    let with = |world: &World, kubeconfig: &str| {
        let block = format!(
            "cluster.local {{\n    kubernetes {{\n        kubeconfig {kubeconfig}\n        \
             startup_timeout 10ms\n    }}\n}}\n"
        );
        world.replace("Corefile", &(world.corefile(1) + &block));
    };
    with(&world, "kubeconfig");
    let process = world.start(1);
    world.soon(&process, "it is kept", |world| world.kept().exists());
    let octets = fs::read(world.kept()).unwrap();
    let text = String::from_utf8_lossy(&octets);
    assert!(text.contains("\"kubeconfig\"") && !text.contains("PRECIOUS"), "{text}");
    drop(process);
    // What a plugin cannot begin with is a mistake of the configuration too.
    with(&world, "nowhere");
    let process = world.start(1);
    world.soon(&process, "the kept one serves", |world| world.serves(1));
    assert_eq!(world.status(), Some((1.0, false, true)));
}

#[test]
fn killed_at_any_time_one_whole_configuration_is_left() {
    let mut world = World::new();
    world.leave(1);
    let mut chance = 1_u64;
    let mut oldest = 1;
    for version in 2..=13 {
        world.write(version);
        // Enough to write that it takes a moment.
        let many: String =
            (0..5000).map(|index| format!("192.0.2.1 host-{index}.test\n")).collect();
        world.replace("hosts.txt", &format!("192.0.2.{version} hosts.test\n{many}"));
        let process = world.start(version);
        world.soon(&process, "it serves", World::is_ready);
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let at = Instant::now() + Duration::from_millis((chance >> 33) % 60);
        // Every other time in the middle of writing, if there is one until then.
        let unfinished = world.path("state/configuration/last-good.tmp");
        let is_writing = || version % 2 == 0 && unfinished.exists();
        while Instant::now() < at && !is_writing() {
            std::thread::yield_now();
        }
        drop(process); // SIGKILL
        world.replace("Corefile", BAD);
        let process = world.start(99);
        world.soon(&process, "it is ready", World::is_ready);
        let serving = (oldest..=version).find(|version| world.serves(*version));
        assert!(serving.is_some(), "{version}: {:#?}", process.lines());
        oldest = serving.unwrap_or(oldest);
    }
    assert!(oldest > 1, "some of them were kept");
}

#[test]
fn a_config_map_that_is_replaced_serves_at_once() {
    let mut world = World::new();
    world.reload = "reload 1h 0s";
    world.mount(1);
    let process = world.start(1);
    world.soon(&process, "it serves", |world| world.says("corefile", 1));
    let counter = "coredns_dns_requests_total{family=\"1\",proto=\"udp\",server=\"dns://:PORT\",\
                   type=\"A\",view=\"\",zone=\".\"}";
    let counter = counter.replace("PORT", &world.port().to_string());
    let (mut counted, mut fastest) = (0.0, PATIENCE);
    for version in 2..=6 {
        let begun = Instant::now();
        world.mount(version);
        world.soon(&process, "it serves the new one", |world| world.says("corefile", version));
        println!("a ConfigMap that was replaced served after {:?}", begun.elapsed());
        fastest = fastest.min(begun.elapsed());
        let now = world.metric(&counter).unwrap();
        assert!(now > counted, "counters go on: {counted} became {now}");
        counted = now;
    }
    // Others use this machine too.
    assert!(fastest < Duration::from_secs(1), "{fastest:?}");
    let kept = "…The new configuration took over in …, and kept …";
    let told = process.find_line(0, kept, Instant::now() + PATIENCE);
    assert!(told.is_some(), "{:#?}", process.lines());
}

#[test]
fn a_start_on_a_broken_configuration_takes_no_longer() {
    let mut world = World::new();
    world.leave(1);
    let time = |world: &mut World| {
        let begun = Instant::now();
        let process = world.start(1);
        world.soon(&process, "it is ready", World::is_ready);
        begun.elapsed()
    };
    let median = |world: &mut World| {
        let mut times: Vec<_> = (0..7).map(|_| time(world)).collect();
        times.sort_unstable();
        times[3]
    };
    let normal = median(&mut world);
    world.replace("Corefile", BAD);
    let broken = median(&mut world);
    println!("ready after {normal:?}; on a broken configuration after {broken:?}");
    // Others use this machine too; the figure is in the manual.
    assert!(broken < normal * 3 + Duration::from_millis(200), "{normal:?} {broken:?}");
}
