//! Where the control socket is, and who may open it: the gateway's owner and group.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _,
};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::ring::process;

/// Where gateways have their sockets, unless systemd names another directory.
const RUNTIME: &str = "/run/ptpproxy";
/// The folder of them in a user's own runtime directory.
const FOLDER: &str = "ptpproxy";
/// Owner and group may connect.
const MODE: u32 = 0o660;

/// Where the control socket is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nowhere.
    Off,
    /// `UP-DOWN.sock` in the runtime directory of the service or the user.
    Default,
    /// Here.
    At(PathBuf),
}

/// Where a gateway of this process has its socket: in systemd's RUNTIME_DIRECTORY; else root's in `/run/ptpproxy`, and that
/// of an ordinary user in `$XDG_RUNTIME_DIR/ptpproxy`, where there is one.
fn own_directory() -> PathBuf {
    let user = (process::effective_user() != 0).then(users_directory);
    systemds_directory()
        .or(user.flatten())
        .unwrap_or_else(|| PathBuf::from(RUNTIME))
}

/// Where gateways have their sockets that this user may ask: in systemd's RUNTIME_DIRECTORY alone, where that is set.
pub(super) fn directories() -> Vec<PathBuf> {
    if let Some(directory) = systemds_directory() {
        return vec![directory];
    }
    [Some(PathBuf::from(RUNTIME)), users_directory()]
        .into_iter()
        .flatten()
        .collect()
}

fn systemds_directory() -> Option<PathBuf> {
    let all = std::env::var_os("RUNTIME_DIRECTORY")?;
    // systemd separates several by colons.
    let first = PathBuf::from(all.to_str()?.split(':').next()?);
    (!first.as_os_str().is_empty()).then_some(first)
}

/// In the user's runtime directory; a path that is not absolute is none (XDG Base Directory Specification).
fn users_directory() -> Option<PathBuf> {
    let runtime = PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR")?);
    runtime.is_absolute().then(|| runtime.join(FOLDER))
}

impl Place {
    /// The socket's path for a gateway between these interfaces. Of several downstream the first names it.
    pub(super) fn path(&self, up: &str, down: &str) -> Option<PathBuf> {
        match self {
            Self::Off => None,
            Self::Default => Some(own_directory().join(format!("{up}-{down}.sock"))),
            Self::At(path) => Some(path.clone()),
        }
    }
}

/// A socket that is listened on; its file goes with it.
pub(super) struct Listening {
    pub(super) listener: UnixListener,
    path: PathBuf,
    /// Device and inode of the file.
    file: (u64, u64),
}

/// Makes the socket. A file that a gateway left behind is replaced, one that answers only if this one `replaces` that gateway.
pub(super) fn listen(path: &Path, replaces: bool) -> Result<Listening> {
    if let Some(directory) = path.parent()
        && !directory.exists()
    {
        // If it cannot be made, the next step fails and says why.
        if directory == Path::new(RUNTIME) {
            let _ = DirBuilder::new().mode(0o750).create(directory);
        } else if users_directory().is_some_and(|users| users == directory) {
            let _ = DirBuilder::new().mode(0o700).create(directory);
        }
    }
    match fs::symlink_metadata(path) {
        Ok(there) if !there.file_type().is_socket() => {
            bail!("{}: there is something that is no socket", path.display())
        }
        // One that this user may not connect to has an owner, too.
        // It is renamed over in one step: whoever asks finds the one or the other.
        Ok(_) if replaces => {}
        Ok(_) if !left_behind(path) => bail!("{}: another gateway has it", path.display()),
        Ok(_) => fs::remove_file(path)
            .with_context(|| format!("{}: left behind, and cannot be removed", path.display()))?,
        Err(_) => {}
    }
    // Nobody else is to connect before its mode is set: it gets its name afterwards.
    let hidden = path.with_extension(format!("{}.new", std::process::id()));
    let result = bind(&hidden).and_then(|listener| {
        let file = identity(&hidden)?;
        fs::rename(&hidden, path)?;
        Ok((listener, file))
    });
    match result {
        Ok((listener, file)) => Ok(Listening {
            listener,
            path: path.to_owned(),
            file,
        }),
        Err(error) => {
            let _ = fs::remove_file(&hidden);
            Err(error).with_context(|| path.display().to_string())
        }
    }
}

/// Nobody listens on this socket any more.
pub(super) fn left_behind(path: &Path) -> bool {
    UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(MODE))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

impl Drop for Listening {
    fn drop(&mut self) {
        // Somebody may have put something else there meanwhile.
        if identity(&self.path).is_ok_and(|there| there == self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// What no other file has while this one is there.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let there = fs::symlink_metadata(path)?;
    Ok((there.dev(), there.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of its own; the test that is named removes it.
    fn folder(test: &str) -> PathBuf {
        let name = format!("ptpproxy-socket-{test}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        folder
    }

    #[test]
    fn a_socket_goes_with_its_gateway_and_one_left_behind_is_replaced() {
        let folder = folder("goes");
        let path = folder.join("a.sock");
        drop(listen(&path, false).unwrap());
        assert!(!path.exists());
        drop(UnixListener::bind(&path).unwrap());
        let listening = listen(&path, false).unwrap();
        assert!(UnixStream::connect(&path).is_ok());
        assert!(listen(&path, false).is_err(), "another gateway has it");
        let other = listen(&path, true).unwrap();
        drop(listening);
        assert!(UnixStream::connect(&path).is_ok(), "the other's socket");
        let listening = other;
        drop(listening);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        fs::remove_dir(folder).unwrap();
    }

    /// Whoever moved it away and put its own in its place keeps that.
    #[test]
    fn what_it_did_not_make_stays() {
        let folder = folder("stays");
        let path = folder.join("a.sock");
        let listening = listen(&path, false).unwrap();
        fs::rename(&path, folder.join("moved")).unwrap();
        let other = listen(&path, false).unwrap();
        drop(listening);
        assert!(UnixStream::connect(&path).is_ok(), "the other's socket");
        drop(other);
        assert!(!path.exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
