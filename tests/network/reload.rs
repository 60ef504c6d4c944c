//! The configuration read again while it forwards: nothing that waits is lost, a bad file changes nothing,
//! and the kernel's filter follows.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::lab::frames::Kind;
use ptpproxy_lab::lab::station::{Role, Station};
use ptpproxy_lab::ptp4l::TempDir;

use crate::host::{ETHERNET, Host};
use crate::proxy::{PATIENCE, Proxy};
use crate::segments::Line;

/// A gateway with a file.
struct Configured {
    folder: TempDir,
    proxy: Proxy,
    /// How often it was told to read again.
    hangups: usize,
}

impl Configured {
    fn start(line: &Line, text: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("p.toml");
        fs::write(&file, text).unwrap();
        let proxy = Proxy::start(&line.gateway, &["--config", file.to_str().unwrap()]);
        Self {
            folder,
            proxy,
            hangups: 0,
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("p.toml")
    }

    /// Has it read this; does not wait until it has.
    fn hang_up(&mut self, text: &str) {
        fs::write(self.file(), text).unwrap();
        self.proxy.signal(libc::SIGHUP);
        self.hangups += 1;
    }

    /// Has it read this; the new log line that has `expected` in it.
    fn reload(&mut self, text: &str, expected: &str) -> String {
        let before = self.proxy.log().len();
        self.hang_up(text);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = self.proxy.log();
            if let Some(line) = log[before..].iter().find(|line| line.contains(expected)) {
                return line.clone();
            }
            assert!(Instant::now() < deadline, "no {expected:?} in {log:#?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Requests of many clients, each answered as it arrives; how often each one was.
struct Traffic {
    above: Host,
    below: Host,
    asked: HashMap<(u16, u16), u32>,
    syncs: u16,
    heard_syncs: usize,
    heard_follow_ups: usize,
}

impl Traffic {
    fn new(line: &Line) -> Self {
        let (mut above, below) = line.hosts(ETHERNET);
        above.introduce();
        Self {
            above,
            below,
            asked: HashMap::new(),
            syncs: 0,
            heard_syncs: 0,
            heard_follow_ups: 0,
        }
    }

    fn ask(&mut self, client: u16, sequence: u16) {
        self.asked.insert((client, sequence), 0);
        self.below.request(client, sequence);
    }

    fn sync(&mut self) {
        self.syncs += 1;
        let origin = self.above.sync(self.syncs);
        self.above.follow_up(self.syncs, origin);
    }

    /// Answers what comes during this time.
    fn run(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            while let Some(message) = self.above.receive() {
                if message.kind == Kind::DelayReq
                    && message.source.is_some_and(|from| from.role == Role::Client)
                {
                    self.above.answer(&message);
                }
            }
            while let Some(message) = self.below.receive() {
                match message.kind {
                    Kind::Sync => self.heard_syncs += 1,
                    Kind::FollowUp => self.heard_follow_ups += 1,
                    Kind::DelayResp => {
                        let client = message.requesting.unwrap().number;
                        let answered = self.asked.get_mut(&(
                            u16::try_from(client).unwrap_or(u16::MAX),
                            message.sequence,
                        ));
                        *answered.expect("it asked") += 1;
                    }
                    _ => {}
                }
            }
            std::thread::sleep(Duration::from_micros(300));
        }
    }

    fn answered(&self, client: u16, sequence: u16) -> bool {
        self.asked.get(&(client, sequence)) == Some(&1)
    }
}

#[test]
fn reloads_under_load_lose_nothing() {
    in_sandbox!({
        const CLIENTS: u16 = 400;
        const ROUNDS: u16 = 6;
        // What waits for up to 700 ms waits on under settings that allow half of it.
        let files = [
            "jitter = \"700ms\"\nmax-hold = \"1s\"\njitter-share = \"off\"\nsyntonize = \"off\"\n",
            "jitter = \"100ms\"\nmax-hold = \"350ms\"\nsweep = \"100us\"\nclient-rate = 100\njitter-share = \"off\"\n",
            "jitter = \"off\"\nmax-hold = \"400ms\"\nmax-rate = 20000\nestimate = \"off\"\n",
            "domain = [0, 7]\nmax-hold = \"1s\"\nspin = true\nmanagement = \"off\"\nsummary = 1\n",
            "domain = [0]\njitter = \"300ms\"\njitter-share = 1.0\nmax-hold = \"400ms\"\ntx-timestamp-timeout = \"50ms\"\n",
            "grandmaster = \"02:4d:50:ff:fe:00:00:01\"\nmax-rate-ppm = 100\nclient-timeout = \"3s\"\nlog = \"debug\"\n",
        ];
        let line = Line::new();
        let mut gateway = Configured::start(&line, files[0]);
        let mut traffic = Traffic::new(&line);
        for round in 0..ROUNDS {
            for client in 0..CLIENTS {
                traffic.ask(client, round);
                if client % 10 == 9 {
                    traffic.run(Duration::from_millis(20));
                }
                if client % 40 == 39 {
                    traffic.sync();
                    gateway.hang_up(files[gateway.hangups % files.len()]);
                }
            }
        }
        traffic.run(Duration::from_millis(1200));
        let lost: Vec<_> = traffic
            .asked
            .iter()
            .filter(|(_, times)| **times != 1)
            .collect();
        let ended = gateway.proxy.stop();
        let totals = &ended.totals;
        assert!(lost.is_empty(), "{lost:?}\n{}\n{:#?}", totals.0, ended.log);
        assert_eq!(
            traffic.heard_syncs,
            usize::from(traffic.syncs),
            "{}",
            totals.0
        );
        assert_eq!(
            traffic.heard_follow_ups,
            usize::from(traffic.syncs),
            "{}",
            totals.0
        );
        let sent = u64::from(CLIENTS * ROUNDS);
        assert_eq!(totals.count("answered"), sent, "{}", totals.0);
        // The point of it: many of them waited.
        assert!(totals.count("held") > sent / 5, "{}", totals.0);
        let reloaded = ended
            .log
            .iter()
            .filter(|line| line.contains("reloaded: "))
            .count();
        assert!(
            reloaded > gateway.hangups / 2,
            "{reloaded} of {}",
            gateway.hangups
        );
        assert!(
            !ended.log.iter().any(|line| line.contains("ERROR")),
            "{:#?}",
            ended.log
        );
    });
}

#[test]
fn a_bad_file_stays_without_effect_and_a_restart_is_asked_for() {
    in_sandbox!({
        let line = Line::new();
        let mut gateway = Configured::start(&line, "client-rate = 5\n");
        let mut traffic = Traffic::new(&line);
        let bad = "client-rate = 7\njitter = 5\n\ndomain = 999\n";
        let said = gateway.reload(bad, "not reloaded");
        for part in [
            "ERROR",
            "all settings stay",
            "p.toml:2: jitter:",
            "1 more",
            "check-config",
        ] {
            assert!(said.contains(part), "no `{part}` in {said}");
        }
        for sequence in 0..6 {
            traffic.ask(1, sequence);
        }
        traffic.run(Duration::from_millis(200));
        assert!(
            traffic.answered(1, 4) && !traffic.answered(1, 5),
            "five a second"
        );
        let changed = "client-rate = 50\nring-frames = 8192\nup = \"other\"\nmax-clients = 7\n";
        let said = gateway.reload(changed, "needs a restart: ");
        assert!(
            said.contains("max-clients 4096 -> 7; ring-frames auto -> 8192"),
            "{said}"
        );
        assert!(!said.contains("other"), "the command line wins: {said}");
        let log = gateway.proxy.log();
        assert!(
            log.iter()
                .any(|line| line.contains("reloaded: client-rate 5 -> 50")),
            "{log:#?}"
        );
        gateway.reload(changed, "needs a restart: max-clients 4096 -> 7");
        fs::remove_file(gateway.file()).unwrap();
        gateway.proxy.signal(libc::SIGHUP);
        gateway.proxy.wait_for("p.toml: cannot be read");
        traffic.ask(1, 9);
        traffic.run(Duration::from_millis(300));
        assert!(traffic.answered(1, 9), "{:#?}", gateway.proxy.log());
        let ended = gateway.proxy.stop();
        assert_eq!(
            ended.totals.dropped("down", "delay_req", "client-rate"),
            1,
            "{}",
            ended.totals.0
        );
    });
}

#[test]
fn the_kernels_filter_follows_the_domains() {
    in_sandbox!({
        let line = Line::new();
        // The lab's domain is 0.
        let mut gateway = Configured::start(&line, "domain = [5]\n");
        let mut traffic = Traffic::new(&line);
        for (sequence, domains, passes) in [
            (0, "[0, 5]", true),
            (1, "[5, 6]", false),
            (2, "[]", true),
            (3, "[5]", false),
            (4, "[0]", true),
        ] {
            gateway.reload(&format!("domain = {domains}\n"), "reloaded: domain ");
            let heard = traffic.heard_syncs;
            traffic.above.introduce();
            traffic.sync();
            traffic.ask(1, sequence);
            traffic.run(Duration::from_millis(300));
            let log = gateway.proxy.log();
            assert_eq!(traffic.answered(1, sequence), passes, "{domains}: {log:#?}");
            assert_eq!(
                traffic.heard_syncs - heard,
                usize::from(passes),
                "{domains}: {log:#?}"
            );
        }
        gateway.reload("domain = [6]\n", "reloaded: domain ");
        // A few of them show in full; of a flood the filter lets fewer and fewer through.
        const ROUNDS: u16 = 40;
        const MANY: u16 = 500;
        for _ in 0..ROUNDS {
            for sequence in 0..MANY {
                traffic.above.announce(sequence);
                traffic.below.request(1, 100 + sequence);
            }
            traffic.run(Duration::from_millis(100));
        }
        let totals = gateway.proxy.stop().totals;
        let seen = totals.dropped_for("domain");
        let sent = 2 * u64::from(ROUNDS) * u64::from(MANY);
        assert!(seen < sent / 2, "{seen} of {sent}: {}", totals.0);
    });
}

#[test]
fn the_lists_of_clients_and_grandmasters_follow() {
    in_sandbox!({
        let line = Line::new();
        let mut gateway = Configured::start(&line, "");
        let mut traffic = Traffic::new(&line);
        let mac = |client: u16| {
            let octets = Station::client(client.into()).mac();
            octets.map(|octet| format!("{octet:02x}")).join(":")
        };
        for client in 0..3 {
            traffic.ask(client, 0);
        }
        traffic.run(Duration::from_millis(300));
        for (sequence, list, allowed) in [
            (1, format!("[\"{}\"]", mac(1)), &[1][..]),
            (2, format!("[\"{}\", \"{}\"]", mac(0), mac(2)), &[0, 2]),
            (3, "[]".to_owned(), &[0, 1, 2]),
        ] {
            gateway.reload(&format!("client = {list}\n"), "reloaded: client ");
            for client in 0..3 {
                traffic.ask(client, sequence);
            }
            traffic.run(Duration::from_millis(300));
            for client in 0..3 {
                let passes = allowed.contains(&client);
                assert_eq!(
                    traffic.answered(client, sequence),
                    passes,
                    "{client} with {list}"
                );
            }
        }
        // A silent one goes too, within seconds.
        gateway.reload(
            "client = \"192.0.2.1\"\ngrandmaster = \"001122.fffe.334455\"\nsummary = 1\n",
            "reloaded: ",
        );
        let end = Instant::now() + 3 * PATIENCE;
        while gateway.proxy.logged("] 0 clients, ") == 0 && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(
            gateway.proxy.logged("] 0 clients, ") > 0,
            "{:#?}",
            gateway.proxy.log()
        );
        let heard = traffic.heard_syncs;
        traffic.sync();
        traffic.run(Duration::from_millis(200));
        assert_eq!(traffic.heard_syncs, heard);
        gateway.reload("summary = 1\n", "grandmaster 001122.fffe.334455 -> any");
        traffic.sync();
        traffic.run(Duration::from_millis(200));
        assert_eq!(traffic.heard_syncs, heard + 1);
        let ended = gateway.proxy.stop();
        let totals = ended.totals;
        assert_eq!(
            totals.dropped("down", "delay_req", "not-allowed"),
            3,
            "{}",
            totals.0
        );
        assert_eq!(
            totals.dropped("up", "sync", "grandmaster"),
            1,
            "{}",
            totals.0
        );
    });
}

#[test]
fn the_log_and_the_loop_follow() {
    in_sandbox!({
        let line = Line::new();
        let mut gateway = Configured::start(&line, "summary = \"off\"\n");
        gateway.reload("summary = 1\n", "reloaded: summary off -> 1");
        gateway.proxy.wait_for_times("0 clients, ", 2);
        gateway.reload(
            "summary = 1\nlog = \"error\"\n",
            "reloaded: log info -> error",
        );
        let lines = gateway.proxy.logged("0 clients, ");
        std::thread::sleep(Duration::from_millis(1500));
        assert_eq!(
            gateway.proxy.logged("0 clients, "),
            lines,
            "only errors are logged"
        );
        gateway.reload(
            "log = \"trace\"\n",
            "reloaded: summary 1 -> 60; log error -> trace",
        );
        let idle = busy_ticks(&gateway.proxy, Duration::from_millis(500));
        gateway.reload(
            "log = \"info\"\nspin = true\n",
            "reloaded: spin false -> true",
        );
        let spinning = busy_ticks(&gateway.proxy, Duration::from_millis(1000));
        assert!(spinning > 10 + 2 * idle, "{idle} then {spinning} ticks");
        gateway.proxy.stop();
    });
}

/// How many hundredths of a second of processor time it takes meanwhile (proc_pid_stat(5): utime, stime).
fn busy_ticks(proxy: &Proxy, time: Duration) -> u64 {
    let read = || -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", proxy.id())).unwrap();
        let (_, rest) = stat.rsplit_once(") ").unwrap();
        let times = rest.split(' ').skip(11).take(2);
        times.map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    };
    let before = read();
    std::thread::sleep(time);
    read() - before
}

#[test]
fn a_hangup_without_a_file_ends_nothing() {
    in_sandbox!({
        let line = Line::new();
        let mut proxy = Proxy::start(&line.gateway, &[]);
        proxy.signal(libc::SIGHUP);
        proxy.wait_for("without --config");
        proxy.stop();
    });
}
