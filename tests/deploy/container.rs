//! The image: the static file and nothing else.

use std::fs;
use std::process::Command;

use ptpproxy_lab::ptp4l::TempDir;

use crate::built;
use crate::tools::{find, output, run, text, top};

/// Really built, and its program run, where buildah is installed. No registry is asked: the image starts from nothing.
#[test]
fn it_holds_the_static_file_and_nothing_else() {
    let Some(buildah) = find("buildah", "Debian: buildah") else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let context = folder.path().join("context");
    let files = context.join("target/deploy/static");
    fs::create_dir_all(&files).unwrap();
    let program = built::file();
    fs::copy(program, files.join(program.file_name().unwrap())).unwrap();
    let buildah = || {
        let mut command = Command::new(&buildah);
        command
            .arg("--root")
            .arg(folder.path().join("root"))
            .arg("--runroot")
            .arg(folder.path().join("runroot"))
            .args(["--storage-driver", "vfs"])
            .env("TMPDIR", folder.path());
        command
    };
    let built = run(buildah()
        .args(["build", "--isolation", "chroot", "--tag", "ptpproxy"])
        .arg("--build-arg")
        .arg(format!("MACHINE={}", std::env::consts::ARCH))
        .arg("-f")
        .arg(top().join("deploy/Containerfile"))
        .arg(&context));
    assert!(built.status.success(), "{}", text(&built));
    let container = output(buildah().args(["from", "--pull-never", "localhost/ptpproxy"]));
    let mounted = output(buildah().args(["mount", container.trim()]));
    let program = std::path::Path::new(mounted.trim()).join("ptpproxy");
    let version = output(Command::new(&program).arg("--version").env_clear());
    assert!(version.starts_with("ptpproxy "), "{version}");
    let listed = fs::read_dir(mounted.trim()).unwrap().count();
    assert_eq!(listed, 1, "one file");
    output(buildah().args(["rm", container.trim()]));
}
