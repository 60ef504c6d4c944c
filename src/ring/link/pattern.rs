//! Patterns of interface names: `*` is any text, `?` any character.

/// Whether a text is a pattern rather than a name.
#[must_use]
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Whether a pattern means a name.
#[must_use]
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut of) = (0, 0);
    // Where the last `*` was, and how much of the name it means so far.
    let mut star: Option<(usize, usize)> = None;
    while of < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, of));
                at += 1;
            }
            Some(&wanted) if wanted == b'?' || wanted == name[of] => {
                at += 1;
                of += 1;
            }
            _ => match &mut star {
                Some((start, upto)) => {
                    *upto += 1;
                    (at, of) = (*start + 1, *upto);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|&rest| rest == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_names() {
        for (pattern, name, meant) in [
            ("swp*", "swp1", true),
            ("swp*", "swp", true),
            ("swp*", "eth0", false),
            ("swp?", "swp12", false),
            ("swp??", "swp12", true),
            ("*.100", "eth0.100", true),
            ("*.100", "eth0.100.1001", false),
            ("e*h*0", "eth10", true),
            ("e*h*0", "eth01", false),
            ("*", "lan1", true),
            ("lan1", "lan1", true),
            ("lan1", "lan12", false),
        ] {
            assert_eq!(matches(pattern, name), meant, "{pattern} {name}");
        }
        assert!(is_pattern("swp*") && is_pattern("swp?") && !is_pattern("swp1"));
    }
}
