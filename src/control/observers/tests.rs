//! Who may watch, what each sees, and that nobody who does not read holds anything up.

use std::io::{BufRead as _, BufReader};
use std::time::SystemTime;

use super::*;
use crate::Side;
use crate::control::seen::{Seen, Watching};
use crate::reason::Reason;
use crate::ring::SystemClock;
use crate::telemetry::{ClientSlots, Info, Step, Tenant, What};
use crate::wire::{Address, ClockIdentity, Lane, Mac, MessageType, Name, PortIdentity, Transport};

fn board() -> Board {
    with(Arc::new(ClientSlots::new(4)))
}

fn with(clients: Arc<ClientSlots>) -> Board {
    let info = Info {
        up: "eth0".into(),
        downs: vec!["eth1".into()],
        stamps: "software".into(),
        started: SystemTime::UNIX_EPOCH,
    };
    Board::new(info, vec![clients])
}

fn port(clock: u8) -> PortIdentity {
    PortIdentity {
        clock: ClockIdentity([clock; 8]),
        port: 1,
    }
}

fn step(sender: u8, requester: Option<u8>, what: What) -> Step {
    Step {
        at: SystemClock.now(),
        from: if requester.is_some() {
            Side::Up
        } else {
            Side::Down
        },
        what,
        name: Some(Name {
            message: if requester.is_some() {
                MessageType::DelayResp
            } else {
                MessageType::DelayReq
            },
            sender: port(sender),
            sequence_id: 7,
            lane: Lane::new(Transport::Udp4, &[]),
            domain: 0,
            major_sdo_id: 0,
            requester: requester.map(port),
        }),
        length: 86,
    }
}

const fn dropped(reason: Reason) -> What {
    What::Dropped { reason }
}

/// The other end of one who watches.
struct Reader {
    lines: BufReader<UnixStream>,
    /// What has come of a line.
    part: String,
}

/// One that watches by this request: its end of the connection.
fn watch(observers: &mut Observers, board: &Board, line: &str) -> Reader {
    let (here, there) = UnixStream::pair().unwrap();
    here.set_nonblocking(true).unwrap();
    let request = observers.request(line, &here, board).unwrap();
    observers.add(here, request, board);
    there
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    Reader {
        lines: BufReader::new(there),
        part: String::new(),
    }
}

impl Reader {
    /// The next line, if there is one.
    fn line(&mut self) -> Option<String> {
        let read = self.lines.read_line(&mut self.part);
        let whole = read.is_ok() && self.part.ends_with('\n');
        whole.then(|| std::mem::take(&mut self.part))
    }

    /// What comes until there is no more.
    fn all(&mut self, observers: &mut Observers) -> Vec<Seen> {
        let mut all = Vec::new();
        loop {
            observers.pass_on();
            let before = all.len();
            while let Some(line) = self.line() {
                all.push(serde_json::from_str(&line).unwrap());
            }
            if all.len() == before {
                return all;
            }
        }
    }
}

/// Lines that were lost, by cause.
fn losses(seen: &[Seen]) -> Vec<(&str, u64)> {
    let lost = seen.iter().filter(|seen| seen.event == "lost");
    lost.map(|seen| (seen.why.as_deref().unwrap(), seen.count.unwrap()))
        .collect()
}

#[test]
fn root_and_the_gateways_user_may_watch() {
    for (user, gateway, may) in [
        (0, 0, true),
        (0, 7, true),
        (7, 7, true),
        (8, 7, false),
        (7, 0, false),
    ] {
        assert_eq!(request::allowed(user, gateway).is_ok(), may, "{user}");
    }
    let error = request::allowed(8, 7).unwrap_err();
    assert!(
        error.contains("uid 7") && error.contains("uid 8"),
        "{error}"
    );
}

#[test]
fn what_cannot_be_understood_is_named() {
    let board = board();
    for (line, part) in [
        ("watch all", "all"),
        ("watch only=answers", "only=answers"),
        ("watch frames=no", "frames=no"),
        ("watch clock=1122", "clock=1122"),
        ("watch port=001122.fffe.334455", "port="),
        ("watch address=eth0", "address=eth0"),
        ("watch address=192.0.2.1", "no client sends from 192.0.2.1"),
    ] {
        let error = Request::read(line, &board).unwrap_err();
        assert!(error.contains(part), "{line}: {error}");
    }
}

#[test]
fn an_address_is_that_of_clients_who_are_known() {
    let clients = Arc::new(ClientSlots::new(4));
    let board = with(Arc::clone(&clients));
    let mac = |last| Mac([2, 0, 0, 0, 0, last]);
    let tenant = |number: u8, address| Tenant {
        identity: port(number),
        lane: Lane::new(Transport::Udp4, &[]),
        mac: mac(number),
        address,
    };
    let ip = "192.0.2.1".parse().unwrap();
    clients.open(0, &tenant(1, ip), SystemClock.now());
    clients.open(1, &tenant(2, ip), SystemClock.now());
    clients.open(2, &tenant(3, Address::Mac(mac(3))), SystemClock.now());
    for (address, expected) in [
        ("192.0.2.1", vec![port(1), port(2)]),
        ("02:00:00:00:00:02", vec![port(2)]),
        ("02:00:00:00:00:03", vec![port(3)]),
    ] {
        let request = Request::read(&format!("watch address={address}"), &board);
        assert_eq!(request.unwrap().who, request::Who::Ports(expected));
    }
}

