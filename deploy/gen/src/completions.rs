//! Shell completions: clap's, which know files only, and for an interface the names of those of the machine.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use clap::{Arg, Command};
use clap_complete::{Shell, generate};

/// By this name of its value a flag takes an interface.
const INTERFACE: &str = "IF";
/// What clap writes for it in bash, and what lists the machine's interfaces.
const BASH: [&str; 2] = [
    r#"COMPREPLY=($(compgen -f "${cur}"))"#,
    r#"COMPREPLY=($(compgen -W "$(cd /sys/class/net 2>/dev/null && echo *)" -- "${cur}"))"#,
];

/// Writes the completions of `command` for each shell.
pub(crate) fn write(folder: &Path, command: &mut Command) -> Result<()> {
    command.build();
    for (shell, name, interfaces) in [
        (
            Shell::Bash,
            "ptpproxy.bash",
            bash as fn(&str, &Flag) -> String,
        ),
        (Shell::Zsh, "_ptpproxy", zsh),
        (Shell::Fish, "ptpproxy.fish", fish),
    ] {
        let mut script = Vec::new();
        generate(shell, &mut *command, "ptpproxy", &mut script);
        let mut script = String::from_utf8(script)?;
        for flag in flags(command) {
            let with = interfaces(&script, &flag);
            ensure!(
                with != script,
                "clap writes --{} in {shell} in another way now",
                flag.long
            );
            script = with;
        }
        let path = folder.join(name);
        fs::write(&path, script).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// A flag that takes an interface.
struct Flag {
    /// Its subcommand, if it is one's.
    of: Option<String>,
    long: String,
    help: String,
}

fn flags(command: &Command) -> Vec<Flag> {
    let of = |command: &Command, name: Option<&str>| -> Vec<Flag> {
        let takes = |argument: &&Arg| {
            let names = argument.get_value_names().unwrap_or_default();
            names.iter().any(|name| name.as_str() == INTERFACE)
        };
        let flag = |argument: &Arg| {
            Some(Flag {
                of: name.map(str::to_owned),
                long: argument.get_long()?.to_owned(),
                help: argument.get_help()?.to_string(),
            })
        };
        command
            .get_arguments()
            .filter(takes)
            .filter_map(flag)
            .collect()
    };
    let mut flags = of(command, None);
    for sub in command.get_subcommands() {
        flags.extend(of(sub, Some(sub.get_name())));
    }
    flags
}

/// A branch of the command's own `case`: `--up)`, then the line that answers.
fn bash(script: &str, flag: &Flag) -> String {
    let command = match &flag.of {
        Some(of) => format!("        ptpproxy__subcmd__{of})"),
        None => "        ptpproxy)".to_owned(),
    };
    let branch = format!("--{})", flag.long);
    let (mut inside, mut answers) = (false, false);
    edited(script, |line| {
        if line.starts_with("        ptpproxy") {
            inside = line == command;
        }
        let answer = answers && line.trim() == BASH[0];
        answers = inside && line.trim() == branch;
        answer.then(|| line.replace(BASH[0], BASH[1]))
    })
}

/// zsh has a function for them.
fn zsh(script: &str, flag: &Flag) -> String {
    // One that may be given several times has a star before it.
    let start = format!("--{}=[{}]:{INTERFACE}:", flag.long, flag.help);
    // Flags of several commands read alike: one of them at a time.
    script.replacen(
        &format!("{start}_default'"),
        &format!("{start}_net_interfaces'"),
        1,
    )
}

/// And so has fish.
fn fish(script: &str, flag: &Flag) -> String {
    let command = match &flag.of {
        Some(of) => format!("__fish_ptpproxy_using_subcommand {of}\""),
        None => "__fish_ptpproxy_needs_command\"".to_owned(),
    };
    let end = format!(" -l {} -d '{}' -r", flag.long, flag.help);
    edited(script, |line| {
        let this = line.contains(&command) && line.ends_with(&end);
        this.then(|| format!("{line} -f -a '(__fish_print_interfaces)'"))
    })
}

/// The script with some of its lines changed.
fn edited(script: &str, mut change: impl FnMut(&str) -> Option<String>) -> String {
    script
        .lines()
        .map(|line| change(line).unwrap_or_else(|| line.to_owned()) + "\n")
        .collect()
}
