//! The static build, from no more than what the Containerfile copies.

use std::path::{Path, PathBuf};
use std::process::Command;

use ptpproxy_lab::ptp4l::TempDir;

use crate::tools::{find, output, read, run, text, top, without_cargo};

/// What `COPY` takes from the repository: (source, target).
fn copied() -> Vec<(String, String)> {
    let file = read("deploy/Containerfile");
    let mut all = Vec::new();
    for line in file.lines().filter_map(|line| line.strip_prefix("COPY ")) {
        if line.starts_with("--from=") {
            continue;
        }
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let target = words.pop().expect("a target");
        assert!(!words.is_empty(), "{line}");
        all.extend(
            words
                .into_iter()
                .map(|from| (from.to_owned(), target.to_owned())),
        );
    }
    assert!(!all.is_empty());
    all
}

/// A folder as it is in the image when the build starts.
fn image() -> TempDir {
    let folder = TempDir::new().unwrap();
    for (from, to) in copied() {
        let source = top().join(&from);
        assert!(source.exists(), "the Containerfile copies {from}");
        let target = folder.path().join(to);
        // As COPY does.
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).unwrap();
        }
        output(Command::new("cp").arg("-a").arg(source).arg(target));
    }
    folder
}

/// The build, without optimisation, with its objects where the tests' own are.
fn build(folder: &Path) -> PathBuf {
    let mut command = Command::new("deploy/build-static");
    let objects = Path::new(env!("CARGO_BIN_EXE_ptpproxy"))
        .ancestors()
        .nth(2)
        .unwrap();
    without_cargo(&mut command)
        .arg("--offline")
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", objects)
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "none")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    let printed = output(&mut command);
    PathBuf::from(printed.trim())
}

#[test]
fn what_the_image_copies_builds_one_file_that_needs_no_other() {
    let Some(ldd) = find("ldd", "Debian: libc-bin") else {
        return;
    };
    let image = image();
    let program = build(image.path());
    let needs = text(&run(Command::new(ldd).arg(&program)));
    assert!(
        needs.contains("statically linked") || needs.contains("not a dynamic executable"),
        "{needs}"
    );
    let version = output(Command::new(&program).arg("--version").env_clear());
    assert_eq!(
        version.trim(),
        concat!("ptpproxy ", env!("CARGO_PKG_VERSION"))
    );
    // It reads interfaces by netlink and not through the C library's plug-ins.
    let refused = run(Command::new(&program).args(["--up", "nosuch0", "--down", "nosuch1"]));
    assert!(text(&refused).contains("nosuch0"), "{}", text(&refused));
    assert_eq!(
        read("deploy/Containerfile")
            .matches("COPY --from=build /build/target/deploy/static/ptpproxy")
            .count(),
        1,
        "where the script puts it"
    );
}
