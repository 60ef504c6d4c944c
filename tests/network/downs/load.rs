//! Several ports downstream under load: `--max-rate` is shared between them, one that goes takes nothing of the others with
//! it, another process goes on with all of them; and whatever happens, nothing goes from one to another.

use std::collections::HashMap;
use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::lab::frames::Kind;
use ptpproxy_lab::net::retry;
use ptpproxy_lab::ptp4l::TempDir;
use testkit::booted::{Booted, GATEWAY_UNIT, can_boot, put_gateway};

use super::{CABLE_NS, PORTS, Star, interface};
use crate::host::{Host, Message};
use crate::proxy::{Proxy, UP};

/// An answer that has not come by then does not come any more.
const NO_MORE: Duration = Duration::from_millis(500);
/// Whatever is waited for has come by then.
const PATIENCE: Duration = Duration::from_secs(5);
/// Client numbers of a port begin at a multiple of this.
const OF_A_PORT: u16 = 1_000;

/// A request and what came of it.
struct Request {
    sent: Instant,
    answered: bool,
}

/// The clients behind a port, which ask one after another.
struct Crowd {
    /// Without a cable there is none.
    host: Option<Host>,
    clients: u16,
    every: Duration,
    next: Instant,
    asked: u16,
    /// By client and sequenceId: departure, and place in `requests`.
    open: HashMap<(u16, u16), (i64, usize)>,
    requests: Vec<Request>,
}

/// The clients of all ports and a grandmaster that answers them.
struct Load {
    above: Host,
    crowds: Vec<Crowd>,
    /// When requests came to the grandmaster, by port.
    arrived: [Vec<i64>; PORTS],
    /// What was wrong: times that were off, and what was not for whoever heard it.
    wrong: Vec<String>,
}

impl Crowd {
    fn ask(&mut self, first: u16, now: Instant) {
        // Those that would have asked while the machine was busy do not ask all at once.
        for _ in 0..16 {
            let Some(host) = self.host.as_mut().filter(|_| now >= self.next) else {
                return;
            };
            self.next = (self.next + self.every).max(now - self.every * 16);
            let client = first + self.asked % self.clients;
            let sequence = self.asked / self.clients;
            self.asked += 1;
            let departed = host.request(client, sequence);
            let place = self.requests.len();
            self.open.insert((client, sequence), (departed, place));
            self.requests.push(Request {
                sent: now,
                answered: false,
            });
        }
    }

    /// What a message is that came here, if it should not have come.
    fn hears(&mut self, message: &Message) -> Option<String> {
        match message.kind {
            Kind::Announce | Kind::Sync | Kind::FollowUp => return None,
            Kind::DelayResp => {}
            other => return Some(format!("{other:?} from {:?}", message.source)),
        }
        let client = message.requesting.map_or(0, |station| station.number);
        let key = (u16::try_from(client).unwrap_or(0), message.sequence);
        let Some((departed, place)) = self.open.remove(&key) else {
            return Some(format!("an answer to {key:?}"));
        };
        let off = message.time - departed - message.correction;
        if !(0..CABLE_NS).contains(&off) {
            return Some(format!("{key:?} is off by {off} ns"));
        }
        self.requests[place].answered = true;
        None
    }

    /// How many requests were sent in this time, and how many of them were not answered.
    fn lost(&self, from: Instant, to: Instant) -> (usize, usize) {
        let sent = self.requests.iter();
        let sent = sent.filter(|one| (from..to).contains(&one.sent));
        let sent: Vec<bool> = sent.map(|one| one.answered).collect();
        (
            sent.len(),
            sent.iter().filter(|answered| !**answered).count(),
        )
    }
}

impl Load {
    /// `clients` behind each port, of which all together ask so often a second.
    fn new(above: Host, below: Vec<Host>, clients: u16, rates: [u32; PORTS]) -> Self {
        let next = Instant::now();
        let crowd = |(host, rate): (Host, u32)| Crowd {
            host: Some(host),
            clients,
            every: Duration::from_secs(1) / rate,
            next,
            asked: 0,
            open: HashMap::new(),
            requests: Vec::new(),
        };
        Self {
            above,
            crowds: below.into_iter().zip(rates).map(crowd).collect(),
            arrived: Default::default(),
            wrong: Vec::new(),
        }
    }

