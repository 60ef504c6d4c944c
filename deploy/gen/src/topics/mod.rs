//! What the topics are, each made from a list of the program.

mod fields;
mod metrics;
mod reasons;
mod settings;
mod warnings;

use anyhow::Result;

use crate::topic::Topic;

/// All of them.
pub(crate) fn all() -> Result<Vec<Topic>> {
    let mut topics = vec![settings::topic()];
    topics.extend(reference()?);
    Ok(topics)
}

/// Those of the reference; the settings have `deploy/ptpproxy.toml`.
pub(crate) fn reference() -> Result<Vec<Topic>> {
    Ok(vec![
        reasons::topic(),
        warnings::topic(),
        fields::topic()?,
        metrics::topic(),
    ])
}
