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
use ptpproxy_lab::lab::clock;
use ptpproxy_lab::net::{Namespace, Process};
use ptpproxy_lab::ptp4l::TempDir;

use crate::installed::find;
use crate::proxy::{DOWN, Proxy, program};
use crate::segments::Switched;

/// keepalived has decided by then, whatever it decides.
const DECIDES: Duration = Duration::from_secs(20);

/// A gateway's control socket, in its folder.
const SOCKET: &str = "gateway.sock";

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
    pub network: Switched,
    /// Both gateways.
    pub members: [Member; 2],
    options: Vec<String>,
    _folder: TempDir,
}

impl Pair {
    /// Starts both; `None`, and a line that says so, without keepalived. They decide when a grandmaster can be heard.
    #[must_use]
    pub fn start(options: &[&str]) -> Option<Self> {
        let keepalived = find("keepalived", "keepalived")?;
        let network = Switched::new();
        let folder = TempDir::new().unwrap();
        let options: Vec<_> = options.iter().map(|&option| option.to_owned()).collect();
        let members = [0, 1].map(|which| {
            let home = folder.path().join(which.to_string());
            fs::create_dir(&home).unwrap();
            Member::start(
                &network.gateways[which],
                &home,
                which,
                &keepalived,
                &options,
            )
        });
        Some(Self {
            network,
            members,
            options,
            _folder: folder,
        })
    }

    /// The roles of both; empty if one does not answer.
    #[must_use]
    pub fn roles(&self) -> [String; 2] {
        self.members.each_ref().map(Member::role)
    }

    /// Waits until one forwards and the other stands by, and that has been so for a second; which one forwards.
    #[must_use]
    pub fn wait_for_active(&self) -> usize {
        let (start, mut since) = (Instant::now(), None);
        loop {
            let roles = self.roles();
            let active = match roles.each_ref().map(String::as_str) {
                ["active", "standby"] => Some(0),
                ["standby", "active"] => Some(1),
                _ => None,
            };
            since = match (since, active) {
                (Some((at, before)), Some(active)) if before == active => Some((at, before)),
                (_, active) => active.map(|active| (Instant::now(), active)),
            };
            if let Some((at, active)) = since
                && at.elapsed() > Duration::from_secs(1)
            {
                return active;
            }
            let late = start.elapsed() > DECIDES;
            assert!(!late, "{roles:?}: {:#?} {:#?}", self.logs(), self.said());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// What each gateway has logged.
    fn said(&self) -> [Vec<String>; 2] {
        let said = |member: &Member| member.proxy.as_ref().map_or_else(Vec::new, Proxy::log);
        self.members.each_ref().map(said)
    }

    /// What each keepalived has logged.
    #[must_use]
    pub fn logs(&self) -> [Vec<String>; 2] {
        self.members.each_ref().map(Member::log)
    }

    /// Starts one that was killed.
    pub fn restart(&mut self, which: usize) {
        let member = &mut self.members[which];
        let home = &self.network.gateways[which];
        member.proxy = Some(gateway(home, &member.socket(), &self.options));
        member.ended(false);
    }
}

impl Member {
    fn start(
        home: &Namespace,
        folder: &Path,
        which: usize,
        keepalived: &Path,
        options: &[String],
    ) -> Self {
        let host = u8::try_from(which + 1).unwrap();
        home.add_address(DOWN, [10, 2, 0, host], 24).unwrap();
        // First, so that it hears the first order.
        let proxy = gateway(home, &folder.join(SOCKET), options);
        let config = configure(folder);
        let fifo = folder.join("fifo");
        let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        let mut notify = Command::new(folder.join("ptpproxy-notify"));
        notify
            .arg(&fifo)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
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
                    .push(format!("{:.3} {line}", clock::now() as f64 / 1e9));
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

    /// What keepalived has logged, each line behind the time.
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
        self.folder.join(SOCKET)
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
        self.ended(true);
    }

    fn ended(&self, ended: bool) {
        let _ = fs::write(
            self.folder.join("ended"),
            ["0\n", "1\n"][usize::from(ended)],
        );
    }

    /// Ends keepalived in order.
    pub fn stop(&mut self) {
        let _ = self.keepalived.stop(Duration::from_secs(3));
    }
}

/// Starts a gateway that stands by.
fn gateway(home: &Namespace, socket: &Path, options: &[String]) -> Proxy {
    let mut arguments = vec!["--standby", "--control", socket.to_str().unwrap()];
    arguments.extend(options.iter().map(String::as_str));
    Proxy::start(home, &arguments)
}

/// Runs the check script each second, as keepalived would, and writes what it says: within a user namespace keepalived can
/// start no script.
struct Checks(Arc<AtomicBool>);

impl Checks {
    fn start(folder: &Path) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        // The file that is written, what the script is asked, and how often it has to fail.
        for (file, asked, fall) in [("mute", None, 1), ("deaf", Some("hears"), 2)] {
            let (until, folder) = (Arc::clone(&over), folder.to_owned());
            let mut check = Command::new(folder.join("ptpproxy-check"));
            check.args(asked).stderr(Stdio::null());
            thread::spawn(move || {
                let mut failed = 0;
                while !until.load(Ordering::Relaxed) {
                    let well = check.status().is_ok_and(|status| status.success());
                    failed = if well { 0 } else { failed + 1 };
                    let says = ["0\n", "1\n"][usize::from(failed >= fall)];
                    let _ = fs::write(folder.join(file), says);
                    thread::sleep(Duration::from_secs(1));
                }
            });
        }
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
fn configure(folder: &Path) -> PathBuf {
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
        format!("track_file {name} {{\n  file \"{file}\"\n  init_file 0 overwrite")
    };
    let script = |name: &str, arguments: &str, fall: u8| {
        format!(
            "vrrp_script {name} {{\n  script \"/etc/keepalived/ptpproxy-check{arguments}\"\n  \
             interval 1\n  timeout 1\n  fall {fall}\n  rise 2"
        )
    };
    let answers = tracked("ptpproxy_answers", "mute") + "\n  weight 0";
    for (from, to) in [
        (
            "vrrp_track_process ptpproxy {\n  process ptpproxy",
            &*(tracked("ptpproxy", "ended") + "\n  weight 0"),
        ),
        (&*script("ptpproxy_answers", "", 1), &*answers),
        (
            &*script("ptpproxy_hears", " hears", 2),
            &*tracked("ptpproxy_hears", "deaf"),
        ),
        ("  track_process {", "  track_file {"),
        ("    ptpproxy\n  }\n  track_script {\n", "    ptpproxy\n"),
        (
            "/run/keepalived-ptpproxy",
            folder.join("fifo").to_str().unwrap(),
        ),
        ("  notify_fifo_script /etc/keepalived/ptpproxy-notify\n", ""),
        ("interface eth1", "interface down0"),
        ("    eth0\n", "    up0\n"),
        ("198.51.100.254/32", "10.2.0.100/24"),
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
            folder.join(SOCKET).display()
        );
        let text = text.replacen("#!/bin/sh\n", &settings, 1);
        let copy = folder.join(script);
        fs::write(&copy, text).unwrap();
        fs::set_permissions(copy, fs::Permissions::from_mode(0o755)).unwrap();
    }
    path
}
