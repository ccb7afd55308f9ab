//! What is wrong with a schedule, and where.

use std::fmt;

use super::field::Field;

/// What is wrong with a schedule, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) struct Fault {
    field: Option<Field>,
    /// Counted in characters, from 1.
    column: Option<usize>,
    reason: String,
}

impl Fault {
    /// Makes a fault of the schedule as a whole.
    pub(super) fn whole(reason: impl Into<String>) -> Self {
        Self { field: None, column: None, reason: reason.into() }
    }

    /// Makes a fault at a column of the expression.
    pub(super) fn at(column: usize, reason: impl Into<String>) -> Self {
        Self { field: None, column: Some(column), reason: reason.into() }
    }

    /// Makes a fault in a field of the expression.
    pub(super) fn within(field: Field, column: usize, reason: impl Into<String>) -> Self {
        Self { field: Some(field), column: Some(column), reason: reason.into() }
    }

    /// Returns the field, if the fault lies in one.
    #[cfg(test)]
    pub(crate) fn field(&self) -> Option<Field> {
        self.field
    }

    /// Returns the column of the expression, counted in characters from 1.
    #[cfg(test)]
    pub(crate) fn column(&self) -> Option<usize> {
        self.column
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.field, self.column) {
            (Some(field), Some(column)) => write!(f, "{field}, column {column}: {}", self.reason),
            (None, Some(column)) => write!(f, "column {column}: {}", self.reason),
            (_, None) => f.write_str(&self.reason),
        }
    }
}
