//! What the program says of its memory holds: the forwarder's, measured.

use ptpproxy::core::{Forwarder, Settings, reserved_bytes};
use ptpproxy_lab::counting::{self, Counting};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn the_forwarder_reserves_what_is_said() {
    let mut wrong = Vec::new();
    for (max_clients, hold_frames, routed) in [
        (4096, 4096, false),
        (4096, 4096, true),
        (100_000, 8192, true),
        (4096, 8192, false),
        (64, 64, false),
        (64, 8192, false),
        (100_000, 8192, false),
        (1_000_000, 65_536, false),
    ] {
        let settings = Settings {
            max_clients,
            hold_frames,
            routed,
            ..Settings::default()
        };
        let said = reserved_bytes(&settings);
        let settings = settings.validated().expect("in their ranges");
        let before = counting::live();
        let forwarder = Forwarder::new(settings);
        let taken = (counting::live() - before) as u64;
        println!(
            "{max_clients} clients, {hold_frames} held, routed {routed}: {taken} bytes, said {said}"
        );
        if said < taken || said > taken + taken / 10 {
            wrong.push((max_clients, hold_frames, routed));
        }
        drop(forwarder);
    }
    assert_eq!(
        wrong,
        [],
        "clients and held frames whose memory is not as said"
    );
}
