//! The other end of the control socket: finds the gateway, asks, and reads the answer.

use std::fs;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use serde::de::DeserializeOwned;

use super::reply::{Failure, PROTOCOL};
use super::socket::{Place, directories, left_behind};
use super::sort::Sort;
use crate::ring::process;
use crate::telemetry::{Orderer, Role};

/// A gateway that does not answer within this time is stuck.
const PATIENCE: Duration = Duration::from_secs(10);
/// No reply is larger.
const LARGEST: u64 = 64 << 20;

/// The request for the first clients in an order: `limit` of them, or as many as a reply holds.
#[must_use]
pub fn clients_request(sort: Sort, limit: Option<usize>) -> String {
    let sort = sort.label();
    match limit {
        Some(limit) => format!("clients sort={sort} limit={limit}"),
        None => format!("clients sort={sort}"),
    }
}

/// The request for a role.
#[must_use]
pub fn role_request(role: Role, by: Orderer) -> String {
    let role = role.label();
    match by.as_str() {
        "" => format!("role {role}"),
        by => format!("role {role} by={by}"),
    }
}

/// A gateway's control socket.
#[derive(Clone, Debug)]
pub struct Gateway {
    path: PathBuf,
}

impl Gateway {
    /// The gateway whose socket is at `path`, or the only one that runs.
    ///
    /// # Errors
    /// There is none, or more than one: one line that lists them.
    pub fn find(path: Option<&Path>) -> Result<Self> {
        if let Some(path) = path {
            return Ok(Self {
                path: path.to_owned(),
            });
        }
        let mut gateways = Self::all()?;
        // One whose gateway was killed stays behind.
        if gateways.len() > 1 {
            gateways.retain(|gateway| !left_behind(&gateway.path));
        }
        match gateways.as_slice() {
            [] => Err(none()),
            [one] => Ok(one.clone()),
            several => {
                let all: Vec<String> = several
                    .iter()
                    .map(|gateway| gateway.path.display().to_string())
                    .collect();
                bail!(
                    "{} gateways run here: choose one with --socket PATH, or ask all with `ptpproxy status --all`: {}",
                    all.len(),
                    all.join(", ")
                )
            }
        }
    }

    /// The gateway that is this process: it may have its socket where one with these options would, or elsewhere.
    ///
    /// # Errors
    /// None of those sockets is listened on by it.
    pub fn of_process(process: u32, place: &Place, (up, down): (&str, &str)) -> Result<Self> {
        let own = place.path(up, down).map(|path| Self { path });
        let all = Self::all().unwrap_or_default();
        let its = |gateway: &Self| {
            UnixStream::connect(&gateway.path)
                .and_then(|stream| process::peer_process(stream.as_fd()))
                .is_ok_and(|listens| listens == process)
        };
        own.into_iter().chain(all).find(its).ok_or_else(|| {
            anyhow!(
                "process {process} has no control socket here that this user may open (--control names another place)"
            )
        })
    }

    /// Every socket where gateways have theirs; those that were left behind among them.
    ///
    /// # Errors
    /// There is none that this user may see, and a directory that may not be read.
    pub fn all() -> Result<Vec<Self>> {
        let (mut found, mut refused) = (Vec::new(), None);
        for directory in directories() {
            match sockets(&directory) {
                Ok(sockets) => found.extend(sockets.into_iter().map(|path| Self { path })),
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    refused = Some((directory, error));
                }
                Err(_) => {}
            }
        }
        match refused {
            Some((directory, error)) if found.is_empty() => bail!(
                "{}: {error}; be root, the gateway's user or in its group",
                directory.display()
            ),
            _ => Ok(found),
        }
    }

    /// Its socket.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Asks, and returns the line of JSON.
    ///
    /// # Errors
    /// One line on why there is no answer.
    pub fn ask(&self, request: &str) -> Result<String> {
        let stream = self.open(request)?;
        let mut reply = String::new();
        stream
            .take(LARGEST)
            .read_to_string(&mut reply)
            .map_err(|error| self.unheard(&error))?;
        self.accepted(&reply)?;
        Ok(reply)
    }

    fn unheard(&self, error: &io::Error) -> anyhow::Error {
        let name = self.path.display();
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => anyhow!(
                "{name}: no answer within {} s: the gateway is stuck",
                PATIENCE.as_secs()
            ),
            _ => anyhow!("{name}: no whole answer: {error}"),
        }
    }

    /// Asks, and returns what the answer is read from.
    ///
    /// # Errors
    /// One line on why the gateway cannot be asked.
    pub fn open(&self, request: &str) -> Result<UnixStream> {
        let name = self.path.display();
        let mut stream = UnixStream::connect(&self.path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => anyhow!("{name}: no gateway has its control socket here"),
            ErrorKind::ConnectionRefused => {
                anyhow!("{name}: the gateway that made this socket has gone")
            }
            ErrorKind::PermissionDenied => {
                anyhow!("{name}: {error}; be root, the gateway's user or in its group")
            }
            _ => anyhow!("{name}: {error}"),
        })?;
        stream
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
            .and_then(|()| stream.write_all(format!("{request}\n").as_bytes()))
            .with_context(|| format!("{name}: asking"))?;
        Ok(stream)
    }

    /// Whether a reply, or its first line, answers what was asked.
    ///
    /// # Errors
    /// One line on why it does not.
    pub fn accepted(&self, reply: &str) -> Result<()> {
        let name = self.path.display();
        if reply.is_empty() {
            bail!(
                "{name}: the gateway closed without an answer: it is stopping, or too many ask at once"
            );
        }
        if let Ok(failure) = serde_json::from_str::<Failure>(reply) {
            if failure.protocol != PROTOCOL {
                bail!(
                    "{name}: the gateway speaks version {} of the control protocol, this program version \
                     {PROTOCOL}: use the program of the gateway's version",
                    failure.protocol
                );
            }
            bail!("{name}: {}", failure.error);
        }
        Ok(())
    }

    /// Asks, and reads the answer.
    ///
    /// # Errors
    /// As [`Self::ask`], or the answer is of another version.
    pub fn get<T: DeserializeOwned>(&self, request: &str) -> Result<T> {
        let reply = self.ask(request)?;
        serde_json::from_str(&reply)
            .with_context(|| format!("{}: an answer of another version", self.path.display()))
    }
}

/// The sockets in the runtime directory and in those below it, as systemd's templates make them.
fn sockets(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut sockets = Vec::new();
    for entry in fs::read_dir(directory)?.flatten() {
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        let path = entry.path();
        if kind.is_dir() {
            let below = fs::read_dir(&path).into_iter().flatten().flatten();
            sockets.extend(
                below
                    .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket()))
                    .map(|entry| entry.path()),
            );
        } else if kind.is_socket() {
            sockets.push(path);
        }
    }
    sockets.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "sock")
    });
    sockets.sort();
    Ok(sockets)
}

/// No gateway has a socket where they are looked for.
pub(crate) fn none() -> anyhow::Error {
    let places: Vec<String> = directories()
        .iter()
        .map(|directory| directory.display().to_string())
        .collect();
    anyhow!(
        "no gateway has a control socket in {}: is ptpproxy running? (--socket PATH looks elsewhere)",
        places.join(" or ")
    )
}
