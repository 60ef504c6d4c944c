//! ptpd as a client, where it is installed (Debian: ptpd; `PTPPROXY_PTPD` names another): multicast, hybrid and negotiated
//! unicast over IPv4, in one subnet and in two.
//!
//! `cargo test --test peers -- --ignored ptpd --nocapture`

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{env, fs};

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::net::skip;
use ptpproxy_lab::ptp4l::{Ends, GRANDMASTER_ADDRESS, INTERFACE, Program, TempDir, Transport};

use super::neighbours::{status, with_master};
use super::robust::places;

/// It is SLAVE within this time.
const PATIENCE: Duration = Duration::from_secs(30);
/// So many exchanges show that it is served.
const ANSWERED: u64 = 10;
/// How it asks, by its own words.
const MODES: [(&str, &str); 3] = [
    ("multicast", "ptpengine:ip_mode=multicast\n"),
    ("hybrid", "ptpengine:ip_mode=hybrid\n"),
    (
        "negotiated",
        "ptpengine:ip_mode=unicast\nptpengine:unicast_negotiation=Y\n",
    ),
];

fn find() -> Option<PathBuf> {
    let named = env::var_os("PTPPROXY_PTPD").map(PathBuf::from);
    let installed = ["/usr/sbin/ptpd", "/usr/local/sbin/ptpd"].map(PathBuf::from);
    let mut all = named.into_iter().chain(installed);
    all.find(|path| path.is_file())
}

/// Its configuration; what it says of itself goes into a file.
fn config(mode: &str, status: &Path) -> String {
    format!(
        "ptpengine:interface={INTERFACE}\nptpengine:preset=slaveonly\n{mode}\
         ptpengine:unicast_destinations={GRANDMASTER_ADDRESS}\nptpengine:unicast_grant_duration=30\n\
         ptpengine:log_delayreq_override=Y\nptpengine:log_delayreq_interval=-3\n\
         clock:no_adjust=Y\nclock:no_reset=Y\nglobal:foreground=Y\nglobal:ignore_lock=Y\n\
         global:log_status=Y\nglobal:status_update_interval=1\nglobal:status_file={}\n",
        status.display()
    )
}

#[test]
#[ignore = "needs ptpd, on demand: see the file"]
fn ptpd_is_served_whichever_way_it_asks() {
    in_sandbox!({
        let Some(ptpd) = find() else {
            return skip("ptpd is not installed (Debian: ptpd)");
        };
        for (name, mode) in MODES {
            let folder = TempDir::new().unwrap();
            let socket = folder.path().join("gateway.sock");
            for (place, gateway) in places(&socket) {
                let ends = Ends::default();
                let Some((rig, _master)) = with_master(&gateway, Transport::Udp4, ends) else {
                    return;
                };
                let [file, state] = ["ptpd.conf", "state"].map(|name| folder.path().join(name));
                let _ = fs::remove_file(&state);
                fs::write(&file, config(mode, &state)).unwrap();
                let mut command = Command::new(&ptpd);
                command.arg("-c").arg(&file);
                let started = Instant::now();
                let client = Program::start(&rig.client, &mut command).unwrap();
                let slave = || {
                    let text = fs::read_to_string(&state).unwrap_or_default();
                    text.contains("PTP_SLAVE")
                };
                while !slave() || status(&socket).counts.answered < ANSWERED {
                    assert!(
                        started.elapsed() < PATIENCE,
                        "{name}, {place}: {} answered; {}\n{:#?}",
                        status(&socket).counts.answered,
                        fs::read_to_string(&state).unwrap_or_default(),
                        client.lines_from(0)
                    );
                    sleep(Duration::from_millis(200));
                }
                println!(
                    "ptpd, {name}, {place}: served after {:?}",
                    started.elapsed()
                );
            }
        }
    });
}
