//! Cables pulled, interfaces deleted, the process stopped: forwarding goes on after, and nothing goes
//! out late.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::lab::frames::Kind;

use crate::host::{ETHERNET, Host};
use crate::proxy::{DOWN, PATIENCE, Proxy, UP};
use crate::segments::{END, Line};

/// What cables and a busy machine may leave of a time after its correction.
const CABLE_NS: i64 = 3_000_000;
const MILLISECOND: i64 = 1_000_000;

/// A gateway that forwards everything, and a host at each end.
fn forwarding(options: &[&str]) -> (Line, Proxy, Host, Host) {
    let line = Line::new();
    let proxy = Proxy::start(&line.gateway, options);
    let (mut above, below) = line.hosts(ETHERNET);
    above.introduce();
    (line, proxy, above, below)
}

/// A Sync with its Follow_Up and a request with its answer pass, and their corrections are right.
fn exchange(above: &mut Host, below: &mut Host, sequence: u16) -> Result<(), String> {
    let origin = above.sync(sequence);
    let wanted = |kind| move |m: &crate::host::Message| m.kind == kind && m.sequence == sequence;
    let sync = below.expect(wanted(Kind::Sync)).ok_or("no Sync")?;
    above.follow_up(sequence, origin);
    let follow_up = below.expect(wanted(Kind::FollowUp)).ok_or("no Follow_Up")?;
    let residual = sync.at - follow_up.time - follow_up.correction;
    if !(0..CABLE_NS).contains(&residual) {
        return Err(format!("Sync off by {residual} ns"));
    }
    let departed = below.request(1, sequence);
    let request = above.expect(wanted(Kind::DelayReq)).ok_or("no Delay_Req")?;
    above.answer(&request);
    let answer = below
        .expect(wanted(Kind::DelayResp))
        .ok_or("no Delay_Resp")?;
    let residual = answer.time - departed - answer.correction;
    if !(0..CABLE_NS).contains(&residual) {
        return Err(format!("Delay_Req off by {residual} ns"));
    }
    Ok(())
}

#[test]
fn a_lone_clients_first_request_goes_up_at_once() {
    in_sandbox!({
        let (_line, proxy, mut above, mut below) = forwarding(&[]);
        for client in 0..5 {
            let departed = below.request(client, 7);
            let request = above.next(Kind::DelayReq);
            let request = request.expect("the request");
            let way = request.at - departed;
            assert!(way < 60 * MILLISECOND, "client {client}: {way} ns");
            above.answer(&request);
            let answer = below.next(Kind::DelayResp);
            assert!(answer.is_some(), "client {client}");
        }
        assert_eq!(proxy.stop().totals.count("answered"), 5);
    });
}

#[test]
fn forwarding_resumes_when_a_link_comes_back() {
    in_sandbox!({
        let (line, proxy, mut above, mut below) = forwarding(&[]);
        assert_eq!(exchange(&mut above, &mut below, 1), Ok(()));
        let cables = [
            (&line.gateway, UP),
            (&line.grandmaster, END),
            (&line.gateway, DOWN),
            (&line.clients, END),
        ];
        for (round, (home, interface)) in (1..).zip(cables) {
            home.set_up(interface, false).unwrap();
            std::thread::sleep(Duration::from_millis(100));
            home.set_up(interface, true).unwrap();
            // The kernel may take a second until it sends on an interface that lost its link.
            let end = Instant::now() + PATIENCE;
            let mut sequence = round * 1000;
            let mut result = exchange(&mut above, &mut below, sequence);
            while result.is_err() && Instant::now() < end {
                sequence += 1;
                result = exchange(&mut above, &mut below, sequence);
            }
            assert_eq!(result, Ok(()), "{interface}: {:#?}", proxy.log());
        }
        proxy.stop();
    });
}

/// What is to be sent while the link is down does not go out when it is up again.
#[test]
fn nothing_waits_for_a_link() {
    in_sandbox!({
        let (line, proxy, mut above, mut below) = forwarding(&["--jitter", "off"]);
        assert_eq!(exchange(&mut above, &mut below, 1), Ok(()));
        line.gateway.set_up(UP, false).unwrap();
        proxy.wait_for("up up0 is down");
        for sequence in 100..110 {
            below.request(1, sequence);
            std::thread::sleep(Duration::from_millis(5));
        }
        line.gateway.set_up(UP, true).unwrap();
        proxy.wait_for("up up0 is up");
        assert_eq!(exchange(&mut above, &mut below, 2), Ok(()));
        let late = above.listen(Duration::from_millis(200));
        assert_eq!(late, [], "{:#?}", proxy.log());
        let totals = proxy.stop().totals;
        assert_eq!(totals.forwarded("down", "delay_req"), 2, "{}", totals.0);
    });
}

