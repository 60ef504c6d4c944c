//! Any octets as a frame: what the core would send on, the kernel's filter lets in.
#![no_main]
#![allow(dead_code, reason = "the tests use more of it")]

#[path = "../../tests/policy/frames.rs"]
mod frames;
#[path = "../../tests/policy/gateway.rs"]
mod gateway;

use libfuzzer_sys::fuzz_target;
use ptpproxy::Side::{Down, Up};
use ptpproxy::core::Settings;
use ptpproxy::filter::{Spec, fit, interpreter};
use ptpproxy::time::{ClockId, Stamp};
use ptpproxy::wire::Frame;

use frames::{GET, announce, clock, delay_req, management, port, sync};
use gateway::{Gateway, Outcome, unheld};

fuzz_target!(|octets: &[u8]| {
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
        sample_one_in: 0,
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
    if bytes.len() > 1600 || extension_headers(bytes) > 4 {
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
});

/// Extension headers of IPv6: the filter follows four, the core eight.
fn extension_headers(bytes: &[u8]) -> usize {
    let mut at = 12;
    while matches!(
        bytes.get(at..at + 2),
        Some([0x81, 0x00] | [0x88, 0xA8] | [0x91, 0x00])
    ) {
        at += 4;
    }
    let Some([0x86, 0xDD]) = bytes.get(at..at + 2) else {
        return 0;
    };
    let Some(&next) = bytes.get(at + 8) else {
        return 0;
    };
    let (mut next, mut header, mut count) = (next, at + 42, 0);
    while next != 17 && count < 9 {
        let Some(&[after, len]) = bytes.get(header..).and_then(|rest| rest.first_chunk()) else {
            break;
        };
        header += match next {
            51 => (usize::from(len) + 2) * 4,
            44 => 8,
            _ => (usize::from(len) + 1) * 8,
        };
        next = after;
        count += 1;
    }
    count
}
