//! Keys: wrong ones, unknown ones, and others while everything runs.

use std::time::Duration;

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::ptp4l::{Sample, TempDir, Transport};
use testkit::signatures::Key;

use super::{
    HOLDS, KEY, Keys, LOCKS, PATIENCE, counted, is_served, measures, ptpproxy, rig, signing,
    totals, wait_until_it_measures,
};

/// A client with the wrong key, and one with a key that nobody else has: nothing of theirs reaches the grandmaster.
#[test]
fn who_has_another_key_is_not_served() {
    in_sandbox!({
        let Some(ptp4l) = signing() else { return };
        let folder = TempDir::new().unwrap();
        let ours = Keys::new(&folder, "sa.cfg", &KEY.file());
        let wrong = Key {
            secret: "another-secret",
            ..KEY
        };
        for (key, reason) in [(wrong, "bad-icv"), (Key { id: 9, ..KEY }, "unknown-key")] {
            let options = ["--sa-file", ours.name(), "--require-authentication", "both"];
            let mut rig = rig(
                &ptpproxy(&options),
                Transport::Ethernet,
                &ptp4l,
                ours.of_ptp4l(KEY),
            );
            let grandmaster = rig.start_grandmaster().unwrap();
            // It hears the grandmaster by the right key, and asks by its own.
            let text = if key == wrong {
                wrong.file()
            } else {
                let right = KEY.file();
                format!("{right}{} SHA256-128 ASCII:{}\n", key.id, key.secret)
            };
            let theirs = Keys::new(&folder, "theirs.cfg", &text);
            rig.ends.more = theirs.of_ptp4l(key);
            let client = rig.start_client(LOCKS).unwrap();
            assert!(!is_served(&client), "{reason}: it was served");
            drop((client, grandmaster));
            let lines = totals(&mut rig);
            if reason == "unknown-key" {
                assert!(counted(&lines, reason) > 10, "{lines:#?}");
            }
            assert_eq!(counted(&lines, "answered"), 0, "{lines:#?}");
        }
    });
}

/// Keys are exchanged while everything runs: no exchange is lost until the old key's end, and none passes after it.
#[test]
fn keys_are_exchanged_under_way() {
    in_sandbox!({
        let Some(ptp4l) = signing() else { return };
        let folder = TempDir::new().unwrap();
        let next = Key {
            id: 2,
            secret: "next-secret",
            ..KEY
        };
        let only = |key: Key| key.file();
        let both = format!(
            "{}{} SHA256-128 ASCII:{}\n",
            KEY.file(),
            next.id,
            next.secret
        );
        let ends = Keys::new(&folder, "ends.cfg", &both);
        let ours = Keys::new(&folder, "sa.cfg", &only(KEY));
        let options = [
            &HOLDS[..],
            &["--sa-file", ours.name(), "--require-authentication", "both"],
        ]
        .concat();
        let mut rig = rig(
            &ptpproxy(&options),
            Transport::Udp6,
            &ptp4l,
            ends.of_ptp4l(KEY),
        );
        let grandmaster = rig.start_grandmaster().unwrap();
        let mut client = rig.start_client(LOCKS).unwrap();
        wait_until_it_measures(&mut client);
        let gateway = rig.program.as_mut().unwrap();
        let mut reload = |text: &str, said: &str| {
            ours.write(text);
            gateway.signal(libc::SIGHUP).unwrap();
            gateway.wait_for_words(said, PATIENCE).unwrap();
        };
        reload(&both, "reloaded: keys: 1 added, 1 kept");
        for _ in 0..10 {
            reload(&only(KEY), "reloaded: keys: 1 removed, 1 kept");
            std::thread::sleep(Duration::from_millis(100));
            reload(&both, "reloaded: keys: 1 added, 1 kept");
            std::thread::sleep(Duration::from_millis(100));
        }
        measures(&mut client, "after eleven reloads");
        let gateway = rig.program.as_mut().unwrap();
        let refused = |line: &String| line.contains("dropping (");
        assert!(!gateway.lines_from(0).iter().any(refused));
        // The end of the old key: both ends still sign with it.
        ours.write(&only(next));
        gateway.signal(libc::SIGHUP).unwrap();
        gateway
            .wait_for_words("reloaded: keys: 1 removed, 1 kept", PATIENCE)
            .unwrap();
        std::thread::sleep(Duration::from_secs(1));
        let from = client.line_count();
        std::thread::sleep(Duration::from_secs(1));
        let samples = client.lines_from(from);
        assert!(
            !samples.iter().any(|line| Sample::parse(line).is_some()),
            "{samples:#?}"
        );
        drop((client, grandmaster));
        let lines = totals(&mut rig);
        assert!(counted(&lines, "old-key") > 20, "{lines:#?}");
        // Whose, and which key: said once.
        let said = |line: &&String| {
            line.contains("dropping (old-key): from ")
                && line.contains(" with key 1 of spp 3 on the ")
        };
        assert_eq!(lines.iter().filter(said).count(), 1, "{lines:#?}");
        assert_eq!(
            counted(&lines, "unknown-key")
                + counted(&lines, "bad-icv")
                + counted(&lines, "replayed"),
            0,
            "{lines:#?}"
        );
        // Those that were open when the key ended.
        assert!(counted(&lines, "unanswered") <= 4, "{lines:#?}");
    });
}
