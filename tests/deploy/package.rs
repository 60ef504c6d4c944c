//! The Debian package, really installed on this machine: what its unit starts serves a real client as
//! the unit's user, with the unit's capabilities and within its filter of system calls; and when it is
//! removed nothing stays.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ptpproxy_lab::net::skip;
use ptpproxy_lab::ptp4l::{
    Gateway, Program, Rig, Role, Sample, Servo, StateChange, TempDir, Transport,
};

use crate::built;
use crate::sandbox;
use crate::service;
use crate::tools::{find, output, run, text};
use crate::units::values;

const CONFIG: &str = "/etc/ptpproxy/ptpproxy.toml";
const UNIT: &str = "/usr/lib/systemd/system/ptpproxy.service";

/// The package, installed; purged when it is dropped, whatever happened.
struct Installed;

impl Installed {
    fn new(package: &Path) -> Self {
        output(dpkg().arg("--install").arg(package));
        Self
    }

    /// The files and folders that are the package's own.
    fn paths() -> Vec<PathBuf> {
        let listed = output(Command::new("dpkg-query").args(["--listfiles", "ptpproxy"]));
        let own = |path: &&str| path.contains("ptpproxy");
        listed.lines().filter(own).map(PathBuf::from).collect()
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        if is_known() {
            run(dpkg().args(["--purge", "ptpproxy"]));
        }
    }
}

fn dpkg() -> Command {
    let mut command = Command::new("dpkg");
    // Its helpers are in folders that only root has in its PATH; manuals need not be indexed here.
    command
        .arg("--no-triggers")
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Whether dpkg knows a package of this name, installed or with its configuration left.
fn is_known() -> bool {
    run(Command::new("dpkg-query").args(["--show", "ptpproxy"]))
        .status
        .success()
}

fn user_exists() -> bool {
    run(Command::new("getent").args(["passwd", "ptpproxy"]))
        .status
        .success()
}

#[test]
fn it_installs_serves_and_leaves_nothing() {
    for (program, package) in [
        ("dpkg", "Debian"),
        ("cargo-deb", "cargo install --locked cargo-deb"),
        ("ptp4l", "Debian: linuxptp"),
        ("setpriv", "Debian: util-linux"),
        ("strace", "Debian: strace"),
        ("systemd-analyze", "Debian: systemd"),
        ("nsenter", "Debian: util-linux"),
    ] {
        if find(program, package).is_none() {
            return;
        }
    }
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return skip("a package is installed by root only");
    }
    if is_known() || user_exists() {
        return skip("ptpproxy is installed on this machine: it is left alone");
    }
    let package = built::run("deploy/build-deb");
    assert!(
        package.ends_with(format!("deb/ptpproxy_{}.deb", built::debian())),
        "{}",
        package.display()
    );

    let installed = Installed::new(&package);
    assert_eq!(
        fs::read("/usr/bin/ptpproxy").unwrap(),
        fs::read(built::file()).unwrap(),
        "the static file"
    );
    tells_the_next_step(&package);
    is_complete();
    serves();
    service::lives(
        &Rig::new(&Gateway::Nothing, Transport::Ethernet).unwrap(),
        CONFIG,
    );
    let paths = Installed::paths();
    // Over itself, as an upgrade does: what the administrator wrote stays.
    let written = fs::read_to_string(CONFIG).unwrap();
    output(dpkg().args(["--force-confold", "--install"]).arg(&package));
    assert_eq!(fs::read_to_string(CONFIG).unwrap(), written);
    output(dpkg().args(["--remove", "ptpproxy"]));
    assert!(
        Path::new(CONFIG).exists(),
        "configuration stays until it is purged"
    );
    output(dpkg().args(["--purge", "ptpproxy"]));
    let left: Vec<_> = paths.iter().filter(|path| path.exists()).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    assert!(!is_known() && !user_exists());
    drop(installed);
}

/// Who installs it reads what to do next; who starts it before that reads it again.
fn tells_the_next_step(package: &Path) {
    output(dpkg().args(["--purge", "ptpproxy"]));
    let said = output(dpkg().arg("--install").arg(package));
    for words in [CONFIG, "set up and down", "systemctl enable --now ptpproxy"] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    let started = run(Command::new("/usr/bin/ptpproxy").args(["--config", CONFIG]));
    let said = text(&started);
    assert_eq!(started.status.code(), Some(2), "{said}");
    for words in [CONFIG, "--up and --down: missing", "set up = "] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    let again = output(dpkg().arg("--install").arg(package));
    assert!(!again.contains("enable --now"), "an upgrade: {again}");
}

