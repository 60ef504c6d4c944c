//! The program in a gateway: ptpproxy, or what a user would run instead.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use super::machine;
use super::scene::{self, DOWN, UP};
use crate::forwarders;
use crate::lab::frames::shape::Network;
use crate::lab::frames::signing;
use crate::lab::frames::station::{Role as StationRole, Station};
use crate::lab::frames::subnets::router;
use crate::lab::options::{GatewayKind, Options};
use crate::net::Namespace;
use crate::ptp4l::{Program, Ptp4l, Role, TempDir, Transport};

/// How long a forwarder may take to say that it runs, and to stop.
const PATIENCE: Duration = Duration::from_secs(10);
/// ptpproxy's default for --max-clients.
const MANY: u32 = 4096;

/// First argument of a program that is the ptpproxy that the lab was built with.
pub const PART: &str = "play-gateway";

/// A running forwarder.
#[derive(Debug)]
pub struct Forwarder {
    program: Program,
    shown: usize,
    verbose: bool,
    /// ptpproxy ends well when told to.
    ours: bool,
    _folder: Option<TempDir>,
}

impl Forwarder {
    /// Starts what the options name in a gateway and waits until it runs; `None` where nothing needs
    /// to run. `binary` is the ptpproxy to test, if not the one that the lab was built with.
    pub fn start(
        binary: Option<&Path>,
        gateway: &Namespace,
        options: &Options,
    ) -> Result<Option<Self>> {
        let mut folder = None;
        let mut program = match options.gateway {
            GatewayKind::Bridge | GatewayKind::Direct => return Ok(None),
            GatewayKind::Ours => {
                let mut command = ours(binary, options)?;
                if let Some(address) = options.behind() {
                    let prefix = if address.is_ipv4() { 8 } else { 64 };
                    gateway.add_address(UP, address, prefix)?;
                    command.args(["--source", "gateway", "--source-address"]);
                    command.arg(address.to_string());
                }
                if options.routed {
                    be_the_router(gateway, options, &mut command)?;
                }
                if let Some(master) = Station::MASTER.ip(options.transport)
                    && options.unicast
                {
                    // It is silent until it is asked.
                    command.args(["--unicast-master", &master.to_string()]);
                }
                if options.signed {
                    let temporary = TempDir::new()?;
                    require_signatures(&mut command, &temporary)?;
                    folder = Some(temporary);
                }
                Program::start(gateway, &mut command)?
            }
            GatewayKind::Raw
            | GatewayKind::V3
            | GatewayKind::Stamped
            | GatewayKind::Pcap
            | GatewayKind::Deaf => {
                let own = Path::new("/proc/self/exe").canonicalize()?;
                let mut command = Command::new(own);
                command.args([forwarders::PART, options.gateway.label(), UP, DOWN]);
                Program::start(gateway, &mut command)?
            }
            GatewayKind::Ptp4lTc => {
                let temporary = TempDir::new()?;
                let mut program = transparent_clock(gateway, options, &temporary)?;
                program.wait_for_words("port 2", PATIENCE)?;
                folder = Some(temporary);
                program
            }
        };
        program.wait_for("first line", PATIENCE, |_| Some(()))?;
        // A refusal is a line as well.
        std::thread::sleep(Duration::from_millis(50));
        let mut forwarder = Self {
            program,
            shown: 0,
            verbose: options.verbose,
            ours: options.gateway == GatewayKind::Ours,
            _folder: folder,
        };
        forwarder.check()?;
        Ok(Some(forwarder))
    }

    /// An error with what it said, if it has ended by itself.
    pub fn check(&mut self) -> Result<()> {
        if let Some(status) = self.program.try_wait()? {
            std::thread::sleep(Duration::from_millis(100));
            let said = self.program.lines_from(0).join("\n  ");
            bail!("the forwarder ended ({status}):\n  {said}");
        }
        self.show();
        Ok(())
    }

    fn show(&mut self) {
        let news = self.program.lines_from(self.shown);
        self.shown += news.len();
        for line in news.iter().filter(|_| self.verbose) {
            eprintln!("forwarder: {line}");
        }
    }

