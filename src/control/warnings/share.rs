//! Which part of requests is answered, and from when on that says something.

/// Below this share of answered requests the grandmaster is overloaded or out of reach.
pub(super) const GOOD_SHARE: f64 = 0.9;
/// A share of fewer requests than this is not judged.
pub(super) const ENOUGH: u64 = 20;

/// All of none are answered.
#[expect(clippy::cast_precision_loss, reason = "counts of some seconds")]
pub(super) fn share(part: u64, of: u64) -> f64 {
    if of == 0 {
        1.0
    } else {
        part as f64 / of as f64
    }
}
