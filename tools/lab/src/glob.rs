//! Names by pattern: `*` is any run of characters, `?` one. Several patterns are separated by commas.

/// Whether `name` matches any of the comma-separated patterns in `filter`. A pattern without a bracket also matches all the
/// sub-cases of a case: `boot-paths` selects `boot-paths[cpus=4]`.
pub fn selects(filter: &str, name: &str) -> bool {
    let family = name.split('[').next().unwrap_or(name);
    // A comma inside brackets separates matrix axes, not patterns.
    split_outside_brackets(filter).iter().any(|pattern| matches(pattern, name) || matches(pattern, family))
}

fn split_outside_brackets(filter: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0i32);
    for (at, byte) in filter.bytes().enumerate() {
        match byte {
            b'[' => depth += 1,
            b']' => depth -= 1,
            b',' if depth == 0 => {
                parts.extend(filter.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(filter.get(start..));
    parts
}

/// Matches by remembering the last star: linear in practice, never exponential.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, n));
                p += 1;
            }
            Some(&byte) if byte == b'?' || Some(&byte) == name.get(n) => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    p = after;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_and_wildcards() {
        assert!(matches("boot-pvh", "boot-pvh"));
        assert!(matches("boot-*", "boot-pvh"));
        assert!(matches("*pvh", "boot-pvh"));
        assert!(matches("b*t-?vh", "boot-pvh"));
        assert!(matches("*", ""));
        assert!(!matches("boot", "boot-pvh"));
        assert!(!matches("?", ""));
        assert!(!matches("", "x"));
    }

    #[test]
    fn stars_backtrack() {
        assert!(matches("*ab*ab", "abaabab"));
        assert!(!matches("*ab*abc", "abaabab"));
    }

    #[test]
    fn a_family_selects_its_members() {
        assert!(selects("boot-paths", "boot-paths[cpus=4,boot=pvh]"));
        assert!(selects("boot-paths[cpus=4,*]", "boot-paths[cpus=4,boot=pvh]"));
        assert!(!selects("boot-paths[cpus=8,*]", "boot-paths[cpus=4,boot=pvh]"));
    }

    #[test]
    fn commas_join_patterns() {
        assert!(selects("x,boot-*", "boot-pvh"));
        assert!(!selects("x,y", "boot-pvh"));
    }
}
