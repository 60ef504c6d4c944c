//! Clients lock, and measure through the gateway what they measure without signatures.

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::ptp4l::{TempDir, Transport};

use super::{
    HOLDS, KEY, Keys, LOCKS, counted, many_held, measures, none_refused, ptpproxy, rig, signing,
    totals,
};

/// Over each transport, with `allow_mutable` and without: what a client measures through the gateway is what it measures
/// without signatures, also where each request is held for up to 20 ms.
#[test]
fn clients_lock_and_measure_as_without_signatures() {
    in_sandbox!({
        let Some(ptp4l) = signing() else { return };
        let folder = TempDir::new().unwrap();
        for transport in [Transport::Ethernet, Transport::Udp4, Transport::Udp6] {
            let plain = {
                let rig = rig(&ptpproxy(&HOLDS), transport, &ptp4l, String::new());
                let _grandmaster = rig.start_grandmaster().unwrap();
                let mut client = rig.start_client(LOCKS).unwrap();
                measures(&mut client, &format!("{} unsigned", transport.label())).0
            };
            for key in [KEY, KEY.mutable()] {
                let case = format!(
                    "{} allow_mutable {}",
                    transport.label(),
                    u8::from(key.mutable)
                );
                let keys = Keys::new(&folder, "sa.cfg", &key.file());
                let options = [
                    &HOLDS[..],
                    &["--sa-file", keys.name(), "--require-authentication", "both"],
                ]
                .concat();
                let mut rig = rig(&ptpproxy(&options), transport, &ptp4l, keys.of_ptp4l(key));
                let grandmaster = rig.start_grandmaster().unwrap();
                let mut client = rig.start_client(LOCKS).unwrap();
                let (delay, _) = measures(&mut client, &case);
                drop((client, grandmaster));
                let lines = totals(&mut rig);
                none_refused(&lines, &case);
                many_held(&lines, &case);
                assert!(counted(&lines, "verified") > 200, "{case}: {lines:#?}");
                assert_eq!(
                    counted(&lines, "signed") > 100,
                    !key.mutable,
                    "{case}: {lines:#?}"
                );
                assert!(
                    delay < plain * 3 / 2 + 1_000,
                    "{case}: {delay} ns instead of {plain} ns"
                );
            }
        }
    });
}

/// `allow_mutable 1` and no key here: corrected all the same. With `--authenticated pass` it would not be.
#[test]
fn without_keys_what_may_change_is_held_and_corrected() {
    in_sandbox!({
        let Some(ptp4l) = signing() else { return };
        let folder = TempDir::new().unwrap();
        let key = KEY.mutable();
        let keys = Keys::new(&folder, "sa.cfg", &key.file());
        let options = [&HOLDS[..], &["--authenticated", "mutable"]].concat();
        let mut rig = rig(
            &ptpproxy(&options),
            Transport::Udp4,
            &ptp4l,
            keys.of_ptp4l(key),
        );
        let grandmaster = rig.start_grandmaster().unwrap();
        let mut client = rig.start_client(LOCKS).unwrap();
        let (delay, _) = measures(&mut client, "mutable");
        assert!(delay < 1_000_000, "{delay} ns: holds of 20 ms would show");
        assert!(
            !client
                .lines_from(0)
                .iter()
                .any(|line| line.contains("auth: "))
        );
        drop((client, grandmaster));
        let lines = totals(&mut rig);
        many_held(&lines, "mutable");
        assert_eq!(counted(&lines, "authenticated"), 0, "{lines:#?}");
    });
}
