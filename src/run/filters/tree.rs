//! Putting one program in the place of another, within what the kernel grants.
//!
//! The kernel charges programs to net.core.optmem_max, old and new together while one is replaced.
//! So where both do not fit, a small program that takes everybody for our client stands in between: no
//! frame of a client is lost. Where the new one does not fit even so, it is made smaller: coarser, at last
//! plain.

use std::io;

use crate::filter::{self, Fit, Instruction, MAX_INSTRUCTIONS, Spec};
use crate::run::port::FilterSocket;

/// Below this there is no room for clients.
const LEAST: usize = 512;

/// What the kernel was found to grant.
#[derive(Debug)]
pub(super) struct Tree {
    /// Instructions of the program in force.
    in_force: usize,
    /// What is in force stands in for another, or nothing is: every client's answers come in.
    open: bool,
    /// Instructions of one program.
    alone: usize,
    /// Instructions of old and new together.
    together: usize,
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    pub(super) const fn new() -> Self {
        Self {
            in_force: 0,
            open: false,
            alone: MAX_INSTRUCTIONS,
            together: usize::MAX,
        }
    }

    /// Instructions of the program in force.
    pub(super) const fn in_force(&self) -> usize {
        self.in_force
    }

    /// Whether the answers to every client come in, because a replacement failed half-way.
    pub(super) const fn open(&self) -> bool {
        self.open
    }

    /// Another than [`Tree::replace`] has put a program of this length in force.
    pub(super) const fn found(&mut self, instructions: usize) {
        self.in_force = instructions;
        self.open = false;
    }

    /// Puts the best program for `spec` in force.
    ///
    /// # Errors
    /// The kernel's. Then what was in force, or a program that passes more, stays.
    pub(super) fn replace(
        &mut self,
        socket: &mut impl FilterSocket,
        spec: &Spec<'_>,
    ) -> io::Result<Fit> {
        let mut between = false;
        loop {
            let plain = Spec {
                clients: None,
                ..*spec
            };
            let spec = if self.alone < LEAST { &plain } else { spec };
            let (program, fit) =
                filter::fit(spec, self.alone.max(LEAST)).map_err(io::Error::other)?;
            let both = program.len() + self.in_force;
            if !between && both >= self.together {
                between = true;
                self.stand_in(socket, spec)?;
            }
            match socket.attach(&for_kernel(&program)) {
                Ok(()) => {
                    self.found(program.len());
                    return Ok(fit);
                }
                Err(error) if error.raw_os_error() != Some(libc::ENOMEM) => return Err(error),
                Err(_) if !between => {
                    between = true;
                    self.together = both;
                    self.stand_in(socket, spec)?;
                }
                Err(_) if fit == Fit::Plain => {
                    // Not even two of the smallest fit: everything passes for a moment.
                    self.detach(socket)?;
                    socket.attach(&for_kernel(&program))?;
                    self.found(program.len());
                    return Ok(fit);
                }
                Err(_) => {
                    self.alone = if program.len() > LEAST {
                        (program.len() * 3 / 4).max(LEAST)
                    } else {
                        0
                    };
                }
            }
        }
    }

    /// Puts the small program in force that passes all that any other does.
    fn stand_in(&mut self, socket: &mut impl FilterSocket, spec: &Spec<'_>) -> io::Result<()> {
        let program = for_kernel(&filter::in_between(spec));
        match socket.attach(&program) {
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => {
                // The old one left no room even for this.
                self.detach(socket)?;
                socket.attach(&program)?;
            }
            other => other?,
        }
        self.in_force = program.len();
        self.open = true;
        Ok(())
    }

    fn detach(&mut self, socket: &mut impl FilterSocket) -> io::Result<()> {
        socket.detach()?;
        self.in_force = 0;
        self.open = true;
        Ok(())
    }
}

/// A program as the kernel takes it.
pub(super) fn for_kernel(program: &[Instruction]) -> Vec<libc::sock_filter> {
    program
        .iter()
        .map(|step| libc::sock_filter {
            code: step.code,
            jt: step.jt,
            jf: step.jf,
            k: step.k,
        })
        .collect()
}

#[cfg(test)]
mod tests;