/// Everything is where it belongs, root's, and fit for use.
fn is_complete() {
    assert!(user_exists());
    let paths = Installed::paths();
    let expected = [
        "/usr/bin/ptpproxy",
        CONFIG,
        UNIT,
        "/usr/lib/systemd/system/ptpproxy@.service",
        "/usr/lib/sysusers.d/ptpproxy.conf",
        "/usr/share/bash-completion/completions/ptpproxy",
        "/usr/share/man/man5/ptpproxy.toml.5.gz",
        "/usr/share/man/man7/ptpproxy-reasons.7.gz",
        "/usr/share/man/man7/ptpproxy-warnings.7.gz",
        "/usr/share/man/man7/ptpproxy-metrics.7.gz",
        "/usr/share/man/man7/ptpproxy-status.7.gz",
        "/usr/share/man/man8/ptpproxy.8.gz",
        "/usr/share/man/man8/ptpproxy-replay.8.gz",
        "/usr/share/man/man8/ptpproxy-status.8.gz",
        "/usr/share/doc/ptpproxy/copyright",
        "/usr/share/doc/ptpproxy/README.md",
        "/usr/share/doc/ptpproxy/ARCHITECTURE.md",
        "/usr/share/doc/ptpproxy/CHANGELOG.md",
        // Where those link to.
        "/usr/share/doc/ptpproxy/deploy/README.md",
        "/usr/share/doc/ptpproxy/deploy/REFERENCE.md",
        "/usr/share/doc/ptpproxy/deploy/ptpproxy.toml",
        "/usr/share/doc/ptpproxy/deploy/samples/broadcast-udp.toml",
        "/usr/share/doc/ptpproxy/deploy/samples/plant.toml",
        "/usr/share/doc/ptpproxy/deploy/samples/telecom-small-cell.toml",
        "/usr/share/doc/ptpproxy/deploy/prometheus/ptpproxy.rules.yml",
        "/usr/share/doc/ptpproxy/deploy/grafana/ptpproxy.json",
    ];
    for path in expected {
        assert!(
            paths.iter().any(|found| found == Path::new(path)),
            "no {path} in {paths:#?}"
        );
    }
    for path in &paths {
        // A container's dpkg may leave manuals and documents out.
        let Ok(found) = fs::symlink_metadata(path) else {
            assert!(path.starts_with("/usr/share"), "{}", path.display());
            continue;
        };
        assert_eq!((found.uid(), found.gid()), (0, 0), "{}", path.display());
        assert_eq!(found.permissions().mode() & 0o6022, 0, "{}", path.display());
    }
    let version = output(Command::new("/usr/bin/ptpproxy").arg("--version"));
    assert_eq!(
        version.trim(),
        concat!("ptpproxy ", env!("CARGO_PKG_VERSION"))
    );
    output(Command::new("/usr/bin/ptpproxy").args(["check-config", CONFIG]));
    let verified = run(Command::new("systemd-analyze").args(["verify", "--man=no", UNIT]));
    assert!(!text(&verified).contains("ptpproxy"), "{}", text(&verified));
    let completed = output(Command::new("bash").args([
        "-c",
        "source /usr/share/bash-completion/completions/ptpproxy; COMP_WORDS=(ptpproxy --max-h); \
         COMP_CWORD=1; _ptpproxy ptpproxy --max-h ptpproxy; printf '%s\\n' \"${COMPREPLY[@]}\"",
    ]));
    assert_eq!(completed.trim(), "--max-hold");
}

