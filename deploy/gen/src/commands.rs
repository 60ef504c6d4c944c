//! The manual pages of the commands: `ptpproxy.8`, and one a subcommand.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::Command;
use clap_mangen::Man;

use crate::page::MANUAL;

/// Administrators run these commands.
const SECTION: &str = "8";

/// What no flag says.
const FILES: &str = ".SH FILES
.TP
.I /etc/ptpproxy/ptpproxy.toml
The settings of the service
.BR ptpproxy.service .
.TP
.I /etc/ptpproxy/NAME.toml
Those of
.BR ptpproxy@NAME.service .
.SH SEE ALSO
.BR ptpproxy.toml (5),
.BR ptpproxy-reasons (7),
.BR ptpproxy-warnings (7),
.BR ptpproxy-status (7),
.BR ptpproxy-metrics (7),
.BR ptp4l (8),
.BR pmc (8),
.BR systemctl (1)
";

/// Writes the page of `command`, and of each command below it.
pub(crate) fn write(folder: &Path, command: &mut Command) -> Result<()> {
    // Gives the subcommands their full names, and the options that all share.
    command.build();
    write_pages(folder, command, true)
}

fn write_pages(folder: &Path, command: &Command, first: bool) -> Result<()> {
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        write_pages(folder, sub, false)?;
    }
    let name = command.get_display_name().unwrap_or("ptpproxy");
    let man = Man::new(command.clone())
        .title(name)
        .section(SECTION)
        .manual(MANUAL);
    let path = folder.join(format!("{name}.{SECTION}"));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if first {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(examples) = command.get_after_help() {
        page.extend(literally(&examples.to_string()).bytes());
    }
    if first {
        page.write_all(FILES.as_bytes())?;
        man.render_version_section(&mut page)?;
    }
    fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))
}

/// The text after the options, `Examples:` first, line by line as it stands.
fn literally(text: &str) -> String {
    let text = text.strip_prefix("Examples:\n").unwrap_or(text);
    let mut page = String::from(".SH EXAMPLES\n.nf\n");
    for line in text.lines() {
        // An empty request is a blank line; \& keeps a dot or a quote at the start from being one.
        page += &match line {
            "" => ".sp\n".to_owned(),
            line => format!("\\&{}\n", line.replace('\\', "\\e").replace('-', "\\-")),
        };
    }
    page + ".fi\n"
}
