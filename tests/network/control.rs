//! What the running program says of itself: status and clients over the control socket, and who may ask.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use ptpproxy::control::reply::{Client, ClientList, Status};
use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::lab::frames::Kind;
use ptpproxy_lab::lab::station::Station;
use ptpproxy_lab::ptp4l::TempDir;
use serde_json::Value;

use crate::host::{ETHERNET, Host};
use crate::proxy::{self, DOWN, PATIENCE, Proxy, UP};
use crate::segments::Line;

const CLIENTS: u16 = 3;

/// Runs `ptpproxy` with these arguments and this runtime directory.
fn ask_in(directory: Option<&Path>, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ptpproxy"));
    command.args(arguments).stdin(Stdio::null());
    match directory {
        Some(directory) => command.env("RUNTIME_DIRECTORY", directory),
        None => command.env_remove("RUNTIME_DIRECTORY"),
    };
    command.output().unwrap()
}

/// What a command prints; it must succeed. A gateway that starts has its socket a little later.
pub(crate) fn ask(arguments: &[&str]) -> String {
    let socket = arguments
        .iter()
        .skip_while(|&&word| word != "--socket")
        .nth(1);
    let end = Instant::now() + PATIENCE;
    while socket.is_some_and(|path| !Path::new(path).exists()) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = ask_in(None, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    assert!(errors.is_empty(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The one line of an error; the exit code must be 1.
fn refused(directory: Option<&Path>, arguments: &[&str]) -> String {
    let output = ask_in(directory, arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(output.stdout.is_empty());
    errors
}

/// What `ptpproxy status` says.
pub(crate) fn status(socket: &str) -> Status {
    serde_json::from_str(&ask(&["status", "--json", "--socket", socket])).unwrap()
}

fn clients(socket: &str, arguments: &[&str]) -> ClientList {
    let all = [&["clients", "--json", "--socket", socket], arguments].concat();
    serde_json::from_str(&ask(&all)).unwrap()
}

/// Looks again until it is so.
pub(crate) fn until(socket: &str, what: &str, mut so: impl FnMut(&Status) -> bool) -> Status {
    let deadline = Instant::now() + 4 * PATIENCE;
    loop {
        let status = status(socket);
        if so(&status) {
            return status;
        }
        assert!(Instant::now() < deadline, "never {what}: {status:#?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Each client asks once, and is answered; after a Sync with its Follow_Up.
pub(crate) fn round(above: &mut Host, below: &mut Host, sequence: u16) {
    let origin = above.sync(sequence);
    above.follow_up(sequence, origin);
    for client in 0..CLIENTS {
        below.request(client, sequence);
        let request = above
            .expect(|m| m.kind == Kind::DelayReq && m.sequence == sequence)
            .expect("a request");
        above.answer(&request);
        below
            .expect(|m| m.kind == Kind::DelayResp && m.sequence == sequence)
            .expect("an answer");
    }
}

#[test]
fn status_and_clients_say_what_passes() {
    in_sandbox!({
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("gateway.sock");
        let socket = socket.to_str().unwrap();
        let line = Line::new();
        let proxy = Proxy::start(&line.gateway, &["--control", socket, "--client-rate", "99"]);
        let (mut above, mut below) = line.hosts(ETHERNET);
        let before = status(socket);
        assert_eq!((before.clients.known, before.masters.len()), (0, 0));
        assert!(before.listening);
        above.introduce();
        let rounds = 30;
        for number in 1..=rounds {
            round(&mut above, &mut below, number);
        }
        let total = u64::from(CLIENTS * rounds);
        // The kernel tells of a new cable up to a second later.
        let status = until(socket, "answered", |status| {
            status.clients.answered == total && status.ports.iter().all(|port| port.link == "up")
        });
        assert_eq!(status.protocol, 1);
        assert_eq!(status.pid, proxy.id());
        assert_eq!(status.limits.client_rate, 99);
        assert!(!status.listening);
        let [up, down] = status.ports.as_slice() else {
            panic!("{:?}", status.ports);
        };
        assert_eq!(
            (up.name.as_str(), up.link.as_str(), up.mtu),
            (UP, "up", 1500)
        );
        assert_eq!((down.name.as_str(), down.link.as_str()), (DOWN, "up"));
        assert_eq!(status.clients.known, u32::from(CLIENTS));
        assert_eq!(status.clients.requests, total);
        assert_eq!(status.masters.len(), 1);
        let master = &status.masters[0];
        assert!(master.active && master.allowed, "{master:?}");
        let grandmaster = master.grandmaster.as_ref().expect("announced");
        assert!(master.sender.starts_with(&grandmaster.identity));
        assert!(master.sync_interval_ms.is_some());
        let frames = |side: &str, message: &str| {
            let found = status
                .frames
                .iter()
                .find(|f| f.side == side && f.message == message);
            found.map_or(0, |frames| frames.forwarded)
        };
        assert_eq!(frames("down", "delay_req"), total);
        assert_eq!(frames("up", "sync"), u64::from(rounds));
        assert_eq!(status.measures.residence.count, total);
        assert_eq!(status.measures.response.count, total);
        assert!(
            status
                .measures
                .response
                .p99_ns
                .is_some_and(|ns| ns < 2_000_000_000)
        );

        let list = clients(socket, &[]);
        assert_eq!((list.known, list.clients.len()), (3, 3));
        for client in &list.clients {
            assert_eq!((client.requests, client.answered), (30, 30), "{client:?}");
            assert_eq!(client.answered_percent, Some(100.0));
            assert_eq!(client.transport, "ethernet");
            assert_eq!(client.mode, "multicast");
            assert!(client.residence_ms.is_some_and(|ms| ms > 0.0));
            assert!(client.response_ms.is_some() && client.interval_ms.is_some());
            assert!(client.seen_ms < 60_000);
        }
        let first = clients(socket, &["--sort", "residence", "--limit", "1"]);
        assert_eq!((first.known, first.clients.len()), (3, 1));
        let residence = |client: &Client| client.residence_ms.unwrap_or(0.0);
        let longest = clients(socket, &[])
            .clients
            .iter()
            .map(residence)
            .fold(0.0, f64::max);
        assert!((residence(&first.clients[0]) - longest).abs() < 1e-9);

        // For people.
        let text = ask(&["status", "--socket", socket]);
        for part in [
            UP,
            DOWN,
            &grandmaster.identity,
            "delay_req",
            "residence of Delay_Req",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(text.lines().all(|line| line.is_ascii()), "{text}");
        let text = ask(&["clients", "--socket", socket]);
        assert_eq!(text.lines().count(), 5, "{text}");
        assert!(text.contains(&list.clients[0].identity), "{text}");

        let totals = proxy.stop().totals;
        assert_eq!(totals.forwarded("down", "delay_req"), total, "{}", totals.0);
        assert!(
            !Path::new(socket).exists(),
            "the socket goes with the gateway"
        );
        refused(None, &["status", "--socket", socket]);
    });
}

#[test]
fn owner_and_group_may_ask_and_nobody_loses_a_socket_to_another() {
    in_sandbox!({
        let folder = TempDir::new().unwrap();
        let line = Line::new();
        let path = folder.path().join("up0-down0.sock");
        // One that was killed leaves its socket behind.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        // Two may join the same networks while their domains differ.
        let start = |domain| {
            let mut command = proxy::command(&["--control", "auto", "--domain", domain]);
            command.env("RUNTIME_DIRECTORY", folder.path());
            let proxy = Proxy::launch(&line.gateway, &mut command);
            proxy.wait_for("forwarding:");
            proxy
        };
        let first = start("1");
        let deadline = Instant::now() + PATIENCE;
        while !ask_in(Some(folder.path()), &["status"]).status.success() {
            assert!(Instant::now() < deadline, "no answer: {:#?}", first.log());
        }
        let metadata = std::fs::metadata(&path).unwrap();
        assert!(metadata.file_type().is_socket());
        assert_eq!(metadata.permissions().mode() & 0o777, 0o660);
        // A second one goes on without.
        let second = start("2");
        second.wait_for("another gateway has it");
        assert_eq!(second.logged("no control socket"), 1);
        assert!(second.stop().status.success());
        assert!(path.exists(), "it is the first one's");
        // The only one is found; of two it says which there are.
        let other = folder.path().join("other.sock");
        let place = other.to_str().unwrap();
        let other = Proxy::start(&line.gateway, &["--control", place, "--domain", "3"]);
        let deadline = Instant::now() + PATIENCE;
        while !folder.path().join("other.sock").exists() {
            assert!(Instant::now() < deadline);
        }
        let error = refused(Some(folder.path()), &["status"]);
        assert!(
            error.contains("up0-down0.sock") && error.contains("other.sock"),
            "{error}"
        );
        assert!(error.contains("--socket"), "{error}");
        other.stop();
        first.stop();
        let error = refused(Some(folder.path()), &["status"]);
        assert!(error.contains("is ptpproxy running?"), "{error}");
        // Where none can be, it forwards all the same.
        let file = folder.path().join("no-socket");
        std::fs::write(&file, "a file").unwrap();
        for place in [file.to_str().unwrap(), "/proc/nowhere/x.sock"] {
            let proxy = Proxy::start(&line.gateway, &["--control", place]);
            proxy.wait_for("no control socket");
            assert_eq!(proxy.logged("no control socket"), 1);
            proxy.stop();
        }
        assert_eq!(
            std::fs::read(&file).unwrap(),
            b"a file",
            "not ours to remove"
        );
    });
}

#[test]
fn whoever_connects_cannot_keep_others_out() {
    in_sandbox!({
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("gateway.sock");
        let name = socket.to_str().unwrap();
        let line = Line::new();
        let proxy = Proxy::start(&line.gateway, &["--control", name]);
        let (mut above, mut below) = line.hosts(ETHERNET);
        above.announce(0);
        until(name, "ready", |status| !status.listening);
        let silent: Vec<UnixStream> = (0..100)
            .filter_map(|_| UnixStream::connect(&socket).ok())
            .collect();
        let endless: Vec<UnixStream> = (0..20)
            .filter_map(|_| {
                let mut stream = UnixStream::connect(&socket).ok()?;
                stream
                    .set_write_timeout(Some(Duration::from_millis(50)))
                    .ok()?;
                let _ = stream.write_all(&[b'x'; 10_000]);
                Some(stream)
            })
            .collect();
        let greedy: Vec<UnixStream> = (0..20)
            .filter_map(|_| {
                let mut stream = UnixStream::connect(&socket).ok()?;
                let _ = stream.write_all(b"clients\n");
                Some(stream)
            })
            .collect();
        round(&mut above, &mut below, 1);
        assert_eq!(status(name).pid, proxy.id());
        drop((silent, endless, greedy));
        for (request, part) in [
            ("what", "expected status"),
            ("clients sort=size", "sort=size"),
            ("clients limit=-1", "limit=-1"),
            ("", "expected status"),
        ] {
            let mut stream = UnixStream::connect(&socket).unwrap();
            stream.write_all(format!("{request}\n").as_bytes()).unwrap();
            let mut reply = String::new();
            stream.read_to_string(&mut reply).unwrap();
            let reply: Value = serde_json::from_str(&reply).unwrap();
            assert_eq!(reply["protocol"], 1);
            let error = reply["error"].as_str().unwrap();
            assert!(error.contains(part), "{request}: {error}");
        }
        round(&mut above, &mut below, 2);
        proxy.stop();
    });
}

#[test]
fn what_is_wrong_is_shown_and_logged_once() {
    in_sandbox!({
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("gateway.sock");
        let socket = socket.to_str().unwrap();
        let line = Line::new();
        let proxy = Proxy::start(&line.gateway, &["--control", socket]);
        let warned = |status: &Status, code: &str| status.warnings.iter().any(|w| w.code == code);
        until(socket, "no-master", |status| warned(status, "no-master"));
        proxy.wait_for("no grandmaster seen yet");
        let (mut above, mut below) = line.hosts(ETHERNET);
        above.announce(0);
        // Nobody answers.
        let sync = above.template(Kind::Sync, Station::MASTER);
        let end = Instant::now() + 4 * PATIENCE;
        let mut sequence = 0;
        loop {
            sequence += 1;
            above.send(&sync, |draft| draft.sequence(sequence));
            for client in 0..CLIENTS {
                below.request(client, sequence);
            }
            let status = status(socket);
            if warned(&status, "no-answers") && !warned(&status, "no-master") {
                break;
            }
            assert!(Instant::now() < end, "{:#?}", status.warnings);
            std::thread::sleep(Duration::from_millis(20));
        }
        proxy.wait_for("answers no Delay_Req");
        proxy.wait_for("over: no grandmaster seen yet");
        assert_eq!(
            proxy.logged("no grandmaster seen yet"),
            2,
            "{:#?}",
            proxy.log()
        );
        line.clients.set_up("eth0", false).unwrap();
        until(socket, "link", |status| {
            warned(status, "link") && status.ports[1].link == "no link"
        });
        proxy.stop();
    });
}

#[test]
fn reload_says_what_came_of_it() {
    in_sandbox!({
        let folder = TempDir::new().unwrap();
        let (socket, file) = (folder.path().join("a.sock"), folder.path().join("a.toml"));
        let (socket, file) = (socket.to_str().unwrap(), file.to_str().unwrap());
        let line = Line::new();
        std::fs::write(file, "client-rate = 50\n").unwrap();
        let proxy = Proxy::start(&line.gateway, &["--control", socket, "--config", file]);
        until(socket, "started", |status| status.limits.client_rate == 50);
        assert_eq!(
            ask(&["reload", "--socket", socket]),
            "nothing has changed\n"
        );
        std::fs::write(file, "client-rate = 70\nmax-clients = 9\n").unwrap();
        let text = ask(&["reload", "--socket", socket]);
        assert!(text.contains("applied: client-rate"), "{text}");
        assert!(text.contains("needs a restart: max-clients"), "{text}");
        until(socket, "applied", |status| status.limits.client_rate == 70);
        std::fs::write(file, "client-rate = 0\n").unwrap();
        let error = refused(None, &["reload", "--socket", socket]);
        assert!(
            error.contains("a.toml") && error.contains("client-rate"),
            "{error}"
        );
        assert_eq!(
            status(socket).limits.client_rate,
            70,
            "a bad file changes nothing"
        );
        let output = ask_in(None, &["reload", "--json", "--socket", socket]);
        assert_eq!(output.status.code(), Some(1));
        let reply: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(reply["errors"].as_array().map(Vec::len), Some(1));
        proxy.stop();
    });
}