    fn step(&mut self, asks: bool) {
        for (port, crowd) in self.crowds.iter_mut().enumerate() {
            if asks {
                crowd.ask(first(port), Instant::now());
            }
            let Some(mut host) = crowd.host.take() else {
                continue;
            };
            while let Some(message) = host.receive() {
                let wrong = crowd.hears(&message);
                self.wrong
                    .extend(wrong.map(|what| format!("port {port}: {what}")));
            }
            crowd.host = Some(host);
        }
        while let Some(message) = self.above.receive() {
            if message.kind == Kind::DelayReq {
                let client = message.source.expect("a station of the lab").number;
                let port = client as usize / usize::from(OF_A_PORT);
                self.arrived[port].push(message.at);
                self.above.answer(&message);
            }
        }
        std::thread::sleep(Duration::from_micros(200));
    }

    /// Goes on for this long.
    fn run(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.step(true);
        }
    }

    /// Goes on until the program has logged this.
    fn until_logged(&mut self, proxy: &Proxy, what: &str) {
        let end = Instant::now() + PATIENCE;
        while proxy.logged(what) == 0 {
            assert!(Instant::now() < end, "no {what:?}: {:#?}", proxy.log());
            self.step(true);
        }
    }

    /// Nobody asks any more; what is open is answered, or lost.
    fn end(&mut self) {
        let end = Instant::now() + NO_MORE;
        while Instant::now() < end {
            self.step(false);
        }
        assert_eq!(self.wrong, Vec::<String>::new());
    }
}

/// The first client behind a port.
fn first(port: usize) -> u16 {
    u16::try_from(port).unwrap() * OF_A_PORT
}

/// Each port, as an argument of the program.
fn all() -> Vec<String> {
    (0..PORTS).map(interface).collect()
}

/// One port asks for four times its part of `--max-rate`, the others for theirs: the limit is kept, and used.
#[test]
fn a_port_that_asks_too_much_takes_no_more_than_its_part() {
    const RATE: u32 = 800;
    const WARM_UP: Duration = Duration::from_millis(500);
    const SECONDS: u32 = 3;
    in_sandbox!({
        let star = Star::new();
        let rate = RATE.to_string();
        let (proxy, above, below) = star.start_with(&all(), &["--max-rate", &rate]);
        let part = RATE / 4;
        let mut load = Load::new(above, below, 40, [4 * part, part, part, part]);
        load.run(WARM_UP);
        let last = |load: &Load| load.arrived.iter().flatten().copied().max().expect("some");
        let begin = last(&load);
        load.run(Duration::from_secs(SECONDS.into()));
        let end = last(&load);
        load.end();
        let came = |at: &&i64| (begin..end).contains(*at);
        let counts = (load.arrived.each_ref()).map(|port| port.iter().filter(came).count());
        let time = Duration::from_nanos(u64::try_from(end - begin).unwrap());
        let rates =
            counts.map(|count| f64::from(u32::try_from(count).unwrap()) / time.as_secs_f64());
        println!("requests a second that reach the grandmaster: {rates:.1?}");
        let limit = f64::from(RATE);
        for rate in rates {
            assert!(rate >= 0.2 * limit, "{rates:?}");
        }
        let all: f64 = rates.iter().sum();
        assert!((0.98 * limit..=1.02 * limit).contains(&all), "{rates:?}");
        proxy.stop();
    });
}

/// 250 clients behind each of four ports: the last port is deleted and made anew while all ask.
#[test]
fn a_port_that_goes_and_comes_back_under_load_costs_the_others_nothing() {
    const PORT: usize = 3;
    in_sandbox!({
        let star = Star::new();
        let (proxy, above, below) = star.start_with(&all(), &[]);
        let mut load = Load::new(above, below, 250, [250; PORTS]);
        let begin = Instant::now();
        load.run(Duration::from_millis(1_200));
        load.crowds[PORT].host = None;
        let gone = Instant::now();
        star.gateway.delete(&interface(PORT)).unwrap();
        load.until_logged(&proxy, "down port3: the interface was deleted");
        load.run(Duration::from_millis(400));
        star.cable(PORT);
        load.crowds[PORT].host = Some(star.host(PORT));
        load.crowds[PORT].next = Instant::now();
        load.until_logged(&proxy, "down port3 is back");
        let back = Instant::now();
        load.run(Duration::from_millis(800));
        let end = Instant::now();
        load.end();
        for (port, crowd) in load.crowds.iter().enumerate().filter(|(n, _)| *n != PORT) {
            let (sent, lost) = crowd.lost(begin, end);
            assert!(sent > 400, "port {port}: {sent}");
            assert_eq!(lost, 0, "port {port}: of {sent}: {:#?}", proxy.log());
        }
        let (sent, lost) = load.crowds[PORT].lost(back, end);
        assert!(sent > 100, "{sent}");
        assert_eq!(lost, 0, "of {sent} after its return: {:#?}", proxy.log());
        let (sent, lost) = load.crowds[PORT].lost(begin, gone - NO_MORE);
        assert_eq!(lost, 0, "of {sent} before it went");
        proxy.stop();
    });
}

