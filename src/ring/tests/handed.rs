//! Rings that pass to another owner on real interfaces.

use std::num::NonZeroU64;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use super::net::{in_namespace, on_veth, run, veth};
use super::rings::{frame, next, ptp_only, quiet};
use crate::engine::{Completion, Port as _, Token};
use crate::ring::handed::{HandedPort, PortSockets};
use crate::ring::link::Interface;
use crate::ring::port::PacketPort;
use crate::ring::rx::{RxOptions, RxRing};
use crate::ring::tx::{TxOptions, TxRing};

/// A small transmit ring, so that it wraps.
fn options() -> (RxOptions, TxOptions) {
    let transmit = TxOptions {
        frames: 64,
        ..TxOptions::default()
    };
    (RxOptions::default(), transmit)
}

fn open(interface: &Interface) -> PacketPort {
    let (receive, transmit) = options();
    PacketPort {
        rx: RxRing::open(interface, &ptp_only(), &receive).unwrap(),
        tx: TxRing::open(interface, &transmit).unwrap(),
    }
}

fn copies(port: &PacketPort) -> PortSockets<OwnedFd> {
    let copy = |socket: BorrowedFd<'_>| socket.try_clone_to_owned().unwrap();
    let PortSockets { rx, tx } = port.sockets();
    PortSockets {
        rx: copy(rx),
        tx: copy(tx),
    }
}

/// Written and read again, as between two processes.
fn carried(handed: &HandedPort) -> HandedPort {
    serde_json::from_str(&serde_json::to_string(handed).unwrap()).unwrap()
}

fn take(interface: &Interface, from: PacketPort) -> anyhow::Result<PacketPort> {
    take_as(interface, from, options())
}

fn take_as(
    interface: &Interface,
    mut from: PacketPort,
    (receive, transmit): (RxOptions, TxOptions),
) -> anyhow::Result<PacketPort> {
    let sockets = copies(&from);
    let handed = carried(&from.hand_over());
    let taken = PacketPort::take_over(interface, sockets, handed, (&receive, &transmit));
    drop(from);
    taken
}

fn put(port: &mut PacketPort, number: u8, token: Option<u64>) {
    let mut bytes = frame(&[0x88, 0xF7], 60);
    bytes[20] = number;
    port.slot().unwrap()[..60].copy_from_slice(&bytes);
    port.commit(
        60,
        token.map(|token| Token::new(NonZeroU64::new(token).unwrap())),
    );
}

fn stamped(port: &mut PacketPort) -> Vec<u64> {
    let mut tokens = Vec::new();
    port.completions(&mut |done| {
        if let Completion::Stamped(token, _) = done {
            tokens.push(token.into_value());
        }
    });
    tokens
}

on_veth! {
    /// Each frame is read once, in order, with its timestamp, whoever reads; each timestamp reaches its token.
    fn rings_go_on_where_they_were() {
        let (a, b) = veth("va", "vb");
        let (mut sender, mut reader) = (open(&a), open(&b));
        std::thread::sleep(std::time::Duration::from_millis(50));
        let (mut seen, mut number, mut token) = (Vec::new(), 0_u8, 0_u64);
        // More frames than the transmit ring has.
        for round in 0..60 {
            for _ in 0..2 + round % 3 {
                token += 1;
                put(&mut sender, number, Some(token));
                number = number.wrapping_add(1);
            }
            assert_eq!(sender.kick().unsent, 0);
            match round % 4 {
                // Timestamps wait in the error queue, and frames in the ring: some are read by this owner.
                0 => {
                    seen.push(next(&mut reader.rx).unwrap().0[20]);
                    (sender, reader) = (take(&a, sender).unwrap(), take(&b, reader).unwrap());
                }
                1 => sender = take(&a, sender).unwrap(),
                // A frame is lent meanwhile.
                2 => {
                    let lent = reader.receive().unwrap();
                    seen.push(lent.bytes[20]);
                    assert!(lent.stamp.is_some());
                    reader = take(&b, reader).unwrap();
                }
                _ => {}
            }
            let tokens = stamped(&mut sender);
            assert_eq!(tokens.last(), Some(&token), "round {round}");
            if round % 5 == 4 {
                while let Some(frame) = reader.receive() {
                    assert!(frame.stamp.is_some());
                    seen.push(frame.bytes[20]);
                }
            }
        }
        while let Some(frame) = reader.receive() {
            seen.push(frame.bytes[20]);
        }
        let all: Vec<u8> = (0..number).collect();
        assert_eq!(seen, all);
        assert_eq!(sender.tx.stats().stamped, token);
        assert_eq!(sender.tx.stats().stamps_lost, 0);
        assert_eq!(reader.rx.drops(), (u64::from(number), 0));
    }
}

