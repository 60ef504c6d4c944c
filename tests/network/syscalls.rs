//! Under load the program makes no system call per frame, and without load hardly any.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::lab::frames::Kind;
use ptpproxy_lab::lab::station::{Role, Station};
use ptpproxy_lab::net::Namespace;
use ptpproxy_lab::ptp4l::TempDir;

use crate::host::{ETHERNET, Host};
use crate::installed;
use crate::proxy::{PATIENCE, Proxy};
use crate::segments::Line;

const CLIENTS: u16 = 500;
const ROUNDS: u16 = 8;

/// How many system calls the program makes, by name, while `work` is done; and what that returns.
fn count<R>(
    strace: &Path,
    gateway: &Namespace,
    proxy: &Proxy,
    work: impl FnOnce() -> R,
) -> (u64, String, R) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("calls");
    let mut command = Command::new(strace);
    // The loop is the first thread; what the others do is theirs.
    command.args(["-c", "-U", "name,calls", "-p"]);
    command.arg(proxy.id().to_string()).arg("-o").arg(&file);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut tracer = gateway.spawn(&mut command).unwrap();
    let deadline = std::time::Instant::now() + PATIENCE;
    while !traced(proxy.id()) {
        assert!(
            std::time::Instant::now() < deadline,
            "strace does not attach"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    let result = work();
    tracer.signal(libc::SIGINT).unwrap();
    let _ = tracer.wait();
    let table = std::fs::read_to_string(&file).unwrap();
    let calls = table
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (name, calls) = (words.next()?, words.next()?);
            (name != "total").then(|| calls.parse::<u64>().ok())?
        })
        .sum();
    (calls, table, result)
}

pub(crate) fn traced(process: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/status"))
        .unwrap()
        .lines()
        .any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
}

#[test]
fn a_loaded_gateway_makes_no_system_call_per_frame() {
    in_sandbox!({
        let Some(strace) = installed::find("strace", "strace") else {
            return;
        };
        let line = Line::new();
        let proxy = Proxy::start(&line.gateway, &["--jitter", "20ms"]);
        let (mut above, mut below) = line.hosts(ETHERNET);
        above.announce(0);
        // Everybody is known before it counts.
        play(&mut above, &mut below, 0);
        let (calls, table, frames) = count(&strace, &line.gateway, &proxy, || {
            (1..=ROUNDS)
                .map(|round| play(&mut above, &mut below, round))
                .sum::<u64>()
        });
        let totals = proxy.stop().totals;
        assert_eq!(frames, u64::from(2 * CLIENTS * ROUNDS), "{}", totals.0);
        println!("{calls} system calls for {frames} frames:\n{table}");
        assert!(calls * 4 < frames, "{calls} for {frames} frames:\n{table}");
    });
}

/// How often all threads of a process went to sleep so far.
fn sleeps(process: u32) -> u64 {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let of = |thread: std::io::Result<std::fs::DirEntry>| {
        let status = std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        let mut lines = status.lines();
        let count = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        count.unwrap().trim().parse::<u64>().unwrap()
    };
    threads.map(of).sum()
}

#[test]
fn nothing_wakes_an_idle_gateway_twice_in_four_seconds() {
    in_sandbox!({
        let line = Line::new();
        let proxy = Proxy::start(&line.gateway, &[]);
        let (mut above, mut below) = line.hosts(ETHERNET);
        above.announce(0);
        play(&mut above, &mut below, 0);
        // Cables settle, and the control thread has seen for some seconds that nothing changes.
        std::thread::sleep(Duration::from_secs(16));
        let before = sleeps(proxy.id());
        std::thread::sleep(Duration::from_secs(20));
        let woken = sleeps(proxy.id()) - before;
        println!("woken {woken} times in 20 idle seconds, all threads");
        assert!(woken <= 10, "{woken} in 20 s");
        proxy.stop();
    });
}

#[test]
fn a_light_load_costs_nine_system_calls_an_exchange() {
    in_sandbox!({
        let Some(strace) = installed::find("strace", "strace") else {
            return;
        };
        let line = Line::new();
        let proxy = Proxy::start(&line.gateway, &[]);
        let (mut above, mut below) = line.hosts(ETHERNET);
        above.announce(0);
        for client in 0..10 {
            exchange(&mut above, &mut below, client, 0);
        }
        // Ten clients, each once a second: what does not come evenly shares wake-ups and costs less.
        let mut round = |from| {
            let exchanges =
                (0..40).map(|n| exchange(&mut above, &mut below, n % 10, from + n / 10));
            exchanges.map(u64::from).sum()
        };
        let before = sleeps(proxy.id());
        let answered: u64 = round(1);
        let woken = sleeps(proxy.id()) - before;
        assert_eq!(answered, 40);
        // Three moments each, the control thread once a second, and the news of a cable that settles.
        assert!(woken <= 4 * answered, "{woken} for {answered}");
        let (calls, table, answered) =
            count(&strace, &line.gateway, &proxy, || -> u64 { round(11) });
        println!("{calls} system calls for {answered} exchanges:\n{table}");
        assert_eq!(answered, 40);
        assert!(calls <= 9 * answered, "{calls} for {answered}:\n{table}");
        proxy.stop();
    });
}

