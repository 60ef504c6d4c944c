//! A network namespace and what runs in it.

use std::fs::{self, File};
use std::io;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result, anyhow};

use super::process::Process;
use super::rtnl::Rtnl;
use super::sys;

/// A network namespace, held open by this value. Its links live as long as it or a process in it.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    handle: File,
    rtnl: Mutex<Rtnl>,
}

impl Namespace {
    /// Makes an empty namespace with its loopback up. `name` is for messages only. Duplicate
    /// address detection and router solicitation are off, so IPv6 works at once and quietly.
    ///
    /// # Errors
    /// When the process is in no [`Sandbox`](super::Sandbox) and is not root.
    pub fn new(name: &str) -> Result<Self> {
        let made = on_a_thread(|| {
            sys::enter_network()?;
            // A kernel without IPv6 has none of these.
            for (key, value) in [("accept_dad", "0"), ("router_solicitations", "0")] {
                for scope in ["all", "default"] {
                    let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{scope}/{key}"), value);
                }
            }
            Self::of_this_thread(name)
        });
        let namespace =
            made.with_context(|| format!("cannot make the network namespace {name}"))?;
        namespace.set_up("lo", true)?;
        Ok(namespace)
    }

    /// The namespace that the calling thread is in.
    ///
    /// # Errors
    /// Without /proc or without netlink.
    pub fn current() -> Result<Self> {
        Self::of_this_thread("here").context("cannot open the network namespace we are in")
    }

    /// The name given to it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `body` on a new thread inside the namespace. What it opens there stays there. (Mind that
    /// /proc/net shows the main thread's namespace; /proc/thread-self/net shows this one.)
    ///
    /// # Errors
    /// When the namespace cannot be entered.
    ///
    /// # Panics
    /// When `body` panics.
    pub fn run<R: Send>(&self, body: impl FnOnce() -> R + Send) -> Result<R> {
        on_a_thread(|| sys::set_network(&self.handle).map(|()| body()))
            .with_context(|| format!("cannot enter the network namespace {}", self.name))
    }

    /// Starts a program inside the namespace. It is killed when the returned guard is dropped and
    /// when the thread that called this ends: start it from a thread that outlives its use. It
    /// cannot set a clock.
    ///
    /// `command` cannot be used again for another namespace.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn spawn(&self, command: &mut Command) -> Result<Process> {
        sys::join_on_exec(command, &self.handle);
        let child = command.spawn().with_context(|| {
            let program = command.get_program().to_string_lossy().into_owned();
            format!(
                "cannot start {program} in the network namespace {}",
                self.name
            )
        })?;
        Ok(Process::new(child))
    }

    /// Writes a network setting: `sysctl("net/ipv4/ip_forward", "1")`.
    ///
    /// # Errors
    /// When it does not exist or refuses the value.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<()> {
        self.run(|| fs::write(format!("/proc/sys/{key}"), value))?
            .with_context(|| format!("cannot set {key} to {value} in {}", self.name))
    }

    pub(super) fn handle(&self) -> &File {
        &self.handle
    }

    pub(super) fn rtnl(&self) -> MutexGuard<'_, Rtnl> {
        self.rtnl.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of_this_thread(name: &str) -> io::Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            handle: File::open("/proc/thread-self/ns/net")?,
            rtnl: Mutex::new(Rtnl::open()?),
        })
    }
}

/// Namespaces are a thread's: whatever enters one does so on a thread that then ends.
fn on_a_thread<R: Send>(body: impl FnOnce() -> io::Result<R> + Send) -> Result<R> {
    thread::scope(|scope| match scope.spawn(body).join() {
        Ok(result) => result.map_err(|error| anyhow!(error)),
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
