//! Two gateways between the same two segments, of which keepalived has one forward: the shipped samples, but for names,
//! addresses and folders.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ptpproxy::control::reply::Status;
use ptpproxy_lab::net::{Namespace, Process};
use ptpproxy_lab::ptp4l::TempDir;

use crate::installed::find;
use crate::proxy::{DOWN, Proxy, UP, program};
use crate::segments::Parallel;

/// keepalived has decided by then, whatever it decides.
const DECIDES: Duration = Duration::from_secs(20);

/// One of the two.
pub struct Member {
    /// The gateway; `None` once it was killed.
    pub proxy: Option<Proxy>,
    keepalived: Process,
    _notify: Process,
    _checks: Checks,
    log: Arc<Mutex<Vec<String>>>,
    folder: PathBuf,
}

/// Both, in their network.
pub struct Pair {
    /// The networks.
    pub network: Parallel,
    /// Both gateways; the first has the higher priority.
    pub members: [Member; 2],
    _folder: TempDir,
}

impl Pair {
    /// Starts both, and waits until one is active and the other stands by; `None`, and a line that says so, without
    /// keepalived.
    #[must_use]
    pub fn start(options: &[&str]) -> Option<Self> {
        let keepalived = find("keepalived", "keepalived")?;
        let network = Parallel::new();
        let folder = TempDir::new().unwrap();
        let members = [0, 1].map(|which| {
            let home = folder.path().join(which.to_string());
            fs::create_dir(&home).unwrap();
            Member::start(&network.gateways[which], &home, which, &keepalived, options)
        });
        let pair = Self {
            network,
            members,
            _folder: folder,
        };
        pair.wait_for_roles(["active", "standby"]);
        Some(pair)
    }

    /// Waits until the gateways have these roles; an empty word is any, or none.
    pub fn wait_for_roles(&self, wanted: [&str; 2]) {
        let deadline = Instant::now() + DECIDES;
        loop {
            let roles = self.members.each_ref().map(Member::role);
            let fits = |(role, wanted): (&String, &&str)| wanted.is_empty() || role == *wanted;
            if roles.iter().zip(&wanted).all(fits) {
                return;
            }
            if Instant::now() > deadline {
                let logs = self.members.each_ref().map(Member::log);
                panic!("{roles:?} and not {wanted:?}: {logs:#?}");
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Member {
    fn start(
        home: &Namespace,
        folder: &Path,
        which: usize,
        keepalived: &Path,
        options: &[&str],
    ) -> Self {
        let host = u8::try_from(which + 1).unwrap();
        home.add_address(UP, [10, 1, 0, host], 24).unwrap();
        home.add_address(DOWN, [10, 2, 0, host], 24).unwrap();
        let socket = folder.join("gateway.sock");
        let mut arguments = vec!["--standby", "--control", socket.to_str().unwrap()];
        arguments.extend(options);
        let proxy = Proxy::start(home, &arguments);
        let priority = ["150", "100"][which];
        let config = configure(folder, priority, &socket);
        let fifo = folder.join("fifo");
        let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        let mut notify = Command::new(folder.join("ptpproxy-notify"));
        notify.arg(&fifo).stdout(Stdio::null());
        let notify = home.spawn(&mut notify).unwrap();
        let checks = Checks::start(folder);
        let mut command = Command::new(keepalived);
        command.args(["-n", "-l", "-D", "-P", "-f"]).arg(config);
        command.arg("-p").arg(folder.join("keepalived.pid"));
        command.arg("-r").arg(folder.join("vrrp.pid"));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::piped());
        let mut keepalived = home.spawn(&mut command).unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&log);
        let lines = BufReader::new(keepalived.stderr.take().unwrap()).lines();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(line);
            }
        });
        Self {
            proxy: Some(proxy),
            keepalived,
            _notify: notify,
            _checks: checks,
            log,
            folder: folder.to_owned(),
        }
    }

    /// What keepalived has logged.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.clone()
    }

    /// What the gateway says of itself; `None` if it does not answer.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        let mut command = Command::new(program());
        command.args(["status", "--json", "--socket"]);
        let output = command.arg(self.socket()).output().unwrap();
        serde_json::from_slice(&output.stdout).ok()
    }

    /// Its control socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.join("gateway.sock")
    }

    /// Its role; empty if it does not answer.
    fn role(&self) -> String {
        let alive = self.proxy.is_some();
        let status = alive.then(|| self.status()).flatten();
        status.map_or_else(String::new, |status| status.role.role)
    }

    /// Sends the gateway a signal.
    pub fn signal(&mut self, signal: i32) {
        self.proxy.as_mut().unwrap().signal(signal);
    }

    /// Kills the gateway. keepalived is told by the file, as the service manager would.
    pub fn kill(&mut self) {
        let ended = self.proxy.take().unwrap().stop_by(libc::SIGKILL);
        assert!(!ended.status.success());
        fs::write(self.folder.join("ended"), "1\n").unwrap();
    }

    /// Ends keepalived and the gateway in order.
    pub fn stop(&mut self) {
        let _ = self.keepalived.stop(Duration::from_secs(3));
    }
}

