//! Rings, filters and frames for the tests on real interfaces.

use std::collections::{BTreeMap, HashMap};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::time::{Duration, Instant};

use crate::ring::link::Interface;
use crate::ring::os::{Polled, SystemClock, sys};
use crate::ring::rx::{RxOptions, RxRing};
use crate::ring::tx::{TxOptions, TxRing};
use crate::time::Stamp;

pub(super) const fn op(code: u32, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "operation codes are below 256"
        )]
        code: code as u16,
        jt,
        jf,
        k,
    }
}

/// Lets EtherType 0x88F7 through, or below one more tag, and nothing else.
pub(super) fn ptp_only() -> Vec<libc::sock_filter> {
    let load = libc::BPF_LD | libc::BPF_H | libc::BPF_ABS;
    let equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let done = libc::BPF_RET | libc::BPF_K;
    vec![
        op(load, 0, 0, 12),
        op(equal, 3, 0, 0x88F7),
        op(equal, 0, 3, 0x8100),
        op(load, 0, 0, 16),
        op(equal, 0, 1, 0x88F7),
        op(done, 0, 0, u32::MAX),
        op(done, 0, 0, 0),
    ]
}

pub(super) fn drop_all() -> Vec<libc::sock_filter> {
    vec![op(libc::BPF_RET | libc::BPF_K, 0, 0, 0)]
}

pub(super) fn rx(interface: &Interface) -> RxRing {
    let mut ring = RxRing::open(interface, &ptp_only(), &RxOptions::default()).unwrap();
    // Right after the first socket asked for stamps, the kernel still switches them on.
    std::thread::sleep(Duration::from_millis(50));
    while ring.receive().is_some() {}
    ring
}

/// A ring whose batches only its frames and its stamps limit.
pub(super) fn tx(interface: &Interface) -> TxRing<u64> {
    let options = TxOptions {
        batch: u32::MAX,
        ..TxOptions::default()
    };
    TxRing::open(interface, &options).unwrap()
}

/// A frame that starts with the PTP multicast address and these bytes from the EtherType on.
pub(super) fn frame(from_type: &[u8], length: usize) -> Vec<u8> {
    let mut bytes = vec![0x01, 0x1B, 0x19, 0, 0, 0, 2, 0, 0, 0, 0, 1];
    bytes.extend(from_type);
    let start = bytes.len();
    bytes.resize(length, 0);
    for (number, byte) in (0_u8..=255).cycle().zip(&mut bytes[start..]) {
        *byte = number;
    }
    bytes
}

pub(super) fn put(ring: &mut TxRing<u64>, bytes: &[u8], token: Option<u64>) {
    let slot = ring.slot().expect("a free slot");
    slot[..bytes.len()].copy_from_slice(bytes);
    ring.commit(bytes.len(), token);
}

/// The number that a test has put into a frame.
pub(super) fn number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes[20..28].try_into().unwrap())
}

/// The judge of transmit timestamps is the other end of the cable: a frame arrives after it left, and before the next one
/// leaves, since veth takes both timestamps while it sends. (So net.core.netdev_tstamp_prequeue is 1, GRO is off, and the clock
/// is not set back.) Frames go by number: those of one kick may be read in another order. How many have a timestamp.
pub(super) fn stamps_fit(
    arrived: impl IntoIterator<Item = (u64, Stamp)>,
    departed: &HashMap<u64, Stamp>,
) -> usize {
    let arrived: BTreeMap<u64, i64> = (arrived.into_iter())
        .map(|(number, stamp)| (number, stamp.as_nanos()))
        .collect();
    let (mut before, mut judged) = (0, 0);
    for (number, arrived) in arrived {
        if let Some(departed) = departed.get(&number) {
            let departed = departed.as_nanos();
            let fits = (before..=arrived).contains(&departed);
            assert!(
                fits,
                "{number} left at {departed}, after {before}, arrived at {arrived}"
            );
            judged += 1;
        }
        before = arrived;
    }
    judged
}

/// The next frame within a second, with its stamp, `to_host` and `truncated`.
pub(super) fn next(ring: &mut RxRing) -> Option<(Vec<u8>, Option<Stamp>, bool, bool)> {
    let end = Instant::now() + Duration::from_secs(1);
    while Instant::now() < end {
        if let Some(frame) = ring.receive() {
            return Some((
                frame.bytes.to_vec(),
                frame.stamp,
                frame.to_host,
                frame.truncated,
            ));
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    None
}

/// Whether a loop would be woken.
pub(super) fn readable(ring: &RxRing) -> bool {
    let mut polled = Polled::new([ring.as_raw_fd()]);
    polled.wait(Some(Duration::ZERO)).unwrap();
    polled.is_readable(0)
}

pub(super) fn quiet(ring: &mut RxRing) -> bool {
    std::thread::sleep(Duration::from_millis(50));
    ring.receive().is_none()
}

/// A plain packet socket: sends frames as any program would.
pub(super) fn raw(interface: &Interface) -> std::fs::File {
    let socket = sys::socket(libc::AF_PACKET, libc::SOCK_RAW, 0).unwrap();
    sys::bind_packet(socket.as_fd(), interface.index, 0).unwrap();
    socket.into()
}

pub(super) fn realtime() -> i64 {
    SystemClock.sample().realtime_ns
}
