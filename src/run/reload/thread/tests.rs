//! The thread that reads, with a core that takes over.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::core::{Forwarder, RequireAuthentication, Settings};
use crate::options::Reload;
use crate::time::Instant;

use super::*;

/// A file, the thread that reads it, and a core in place of the loop.
struct Bench {
    path: PathBuf,
    reloader: Reloader,
    looped: Option<thread::JoinHandle<Forwarder>>,
}

impl Bench {
    fn new(text: &str, more: &[&str]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("ptpproxy-reload-{}-{number}.toml", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).expect("written");
        let mut arguments = vec![
            OsString::from("ptpproxy"),
            "--config".into(),
            path.clone().into(),
        ];
        arguments.extend(more.iter().map(OsString::from));
        let Ok((Action::Run(options), _)) = cli::parse(arguments) else {
            panic!("a good file: {text}");
        };
        let pair = UnixStream::pair().expect("a pair");
        let (unstarted, mut orders) = prepare(&options.source, pair).expect("a pair");
        let reloader = unstarted.start().expect("a thread");
        let mut core = Forwarder::new(options.settings);
        if let Some(path) = &options.sa_file {
            let keys = SecurityAssociations::load(path).expect("good keys");
            core.set_keys(keys, Instant::default());
        }
        let looped = thread::spawn(move || {
            orders.wake.set_nonblocking(false).expect("blocking");
            while orders.wake.read(&mut [0]).expect("woken") > 0 {
                let Ok(Order::Settings(order)) = orders.orders.recv() else {
                    break;
                };
                let stop = order.settings.domains == [255];
                core.apply(order.settings);
                let now = Instant::default();
                let keys = order.keys.map(|keys| core.set_keys(keys, now));
                let taken = TakenOver {
                    keys: keys.unwrap_or_default(),
                    ..TakenOver::default()
                };
                order.reply.send(taken).expect("somebody waits");
                if stop {
                    break;
                }
            }
            core
        });
        Self {
            path,
            reloader,
            looped: Some(looped),
        }
    }

    fn reload(&self, text: &str) -> ReloadReport {
        fs::write(&self.path, text).expect("written");
        self.reloader.reload()
    }

    /// Ends the loop; the settings that were in force.
    fn end(self) -> Settings {
        let _ = self.reload("up = \"a\"\ndown = \"b\"\ndomain = 255\n");
        self.ended()
    }