/// Runs the check script each second, and writes what it says: within a user namespace keepalived can start no script.
struct Checks(Arc<AtomicBool>);

impl Checks {
    fn start(folder: &Path) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (until, folder) = (Arc::clone(&over), folder.to_owned());
        thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                let status = Command::new(folder.join("ptpproxy-check")).status();
                let fails = !status.is_ok_and(|status| status.success());
                let _ = fs::write(folder.join("mute"), ["0\n", "1\n"][usize::from(fails)]);
                thread::sleep(Duration::from_secs(1));
            }
        });
        Self(over)
    }
}

impl Drop for Checks {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Writes the shipped files for this machine. The kernel tells of no process outside the first network namespace, and
/// within a user namespace keepalived can start no script: files say that the gateway has ended, or does not answer.
fn configure(folder: &Path, priority: &str, socket: &Path) -> PathBuf {
    let samples = program();
    let samples = samples
        .ancestors()
        .nth(3)
        .unwrap()
        .join("deploy/keepalived");
    let samples = match samples.is_dir() {
        true => samples,
        // A target folder elsewhere.
        false => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/keepalived"),
    };
    let path = folder.join("keepalived.conf");
    let mut text = fs::read_to_string(samples.join("keepalived.conf")).unwrap();
    let tracked = |name: &str, file: &str| {
        let file = folder.join(file);
        let file = file.display();
        format!("track_file {name} {{\n  file \"{file}\"\n  weight 0\n  init_file 0 overwrite")
    };
    let script = format!(
        "vrrp_script ptpproxy_answers {{\n  script \"{}/ptpproxy-check\"\n  interval 1\n  timeout 1\n  fall 1\n  rise 2",
        "/etc/keepalived"
    );
    for (from, to) in [
        (
            "vrrp_track_process ptpproxy {\n  process ptpproxy",
            tracked("ptpproxy", "ended").as_str(),
        ),
        (script.as_str(), &tracked("ptpproxy_answers", "mute")),
        ("  track_process {", "  track_file {"),
        ("    ptpproxy\n  }\n  track_script {\n", "    ptpproxy\n"),
        (
            "/run/keepalived-ptpproxy",
            folder.join("fifo").to_str().unwrap(),
        ),
        ("  notify_fifo_script /etc/keepalived/ptpproxy-notify\n", ""),
        ("interface eth0", "interface up0"),
        ("interface eth1", "interface down0"),
        ("192.0.2.254/32", "10.1.0.100/24"),
        ("198.51.100.254/32", "10.2.0.100/24"),
        ("priority 100", &format!("priority {priority}")),
    ] {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    fs::write(&path, text).unwrap();
    for script in ["ptpproxy-check", "ptpproxy-notify"] {
        let text = fs::read_to_string(samples.join(script)).unwrap();
        let program = program();
        let settings = format!(
            "#!/bin/sh\nPATH={}:$PATH\nPTPPROXY_SOCKET={}\n",
            program.parent().unwrap().display(),
            socket.display()
        );
        let text = text.replacen("#!/bin/sh\n", &settings, 1);
        let copy = folder.join(script);
        fs::write(&copy, text).unwrap();
        fs::set_permissions(copy, fs::Permissions::from_mode(0o755)).unwrap();
    }
    path
}
