//! Two gateways in a row, and linuxptp's own transparent clock in the gateway's place.

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::ptp4l::{Gateway, TempDir, Transport};
use testkit::signatures::Key;

use super::{
    HOLDS, KEY, Keys, LOCKS, counted, is_served, many_held, measures, none_refused, ptpproxy, rig,
    signing, totals,
};

/// Each of two gateways holds a request for up to 20 ms and signs again what the other one signed. Were one correction
/// lost, half of the mean hold, 5 ms, would be in the path delay.
#[test]
fn two_gateways_in_a_row_keep_both_corrections() {
    in_sandbox!({
        let Some(ptp4l) = signing() else { return };
        let folder = TempDir::new().unwrap();
        for (key, transport) in [(KEY, Transport::Udp4), (KEY.mutable(), Transport::Ethernet)] {
            let case = format!("two in a row, allow_mutable {}", u8::from(key.mutable));
            let keys = Keys::new(&folder, "sa.cfg", &key.file());
            let required = ["--sa-file", keys.name(), "--require-authentication", "both"];
            let Gateway::Ptpproxy { binary, arguments } =
                ptpproxy(&[&HOLDS[..], &required, &["--control", "off"]].concat())
            else {
                panic!("a gateway");
            };
            let two = Gateway::TwoPtpproxies { binary, arguments };
            let mut rig = rig(&two, transport, &ptp4l, keys.of_ptp4l(key));
            let grandmaster = rig.start_grandmaster().unwrap();
            let mut client = rig.start_client(LOCKS).unwrap();
            let (delay, offset) = measures(&mut client, &case);
            assert!(delay < 500_000, "{case}: path delay {delay} ns");
            assert!(offset.abs() < 200_000, "{case}: offset {offset} ns");
            drop((client, grandmaster));
            let first = totals(&mut rig);
            rig.program = rig.second.take();
            for lines in [first, totals(&mut rig)] {
                none_refused(&lines, &case);
                many_held(&lines, &case);
                let signed = counted(&lines, "signed");
                assert_eq!(signed > 100, !key.mutable, "{case}: {lines:#?}");
            }
        }
    });
}

/// The same keys at both ends and in the middle: whom linuxptp's clock serves and whom it does not, ours does and does not.
#[test]
fn linuxptps_transparent_clock_accepts_and_refuses_the_same() {
    in_sandbox!({
        let Some(ptp4l) = signing() else { return };
        let folder = TempDir::new().unwrap();
        let other = Key {
            secret: "another-secret",
            ..KEY
        };
        let cases = [
            ("allow_mutable 0", KEY, KEY, KEY, true, false),
            (
                "allow_mutable 1",
                KEY.mutable(),
                KEY.mutable(),
                KEY.mutable(),
                true,
                false,
            ),
            // It believes no Sync, and sends nothing that could be refused.
            ("the client has another key", KEY, KEY, other, false, false),
            (
                "the grandmaster has another key",
                other,
                KEY,
                KEY,
                false,
                true,
            ),
            (
                "the clock between has another key",
                KEY,
                other,
                KEY,
                false,
                true,
            ),
        ];
        for (case, of_grandmaster, of_gateway, of_client, served, refuses) in cases {
            let file = |name: &str, key: Key| Keys::new(&folder, name, &key.file());
            let ours = file("gateway.cfg", of_gateway);
            let (theirs, clients) = (
                file("master.cfg", of_grandmaster),
                file("client.cfg", of_client),
            );
            let required = ["--sa-file", ours.name(), "--require-authentication", "both"];
            let options = [&HOLDS[..], &required].concat();
            for gateway in [Gateway::Ptp4lTc, ptpproxy(&options)] {
                let name = match gateway {
                    Gateway::Ptp4lTc => "ptp4l E2E_TC",
                    _ => "ptpproxy",
                };
                let mut rig = rig(&gateway, Transport::Udp4, &ptp4l, ours.of_ptp4l(of_gateway));
                rig.ends.more = theirs.of_ptp4l(of_grandmaster);
                let grandmaster = rig.start_grandmaster().unwrap();
                rig.ends.more = clients.of_ptp4l(of_client);
                let mut client = rig.start_client(LOCKS).unwrap();
                if served {
                    let (delay, _) = measures(&mut client, &format!("{case}: {name}"));
                    assert!(delay < 500_000, "{case}: {name}: path delay {delay} ns");
                } else {
                    assert!(!is_served(&client), "{case}: {name} served it");
                }
                drop((client, grandmaster));
                // And it is the gateway that refuses, not only the ends.
                if gateway != Gateway::Ptp4lTc {
                    let lines = totals(&mut rig);
                    let refused = counted(&lines, "bad-icv") > 0;
                    assert_eq!(refused, refuses, "{case}: {lines:#?}");
                }
            }
        }
    });
}