    /// The same of a loop that ends by itself.
    fn ended(mut self) -> Settings {
        let looped = self.looped.take().expect("still there");
        looped.join().expect("ends").settings().clone()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

const BASE: &str = "up = \"a\"\ndown = \"b\"\n";

#[test]
fn it_says_what_is_in_force_and_what_needs_a_restart() {
    let bench = Bench::new(BASE, &["--management", "all"]);
    assert_eq!(
        bench.reload(BASE).to_string(),
        "reloaded: nothing has changed"
    );
    let text = "up = \"c\"\ndown = \"b\"\njitter = \"5ms\"\nmax-rate = 2000\nring-frames = 8192\n\
                domain = [1, 2]\nmanagement = \"off\"\nseed = 4\n";
    let report = bench.reload(text);
    let said = report.to_string();
    assert_eq!(
        said,
        "reloaded: jitter 20ms -> 5ms; domain any -> 1,2; max-rate off -> 2000\n\
         needs a restart: up a -> c; seed not set -> 4; ring-frames auto -> 8192"
    );
    assert!(report.errors.is_empty());
    // What needs a restart is told until it was.
    let said = bench.reload(text).to_string();
    assert_eq!(
        said,
        "needs a restart: up a -> c; seed not set -> 4; ring-frames auto -> 8192"
    );
    let settings = bench.end();
    assert_eq!(settings.jitter, Duration::from_millis(20), "the last file");
    assert_ne!(settings.seed, 4);
}

#[test]
fn long_lists_are_counted() {
    let list = |last: u8| {
        let clients = (10..last).map(|client| format!("\"192.0.2.{client}\""));
        let clients = clients.collect::<Vec<_>>().join(", ");
        format!("{BASE}client = [{clients}]\n")
    };
    let bench = Bench::new(BASE, &[]);
    for (file, said) in [
        (list(12), "client any -> 192.0.2.10,192.0.2.11"),
        (
            list(20),
            "client 2 entries -> 10 entries (8 added, 0 removed)",
        ),
        (
            list(19),
            "client 10 entries -> 9 entries (0 added, 1 removed)",
        ),
        (
            BASE.to_owned(),
            "client 9 entries -> any (0 added, 9 removed)",
        ),
    ] {
        assert_eq!(bench.reload(&file).to_string(), format!("reloaded: {said}"));
    }
    bench.end();
}

#[test]
fn a_bad_file_changes_nothing() {
    let bench = Bench::new(BASE, &[]);
    let report = bench.reload("up = \"a\"\ndown = \"b\"\nmax-rate = 7\njitter = 5\nclient = 1\n");
    assert!(report.applied.is_empty() && report.needs_restart.is_empty());
    assert_eq!(report.errors.len(), 2, "{report}");
    assert!(report.errors[0].contains(":4: jitter: "), "{report}");
    fs::remove_file(&bench.path).expect("gone");
    assert!(bench.reloader.reload().errors[0].contains("cannot be read"));
    // What was never in force is not told as what was.
    let report = bench.reload(&format!("{BASE}max-rate = 9\n"));
    assert_eq!(report.to_string(), "reloaded: max-rate off -> 9");
    bench.end();
}

#[test]
fn every_live_key_reaches_the_core_or_the_loop() {
    let flags = cli::flags();
    let live = flags
        .iter()
        .filter(|(.., flag)| flag.reload == Reload::Live);
    for (key, ..) in live {
        let (value, expected) = match key {
            "jitter" => ("\"7ms\"", "jitter: 7ms"),
            "jitter-share" => ("\"off\"", "jitter_share: None"),
            "max-hold" => ("\"50ms\"", "max_hold: 50ms"),
            "domain" => ("[255]", "domains: [255]"),
            "grandmaster" => (
                "\"001122.fffe.334455\"",
                "grandmasters: [001122.fffe.334455]",
            ),
            "client" => ("\"192.0.2.7\"", "clients: [Ip(192.0.2.7)]"),
            "management" => ("\"all\"", "management: All"),
            "authenticated" => ("\"drop\"", "authenticated: Drop"),
            // It needs keys: another test shows it.
            "require-authentication" => continue,
            "unicast-master" => ("\"192.0.2.1\"", "unicast_masters: [192.0.2.1]"),
            "max-rate" => ("20", "max_rate: Some(20)"),
            "client-rate" => ("20", "client_rate: 20"),
            "client-timeout" => ("\"2s\"", "client_timeout: 2s"),
            "one-step" => ("\"rewrite\"", "one_step: Rewrite"),
            "tx-timestamp-timeout" => ("\"3ms\"", "tx_timestamp_timeout: 3ms"),
            "estimate" => ("false", "estimate: false"),
            "ingress-latency" => ("350", "ingress_latency_ns: PerSide { up: 350, down: 350 }"),
            "egress-latency" => (
                "\"-20,80\"",
                "egress_latency_ns: PerSide { up: -20, down: 80 }",
            ),
            "phc-bound" => ("\"500ns\"", "phc_bound: 500ns"),
            "syntonize" => ("false", "syntonize: false"),
            "max-rate-ppm" => ("50", "max_rate_ppm: 50.0"),
            "sweep" => ("\"50us\"", "grid: 50µs, shared_grid: 400µs"),
            // Of the loop; the next tests show them.
            "spin" | "summary" | "log" => continue,
            other => panic!("{other}: what does it do?"),
        };
        let bench = Bench::new(BASE, &[]);
        let last = if key == "domain" {
            ""
        } else {
            "domain = 255\n"
        };
        let report = bench.reload(&format!("{BASE}{key} = {value}\n{last}"));
        assert!(
            report.applied.iter().any(|change| change.key == key),
            "{key}: {report}"
        );
        let settings = format!("{:?}", bench.ended());
        assert!(
            settings.contains(expected),
            "{key}: no `{expected}` in {settings}"
        );
    }
}

#[test]
fn the_sweep_follows_the_longest_hold() {
    let bench = Bench::new(BASE, &[]);
    let report = bench.reload(&format!(
        "{BASE}max-hold = \"4ms\"\njitter = \"1ms\"\ndomain = 255\n"
    ));
    assert!(report.errors.is_empty(), "{report}");
    assert_eq!(bench.ended().grid, Duration::from_micros(500));
}

#[test]
fn without_a_file_there_is_nothing_to_read() {
    let pair = UnixStream::pair().expect("a pair");
    let (unstarted, orders) = prepare(&Source::default(), pair).expect("a pair");
    let reloader = unstarted.start().expect("a thread");
    let report = reloader.reload();
    assert!(report.errors[0].contains("without --config"), "{report}");
    drop(orders);
}

/// A file of keys that only its owner may read; removed on drop.
struct Keys(PathBuf);

impl Keys {
    fn new(text: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("ptpproxy-keys-{}-{number}.cfg", std::process::id());
        let keys = Self(std::env::temp_dir().join(name));
        keys.write(text);
        keys
    }

    fn write(&self, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        fs::write(&self.0, text).expect("written");
        fs::set_permissions(&self.0, fs::Permissions::from_mode(0o600)).expect("changed");
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn keys_are_read_again_with_the_file_or_without_one() {
    let head = "[security_association]\nspp 1\n";
    let (one, two) = ("1 SHA256 ASCII:one\n", "2 SHA256 ASCII:two\n");
    let keys = Keys::new(&format!("{head}{one}"));
    let name = keys.0.to_string_lossy().into_owned();
    let bench = Bench::new(BASE, &["--sa-file", &name]);
    assert_eq!(
        bench.reload(BASE).to_string(),
        "reloaded: nothing has changed"
    );
    keys.write(&format!("{head}{one}{two}"));
    let require = "require-authentication = \"up\"\n";
    assert_eq!(
        bench.reload(&format!("{BASE}{require}")).to_string(),
        "reloaded: require-authentication off -> up; keys: 1 added, 1 kept"
    );
    keys.write(&format!(
        "{head}allow_mutable 1\n{one}2 AES128 ASCII:0123456789abcdef\n"
    ));
    assert_eq!(
        bench.reload(&format!("{BASE}{require}")).to_string(),
        "reloaded: keys: 1 replaced, 1 under other rules"
    );
    // A bad file changes nothing, nor does a good configuration beside it.
    keys.write("spp 1\n");
    let report = bench.reload(&format!("{BASE}{require}jitter = \"5ms\"\n"));
    assert!(
        report.applied.is_empty() && report.keys.is_none(),
        "{report}"
    );
    assert!(
        report.errors[0].starts_with(&format!("{name}:1: ")),
        "{report}"
    );
    // Another file needs a restart, and this one is not read in its place.
    keys.write(&format!("{head}{one}"));
    let moved = Keys::new(&format!("{head}{two}"));
    let other = moved.0.to_string_lossy().into_owned();
    let file = Bench::new(&format!("{BASE}sa-file = \"{name}\"\n"), &[]);
    let report = file.reload(&format!("{BASE}sa-file = \"{other}\"\n"));
    assert_eq!(
        report.to_string(),
        format!("needs a restart: sa-file {name} -> {other}")
    );
    file.end();
    keys.write(&format!("{head}{two}"));
    let settings = bench.end();
    assert_eq!(settings.require_authentication, RequireAuthentication::Off);
}

#[test]
fn many_may_ask_at_once_and_nobody_waits_for_a_loop_that_ended() {
    let bench = Bench::new(BASE, &[]);
    fs::write(&bench.path, format!("{BASE}jitter = \"5ms\"\n")).expect("written");
    let askers: Vec<_> = (0..8)
        .map(|_| {
            let reloader = bench.reloader.clone();
            thread::spawn(move || reloader.reload())
        })
        .collect();
    let reports: Vec<ReloadReport> = askers
        .into_iter()
        .map(|asker| asker.join().expect("ends"))
        .collect();
    assert!(
        reports.iter().all(|report| report.errors.is_empty()),
        "{reports:?}"
    );
    let changed = reports.iter().filter(|report| !report.applied.is_empty());
    assert!(changed.count() >= 1);
    let reloader = bench.reloader.clone();
    let path = bench.path.clone();
    bench.end();
    fs::write(&path, format!("{BASE}jitter = \"6ms\"\n")).expect("written");
    assert_eq!(reloader.reload().errors, ["the gateway is stopping"]);
    let _ = fs::remove_file(path);
}