on_veth! {
    /// The other one did not take it: nothing is lost, and nothing is sent that was given up.
    fn its_owner_goes_on_if_nobody_takes_it() {
        let (a, b) = veth("va", "vb");
        let (mut sender, mut reader) = (open(&a), open(&b));
        std::thread::sleep(std::time::Duration::from_millis(50));
        put(&mut sender, 1, Some(1));
        assert_eq!(sender.kick().sent, 1);
        put(&mut sender, 2, Some(2));
        let handed = sender.hand_over();
        sender.resume(handed);
        assert_eq!(sender.queued(), 0);
        let mut unsent = 0;
        let mut tokens = Vec::new();
        sender.completions(&mut |done| match done {
            Completion::Stamped(token, _) => tokens.push(token.into_value()),
            Completion::Unsent(..) => unsent += 1,
            Completion::Software(..) => {}
        });
        assert_eq!((tokens, unsent), (vec![1], 1));
        put(&mut sender, 3, Some(3));
        assert_eq!(sender.kick().sent, 1);
        assert_eq!(stamped(&mut sender), [3]);
        let seen: Vec<u8> = (0..2).map(|_| next(&mut reader.rx).unwrap().0[20]).collect();
        assert_eq!(seen, [1, 3]);
        assert!(quiet(&mut reader.rx));
    }
}

on_veth! {
    fn another_ring_or_interface_is_refused_in_words() {
        let (a, b) = veth("va", "vb");
        let usual = options();
        let why = |result: anyhow::Result<PacketPort>| format!("{:#}", result.unwrap_err());
        let smaller = RxOptions { frames: 1024, ..usual.0.clone() };
        let text = why(take_as(&a, open(&a), (smaller, usual.1.clone())));
        assert!(text.contains("va: its ring has 4096 frames of 512 bytes, not 1024 of 512"), "{text}");
        let smaller = TxOptions { frames: 128, ..usual.1.clone() };
        let text = why(take_as(&a, open(&a), (usual.0.clone(), smaller)));
        assert!(text.contains("va: its ring has 64 frames of 2048 bytes, not 128"), "{text}");
        let few = RxOptions { promiscuous: false, ..usual.0.clone() };
        assert!(why(take_as(&a, open(&a), (few, usual.1.clone()))).contains("--no-promiscuous"));
        let bypass = TxOptions { qdisc_bypass: true, ..usual.1.clone() };
        assert!(why(take_as(&a, open(&a), (usual.0.clone(), bypass))).contains("--qdisc-bypass"));
        assert!(why(take(&b, open(&a))).contains("vb is another interface by now"));
        // Not by its name: by what the socket is bound to.
        let anew = open(&a);
        run("ip link del va");
        let (again, _) = veth("va", "vb");
        assert!(why(take(&again, anew)).contains("va is another interface by now"));
        let mut one = open(&again);
        let handed = one.hand_over();
        let file = || OwnedFd::from(std::fs::File::open("/proc/self/exe").unwrap());
        let sockets = PortSockets { rx: file(), tx: file() };
        let taken = PacketPort::take_over(&again, sockets, handed, (&usual.0, &usual.1));
        assert!(why(taken).contains("va: no packet socket"));
        assert!(one.rx.as_fd().try_clone_to_owned().is_ok());
    }
}
