//! What the validator says: one finding a fault, and who counts them.
//!
//! Shown by: tests/validate, tests/bad_input.rs.

use std::fmt;

use serde::Serialize;

use super::shape::Fault;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The contract allows it, and somebody should look.
    Warning,
    /// The contract does not allow it.
    Error,
}

/// One fault of an episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Which rule found it, a word of [`RULES`](super::RULES).
    pub rule: &'static str,
    /// The file.
    pub file: String,
    /// Its line, from 1, where it has lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Index of the step, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<u64>,
    /// Path of the field, `observation.gaze.direction` for example.
    pub field: String,
    /// What the contract wants.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(match self.severity {
            Severity::Error => ": error: ",
            Severity::Warning => ": warning: ",
        })?;
        if let Some(step) = self.step {
            write!(f, "step {step}: ")?;
        }
        write!(
            f,
            "{}: expected {}, found {} [{}]",
            self.field, self.expected, self.found, self.rule
        )
    }
}

/// Hands findings on as they come, with the place that is being looked at.
pub(crate) struct Findings<'a> {
    tell: &'a mut dyn FnMut(Finding),
    pub(crate) file: String,
    pub(crate) line: Option<u64>,
    pub(crate) step: Option<u64>,
    pub(crate) errors: u64,
    pub(crate) warnings: u64,
}

impl<'a> Findings<'a> {
    pub(crate) fn new(tell: &'a mut dyn FnMut(Finding)) -> Self {
        Self { tell, file: String::new(), line: None, step: None, errors: 0, warnings: 0 }
    }

    /// From here on, it is about this file as a whole.
    pub(crate) fn look_at(&mut self, file: String) {
        (self.file, self.line, self.step) = (file, None, None);
    }

    pub(crate) fn error(
        &mut self,
        rule: &'static str,
        field: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) {
        self.errors = self.errors.saturating_add(1);
        self.add(Severity::Error, rule, field.into(), expected.into(), found.into());
    }

    pub(crate) fn warning(
        &mut self,
        rule: &'static str,
        field: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) {
        self.warnings = self.warnings.saturating_add(1);
        self.add(Severity::Warning, rule, field.into(), expected.into(), found.into());
    }

    pub(crate) fn faults(&mut self, faults: Vec<Fault>) {
        for fault in faults {
            self.error(fault.rule, fault.field, fault.expected, fault.found);
        }
    }

    fn add(
        &mut self,
        severity: Severity,
        rule: &'static str,
        field: String,
        expected: String,
        found: String,
    ) {
        let (file, line, step) = (self.file.clone(), self.line, self.step);
        (self.tell)(Finding { severity, rule, file, line, step, field, expected, found });
    }
}
