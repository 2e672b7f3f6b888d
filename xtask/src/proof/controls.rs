//! The negative controls: a proof that no bug can break proves nothing.
//!
//! Each is a planted bug of `tests/sabotage/proof-*.patch` that still compiles. Its `Symbol:` line
//! says which name the linker must miss, its `Through:` line a function on the way there. Each is
//! planted in a copy of the tree, for every target; one that says `Not on:` is left out there.

use super::{Linked, Place};
use crate::sabotage::{self, Yard};
use serde_json::{Value, json};
use std::path::Path;

/// What the names of their patches begin with.
const PREFIX: &str = "proof-";

/// One control on one target.
#[derive(Debug)]
pub(super) struct Control {
    name: String,
    target: String,
    symbol: String,
    /// What happened instead, if it did not fail as it must.
    instead: Option<String>,
    path: Vec<String>,
}

/// What a control expects.
struct Expected {
    symbol: String,
    through: String,
    not_on: Option<String>,
}

pub(super) fn run(
    targets: &[&str],
    builds: &Path,
    mut tell: impl FnMut(Control),
) -> Result<(), String> {
    let bugs: Vec<_> =
        sabotage::all()?.into_iter().filter(|bug| bug.name.starts_with(PREFIX)).collect();
    if bugs.is_empty() {
        return Err(format!("expected {}/{PREFIX}*.patch, found none", sabotage::FOLDER));
    }
    let yard = Yard::prepare("proof-controls")?;
    let place = Place { tree: yard.tree().to_owned(), builds: builds.to_owned() };
    for bug in &bugs {
        let expected = expected(bug)?;
        if !yard.apply(bug, false)? {
            return Err(format!("{}: the patch does not apply any more", bug.name));
        }
        let wanted = targets.iter().filter(|target| expected.not_on.as_deref() != Some(**target));
        let found: Vec<_> = wanted.map(|target| (*target, place.link(target))).collect();
        if !yard.apply(bug, true)? {
            return Err(format!("{}: the copy cannot be mended", bug.name));
        }
        for (target, linked) in found {
            tell(judged(&bug.name, target, &expected, linked));
        }
    }
    Ok(())
}

fn expected(bug: &sabotage::Bug) -> Result<Expected, String> {
    let text =
        std::fs::read_to_string(&bug.path).map_err(|error| format!("{}: {error}", bug.name))?;
    let value = |key: &str| {
        let mut lines = text.lines().take_while(|line| !line.starts_with("--- "));
        lines.find_map(|line| line.strip_prefix(key)).map(|value| value.trim().to_owned())
    };
    let must = |key: &str| value(key).ok_or(format!("{}: expected a line `{key} …`", bug.name));
    Ok(Expected { symbol: must("Symbol:")?, through: must("Through:")?, not_on: value("Not on:") })
}

fn judged(
    name: &str,
    target: &str,
    expected: &Expected,
    linked: Result<Linked, crate::Problem>,
) -> Control {
    let mut control = Control {
        name: name.to_owned(),
        target: target.to_owned(),
        symbol: expected.symbol.clone(),
        instead: None,
        path: Vec::new(),
    };
    control.instead = match linked {
        Err(problem) => Some(format!("{problem:?}")),
        Ok(Linked::Whole) => Some("it links: the proof does not see it".to_owned()),
        Ok(Linked::Missing(missing)) => {
            match missing.into_iter().find(|missing| missing.symbol == expected.symbol) {
                None => Some(format!("the linker did not miss {}", expected.symbol)),
                Some(missing) => {
                    control.path = missing.path;
                    let is_through =
                        control.path.iter().any(|step| step.contains(&expected.through));
                    (!is_through).then(|| {
                        let path = control.path.join(" → ");
                        format!("expected a way through {}, found {path}", expected.through)
                    })
                }
            }
        }
    };
    control
}

impl Control {
    pub(super) fn fails_as_it_must(&self) -> bool {
        self.instead.is_none()
    }

    pub(super) fn as_text(&self) -> String {
        let Self { name, target, symbol, .. } = self;
        match &self.instead {
            None => format!("{name}: fails as it must ({symbol}), {target}"),
            Some(instead) => format!("{name}: DOES NOT FAIL AS IT MUST, {target}: {instead}"),
        }
    }

    pub(super) fn as_json(&self) -> Value {
        json!({
            "name": self.name,
            "target": self.target,
            "symbol": self.symbol,
            "fails_as_it_must": self.fails_as_it_must(),
            "instead": self.instead,
            "path": self.path,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Linked, Missing};
    use super::{Expected, judged};

    fn fails(linked: Linked) -> bool {
        let expected = Expected {
            symbol: "panic_is_reachable".to_owned(),
            through: "panic_bounds_check".to_owned(),
            not_on: None,
        };
        judged("proof-x", "here", &expected, Ok(linked)).fails_as_it_must()
    }

    fn missing(symbol: &str, through: &str) -> Linked {
        let path = vec!["_start".to_owned(), through.to_owned(), symbol.to_owned()];
        Linked::Missing(vec![Missing { symbol: symbol.to_owned(), path }])
    }

    #[test]
    fn a_control_must_miss_its_own_symbol_by_its_own_way() {
        assert!(fails(missing("panic_is_reachable", "core::panicking::panic_bounds_check")));
        assert!(!fails(missing("panic_is_reachable", "core::panicking::panic_fmt")));
        assert!(!fails(missing("allocation_is_reachable", "core::panicking::panic_bounds_check")));
        assert!(!fails(Linked::Whole));
    }
}
