//! The short version of the long run; `tests/deep` runs a year of it.

use ptpproxy_lab::sim::Soak;

/// Long enough for the seconds field to pass 2^32, and for a client to be forgotten and to return.
#[test]
fn hours_go_by() {
    let soaked = Soak {
        hours: 2,
        ..Soak::default()
    }
    .run();
    println!("{soaked}");
    assert_eq!(soaked.wrong, Vec::<String>::new());
    assert_eq!(soaked.unaccounted, 0);
    assert_eq!(soaked.forgotten, 6);
    let (asked, answered) = soaked.requests;
    assert!(asked > 3 * 7_000 && asked - answered <= 4, "{soaked}");
    let (syncs, followed) = soaked.syncs;
    assert!(syncs > 7_000 && syncs - followed <= 4, "{soaked}");
}

/// sequenceIds wrap: eight times a second for three hours is more than 65536.
#[test]
fn sequence_ids_wrap_in_a_long_run() {
    let soaked = Soak {
        hours: 3,
        clients: 1,
        every_ns: 125_000_000,
        ..Soak::default()
    }
    .run();
    println!("{soaked}");
    assert!(soaked.requests.0 > 65_536 + 1_000, "{soaked}");
    assert_eq!(soaked.wrong, Vec::<String>::new());
    assert!(soaked.requests.0 - soaked.requests.1 <= 4, "{soaked}");
    assert_eq!(soaked.unaccounted, 0);
}
