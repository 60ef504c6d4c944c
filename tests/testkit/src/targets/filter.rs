//! Any octets as a frame: what the core would send on, the kernel's filter lets in.

use ptpproxy::Side::{Down, Up};
use ptpproxy::core::Settings;
use ptpproxy::filter::{Sampling, Spec, fit, interpreter};
use ptpproxy::time::{ClockId, Stamp};
use ptpproxy::wire::Frame;

use crate::frames::{self, GET, announce, clock, delay_req, management, port, sync};
use crate::gateway::{Gateway, Outcome, unheld};

/// One input.
///
/// # Panics
/// If the filter keeps what the core would send on.
pub fn run(octets: &[u8]) {
    let Some((&[how, limit], bytes)) = octets.split_first_chunk::<2>() else {
        return;
    };
    let side = if how & 1 == 0 { Up } else { Down };
    let domains = if how & 2 == 0 { vec![] } else { vec![0, 3, 44] };
    let mut gateway = Gateway::new(Settings {
        domains,
        ..unheld()
    });
    let requests = [
        delay_req(10, 1),
        delay_req(11, 0x0101),
        management(30, 3, port(1), GET),
    ];
    for message in requests {
        for way in [frames::ETHERNET, frames::UDP4] {
            let _ = gateway.hears(Down, &message.clone().on(way));
        }
    }
    for message in [announce(1, 1, clock(1)), sync(1, 1)] {
        let _ = gateway.hears(Up, &message);
    }
    let clients: Vec<_> = gateway.core.client_identities().collect();
    let domains = &gateway.core.settings().domains;
    let spec = Spec {
        side,
        domains: (!domains.is_empty()).then_some(domains),
        clients: (how & 4 == 0).then_some(&clients),
        watch_second_path: how & 8 == 0,
        neighbours: None,
        sampling: Sampling::each(0),
        key: [7, 11, u32::from(limit)],
    };
    let most = if how & 16 == 0 {
        4096
    } else {
        250 + usize::from(limit)
    };
    let Ok((program, _)) = fit(&spec, most) else {
        return;
    };
    interpreter::check(&program).expect("the kernel would take it");

    // The kernel takes the outermost tag out of the data.
    let mut data = bytes.to_vec();
    if matches!(data.get(12..14), Some([0x81, 0x00] | [0x88, 0xA8])) && data.len() >= 18 {
        data.drain(12..16);
    }
    let passes = interpreter::run(&program, &data, 1).expect("valid").verdict != 0;
    if bytes.len() > 1600 {
        return;
    }
    let Ok(frame) = Frame::parse(bytes) else {
        return;
    };
    let kind = frame.message_type();
    let now = gateway.now;
    let stamp = Stamp::new(ClockId::Steady, i64::try_from(now).expect("years"));
    let outcome = gateway.hears_bytes(side, bytes, now, Ok(stamp));
    if matches!(outcome, Outcome::Sent(_) | Outcome::Waits) {
        assert!(passes, "{kind} {outcome:?}");
    }
}