/// Another process takes over while the clients of four ports ask.
#[test]
fn another_process_goes_on_with_all_ports() {
    in_sandbox!({
        let star = Star::new();
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("gateway.sock");
        let control = ["--control", socket.to_str().unwrap()];
        let (former, above, below) = star.start_with(&all(), &control);
        let mut load = Load::new(above, below, 25, [50; PORTS]);
        let begin = Instant::now();
        load.run(Duration::from_millis(800));
        let id = former.id().to_string();
        let mut command = star.command(&["port*"], &control);
        command.args(["--take-over", &id]);
        let next = Proxy::launch(&star.gateway, &mut command);
        load.until_logged(&next, "confined:");
        let open: usize = load.crowds.iter().map(|crowd| crowd.open.len()).sum();
        let taken = Instant::now();
        load.run(Duration::from_millis(800));
        let end = Instant::now();
        load.end();
        let ended = former.end();
        assert_eq!(ended.status.code(), Some(0), "{:#?}", ended.log);
        assert_eq!(next.logged("taking over from process "), 1);
        assert_eq!(next.logged(": 100 clients, "), 1, "{:#?}", next.log());
        let mut all = 0;
        for (port, crowd) in load.crowds.iter().enumerate() {
            let (sent, lost) = crowd.lost(taken, end);
            assert!(sent > 20, "port {port}: {sent}");
            assert_eq!(lost, 0, "port {port}: {:#?}", next.log());
            all += crowd.lost(begin, end).1;
        }
        println!("{all} lost, {open} open");
        assert!(all <= open, "{all} lost, {open} open");
        // One port less: nothing of it fits.
        let id = next.id().to_string();
        let mut command = star.command(&["port0", "port1", "port2"], &control);
        command.args(["--take-over", &id]);
        let refused = Proxy::launch(&star.gateway, &mut command).end();
        assert!(!refused.status.success());
        let said = refused.log.join("\n");
        assert!(
            said.contains("it had 4 interfaces downstream, not 3"),
            "{said}"
        );
        next.stop();
    });
}

/// The service manager keeps the rings of all ports while its service is restarted.
#[test]
fn a_service_that_is_restarted_goes_on_with_all_ports() {
    if can_boot() {
        let name = "a_service_that_is_restarted_goes_on_with_all_ports";
        let passed = retry(name, || Ok(catch_unwind(restarted).is_ok()));
        assert!(passed.unwrap());
    }
}

fn restarted() {
    let star = Star::new();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ports-restarted");
    put_gateway(&folder, &format!("up = \"{UP}\"\ndown = \"port*\"\n"));
    let booted = Booted::new(&star.gateway, GATEWAY_UNIT, Some(&folder));
    booted.wait_until("ActiveState", |state| state == "active");
    let (mut above, below) = star.hosts();
    above.introduce();
    let mut load = Load::new(above, below, 25, [50; PORTS]);
    load.run(Duration::from_millis(800));
    let begin = Instant::now();
    load.run(Duration::from_millis(800));
    let ordered = Instant::now();
    thread::scope(|scope| {
        let order = scope.spawn(|| booted.systemctl(&["restart", GATEWAY_UNIT]));
        while !order.is_finished() {
            load.run(Duration::from_millis(2));
        }
        let said = order.join().unwrap();
        assert!(said.status.success(), "{said:?} {}", booted.log());
    });
    let taken = Instant::now();
    load.run(Duration::from_millis(800));
    let end = Instant::now();
    load.end();
    let log = booted.log();
    assert_eq!(log.matches("taking over from process ").count(), 1, "{log}");
    assert!(log.contains(": 100 clients, "), "{log}");
    for (port, crowd) in load.crowds.iter().enumerate() {
        for (from, to) in [(begin, ordered - NO_MORE), (taken, end)] {
            let (sent, lost) = crowd.lost(from, to);
            assert!(sent > 10, "port {port}: {sent}");
            assert_eq!(lost, 0, "port {port}: {log}");
        }
        // Without its ring each request of the restart would be lost.
        let (sent, lost) = crowd.lost(ordered, taken);
        println!(
            "port {port}: {lost} of {sent} lost in {:?}",
            taken - ordered
        );
        assert!(2 * lost < sent, "port {port}: {lost} of {sent}: {log}");
    }
    drop(booted);
    fs::remove_dir_all(&folder).unwrap();
}