/// Runs what the unit runs, as its user, with its capabilities: a client of a real grandmaster locks.
fn serves() {
    let rig = Rig::new(&Gateway::Nothing, Transport::Ethernet).unwrap();
    let config = fs::read_to_string(CONFIG).unwrap();
    let config = config
        .replace("#up = \"eth0\"", "up = \"gm0\"")
        .replace("#down = \"eth1\"", "down = \"cl0\"");
    assert!(
        config.contains("\"gm0\"") && config.contains("\"cl0\""),
        "{config}"
    );
    fs::write(CONFIG, config).unwrap();

    let runtime = RuntimeDirectory::new();
    let unit = fs::read_to_string(UNIT).unwrap();
    let mut gateway = Program::start(&rig.gateway, &mut as_the_unit(&unit, None)).unwrap();
    gateway
        .wait_for_words("forwarding:", Duration::from_secs(5))
        .unwrap();
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.id())).unwrap();
    let of = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap().trim_start_matches(':').trim().to_owned()
    };
    // CAP_NET_RAW is bit 13; it may have given it up by now.
    assert_eq!(of("CapBnd"), "0000000000002000");
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        let bits = u64::from_str_radix(&of(set), 16).unwrap();
        assert_eq!(bits & !0x2000, 0, "{set}");
    }
    assert_eq!(of("NoNewPrivs"), "1");
    assert!(!of("Uid").contains("\t0"), "{}", of("Uid"));

    let _grandmaster = rig.start_grandmaster().unwrap();
    let mut client = rig.start_client(Role::Client(Servo::Lock)).unwrap();
    client.wait_until_slave().unwrap();
    let locked = client.line_count();
    std::thread::sleep(Duration::from_secs(3));
    let lines = client.lines_from(locked);
    let samples = lines.iter().filter_map(|line| Sample::parse(line)).count();
    assert!(samples > 30, "16 samples a second, not {samples} in 3 s");
    assert!(
        !lines.iter().any(|line| StateChange::parse(line).is_some()),
        "{lines:#?}"
    );
    is_told(&unit);
    assert!(gateway.stop(Duration::from_secs(5)).unwrap().success());

    // The same again, with each system call written down.
    let folder = TempDir::new().unwrap();
    let calls = folder.path().join("calls");
    let mut gateway = Program::start(&rig.gateway, &mut as_the_unit(&unit, Some(&calls))).unwrap();
    gateway
        .wait_for_words("first client", Duration::from_secs(20))
        .unwrap();
    std::thread::sleep(Duration::from_secs(1));
    drop(runtime);
    sandbox::stop_traced(&mut gateway);
    sandbox::allows(&unit, &fs::read_to_string(&calls).unwrap());
}

/// Who may asks the gateway how it goes, and the unit can reload it.
fn is_told(unit: &str) {
    const SOCKET: &str = RuntimeDirectory::SOCKET;
    let mut status = Command::new("/usr/bin/ptpproxy");
    let status = output(status.args(["status", "--json", "--socket", SOCKET]));
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert!(status.to_string().contains("gm0"), "{status}");
    let mut member = Command::new(find("setpriv", "Debian: util-linux").unwrap());
    member.args(["--reuid=65534", "--regid=65534", "--groups=ptpproxy"]);
    output(member.args(["/usr/bin/ptpproxy", "clients", "--socket", SOCKET]));
    let mut stranger = Command::new(find("setpriv", "Debian: util-linux").unwrap());
    stranger.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    let refused = run(stranger.args(["/usr/bin/ptpproxy", "status", "--socket", SOCKET]));
    assert!(
        !refused.status.success() && text(&refused).contains("group"),
        "{}",
        text(&refused)
    );
    let reload = *values(unit, "ExecReload").first().expect("a way to reload");
    let mut reload = reload.split(' ');
    let mut command = Command::new(reload.next().unwrap());
    command
        .args(reload)
        .env("RUNTIME_DIRECTORY", RuntimeDirectory::PATH);
    output(&mut command);
}

/// `ExecStart=` of a unit under its user and its capabilities, traced into a file if one is given.
fn as_the_unit(unit: &str, trace: Option<&Path>) -> Command {
    let one = |key: &str| {
        *values(unit, key)
            .first()
            .unwrap_or_else(|| panic!("no {key}="))
    };
    let capabilities = one("AmbientCapabilities").to_lowercase();
    let only = format!("-all,+{}", capabilities.trim_start_matches("cap_"));
    let setpriv = find("setpriv", "Debian: util-linux").unwrap();
    let mut command = match trace {
        None => Command::new(setpriv),
        Some(file) => {
            let mut command = Command::new(find("strace", "Debian: strace").unwrap());
            command.args(["-f", "-qq", "-e", "signal=none", "-o"]);
            command.arg(file).arg(setpriv);
            command
        }
    };
    command
        .args([
            "--reuid",
            one("User"),
            "--regid",
            one("Group"),
            "--clear-groups",
        ])
        .args([
            "--inh-caps",
            &only,
            "--ambient-caps",
            &only,
            "--bounding-set",
            &only,
        ])
        .args(["--no-new-privs", "--"])
        .args(one("ExecStart").split(' '))
        .env_clear()
        .env("RUNTIME_DIRECTORY", RuntimeDirectory::PATH);
    command
}

/// What systemd makes by `RuntimeDirectory=`, and removes when the service stops.
struct RuntimeDirectory;

impl RuntimeDirectory {
    /// Not where gateways of other tests have their sockets.
    const PATH: &str = "/run/ptpproxy-packaged";
    const SOCKET: &str = "/run/ptpproxy-packaged/gm0-cl0.sock";

    fn new() -> Self {
        let mut install = Command::new("install");
        install.args([
            "-d",
            "-m",
            "0755",
            "-o",
            "ptpproxy",
            "-g",
            "ptpproxy",
            Self::PATH,
        ]);
        output(&mut install);
        Self
    }
}

impl Drop for RuntimeDirectory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(Self::PATH);
    }
}
