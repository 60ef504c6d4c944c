//! Both rings of an interface behind the loop's contract.

use std::num::NonZeroU64;

use super::net::{in_namespace, on_veth, veth};
use super::rings::{frame, next, rx};
use crate::engine::{Completion, Port as _, Token};
use crate::reason::Reason;
use crate::ring::port::PacketPort;
use crate::ring::tx::{TxOptions, TxRing};

on_veth! {
    /// Both rings behind the loop's contract, there and back.
    fn port_answers_the_contract() {
        let (a, b) = veth("va", "vb");
        let port = |interface| PacketPort {
            rx: rx(interface),
            tx: TxRing::open(interface, &TxOptions::default()).unwrap(),
        };
        let (mut one, mut other) = (port(&a), port(&b));
        for (from, to) in [(true, false), (false, true)] {
            let [source, sink] = if from && !to { [&mut one, &mut other] } else { [&mut other, &mut one] };
            let bytes = frame(&[0x88, 0xF7], 60);
            source.slot().unwrap()[..60].copy_from_slice(&bytes);
            source.commit(60, Some(Token::new(NonZeroU64::new(5).unwrap())));
            source.slot().unwrap()[..60].copy_from_slice(&bytes);
            source.commit(2000, Some(Token::new(NonZeroU64::new(6).unwrap())));
            assert_eq!(source.queued(), 1);
            assert_eq!(source.kick().sent, 1);
            let mut seen = Vec::new();
            source.completions(&mut |done| seen.push(match done {
                Completion::Stamped(token, _) => (token.into_value(), None),
                Completion::Software(..) => panic!("no hardware stamps these"),
                Completion::Unsent(token, reason) => (token.into_value(), Some(reason)),
            }));
            seen.sort_unstable();
            assert_eq!(seen, [(5, None), (6, Some(Reason::TooLarge))]);
            assert_eq!(next(&mut sink.rx).unwrap().0, bytes);
            assert!(sink.receive().is_none());
        }
    }
}
