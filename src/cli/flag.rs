//! How a flag is defined: everything about it in one place, for clap and for ourselves.

use super::ranges::Takes;

/// Headings of the help and of the sample configuration.
pub(super) mod section {
    pub(in crate::cli) const INTERFACES: &str = "Interfaces";
    pub(in crate::cli) const HOLDING: &str = "Holding";
    pub(in crate::cli) const FILTERING: &str = "Filtering";
    pub(in crate::cli) const AUTHENTICATION: &str = "Authentication";
    pub(in crate::cli) const LIMITS: &str = "Limits";
    pub(in crate::cli) const TIMESTAMPING: &str = "Timestamping";
    pub(in crate::cli) const RINGS: &str = "Rings and polling";
    pub(in crate::cli) const OUTPUT: &str = "Output";
}

/// Defines flags: the fields of a struct of arguments, each with its help, its type and its properties.
///
/// `section`, `reload` and `banner` must be there, or it does not compile; `takes` is the range of a
/// number or a duration, which the help, the errors and the parser have in common; `sample` is for flags
/// without a default; what is in `arg(..)` goes to clap.
macro_rules! flags {
    (
        $(#[$outer:meta])*
        $vis:vis struct $name:ident {
            $(
                $(#[$help:meta])+
                $field:ident: $type:ty = {
                    section: $section:ident,
                    reload: $reload:ident,
                    banner: $banner:expr,
                    $(sample: $sample:expr,)?
                    $(takes: $takes:expr,)?
                    arg($($arg:tt)*)
                }
            )+
        }
    ) => {
        $(#[$outer])*
        #[derive(clap::Args, Clone, Debug)]
        $vis struct $name {
            $(
                $(#[$help])+
                #[arg(
                    long,
                    help_heading = $crate::cli::flag::section::$section,
                    $(value_parser = $crate::cli::flag::parser($takes),)?
                    $($arg)*
                )]
                pub(super) $field: $type,
            )+
        }

        impl $name {
            /// What clap does not know of these flags.
            pub(super) const FLAGS: &'static [$crate::options::Flag] = &[
                $($crate::options::Flag {
                    id: stringify!($field),
                    reload: $crate::options::Reload::$reload,
                    banner: $banner,
                    range: $crate::cli::flag::first(&[
                        $(Some(|| $crate::cli::ranges::Takes::range(&$takes)),)?
                        None,
                    ]),
                    sample: $crate::cli::flag::first(&[
                        $($sample,)?
                        $crate::options::Sample::Default,
                    ]),
                },)+
            ];
        }
    };
}

pub(super) use flags;

/// What is given, or what stands last.
pub(super) const fn first<T: Copy>(of: &[T]) -> T {
    of[0]
}

/// The parser of a value that is within a range.
pub(super) fn parser<T: Takes>(
    takes: T,
) -> impl Fn(&str) -> Result<T::Value, String> + Clone + Send + Sync + 'static {
    move |text| takes.read(text)
}

/// Says the range of a value in its help, after the first sentence.
pub(super) fn with_range(argument: clap::Arg, range: &str) -> clap::Arg {
    let said = |help: &str| {
        let (first, rest) = help.split_once("\n\n").unwrap_or((help, ""));
        match (first.strip_suffix('.'), rest) {
            (Some(first), "") => format!("{first} ({range})."),
            (None, "") => format!("{first} ({range})"),
            (first, rest) => format!("{} ({range}).\n\n{rest}", first.unwrap_or(help)),
        }
    };
    let short = argument.get_help().map(|help| said(&help.to_string()));
    let long = argument.get_long_help().map(|help| said(&help.to_string()));
    let argument = match short {
        Some(help) => argument.help(help),
        None => argument,
    };
    match long {
        Some(help) => argument.long_help(help),
        None => argument,
    }
}
