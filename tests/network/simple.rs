//! Simple PTP (SPTP) through the real program: a server and a client on UDP sockets, one kernel clock at both ends. There is
//! no program of either that can be installed here, so both are made of what they send.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::net::Namespace;
use ptpproxy_lab::ptp4l::TempDir;

use crate::control::status;
use crate::proxy::{PATIENCE, Proxy};
use crate::segments::{END, Line};

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const EVENT: u16 = 319;
const GENERAL: u16 = 320;
const EXCHANGES: u16 = 40;

fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_nanos()).unwrap()
}

/// A message: header, then the timestamp that its body begins with, then so many zeroes more.
fn message(
    kind: u8,
    flags: u8,
    clock: u8,
    sequence: u16,
    (correction, time): (i64, i64),
    more: usize,
) -> Vec<u8> {
    let mut bytes = vec![kind, 2];
    bytes.extend(u16::try_from(44 + more).unwrap().to_be_bytes());
    bytes.extend([0, 0, flags, 0]);
    bytes.extend(correction.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend([0, 0, 0, 0xFF, 0xFE, 0, 0, clock, 0, 1]);
    bytes.extend(sequence.to_be_bytes());
    bytes.extend([0, 0x7F]);
    let (seconds, ns) = (time / 1_000_000_000, time % 1_000_000_000);
    bytes.extend(&u64::try_from(seconds).unwrap().to_be_bytes()[2..]);
    bytes.extend(u32::try_from(ns).unwrap().to_be_bytes());
    bytes.resize(44 + more, 0);
    bytes
}

fn correction(bytes: &[u8]) -> i64 {
    i64::from_be_bytes(bytes[8..16].try_into().unwrap())
}

fn time(bytes: &[u8]) -> i64 {
    let mut seconds = [0; 8];
    seconds[2..].copy_from_slice(&bytes[34..40]);
    let ns = u32::from_be_bytes(bytes[40..44].try_into().unwrap());
    i64::from_be_bytes(seconds) * 1_000_000_000 + i64::from(ns)
}

fn sequence(bytes: &[u8]) -> u16 {
    u16::from_be_bytes(bytes[30..32].try_into().unwrap())
}

fn sockets(home: &Namespace, address: Ipv4Addr) -> [UdpSocket; 2] {
    [EVENT, GENERAL].map(|port| {
        let socket = home
            .run(|| UdpSocket::bind((address, port)))
            .unwrap()
            .unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(500)))
            .unwrap();
        socket
    })
}

/// Answers each request as the server of the pair does: T4 in a Sync with twoStepFlag, then T1 in an Announce with the
/// correctionField of the request.
fn serve(event: &UdpSocket, general: &UdpSocket, done: &AtomicBool) {
    let mut bytes = [0; 256];
    loop {
        let Ok((length, _)) = event.recv_from(&mut bytes) else {
            if done.load(Ordering::Relaxed) {
                return;
            }
            continue;
        };
        let t4 = now_ns();
        let request = &bytes[..length];
        assert_eq!(
            (request[0], request[6]),
            (1, 0x24),
            "a Delay_Req of simple PTP"
        );
        let sync = message(0, 0x06, 1, sequence(request), (0, t4), 0);
        let t1 = now_ns();
        event.send_to(&sync, (CLIENT, EVENT)).unwrap();
        let mut announce = message(
            0xB,
            0x04,
            1,
            sequence(request),
            (correction(request), t1),
            20,
        );
        announce[53..61].copy_from_slice(&[0, 0, 0, 0xFF, 0xFE, 0, 0, 1]);
        general.send_to(&announce, (CLIENT, GENERAL)).unwrap();
    }
}

/// The answer with this sequenceId; those to earlier requests are left out.
fn receive(socket: &UdpSocket, number: u16) -> Option<[u8; 256]> {
    loop {
        let mut bytes = [0; 256];
        socket.recv_from(&mut bytes).ok()?;
        if sequence(&bytes) == number {
            return Some(bytes);
        }
    }
}

/// Ends the server with the test, however that ends.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The residence of both event messages is taken out: of the request in the Announce, of the Sync in itself.
#[test]
fn both_ways_of_simple_ptp_are_corrected() {
    in_sandbox!({
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("gateway.sock");
        let socket = socket.to_str().unwrap();
        let line = Line::new();
        line.grandmaster.add_address(END, SERVER, 24).unwrap();
        line.clients.add_address(END, CLIENT, 24).unwrap();
        let master = SERVER.to_string();
        let proxy = Proxy::start(
            &line.gateway,
            &["--control", socket, "--unicast-master", &master],
        );
        let [server_event, server_general] = sockets(&line.grandmaster, SERVER);
        let [event, general] = sockets(&line.clients, CLIENT);
        let mut complete = 0;
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| serve(&server_event, &server_general, &done));
            let _ends = Ends(&done);
            // The server's hardware address is found meanwhile: the first question of a new client is not relayed.
            event.send_to(&[0], (SERVER, 9)).unwrap();
            // A gateway that starts sends no event message before it has heard an Announce, or 3 s have passed.
            std::thread::sleep(Duration::from_millis(3_200));
            for number in 1..=EXCHANGES {
                let t3 = now_ns();
                let request = message(1, 0x24, 9, number, (0, 0), 0);
                event.send_to(&request, (SERVER, EVENT)).unwrap();
                let Some(sync) = receive(&event, number) else {
                    continue;
                };
                let t2 = now_ns();
                let announce = receive(&general, number).expect("an Announce follows");
                let (t4, t1) = (time(&sync), time(&announce));
                let [down, up] = [&sync, &announce].map(|bytes| correction(bytes) >> 16);
                // What was taken out was there, and it is not more than there was.
                assert!(0 < up && up < t4 - t3, "{up} of {}", t4 - t3);
                assert!(0 < down && down < t2 - t1, "{down} of {}", t2 - t1);
                complete += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        assert!(complete > EXCHANGES / 2, "{complete} of {EXCHANGES}");
        std::thread::sleep(PATIENCE / 4);
        let status = status(socket);
        assert_eq!(status.clients.known, 1);
        let shown = status.counts.answered;
        assert!(shown >= u64::from(complete), "{shown} of {complete}");
        let codes: Vec<&str> = status
            .warnings
            .iter()
            .map(|warning| warning.code.as_str())
            .collect();
        assert_eq!(codes, [] as [&str; 0]);
        assert_eq!(proxy.stop().totals.count("follow_ups_made"), 0);
    });
}
