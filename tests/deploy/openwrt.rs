//! The OpenWrt package without OpenWrt: its init script and its Makefile against stubs of what they call
//! (`openwrt/functions.sh`, `openwrt/package.mk`).

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use ptpproxy_lab::ptp4l::TempDir;

use crate::built;
use crate::tools::{find, output, read, run, text, top};

const INIT: &str = "deploy/openwrt/files/ptpproxy.init";

/// A router that has the init script.
struct Router {
    folder: TempDir,
}

impl Router {
    fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts (or reloads) the service by this configuration; what was asked of procd and the log.
    fn start(&self, config: &str) -> String {
        fs::write(self.path("config"), config).unwrap();
        let _ = fs::remove_file(self.path("asked"));
        let script = format!(
            "set -u; . {0}/tests/deploy/openwrt/functions.sh; . {0}/{INIT}; start_service; service_triggers",
            top().display()
        );
        let mut command = Command::new("sh");
        command
            .args(["-c", &script])
            .env("CONFIG", self.path("config"))
            .env("ASKED", self.path("asked"))
            .env("FOLDER", self.path("run"))
            .env("PROGRAM", env!("CARGO_BIN_EXE_ptpproxy"));
        let said = run(&mut command);
        assert!(
            said.status.success() && said.stderr.is_empty(),
            "{}",
            text(&said)
        );
        fs::read_to_string(self.path("asked")).unwrap()
    }

    fn toml(&self, section: &str) -> String {
        let path = self.path("run").join(format!("{section}.toml"));
        fs::read_to_string(path).unwrap_or_default()
    }
}

#[test]
fn each_enabled_section_becomes_a_gateway() {
    let router = Router::new();
    let asked = router.start(
        "config gateway 'main'\n\
         option up 'eth0'\n\
         option down 'br-lan.5'\n\
         option wait '1'\n\
         option spin 'off'\n\
         option max_rate '2000'\n\
         option jitter_share '0.25'\n\
         option jitter '8ms'\n\
         list domain '24'\n\
         list domain '25'\n\
         list client '02:00:00:00:00:01'\n\
         config other 'else'\n\
         option up 'nosuch'\n\
         config gateway\n\
         option enabled '0'\n\
         option up 'eth2'\n\
         option down 'eth3'\n\
         config gateway 'second'\n\
         option enabled '1'\n\
         option up 'eth4'\n\
         option down 'eth5'\n",
    );
    assert_eq!(
        router.toml("main"),
        "# Made from /etc/config/ptpproxy, section main.\n\
         up = \"eth0\"\n\
         down = \"br-lan.5\"\n\
         wait = true\n\
         spin = false\n\
         max-rate = 2000\n\
         jitter-share = 0.25\n\
         jitter = \"8ms\"\n\
         domain = [24, 25]\n\
         client = [\"02:00:00:00:00:01\"]\n"
    );
    let instances: Vec<&str> = asked
        .lines()
        .filter_map(|line| line.strip_prefix("procd_open_instance "))
        .collect();
    assert_eq!(instances, ["main", "second"], "{asked}");
    let folder = router.path("run");
    let folder = folder.display();
    for line in [
        format!(
            "procd_set_param command {} --config {folder}/main.toml",
            env!("CARGO_BIN_EXE_ptpproxy")
        ),
        format!("procd_set_param file {folder}/main.toml"),
        format!("procd_set_param env RUNTIME_DIRECTORY={folder}"),
        "procd_set_param reload_signal HUP".into(),
        "procd_set_param nice -10".into(),
        "procd_add_reload_trigger ptpproxy".into(),
    ] {
        assert!(asked.lines().any(|found| found == line), "{line}: {asked}");
    }
    let closed = asked.matches("procd_close_instance").count();
    assert_eq!(closed, 2, "{asked}");
}

#[test]
fn a_mistake_is_logged_and_stops_nothing() {
    let router = Router::new();
    let good = "config gateway 'main'\noption up 'eth0'\noption down 'eth1'\n";
    let bad = format!("{good}option jiter '5ms'\n");
    let asked = router.start(&bad);
    assert!(!asked.contains("open_instance"), "{asked}");
    assert!(
        asked.contains("logger -t ptpproxy") && asked.contains("jiter"),
        "{asked}"
    );
    router.start(good);
    let running = router.toml("main");
    // A reload with a mistake: the instance stays as it is.
    let asked = router.start(&bad);
    assert!(
        asked.contains("jiter") && asked.contains("open_instance main"),
        "{asked}"
    );
    assert_eq!(router.toml("main"), running);
    // Quotes and backslashes stay within their string.
    let asked = router.start(&format!("{good}option log 'a\"b\\c'\n"));
    assert!(
        asked.contains("a\\\"b\\\\c") || asked.contains("a\"b"),
        "{asked}"
    );
}

/// The script knows no other key by name: these are written true and false.
#[test]
fn it_knows_each_flag() {
    let script = read(INIT);
    let (_, flags) = script.split_once("FLAGS='").unwrap();
    let (flags, _) = flags.split_once('\'').unwrap();
    let flags: BTreeSet<&str> = flags.split_whitespace().collect();
    let command = ptpproxy::cli::command();
    let defined: BTreeSet<&str> = command
        .get_arguments()
        .filter(|argument| matches!(argument.get_action(), clap::ArgAction::SetTrue))
        .filter_map(clap::Arg::get_long)
        .collect();
    assert_eq!(flags, defined);
}

