//! `cargo xtask`: the table of commands, and what each does with its words.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "commands print what they did")]

mod compare;
mod deny;
mod fuzz;
mod image;
mod instructions;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use xtask::cluster::{self, Cluster, Controllers, PlainApi};
use xtask::peers::{Outcome, Peers};
use xtask::target_directory;

/// A command: its words after `cargo xtask`, what it is for, and what runs it.
struct Task {
    name: &'static str,
    words: &'static str,
    about: &'static str,
    run: fn(&[&str]) -> Result<ExitCode, String>,
}

const TASKS: &[Task] = &[
    Task {
        name: "bench",
        words: "[cluster] [OPTION...]",
        about: "measure Rutter beside CoreDNS and others, or with large clusters that change; with \
                --help it says more",
        run: bench,
    },
    Task {
        name: "cluster",
        words: "start DIR [--programs DIR] [--no-controllers] | stop DIR [PROCESS...]",
        about: "run a Kubernetes control plane on loopback, with everything in DIR",
        run: cluster_command,
    },
    Task {
        name: "compare",
        words: "[--rutter PROGRAM] [WORD...]",
        about: "play the scenario files with a word in their path, or all, against both servers",
        run: compare::compare,
    },
    Task {
        name: "deny",
        words: "",
        about: "check licences, sources and banned crates of all dependencies",
        run: deny::deny,
    },
    Task {
        name: "fuzz",
        words: "[TARGET...] [--seconds N]",
        about: "feed the parsers, each for N seconds (60), with octets that find new ways through",
        run: fuzz::fuzz,
    },
    Task {
        name: "image",
        words: "[DIR]",
        about: "build the static program and lay out the files of the image in DIR (target/image)",
        run: image::image,
    },
    Task {
        name: "instructions",
        words: "[--bless]",
        about: "count what an answer costs and compare it with the figures in bench/, or renew \
                them; needs valgrind",
        run: instructions::instructions,
    },
    Task {
        name: "peers",
        words: "[coredns|kubernetes]",
        about: "build what Rutter is compared with and tested against into target/peers; needs Go",
        run: peers,
    },
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let Some((name, rest)) = words.split_first() else {
        println!("{}", usage());
        return ExitCode::SUCCESS;
    };
    let Some(task) = TASKS.iter().find(|task| task.name == *name) else {
        eprintln!("`{name}` is no command\n\n{}", usage());
        return ExitCode::from(2);
    };
    (task.run)(rest).unwrap_or_else(|message| {
        eprintln!("{message}");
        ExitCode::FAILURE
    })
}

fn usage() -> String {
    let lines = TASKS
        .iter()
        .map(|task| format!("cargo xtask {} {}\n    {}", task.name, task.words, task.about));
    lines.collect::<Vec<_>>().join("\n")
}

/// What to say when the words of a command make no sense.
fn usage_of(name: &str) -> String {
    let task = TASKS.iter().find(|task| task.name == name);
    task.map_or_else(usage, |task| format!("cargo xtask {name} {}", task.words))
}

fn peers(words: &[&str]) -> Result<ExitCode, String> {
    let named = |word: &&str| Peers::ALL.into_iter().find(|peers| peers.name() == *word);
    let wanted = match words {
        [] => Peers::ALL.to_vec(),
        _ => words.iter().map(named).collect::<Option<_>>().ok_or_else(|| usage_of("peers"))?,
    };
    let directory = target()?.join("peers");
    for peers in wanted {
        let outcome = peers.build(&directory).map_err(|failure| failure.to_string())?;
        let what = match outcome {
            Outcome::Found => "there already",
            Outcome::Built => "built",
        };
        println!("{}: {what}, in {}", peers.programs().join(", "), directory.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn cluster_command(words: &[&str]) -> Result<ExitCode, String> {
    match words {
        ["start", directory, options @ ..] => start_cluster(Path::new(directory), options),
        ["stop", directory, names @ ..] => {
            Cluster::stop(Path::new(directory), names).map_err(|failure| failure.to_string())?;
            Ok(ExitCode::SUCCESS)
        }
        _ => Err(usage_of("cluster")),
    }
}

/// Starts a cluster and prints the path of its kubeconfig.
fn start_cluster(directory: &Path, options: &[&str]) -> Result<ExitCode, String> {
    let mut programs = target()?.join("peers");
    let mut controllers = Controllers::Run;
    let mut words = options.iter();
    while let Some(word) = words.next() {
        match *word {
            "--programs" => {
                programs = PathBuf::from(words.next().ok_or_else(|| usage_of("cluster"))?);
            }
            "--no-controllers" => controllers = Controllers::Absent,
            _ => return Err(usage_of("cluster")),
        }
    }
    let cluster = Cluster::start(directory, &programs, controllers);
    let cluster = cluster.map_err(|failure| failure.to_string())?;
    println!("{}", cluster.kubeconfig().display());
    Ok(ExitCode::SUCCESS)
}

/// Builds the server and the generator for speed, and compares.
fn bench(words: &[&str]) -> Result<ExitCode, String> {
    let target = target()?;
    run(Command::new("cargo").args(["build", "--release", "--package=server", "--package=bench"]))?;
    match words {
        ["cluster", "-h" | "--help"] => measure(bench_command("cluster", &target).arg("--help")),
        ["cluster", words @ ..] => bench_cluster(&target, words),
        _ => measure(bench_command("compare", &target).args(words)),
    }
}

/// Starts a control plane without controllers for it: the generator makes the slices.
fn bench_cluster(target: &Path, words: &[&str]) -> Result<ExitCode, String> {
    let directory = target.join("bench/cluster");
    // Of a run that was interrupted.
    let clear = || {
        let _ = Cluster::stop(&directory, &[]);
        let _ = fs::remove_dir_all(&directory);
    };
    clear();
    let outcome = bench_with_api(&directory, target, words);
    clear();
    outcome
}

fn bench_with_api(directory: &Path, target: &Path, words: &[&str]) -> Result<ExitCode, String> {
    let explain = |failure: cluster::Failure| failure.to_string();
    let cluster = Cluster::start(directory, &target.join("peers"), Controllers::Absent);
    let cluster = cluster.map_err(explain)?;
    let api = PlainApi::start(&cluster).map_err(explain)?;
    let mut command = bench_command("cluster", target);
    command.arg("--api").arg(api.address().to_string());
    command.arg("--kubeconfig").arg(cluster.kubeconfig());
    measure(command.args(words))
}

/// `bench NAME` with the servers that are there.
fn bench_command(name: &str, target: &Path) -> Command {
    let release = target.join("release");
    let coredns = target.join("peers/coredns");
    let mut command = Command::new(release.join("bench"));
    command.arg(name).arg("--rutter").arg(release.join("rutter"));
    command.arg("--directory").arg(target.join("bench"));
    if coredns.exists() {
        command.arg("--coredns").arg(coredns);
    } else {
        eprintln!("CoreDNS does not take part: `cargo xtask peers coredns` builds it");
    }
    command
}

fn measure(command: &mut Command) -> Result<ExitCode, String> {
    let status = command.status().map_err(|error| error.to_string())?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{}: {status}", command.get_program().display())),
        Err(error) => Err(format!("{}: {error}", command.get_program().display())),
    }
}

fn target() -> Result<PathBuf, String> {
    target_directory()
        .ok_or_else(|| "run this as `cargo xtask`: it looks for Cargo's target folder".to_owned())
}
