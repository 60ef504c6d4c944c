//! Not connected yet.

use crate::cli::RunOptions;

/// Not connected yet.
///
/// # Errors
/// Always.
pub fn run(options: &RunOptions) -> anyhow::Result<()> {
    anyhow::bail!("cannot forward from {} to {} yet", options.up, options.down)
}
