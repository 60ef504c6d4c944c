//! The service manager hears from the real program what `Type=notify` and `WatchdogSec=` ask for.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::net::{Namespace, veth};
use ptpproxy_lab::ptp4l::{Program, TempDir};

const PATIENCE: Duration = Duration::from_secs(5);

/// A service manager that has started the program with these arguments and a watchdog of 300 ms.
fn start(namespace: &Namespace, arguments: &[&str]) -> (TempDir, UnixDatagram, Program) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ptpproxy"));
    command
        .args(["--up", "up0", "--down", "down0"])
        .args(arguments)
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "300000");
    let program = Program::start(namespace, &mut command).unwrap();
    (folder, manager, program)
}

fn heard(manager: &UnixDatagram) -> String {
    let mut bytes = [0; 512];
    let count = manager.recv(&mut bytes).expect("a message in time");
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

#[test]
fn the_manager_hears_ready_then_a_heartbeat_then_the_end() {
    in_sandbox!({
        let gateway = Namespace::new("gateway").unwrap();
        veth(&gateway, "up0", &gateway, "up1").unwrap();
        veth(&gateway, "down0", &gateway, "down1").unwrap();
        let (_folder, manager, mut program) = start(&gateway, &[]);
        let ready = heard(&manager);
        assert!(
            ready.starts_with("READY=1\nSTATUS=forwarding: up up0 <-> down down0"),
            "{ready}"
        );
        let begin = std::time::Instant::now();
        for beat in 0..10 {
            let alive = heard(&manager);
            assert!(alive.starts_with("WATCHDOG=1\nSTATUS="), "{beat}: {alive}");
        }
        // A third of the watchdog's time each; the first comes at once.
        assert!(
            begin.elapsed() >= Duration::from_millis(850),
            "{:?}",
            begin.elapsed()
        );
        program.signal(libc::SIGTERM).unwrap();
        while heard(&manager) != "STOPPING=1\n" {}
        assert!(program.wait().unwrap().success());
    });
}

#[test]
fn a_gateway_that_waits_for_an_interface_is_alive() {
    in_sandbox!({
        let gateway = Namespace::new("gateway").unwrap();
        veth(&gateway, "up0", &gateway, "up1").unwrap();
        let (_folder, manager, _program) = start(&gateway, &["--wait"]);
        assert_eq!(
            heard(&manager),
            "READY=1\nSTATUS=waiting for interface down0\n"
        );
        assert_eq!(
            heard(&manager),
            "WATCHDOG=1\nSTATUS=waiting for interface down0\n"
        );
        veth(&gateway, "down0", &gateway, "down1").unwrap();
        while !heard(&manager).contains("STATUS=forwarding:") {}
    });
}
