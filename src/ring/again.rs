//! The memory of a ring that another process opened, mapped again.

use std::os::fd::BorrowedFd;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use super::map::{FrameMap, Geometry};
use super::stamps::StampSource;

/// What both owners of a ring ask of it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Asked {
    /// Frames, and bytes of each.
    pub(super) frames: (u32, u32),
    /// Who takes its timestamps.
    pub(super) stamps: StampSource,
}

/// Maps the ring of this socket, which is called so in errors.
///
/// # Errors
/// Its former owner asked for another one: in words.
pub(super) fn map_again(
    (interface, ring): (&str, &str),
    socket: BorrowedFd<'_>,
    had: Asked,
    wanted: Asked,
) -> Result<FrameMap> {
    let geometry = Geometry::again(had.frames, wanted.frames)
        .map_err(|text| anyhow::anyhow!("{interface}: {text}"))?;
    ensure!(
        had.stamps == wanted.stamps,
        "{interface}: timestamps were taken by another clock"
    );
    FrameMap::map(socket, geometry)
        .with_context(|| format!("{interface}: mapping the {ring} ring again"))
}
