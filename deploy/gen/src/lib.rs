//! Manual pages, reference tables and shell completions, each made from a list that the program itself uses. The
//! product carries none of this.
//!
//! | file | one idea |
//! |---|---|
//! | `commands` | a page of section 8 for each command, from the definition of the command line |
//! | `completions` | for bash, zsh and fish |
//! | `topic` | a text with tables, that is both a manual page and a chapter of the reference |
//! | `topics` | what the topics are: settings, drop reasons, warnings, JSON fields, metrics |
//! | `page` | a topic as a manual page |
//! | `markdown` | topics as Markdown: `deploy/REFERENCE.md` |

mod commands;
mod completions;
mod markdown;
mod page;
mod topic;
mod topics;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Writes all pages and completions into `folder`, which is made if need be.
///
/// # Errors
/// When something cannot be written.
pub fn write_all(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut command = ptpproxy::cli::command();
    completions::write(folder, &mut command)?;
    commands::write(folder, &mut command)?;
    for topic in topics::all()? {
        let path = folder.join(format!("{}.{}", topic.name, topic.section));
        fs::write(&path, page::of(&topic))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// The text of `deploy/REFERENCE.md`.
///
/// # Errors
/// When the replies of the control socket are not what this program can read.
pub fn reference() -> Result<String> {
    Ok(markdown::of(&topics::reference()?))
}