/// A client asks and is answered, in a tenth of a second.
fn exchange(above: &mut Host, below: &mut Host, client: u16, sequence: u16) -> bool {
    let end = Instant::now() + Duration::from_millis(100);
    below.request(client, sequence);
    let mut answered = false;
    while Instant::now() < end {
        while let Some(message) = above.receive() {
            if message.kind == Kind::DelayReq {
                above.answer(&message);
            }
        }
        while let Some(message) = below.receive() {
            answered |= message.kind == Kind::DelayResp;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    answered
}

/// Reads status and clients 100 times a second each until it is stopped; returns how often.
struct Readers {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Readers {
    fn start(socket: PathBuf) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                let mut replies = 0;
                let mut next = Instant::now();
                while !stop.load(Ordering::Relaxed) {
                    for request in ["status\n", "clients\n"] {
                        let mut stream = UnixStream::connect(&socket).unwrap();
                        stream.write_all(request.as_bytes()).unwrap();
                        let mut reply = String::new();
                        stream.read_to_string(&mut reply).unwrap();
                        assert!(reply.starts_with("{\"protocol\":1,") && reply.ends_with("}\n"));
                        assert!(!reply.contains("\"error\":"), "{reply}");
                        replies += 1;
                    }
                    next += Duration::from_millis(10);
                    std::thread::sleep(next.saturating_duration_since(Instant::now()));
                }
                replies
            }
        });
        Self { stop, thread }
    }

    fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

#[test]
fn reading_adds_no_system_call_to_the_loop() {
    in_sandbox!({
        let Some(strace) = installed::find("strace", "strace") else {
            return;
        };
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("gateway.sock");
        let line = Line::new();
        let control = ["--jitter", "20ms", "--control", socket.to_str().unwrap()];
        let proxy = Proxy::start(&line.gateway, &control);
        let (mut above, mut below) = line.hosts(ETHERNET);
        above.announce(0);
        play(&mut above, &mut below, 0);
        // The addresses of a new cable settle (duplicate address detection): of that the loop is told.
        std::thread::sleep(Duration::from_secs(3));
        // A loop that sleeps is not woken.
        let idle = || std::thread::sleep(Duration::from_secs(2));
        let (calls, table, (replies, ())) = count(&strace, &line.gateway, &proxy, || {
            let readers = Readers::start(socket.clone());
            idle();
            (readers.stop(), ())
        });
        assert!(replies > 50, "{replies}");
        assert!(calls < 20, "{calls} for {replies} replies:\n{table}");
        // One that works makes the calls that it makes without a reader: none of another kind, no lock among
        // them, and not more for each frame.
        let names = |table: &str| -> BTreeSet<String> {
            let calls = table.lines().filter_map(|line| {
                let mut words = line.split_whitespace();
                let (name, calls) = (words.next()?, words.next()?);
                calls.parse::<u64>().is_ok().then(|| name.to_owned())
            });
            calls.filter(|name| name != "total").collect()
        };
        let mut rounds = 1..;
        let mut load = |read: bool| {
            count(&strace, &line.gateway, &proxy, || {
                let readers = read.then(|| Readers::start(socket.clone()));
                let frames: u64 = (&mut rounds)
                    .take(4)
                    .map(|round| play(&mut above, &mut below, round))
                    .sum();
                (frames, readers.map_or(0, Readers::stop))
            })
        };
        // How often it sleeps, and so how many calls it makes, is the machine's mood too: what reading adds
        // it adds each time.
        let mut seen = String::new();
        let no_more = (0..3).any(|_| {
            let (without, table_without, (frames, _)) = load(false);
            let (with, table_with, (frames_with, replies)) = load(true);
            assert!(
                frames > 0 && replies > 50,
                "{frames} frames, {replies} replies"
            );
            println!(
                "{without} calls for {frames} frames alone, {with} for {frames_with} with {replies} replies"
            );
            assert!(!names(&table_with).contains("futex"), "{table_with}");
            let more: Vec<_> = names(&table_with)
                .difference(&names(&table_without))
                .cloned()
                .collect();
            // Which of the others it makes depends on the moment.
            assert!(
                more.iter().all(|name| KNOWN.contains(&name.as_str())),
                "{more:?}:\n{table_with}"
            );
            seen = format!("{with} and {without}:\n{table_with}");
            with < without + replies / 2
        });
        assert!(no_more, "{seen}");
        proxy.stop();
    });
}

/// What a loop does at times: `write` wakes the control thread after a silence.
const KNOWN: [&str; 9] = [
    "clock_nanosleep",
    "epoll_wait",
    "getsockopt",
    "ppoll",
    "recvmsg",
    "sendmsg",
    "setsockopt",
    "read",
    "write",
];

/// A Sync, a request of each client, all at once, and the answers, as many at once as arrived. Returns
/// how many of them were forwarded.
fn play(above: &mut Host, below: &mut Host, round: u16) -> u64 {
    let request = below.template(Kind::DelayReq, Station::client(0));
    for client in 0..CLIENTS {
        below.queue(&request, |draft| {
            draft.source(Station::client(client.into())).sequence(round)
        });
    }
    below.flush();
    let answer = above.template(Kind::DelayResp, Station::MASTER);
    let (mut asked, mut answered) = (0, 0);
    let end = std::time::Instant::now() + Duration::from_millis(400);
    while std::time::Instant::now() < end {
        while let Some(message) = above.receive() {
            if message.kind == Kind::DelayReq
                && message.source.is_some_and(|from| from.role == Role::Client)
                && let Some(client) = message.source
            {
                asked += 1;
                above.queue(&answer, |draft| {
                    let draft = draft.sequence(message.sequence).timestamp(message.at);
                    draft.requesting(client.identity())
                });
            }
        }
        above.flush();
        while let Some(message) = below.receive() {
            answered += u64::from(message.kind == Kind::DelayResp);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    asked + answered
}
