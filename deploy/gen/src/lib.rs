//! Man pages (`ptpproxy.1`, and one a subcommand) and shell completions, made from the one definition
//! of the command line, [`ptpproxy::cli::command`]. The product itself carries none of this.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

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
.BR ptp4l (8),
.BR pmc (8),
.BR systemctl (1)
";

/// Writes all of them into `folder`, which is made if need be.
///
/// # Errors
/// When something cannot be written.
pub fn write_all(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut command = ptpproxy::cli::command();
    for shell in SHELLS {
        clap_complete::generate_to(shell, &mut command, "ptpproxy", folder)
            .with_context(|| format!("cannot write completions for {shell}"))?;
    }
    // Gives the subcommands their full names, and the options that all share.
    command.build();
    write_pages(folder, &command, true)
}

/// The page of a command, and of each below it.
fn write_pages(folder: &Path, command: &Command, first: bool) -> Result<()> {
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        write_pages(folder, sub, false)?;
    }
    let name = command.get_display_name().unwrap_or("ptpproxy");
    let man = Man::new(command.clone())
        .title(name)
        .manual("PTP proxy forwarder");
    let path = folder.join(format!("{name}.1"));
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