/// Each key of the configuration can be an option, with its default or with what takes a sign, quotes or a list.
#[test]
fn each_key_can_be_an_option() {
    let router = Router::new();
    let sample = read("deploy/ptpproxy.toml");
    let mut options = String::new();
    let mut keys = BTreeSet::new();
    for line in sample.lines() {
        let Some((key, value)) = line
            .strip_prefix('#')
            .and_then(|line| line.split_once(" = "))
        else {
            continue;
        };
        if key.contains(' ') {
            continue;
        }
        let (kind, value) = match key {
            // A file with a key in it is not needed here.
            "sa-file" => continue,
            "ingress-latency" | "egress-latency" => ("option", "-25"),
            "client" => ("list", "1122334455667788"),
            "grandmaster" => ("list", "00:11:22:ff:fe:33:44:55"),
            "unicast-master" => ("list", "192.0.2.1"),
            "source" => ("option", "gateway"),
            "source-address" => ("list", "192.0.2.7@100"),
            "domain" => ("list", "24"),
            "phc-bound" => ("option", "500ns"),
            _ => ("option", value.trim_matches('"')),
        };
        keys.insert(key.to_owned());
        options.push_str(&format!("{kind} {} '{value}'\n", key.replace('-', "_")));
    }
    for key in [
        "up",
        "neighbours",
        "phc-bound",
        "unicast-master",
        "log-format",
    ] {
        assert!(keys.contains(key), "{key} in {keys:?}");
    }
    let asked = router.start(&format!("config gateway 'main'\n{options}"));
    assert!(
        asked.contains("open_instance main") && !asked.contains("logger"),
        "{asked}"
    );
    let made = router.toml("main");
    let made: BTreeSet<String> = made
        .lines()
        .filter_map(|line| Some(line.split_once(" = ")?.0.to_owned()))
        .collect();
    assert_eq!(made, keys);
}

/// As shipped it starts nothing, and each option that it shows is one.
#[test]
fn the_shipped_configuration_starts_nothing_and_its_example_is_good() {
    let router = Router::new();
    let shipped = read("deploy/openwrt/files/ptpproxy.config");
    let asked = router.start(&shipped);
    assert_eq!(asked, "procd_add_reload_trigger ptpproxy\n");
    let example = shipped
        .replace("\t#option", "option")
        .replace("\t#list", "list")
        .replace("enabled '0'", "enabled '1'");
    let asked = router.start(&example);
    assert!(asked.contains("open_instance main"), "{asked}");
    assert!(!asked.contains("logger"), "{asked}");
    assert!(router.toml("main").contains("domain = [24, 25]"));
}

#[test]
fn its_makefile_installs_the_file_of_the_machine() {
    let Some(make) = find("make", "Debian: make") else {
        return;
    };
    let program = built::file();
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("root");
    fs::write(folder.path().join("rules.mk"), "").unwrap();
    let stub = top().join("tests/deploy/openwrt");
    let make = |arch: &str, goal: &str| {
        let mut command = Command::new(&make);
        command
            .args(["--silent", "-C"])
            .arg(top().join("deploy/openwrt"))
            .arg(format!("TOPDIR={}", folder.path().display()))
            .arg(format!("INCLUDE_DIR={}", stub.display()))
            .arg(format!("DESTDIR={}", root.display()))
            .arg(format!(
                "PTPPROXY_FILES={}",
                program.parent().unwrap().display()
            ))
            .arg(format!("ARCH={arch}"))
            .arg(goal);
        command
    };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "x86_64",
        "aarch64" => "aarch64",
        _ => "arm",
    };
    output(&mut make(arch, "install"));
    for (path, mode) in [
        ("usr/bin/ptpproxy", 0o755),
        ("etc/init.d/ptpproxy", 0o755),
        ("etc/config/ptpproxy", 0o600),
    ] {
        let found = fs::metadata(root.join(path)).unwrap();
        assert_eq!(found.permissions().mode() & 0o7777, mode, "{path}");
    }
    assert_eq!(
        fs::read(root.join("usr/bin/ptpproxy")).unwrap(),
        fs::read(program).unwrap()
    );
    let kept = output(&mut make(arch, "conffiles"));
    assert_eq!(kept.trim(), "/etc/config/ptpproxy");
    let refused = run(&mut make("mips", "install"));
    let said = text(&refused);
    assert!(
        !refused.status.success() && said.contains("ptpproxy-mips: run deploy/build-static"),
        "{said}"
    );
    assert_eq!(
        read("deploy/openwrt/Makefile")
            .matches(concat!("PKG_VERSION:=", env!("CARGO_PKG_VERSION"), "\n"))
            .count(),
        1
    );
}

#[test]
fn shellcheck_finds_nothing_in_its_script() {
    let Some(shellcheck) = find("shellcheck", "Debian: shellcheck") else {
        return;
    };
    output(
        Command::new(shellcheck)
            .args(["--shell=dash", INIT, "tests/deploy/openwrt/functions.sh"])
            .current_dir(top()),
    );
}
