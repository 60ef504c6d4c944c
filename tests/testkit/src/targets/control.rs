//! Any octets on the control socket: a reply within bounds or none, and the next one is served.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use ptpproxy::control::reply::Reloaded;
use ptpproxy::control::{Orders, Place, Readers, RoleTaken};
use ptpproxy::core::{Forwarder, ValidSettings};
use ptpproxy::telemetry::{Board, Info, RoleState};

/// A gateway's control socket that lasts as long as the process.
fn socket() -> &'static PathBuf {
    static SERVER: OnceLock<(PathBuf, Mutex<Readers>)> = OnceLock::new();
    let (path, _) = SERVER.get_or_init(|| {
        let name = format!("ptpproxy-fuzz-{}.sock", std::process::id());
        let path = std::env::temp_dir().join(name);
        let info = Info {
            up: "up0".into(),
            downs: vec!["down0".into()],
            stamps: "software".into(),
            started: SystemTime::UNIX_EPOCH,
        };
        let core = Forwarder::new(ValidSettings::default());
        let board = Arc::new(Board::new(info, vec![core.client_slots()]));
        let reload = || Reloaded {
            protocol: 1,
            applied: Vec::new(),
            needs_restart: Vec::new(),
            errors: Vec::new(),
        };
        let place = Place::At(path.clone());
        let set_role = |role, by| {
            let (taken, later) = std::sync::mpsc::channel();
            let state = RoleState {
                role,
                by,
                ..RoleState::default()
            };
            let _ = taken.send(RoleTaken {
                changed: true,
                state,
            });
            later
        };
        let orders = Orders {
            reload: Arc::new(reload),
            set_role: Arc::new(set_role),
            // Nobody takes its place: the connection is closed.
            hand_over: Arc::new(drop),
        };
        let readers = Readers::start(board, (&place, false), orders).expect("a thread");
        (path, Mutex::new(readers))
    });
    path
}

/// One input.
///
/// # Panics
/// If the reply is not one line of JSON with the protocol's number, or the server does not answer any more.
pub fn run(octets: &[u8]) {
    let reply = ask(octets);
    if !reply.is_empty() {
        let value: serde_json::Value = serde_json::from_slice(&reply).expect("JSON");
        assert_eq!(value["protocol"], 1, "{value}");
        assert!(reply.len() < 100_000);
    }
    let asked = octets.contains(&b'\n') && std::str::from_utf8(octets).is_ok();
    assert!(
        !(asked && octets.len() < 250 && reply.is_empty()),
        "no reply"
    );
}

fn ask(octets: &[u8]) -> Vec<u8> {
    let mut stream = UnixStream::connect(socket()).expect("it listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a time");
    // It may close before it has read all.
    let _ = stream.write_all(octets);
    let _ = stream.shutdown(Shutdown::Write);
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply);
    reply
}
