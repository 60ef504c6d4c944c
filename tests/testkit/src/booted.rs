//! A systemd of its own, booted in namespaces, that runs one unit of this repository.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ptpproxy_lab::net::{Namespace, skip};
use ptpproxy_lab::ptp4l::{Program, TempDir};

use crate::installed::find;
use crate::proxy::program;

const PATIENCE: Duration = Duration::from_secs(30);

/// The gateway's unit.
pub const GATEWAY_UNIT: &str = "ptpproxy.service";

/// Two at once would share their control groups.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A booted systemd; it and all that it started end when this is dropped.
pub struct Booted<'a> {
    home: &'a Namespace,
    program: Program,
    folder: TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// Where a booted unit sees the folder of its own units.
const THERE: &str = "/run/ptpproxy-tests";

/// Puts this build's program into a folder, and the shipped unit with it and with the folder's `ptpproxy.toml`.
///
/// # Panics
/// Where they cannot be written.
pub fn put_unit(folder: &Path, (name, shipped): (&str, &str), program: &Path) {
    let there = folder.join("ptpproxy");
    let _ = fs::remove_file(&there);
    if fs::hard_link(program, &there).is_err() {
        fs::copy(program, &there).unwrap();
    }
    let unit = shipped
        .replace("/usr/bin/ptpproxy", &format!("{THERE}/ptpproxy"))
        .replace(
            "/etc/ptpproxy/ptpproxy.toml",
            &format!("{THERE}/ptpproxy.toml"),
        );
    assert!(unit.contains(&format!("{THERE}/ptpproxy.toml")), "{unit}");
    fs::write(folder.join(name), unit).unwrap();
}

/// Whether a systemd can be booted here; a line says so where not.
///
/// # Panics
/// Without /proc.
#[must_use]
pub fn can_boot() -> bool {
    for (program, package) in [("systemctl", "systemd"), ("nsenter", "util-linux")] {
        if find(program, package).is_none() {
            return false;
        }
    }
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if !root {
        skip("a systemd is booted by root only");
    }
    root
}

/// Puts this build's program into a folder, with the shipped unit of the gateway for a user that there is, and this
/// configuration.
///
/// # Panics
/// Where they cannot be written.
pub fn put_gateway(folder: &Path, config: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("ptpproxy.toml"), config).unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/systemd");
    let shipped = fs::read_to_string(shipped.join(GATEWAY_UNIT)).unwrap();
    let unit = shipped.replace("User=ptpproxy\nGroup=ptpproxy\n", "User=nobody\n");
    assert!(unit.contains("User=nobody"), "{unit}");
    put_unit(folder, (GATEWAY_UNIT, &unit), &program());
}

impl<'a> Booted<'a> {
    /// Starts this unit: the installed one, or that of a folder.
    #[must_use]
    pub fn new(home: &'a Namespace, unit: &str, units: Option<&Path>) -> Self {
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = TempDir::new().unwrap();
        let mut command = Command::new("unshare");
        command
            .args([
                "--kill-child",
                "--mount",
                "--pid",
                "--ipc",
                "--uts",
                "--cgroup",
                "--fork",
            ])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/boot.sh"))
            .arg(folder.path().join("log"))
            .arg(unit)
            .args(units);
        let program = Program::start(home, &mut command).unwrap();
        Self {
            home,
            program,
            folder,
            _alone: alone,
        }
    }

    /// What the unit has written.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Waits until the service has logged this so often.
    pub fn wait_for(&self, what: &str, times: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.log().matches(what).count() < times {
            let said = self.program.lines_from(0);
            assert!(
                Instant::now() < deadline,
                "no {what:?}: {}\n{said:#?}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Its process, as this machine numbers it, once there is one.
    fn systemd(&self) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let children = format!("/proc/{0}/task/{0}/children", self.program.id());
            let children = fs::read_to_string(children).unwrap_or_default();
            if let Some(first) = children.split_whitespace().next() {
                return first.to_owned();
            }
            let said = self.program.lines_from(0);
            assert!(Instant::now() < deadline, "it does not start: {said:#?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs `systemctl` in it to its end.
    #[must_use]
    pub fn systemctl(&self, arguments: &[&str]) -> Output {
        let systemd = self.systemd();
        let mut command = Command::new("nsenter");
        command
            .args([
                "--target",
                systemd.as_str(),
                "--mount",
                "--pid",
                "systemctl",
                "--no-pager",
            ])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // By way of a namespace, which is what can start programs that do not outlive the test.
        let mut process = self.home.spawn(&mut command).unwrap();
        let stdout = std::io::read_to_string(process.stdout.take().unwrap()).unwrap();
        let stderr = std::io::read_to_string(process.stderr.take().unwrap()).unwrap();
        Output {
            status: process.wait().unwrap(),
            stdout: stdout.into_bytes(),
            stderr: stderr.into_bytes(),
        }
    }

    /// A property of the service.
    #[must_use]
    pub fn show(&self, property: &str) -> String {
        self.show_of("ptpproxy", property)
    }

    fn show_of(&self, unit: &str, property: &str) -> String {
        let shown = self.systemctl(&["show", "--value", "--property", property, unit]);
        String::from_utf8_lossy(&shown.stdout).trim().to_owned()
    }

    /// Waits until a property of the service is fit.
    pub fn wait_until(&self, property: &str, fit: impl Fn(&str) -> bool) {
        self.wait_until_of("ptpproxy", property, fit);
    }

    /// The same of any unit.
    pub fn wait_until_of(&self, unit: &str, property: &str, fit: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let value = self.show_of(unit, property);
            if fit(&value) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{property}={value}\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// The service's process, as this machine numbers it.
    #[must_use]
    pub fn process(&self) -> PathBuf {
        let all = fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .map(|entry| entry.path());
        let ours = |path: &PathBuf| {
            let line = fs::read(path.join("cmdline")).unwrap_or_default();
            line.starts_with(b"/usr/bin/ptpproxy\0--config\0")
        };
        all.into_iter().find(ours).expect("it runs")
    }
}