#[test]
fn each_sees_what_it_asked_for() {
    let board = board();
    let mut observers = Observers::new(&board);
    assert!(observers.due().is_none() && !board.trace().is_wanted());
    let mut all = watch(&mut observers, &board, "watch");
    let mut one = watch(&mut observers, &board, &format!("watch port={}", port(3)));
    let clock = ClockIdentity([4; 8]);
    let mut drops = watch(&mut observers, &board, "watch only=drops frames=yes");
    let mut other = watch(&mut observers, &board, &format!("watch clock={clock}"));
    assert!(board.trace().is_wanted());
    let trace = board.trace();
    trace.write(
        &step(
            3,
            None,
            What::Departed {
                residence_ns: 5_000,
                late_ns: Some(40),
            },
        ),
        &[],
    );
    trace.write(&step(9, Some(3), What::Leaves { correction: 98_304 }), &[1]);
    trace.write(&step(4, None, dropped(Reason::ClientRate)), &[0xAB, 0x01]);
    let unknown = Step {
        name: None,
        ..step(1, None, dropped(Reason::Truncated))
    };
    trace.write(&unknown, &[7]);
    observers.pass_on();
    let first: Watching = serde_json::from_str(&all.line().unwrap()).unwrap();
    let interfaces = (first.up.as_str(), first.down.as_str());
    assert_eq!((first.protocol, interfaces), (1, ("eth0", "eth1")));
    let all = all.all(&mut observers);
    let events: Vec<&str> = all.iter().map(|seen| seen.event.as_str()).collect();
    assert_eq!(events, ["depart", "forward", "drop", "drop"]);
    assert_eq!(
        (all[0].residence_ns, all[0].late_ns),
        (Some(5_000), Some(40))
    );
    assert_eq!(all[1].correction_ns, Some(1.5));
    assert_eq!(all[1].client, Some(port(3).to_string()));
    assert_eq!(all[2].reason.as_deref(), Some("client-rate"));
    assert!(all.iter().all(|seen| seen.frame.is_none()), "not asked for");
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    let age = now - Duration::from_nanos(all[0].time_ns);
    assert!(age < Duration::from_secs(60), "{age:?}");

    let one = one.all(&mut observers);
    assert_eq!(one[1..], all[..2], "what it sends, and what answers it");
    assert_eq!(other.all(&mut observers)[1..], all[2..3]);
    let drops = drops.all(&mut observers);
    let frames: Vec<_> = drops[1..]
        .iter()
        .map(|seen| seen.frame.as_deref())
        .collect();
    assert_eq!(frames, [Some("ab01"), Some("07")]);
}

#[test]
fn four_may_watch_and_the_fifth_is_told_so() {
    let board = board();
    let mut observers = Observers::new(&board);
    let mut readers: Vec<_> = (0..MOST)
        .map(|_| watch(&mut observers, &board, "watch"))
        .collect();
    let (here, _there) = UnixStream::pair().unwrap();
    let error = observers.request("watch", &here, &board).unwrap_err();
    assert!(error.contains("4 watch already"), "{error}");
    // Once one has gone there is room.
    readers.pop();
    observers.pass_on();
    assert!(observers.request("watch", &here, &board).is_ok());
    readers.clear();
    observers.pass_on();
    assert!(!board.trace().is_wanted(), "nobody is left");
}

/// Who does not read loses lines, and is told how many; others lose none.
#[test]
fn a_slow_reader_loses_lines_and_is_told_how_many() {
    let board = board();
    let mut observers = Observers::new(&board);
    let mut slow = watch(&mut observers, &board, "watch frames=yes");
    let request = format!("watch port={}", port(3));
    let mut quick = watch(&mut observers, &board, &request);
    let mut written = 0;
    let foreign = dropped(Reason::Foreign);
    for _ in 0..10 {
        for _ in 0..100 {
            board.trace().write(&step(4, None, foreign), &[0xA5; 1500]);
            written += 1;
        }
        observers.pass_on();
    }
    board.trace().write(&step(3, None, foreign), &[]);
    observers.pass_on();
    assert_eq!(
        quick.line().map(|line| line.contains("protocol")),
        Some(true)
    );
    assert_eq!(
        quick.line().map(|line| line.contains("foreign")),
        Some(true)
    );
    let seen = slow.all(&mut observers);
    let losses = losses(&seen);
    let lost: u64 = losses.iter().map(|(_, count)| count).sum();
    assert!(
        lost > 0 && losses.iter().all(|(why, _)| *why == "reader"),
        "{losses:?}"
    );
    // Without the first line, and with the other client's.
    let lines = (seen.len() - 1 - losses.len()) as u64;
    assert_eq!(lines + lost, written + 1);
    assert_eq!(board.trace().lost(), 0);
}

#[test]
fn what_the_loop_left_out_is_told_to_everybody() {
    let board = board();
    let mut observers = Observers::new(&board);
    let mut all = watch(&mut observers, &board, "watch only=drops");
    for _ in 0..20_000 {
        board
            .trace()
            .write(&step(4, None, dropped(Reason::Foreign)), &[]);
    }
    let in_queue = board.trace().lost();
    assert!(in_queue > 0);
    let seen = all.all(&mut observers);
    // Beyond 2000 at once.
    let beyond = 20_000 - in_queue - 2000;
    assert_eq!(losses(&seen), [("queue", in_queue), ("rate", beyond)]);
}
