//! Several interfaces downstream: what is for all goes to each, an answer to the port that asked, nothing from one to
//! another; and what happens to one port disturbs no other.

mod load;

use std::process::Command;
use std::time::Duration;

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::lab::frames::Kind;
use ptpproxy_lab::lab::station::Station;
use ptpproxy_lab::net::{Namespace, veth};

use crate::host::{ETHERNET, Host};
use crate::proxy::{Proxy, UP, program};
use crate::segments::END;

const PORTS: usize = 4;
/// What cables and a busy machine may leave of a time after its correction.
const CABLE_NS: i64 = 3_000_000;

/// `grandmaster:eth0 --- up0:gateway:port0..3 --- eth0:clients0..3`
struct Star {
    grandmaster: Namespace,
    gateway: Namespace,
    clients: Vec<Namespace>,
}

impl Star {
    fn new() -> Self {
        let star = Self {
            grandmaster: Namespace::new("grandmaster").unwrap(),
            gateway: Namespace::new("gateway").unwrap(),
            clients: (0..PORTS)
                .map(|port| Namespace::new(&format!("clients{port}")).unwrap())
                .collect(),
        };
        veth(&star.grandmaster, END, &star.gateway, UP).unwrap();
        (0..PORTS).for_each(|port| star.cable(port));
        star
    }

    /// Makes the cable of a port, anew if it was deleted.
    fn cable(&self, port: usize) {
        veth(&self.gateway, &interface(port), &self.clients[port], END).unwrap();
    }

    fn host(&self, port: usize) -> Host {
        Host::open(&self.clients[port], END, ETHERNET)
    }

    /// The program with these ports and more options.
    fn command(&self, downs: &[impl AsRef<str>], options: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(["--up", UP, "--control", "off"]);
        for down in downs {
            command.args(["--down", down.as_ref()]);
        }
        command.args(options);
        command
    }

    /// The gateway with these ports, and all hosts.
    fn start(&self, downs: &[&str]) -> (Proxy, Host, Vec<Host>) {
        self.start_with(downs, &[])
    }

    fn start_with(&self, downs: &[impl AsRef<str>], options: &[&str]) -> (Proxy, Host, Vec<Host>) {
        let proxy = Proxy::launch(&self.gateway, &mut self.command(downs, options));
        proxy.wait_for("forwarding:");
        let (mut above, below) = self.hosts();
        above.introduce();
        (proxy, above, below)
    }

    /// The grandmaster's, and one at each port.
    fn hosts(&self) -> (Host, Vec<Host>) {
        let above = Host::open(&self.grandmaster, END, ETHERNET);
        let below = (0..PORTS).map(|port| self.host(port)).collect();
        (above, below)
    }
}

fn interface(port: usize) -> String {
    format!("port{port}")
}

/// A client behind a port asks; whether it got the one answer. What others heard meanwhile is left for them to read.
fn asks(above: &mut Host, below: &mut Host, client: u16, sequence: u16) -> Result<(), String> {
    let departed = below.request(client, sequence);
    let request = above.expect(|m| m.kind == Kind::DelayReq && m.sequence == sequence);
    above.answer(&request.ok_or("no Delay_Req")?);
    let answer = below.expect(|m| m.kind == Kind::DelayResp && m.sequence == sequence);
    let answer = answer.ok_or("no Delay_Resp")?;
    let residual = answer.time - departed - answer.correction;
    match (0..CABLE_NS).contains(&residual) {
        true => Ok(()),
        false => Err(format!("off by {residual} ns")),
    }
}

#[test]
fn each_port_is_served_and_hears_nothing_of_another() {
    in_sandbox!({
        let star = Star::new();
        let (proxy, mut above, mut below) = star.start(&["port*"]);
        proxy.wait_for("up up0 <-> down port0, port1, port2, port3");
        let origin = above.sync(1);
        above.follow_up(1, origin);
        for (port, host) in below.iter_mut().enumerate() {
            let sync = host.next(Kind::Sync).expect("a Sync");
            let follow_up = host.next(Kind::FollowUp).expect("a Follow_Up");
            let residual = sync.at - follow_up.time - follow_up.correction;
            assert!((0..CABLE_NS).contains(&residual), "port {port}: {residual}");
        }
        for round in 0..3 {
            for (port, host) in below.iter_mut().enumerate() {
                let client = u16::try_from(port).unwrap() + 1;
                let sequence = round * 100 + client;
                let result = asks(&mut above, host, client, sequence);
                assert_eq!(result, Ok(()), "port {port}: {:#?}", proxy.log());
            }
        }
        // What a port sends that no other may hear, and what a master would send.
        for kind in [Kind::Sync, Kind::FollowUp, Kind::Announce, Kind::DelayResp] {
            for host in &mut below {
                let template = host.template(kind, Station::client(70));
                host.send(&template, |draft| draft.sequence(77));
            }
        }
        for (port, host) in below.iter_mut().enumerate() {
            let heard = host.listen(Duration::from_millis(150));
            assert_eq!(heard, [], "port {port}");
        }
        let totals = proxy.stop().totals;
        assert_eq!(totals.count("answered"), 12, "{}", totals.0);
        assert_eq!(totals.forwarded("up", "delay_resp"), 12, "{}", totals.0);
    });
}

#[test]
fn a_port_that_is_deleted_and_made_anew_disturbs_no_other() {
    in_sandbox!({
        let star = Star::new();
        let (proxy, mut above, mut below) = star.start(&["port0", "port1", "port2", "port3"]);
        let mut sequence = 0_u16;
        let mut others = |above: &mut Host, below: &mut [Host], rounds: u16| {
            for _ in 0..rounds {
                sequence += 1;
                for port in [0, 1, 3] {
                    let client = u16::try_from(port).unwrap() + 1;
                    let result = asks(above, &mut below[port], client, sequence);
                    assert_eq!(result, Ok(()), "port {port}, {sequence}");
                }
            }
        };
        assert_eq!(asks(&mut above, &mut below[2], 3, 9_000), Ok(()));
        others(&mut above, &mut below, 10);
        star.gateway.delete("port2").unwrap();
        others(&mut above, &mut below, 20);
        proxy.wait_for("down port2: the interface was deleted");
        star.cable(2);
        below[2] = star.host(2);
        others(&mut above, &mut below, 20);
        proxy.wait_for("down port2 is back");
        assert_eq!(
            asks(&mut above, &mut below[2], 3, 9_001),
            Ok(()),
            "{:#?}",
            proxy.log()
        );
        others(&mut above, &mut below, 10);
        let totals = proxy.stop().totals;
        assert_eq!(totals.count("answered"), 3 * 60 + 2, "{}", totals.0);
    });
}

#[test]
fn what_cannot_be_joined_is_refused_in_words() {
    in_sandbox!({
        let star = Star::new();
        for (downs, says) in [
            (
                &["port0", "port0"] as &[&str],
                "--down port0 is given twice",
            ),
            (&["lan*"], "--down lan*: no interface has such a name"),
            (&["port0", "up0"], "the same interface"),
        ] {
            let mut command = star.command(downs, &[]);
            let ended = Proxy::launch(&star.gateway, &mut command).end();
            assert!(!ended.status.success());
            let log = ended.log.join("\n");
            assert!(log.contains(says), "{downs:?}: {log}");
        }
        // A pattern never means the interface upstream.
        let (proxy, ..) = star.start(&["*0", "port1"]);
        proxy.wait_for("up up0 <-> down port0, port1");
        proxy.stop();
    });
}