    /// Stops it, or lets it go on.
    pub fn signal(&mut self, signal: i32) -> Result<()> {
        self.program
            .signal(signal)
            .context("signal to the forwarder")
    }

    /// Nanoseconds on a processor so far.
    #[must_use]
    pub fn cpu_ns(&self) -> Option<u64> {
        machine::cpu_ns(self.program.id())
    }

    /// How often its threads went to sleep so far.
    #[must_use]
    pub fn sleeps(&self) -> Option<u64> {
        machine::sleeps(self.program.id())
    }

    /// Peak resident memory so far, in KiB.
    #[must_use]
    pub fn peak_rss_kib(&self) -> Option<u64> {
        machine::peak_rss_kib(self.program.id())
    }

    /// Stops it; what it said from beginning to end.
    pub fn stop(mut self) -> Result<Vec<String>> {
        self.check()?;
        let status = self.program.stop(PATIENCE)?;
        // The last lines are on their way from its pipe.
        std::thread::sleep(Duration::from_millis(100));
        self.show();
        let log = self.program.lines_from(0);
        ensure!(
            status.success() || !self.ours,
            "ptpproxy did not stop well ({status}):\n  {}",
            log.join("\n  ")
        );
        Ok(log)
    }
}

/// The ptpproxy to run: another one, or that which the lab was built with.
pub(super) fn ptpproxy(binary: Option<&Path>) -> Result<Command> {
    Ok(match binary {
        Some(binary) => Command::new(binary),
        None => {
            let mut command = Command::new(Path::new("/proc/self/exe").canonicalize()?);
            command.arg(PART);
            command
        }
    })
}

fn ours(binary: Option<&Path>, options: &Options) -> Result<Command> {
    let mut command = ptpproxy(binary)?;
    command.args(["--up", UP]);
    for down in scene::downs(options) {
        command.args(["--down", &down]);
    }
    if let Some(jitter) = &options.jitter {
        command.args(["--jitter", jitter]);
    }
    if options.clients > MANY {
        command.args(["--max-clients", &options.clients.to_string()]);
    }
    command.args(options.proxy_args.split_whitespace());
    Ok(command)
}

/// Makes the gateway the router between the two subnets, for its kernel and for ptpproxy.
fn be_the_router(gateway: &Namespace, options: &Options, command: &mut Command) -> Result<()> {
    for (interface, of) in [(UP, StationRole::Master), (DOWN, StationRole::Client)] {
        let router = router(of, options.transport);
        let (ip, prefix) = router.context("--routed: --transport udp4 or udp6")?;
        gateway.add_address(interface, ip, prefix)?;
    }
    for key in ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"] {
        gateway.sysctl(key, "1")?;
    }
    command.arg("--routed");
    Ok(())
}

/// Gives ptpproxy the key of all stations; nothing passes that is not signed with it.
fn require_signatures(command: &mut Command, folder: &TempDir) -> Result<()> {
    let path = folder.path().join("sa.cfg");
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    file.write_all(signing::sa_file().as_bytes())?;
    command.arg("--sa-file").arg(path);
    command.args(["--require-authentication", "both"]);
    Ok(())
}

/// ptp4l as an end-to-end transparent clock. Over UDP it wants addresses, which nobody uses.
fn transparent_clock(gateway: &Namespace, options: &Options, folder: &TempDir) -> Result<Program> {
    for (last, interface) in [(0xFD, UP), (0xFE, DOWN)] {
        gateway.add_address(interface, [10, 0, 0, last], 32)?;
        gateway.add_address(interface, [0xFD00, 0, 0, 0, 0, 0, 0, last.into()], 128)?;
    }
    // Its own copy of a source address is no reason to believe that a frame came from elsewhere.
    for key in ["all", "default", UP, DOWN] {
        gateway.sysctl(&format!("net/ipv4/conf/{key}/rp_filter"), "0")?;
    }
    let clock = Ptp4l {
        role: Role::TransparentClock,
        transport: match options.transport {
            Network::Ethernet => Transport::Ethernet,
            Network::Udp4 => Transport::Udp4,
            Network::Udp6 => Transport::Udp6,
        },
        interfaces: &[UP, DOWN],
        log_sync_interval: -4,
        program: None,
        more: "",
    };
    clock.start(gateway, folder)
}