#[test]
fn forwarding_resumes_on_an_interface_that_was_made_anew() {
    in_sandbox!({
        let (line, proxy, mut above, mut below) = forwarding(&[]);
        assert_eq!(exchange(&mut above, &mut below, 1), Ok(()));
        for round in 0..2 {
            for (interface, side) in [(UP, "up"), (DOWN, "down")] {
                let back = format!("{side} {interface} is back");
                line.gateway.delete(interface).unwrap();
                proxy.wait_for_times(&format!("{side}: the interface was deleted"), round + 1);
                if interface == UP {
                    line.cable_above();
                    above = Host::open(&line.grandmaster, END, ETHERNET);
                } else {
                    line.cable_below();
                    below = Host::open(&line.clients, END, ETHERNET);
                }
                proxy.wait_for_times(&back, round + 1);
                let sequence = u16::try_from(round).unwrap() * 10 + u16::from(interface == UP) + 2;
                let result = exchange(&mut above, &mut below, sequence);
                assert_eq!(result, Ok(()), "{interface}: {:#?}", proxy.log());
                assert!(joined(&line, interface), "the PTP group is joined again");
            }
        }
        proxy.stop();
    });
}

/// Whether the gateway's interface has joined 224.0.1.129 (/proc/net/igmp: groups below each interface).
fn joined(line: &Line, interface: &str) -> bool {
    let read = || std::fs::read_to_string("/proc/thread-self/net/igmp").unwrap();
    let table = line.gateway.run(read).unwrap();
    let mut here = false;
    table.lines().any(|line| {
        if !line.starts_with('\t') {
            here = line.split_whitespace().nth(1) == Some(interface);
        }
        here && line.trim_start().starts_with("810100E0")
    })
}

#[test]
fn a_stopped_process_sends_nothing_late() {
    in_sandbox!({
        let options = [
            "--jitter",
            "90ms",
            "--jitter-share",
            "off",
            "--syntonize",
            "off",
        ];
        const CLIENTS: u16 = 20;
        let (_line, mut proxy, mut above, mut below) = forwarding(&options);
        let mut departed = HashMap::new();
        // Once answered, each of them is held up to 90 ms.
        for sequence in 0..2 {
            for client in 0..CLIENTS {
                departed.insert((client, sequence), below.request(client, sequence));
            }
            if sequence == 0 {
                let first = above.listen(Duration::from_millis(200));
                assert_eq!(first.len(), usize::from(CLIENTS));
                first.iter().for_each(|request| above.answer(request));
                let heard = below.listen(Duration::from_millis(200));
                let answers = heard.iter().filter(|m| m.kind == Kind::DelayResp);
                assert_eq!(answers.count(), usize::from(CLIENTS));
            }
        }
        // All of them are read by then.
        std::thread::sleep(Duration::from_millis(5));
        proxy.signal(libc::SIGSTOP);
        for sequence in 50..55 {
            let origin = above.sync(sequence);
            above.follow_up(sequence, origin);
            below.request(1, sequence);
        }
        std::thread::sleep(Duration::from_secs(2));
        proxy.signal(libc::SIGCONT);
        let requests = above.listen(Duration::from_millis(300));
        let late = requests.iter().filter(|request| {
            let client = u16::try_from(request.source.unwrap().number).unwrap();
            let departed = departed.get(&(client, request.sequence));
            // Held at most 90 ms before it was stopped, or else two seconds.
            request.at - departed.expect("not a stale one") > 500 * MILLISECOND
        });
        // One may be on its way from the decision to the kernel when the process stops.
        assert!(late.count() <= 1, "{requests:?}");
        let mut times = below.listen(Duration::ZERO);
        times.retain(|message| message.kind != Kind::Announce);
        assert!(times.iter().all(|m| m.kind == Kind::DelayResp), "{times:?}");
        assert_eq!(exchange(&mut above, &mut below, 60), Ok(()));
        let totals = proxy.stop().totals;
        let missing = u64::from(CLIENTS) - requests.len() as u64;
        assert!(missing > 0, "some waited when it stopped");
        assert_eq!(totals.dropped("up", "sync", "stale"), 5, "{}", totals.0);
        assert_eq!(
            totals.dropped("down", "delay_req", "stale"),
            5 + missing,
            "{}",
            totals.0
        );
        assert_eq!(
            totals.dropped("up", "follow_up", "no-sync"),
            5,
            "{}",
            totals.0
        );
    });
}
