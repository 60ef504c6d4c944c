//! Receives on both interfaces for some seconds, and sends nothing but what joins the multicast groups.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::heard::Heard;
use crate::filter::{self, MAX_INSTRUCTIONS, Sampling, Spec};
use crate::ring::{GroupMembership, Interface, RxOptions, RxRing};
use crate::{PerSide, Side};

/// The rings are emptied this often.
const EVERY: Duration = Duration::from_millis(10);

/// What each side sends within this time.
///
/// # Errors
/// The rings cannot be opened: one line with the remedy.
pub(super) fn both(interfaces: PerSide<&Interface>, time: Duration) -> Result<PerSide<Heard>> {
    let mut up = Ear::open(interfaces.up)?;
    let mut down = Ear::open(interfaces.down)?;
    let end = Instant::now() + time;
    while Instant::now() < end {
        up.take();
        down.take();
        thread::sleep(EVERY);
    }
    Ok(PerSide {
        up: up.heard,
        down: down.heard,
    })
}

/// One side's rings.
struct Ear {
    ptp: RxRing,
    arp: RxRing,
    _groups: GroupMembership,
    heard: Heard,
}

impl Ear {
    fn open(interface: &Interface) -> Result<Self> {
        // As downstream, where the core sees every PTP frame, whatever its version or domain.
        let spec = Spec {
            side: Side::Down,
            domains: None,
            clients: None,
            watch_second_path: false,
            neighbours: None,
            sampling: Sampling::each(0),
            key: [0; 3],
        };
        let (program, _) = filter::fit(&spec, MAX_INSTRUCTIONS)?;
        let program: Vec<libc::sock_filter> = program
            .iter()
            .map(|step| libc::sock_filter {
                code: step.code,
                jt: step.jt,
                jf: step.jf,
                k: step.k,
            })
            .collect();
        let options = |frames| RxOptions {
            frames,
            ..RxOptions::default()
        };
        let (groups, _) = GroupMembership::join(interface);
        Ok(Self {
            ptp: RxRing::open(interface, &program, &options(1024))?,
            arp: RxRing::open(interface, &ARP, &options(64))?,
            _groups: groups,
            heard: Heard::default(),
        })
    }

    fn take(&mut self) {
        for ring in [&mut self.ptp, &mut self.arp] {
            while let Some(received) = ring.receive() {
                self.heard.take(received.bytes);
            }
        }
    }
}

/// Classic BPF: ARP, and nothing else (EtherType 0x0806 at byte 12).
const ARP: [libc::sock_filter; 4] = [
    instruction(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, 0, 12),
    instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, 0x0806),
    instruction(libc::BPF_RET | libc::BPF_K, 0, 0xFFFF),
    instruction(libc::BPF_RET | libc::BPF_K, 0, 0),
];

#[expect(
    clippy::cast_possible_truncation,
    reason = "codes of BPF have eight bits"
)]
const fn instruction(code: u32, unequal: u8, value: u32) -> libc::sock_filter {
    libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: unequal,
        k: value,
    }
}
