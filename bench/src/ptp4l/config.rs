//! How a ptp4l is run.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::program::{Program, TempDir};
use crate::net::{Namespace, ignore_steering};
use crate::network::Network as Transport;

/// What a ptp4l is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The grandmaster; multicast, and for those who ask also unicast.
    Grandmaster,
    /// A client with this servo.
    Client(Servo),
    /// A client with this servo that negotiates unicast with the grandmaster at this address.
    UnicastClient(Servo, IpAddr),
    /// A client with this servo that hears multicast Sync and sends its Delay_Req by unicast.
    HybridClient(Servo),
    /// An end-to-end transparent clock between two interfaces.
    TransparentClock,
}

/// What a client does with its samples. None of them moves the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Servo {
    /// Prints every sample, and stays in the state UNCALIBRATED.
    Measure,
    /// A PI servo that believes it steers (the kernel answers that it did, and does nothing): goes from s0 to s2 and
    /// reaches SLAVE as it would where it may steer.
    Lock,
}

/// A ptp4l to be run.
#[derive(Clone, Debug)]
pub struct Ptp4l<'a> {
    /// What it is.
    pub role: Role,
    /// What it speaks over.
    pub transport: Transport,
    /// Its interfaces.
    pub interfaces: &'a [&'a str],
    /// logSyncInterval of a grandmaster: `-4` is 16 Sync a second. A client prints as many samples.
    pub log_sync_interval: i8,
    /// The program; `None` is the installed one.
    pub program: Option<&'a Path>,
    /// More lines of its configuration, for all ports.
    pub more: &'a str,
}

/// The path of the installed ptp4l; `None` when there is none.
#[must_use]
pub fn find() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // Debian keeps it in a folder that only root has in its PATH.
    env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|folder| folder.join("ptp4l"))
        .find(|path| path.is_file())
}

/// The path of a ptp4l that signs messages (4.4 or later): that of `PTPPROXY_SIGNING_PTP4L`, or the installed one.
#[must_use]
pub fn find_signing() -> Option<PathBuf> {
    named().into_iter().chain(find()).find(|path| signs(path))
}

/// The path that `PTPPROXY_SIGNING_PTP4L` names; an empty one names none.
#[must_use]
pub fn named() -> Option<PathBuf> {
    let path = env::var_os("PTPPROXY_SIGNING_PTP4L");
    path.filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn signs(program: &Path) -> bool {
    let output = Command::new(program).arg("-v").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let version = text.unwrap_or_default();
    let mut numbers = version.trim().split(['.', '-']).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (4, 4),
        _ => false,
    }
}

impl Ptp4l<'_> {
    /// Starts it in `namespace`; its configuration and its socket live in `folder`.
    ///
    /// # Errors
    /// When ptp4l is not installed or cannot be started.
    pub fn start(&self, namespace: &Namespace, folder: &TempDir) -> Result<Program> {
        let Some(program) = self.program.map(Path::to_owned).or_else(find) else {
            bail!("ptp4l is not installed (Debian: linuxptp)")
        };
        let base = folder.path().join(namespace.name());
        let file = base.with_extension("cfg");
        fs::write(
            &file,
            self.config(&base.with_extension("uds").to_string_lossy()),
        )
        .with_context(|| format!("cannot write {}", file.display()))?;
        let mut command = Command::new(program);
        command.arg("-f").arg(file);
        if let Role::Client(Servo::Lock)
        | Role::UnicastClient(Servo::Lock, _)
        | Role::HybridClient(Servo::Lock) = self.role
        {
            ignore_steering(&mut command);
        }
        Program::start(namespace, &mut command)
    }

    /// The text of its configuration file.
    fn config(&self, uds: &str) -> String {
        let mut text = format!(
            "[global]\n\
             time_stamping software\n\
             network_transport {}\n\
             logSyncInterval {}\n\
             logMinDelayReqInterval -4\n\
             logAnnounceInterval -2\n\
             tx_timestamp_timeout 50\n\
             summary_interval -8\n\
             use_syslog 0\n\
             verbose 1\n\
             uds_address {uds}\n",
            match self.transport {
                Transport::Ethernet => "L2",
                Transport::Udp4 => "UDPv4",
                Transport::Udp6 => "UDPv6",
            },
            self.log_sync_interval,
        );
        text += match self.role {
            Role::Grandmaster => "masterOnly 1\nfree_running 1\nunicast_listen 1\nhybrid_e2e 1\n",
            Role::Client(_) | Role::UnicastClient(..) => "slaveOnly 1\n",
            Role::HybridClient(_) => "slaveOnly 1\nhybrid_e2e 1\n",
            Role::TransparentClock => "clock_type E2E_TC\nfree_running 1\n",
        };
        if let Role::Client(servo) | Role::UnicastClient(servo, _) | Role::HybridClient(servo) =
            self.role
        {
            text += match servo {
                Servo::Measure => "clock_servo ntpshm\n",
                // High constants shorten the servo's first estimate of the frequency from a
                // minute to an instant; without a first step it goes straight to locked.
                Servo::Lock => {
                    "clock_servo pi\n\
                     pi_proportional_const 0.7\n\
                     pi_integral_const 0.3\n\
                     first_step_threshold 0\n"
                }
            };
        }
        text += self.more;
        let unicast = match self.role {
            Role::UnicastClient(_, master) => {
                // A short grant, so that it is renewed while we look.
                let _ = write!(
                    text,
                    "unicast_req_duration 10\n\
                     [unicast_master_table]\n\
                     table_id 1\n\
                     logQueryInterval -1\n\
                     UDPv{} {master}\n",
                    if master.is_ipv4() { 4 } else { 6 }
                );
                "unicast_master_table 1\n"
            }
            _ => "",
        };
        for interface in self.interfaces {
            let _ = write!(text, "[{interface}]\n{unicast}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unicast_client_names_its_master_and_its_table() {
        let client = Ptp4l {
            role: Role::UnicastClient(Servo::Lock, [10, 0, 0, 1].into()),
            transport: Transport::Udp4,
            interfaces: &["eth0"],
            log_sync_interval: -4,
            program: None,
            more: "",
        };
        let text = client.config("/tmp/uds");
        let (global, rest) = text.split_once("[unicast_master_table]\n").unwrap();
        assert!(global.starts_with("[global]\n") && global.contains("clock_servo pi\n"));
        assert!(
            rest.contains("UDPv4 10.0.0.1\n[eth0]\nunicast_master_table 1\n"),
            "{rest}"
        );
    }

    #[test]
    fn only_a_clients_servo_is_named() {
        let tc = Ptp4l {
            role: Role::TransparentClock,
            transport: Transport::Ethernet,
            interfaces: &["a", "b"],
            log_sync_interval: -4,
            program: None,
            more: "",
        };
        let text = tc.config("/tmp/uds");
        assert!(
            !text.contains("servo") && text.ends_with("[a]\n[b]\n"),
            "{text}"
        );
    }
}
