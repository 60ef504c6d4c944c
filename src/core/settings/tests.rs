use super::*;

#[test]
fn defaults_are_valid_and_bad_values_are_named() {
    assert_eq!(Settings::default().validate(), Ok(()));
    let bad = Settings {
        jitter: Duration::from_millis(200),
        max_clients: 0,
        ..Settings::default()
    };
    let SettingsError(conflicts) = bad.validated().expect_err("too long, and too few");
    let [jitter, clients] = conflicts.as_slice() else {
        panic!("{conflicts:?}");
    };
    assert!(jitter.names("jitter") && jitter.names("max-hold") && !jitter.names("sweep"));
    assert_eq!(
        jitter.to_string(),
        "--jitter 200ms and --max-hold 100ms: jitter must not be longer than max-hold: lower the one or raise \
         the other"
    );
    assert_eq!(
        clients.in_file(),
        "max-clients 0: out of range: 1 to 2000000"
    );
    let bad = Settings {
        jitter_share: Some(f64::NAN),
        ..Settings::default()
    };
    assert!(bad.validate().is_err());
}

/// One value beside each bound: the defaults are inside of all.
#[test]
fn every_range_is_checked() {
    type Spoil = fn(&mut Settings);
    let spoils: [(&str, Spoil); 12] = [
        ("jitter", |s| s.jitter = Duration::from_secs(2)),
        ("jitter-share", |s| s.jitter_share = Some(0.0)),
        ("max-hold", |s| s.max_hold = Duration::from_secs(2)),
        ("tx-timestamp-timeout", |s| {
            s.tx_timestamp_timeout = Duration::ZERO
        }),
        ("phc-bound", |s| s.phc_bound = Duration::from_millis(1)),
        ("max-rate-ppm", |s| s.max_rate_ppm = 1001.0),
        ("max-clients", |s| s.max_clients = 2_000_001),
        ("client-timeout", |s| {
            s.client_timeout = Duration::from_millis(999)
        }),
        ("client-rate", |s| s.client_rate = 0),
        ("max-rate", |s| s.max_rate = Some(0)),
        ("hold-frames", |s| s.hold_frames = 15),
        ("sweep", |s| s.grid = Duration::from_millis(13)),
    ];
    for (key, spoil) in spoils {
        let mut settings = Settings::default();
        spoil(&mut settings);
        let SettingsError(conflicts) = settings.validated().expect_err(key);
        assert!(
            conflicts.iter().any(|conflict| conflict.names(key)),
            "{key}: {conflicts:?}"
        );
    }
}
