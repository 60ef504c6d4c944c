//! The static file, built once for all tests: stripped, small, with its line tables and checksums beside it; and what is
//! never handed out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use ptpproxy_lab::ptp4l::TempDir;

use crate::tools::{find, output, run as run_command, text, top, without_cargo};

/// A static file is no larger than this.
const LARGEST: u64 = 6_000_000;

/// Runs a script that builds; what it printed is the path of what it made.
pub(crate) fn run(script: &str) -> PathBuf {
    let mut command = Command::new(script);
    let objects = Path::new(env!("CARGO_BIN_EXE_ptpproxy"))
        .ancestors()
        .nth(2)
        .unwrap();
    without_cargo(&mut command)
        .current_dir(top())
        .env("CARGO_TARGET_DIR", objects)
        .env("CARGO_NET_OFFLINE", "true");
    PathBuf::from(output(&mut command).trim())
}

/// The static file for this machine.
pub(crate) fn file() -> &'static Path {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| run("deploy/build-static"))
}

/// Debian's name of this machine.
pub(crate) fn debian() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        _ => "armhf",
    }
}

/// A function of `deploy/lib.sh`.
fn library(call: &str, arguments: &[&Path]) -> Output {
    run_command(
        Command::new("bash")
            .args(["-euc", &format!(". deploy/lib.sh; {call}"), "bash"])
            .args(arguments)
            .current_dir(top()),
    )
}

#[test]
fn one_small_file_that_needs_no_other() {
    let Some(readelf) = find("readelf", "Debian: binutils") else {
        return;
    };
    let program = file();
    let name = program.file_name().unwrap().to_str().unwrap();
    assert_eq!(name, format!("ptpproxy-{}", std::env::consts::ARCH));
    let size = fs::metadata(program).unwrap().len();
    println!("{name}: {size} bytes");
    assert!((1_000_000..=LARGEST).contains(&size), "{size}");
    let headers = output(Command::new(&readelf).args(["-lSW"]).arg(program));
    assert!(!headers.contains("INTERP"), "{headers}");
    for section in [".symtab", ".debug_line", ".debug_info"] {
        assert!(!headers.contains(section), "{section} in {headers}");
    }
    let version = output(Command::new(program).arg("--version").env_clear());
    assert_eq!(
        version.trim(),
        concat!("ptpproxy ", env!("CARGO_PKG_VERSION"))
    );
    // It reads interfaces by netlink and not through the C library's plug-ins.
    let refused = run_command(Command::new(program).args(["--up", "nosuch0", "--down", "nosuch1"]));
    assert!(text(&refused).contains("nosuch0"), "{}", text(&refused));
}

/// Debuggers and backtraces find the tables by the link's name and check them by its sum.
#[test]
fn line_tables_lie_beside_it() {
    let Some(readelf) = find("readelf", "Debian: binutils") else {
        return;
    };
    let program = file();
    let debug = program.with_extension("debug");
    let sections = output(Command::new(&readelf).args(["-SW"]).arg(&debug));
    assert!(sections.contains(".debug_line"), "{sections}");
    let link = output(
        Command::new(&readelf)
            .args(["--string-dump=.gnu_debuglink"])
            .arg(program),
    );
    let name = debug.file_name().unwrap().to_str().unwrap();
    assert!(link.contains(name), "{link}");
    let of = |file: &Path| {
        let notes = output(Command::new(&readelf).arg("-n").arg(file));
        let id = notes.lines().find(|line| line.contains("Build ID"));
        id.map(str::to_owned)
    };
    assert!(of(program).is_some() && of(program) == of(&debug));
}

#[test]
fn checksums_name_each_file() {
    let program = file();
    let folder = program.parent().unwrap();
    let sums = fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    for path in [program, &program.with_extension("debug")] {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert_eq!(sums.matches(&format!("  {name}\n")).count(), 1, "{sums}");
    }
    let mut check = Command::new("sha256sum");
    check.args(["--quiet", "--check", "SHA256SUMS"]);
    output(check.current_dir(folder));
}

/// The header of an ELF file for a machine: class, number.
fn elf(folder: &TempDir, name: &str, class: u8, machine: u8) -> PathBuf {
    let mut bytes = [0; 64];
    bytes[..5].copy_from_slice(&[0x7F, b'E', b'L', b'F', class]);
    bytes[18] = machine;
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn a_file_for_another_machine_is_refused() {
    let folder = TempDir::new().unwrap();
    let all = [
        ("x86_64", elf(&folder, "a", 2, 62)),
        ("aarch64", elf(&folder, "b", 2, 183)),
        ("armv7", elf(&folder, "c", 1, 40)),
        ("unknown", elf(&folder, "d", 1, 62)),
        ("unknown", folder.path().join("e")),
    ];
    fs::write(folder.path().join("e"), "#!/bin/sh\n").unwrap();
    for (is, path) in &all {
        for wanted in ["x86_64", "aarch64", "armv7"] {
            let said = library(&format!("require_machine \"$1\" {wanted}"), &[path]);
            assert_eq!(said.status.success(), *is == wanted, "{}", text(&said));
            if *is != wanted {
                let line = format!("is for machine {is}, not {wanted}");
                assert!(text(&said).contains(&line), "{}", text(&said));
            }
        }
    }
}

#[test]
fn a_file_that_needs_a_loader_is_refused() {
    // The tests' own programs are dynamic.
    let own = Path::new(env!("CARGO_BIN_EXE_ptpproxy"));
    let said = library("require_static \"$1\"", &[own]);
    assert!(
        !said.status.success() && text(&said).contains("is not static"),
        "{}",
        text(&said)
    );
    let said = library("require_static \"$1\"", &[file()]);
    assert!(said.status.success(), "{}", text(&said));
}

#[test]
fn an_unknown_machine_is_told_which_there_are() {
    for script in [
        "deploy/build-static",
        "deploy/build-deb",
        "deploy/toolchain",
        "deploy/release",
    ] {
        let mut command = Command::new(script);
        command.current_dir(top());
        if script != "deploy/release" {
            command.arg("--target");
        }
        let said = run_command(command.arg("sparc64"));
        assert!(!said.status.success(), "{script}");
        let words = "no files for sparc64: --target is one of x86_64 aarch64 armv7";
        assert!(text(&said).contains(words), "{script}: {}", text(&said));
    }
}

#[test]
fn shellcheck_finds_nothing_in_the_scripts() {
    let Some(shellcheck) = find("shellcheck", "Debian: shellcheck") else {
        return;
    };
    let scripts = [
        "deploy/build-deb",
        "deploy/build-static",
        "deploy/lib.sh",
        "deploy/release",
        "deploy/toolchain",
        "deploy/keepalived/ptpproxy-check",
        "deploy/keepalived/ptpproxy-notify",
        "deploy/debian/postinst",
        "deploy/debian/postrm",
        "deploy/debian/prerm",
    ];
    output(
        Command::new(shellcheck)
            .arg("--external-sources")
            .args(scripts)
            .current_dir(top()),
    );
}
