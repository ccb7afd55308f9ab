//! All integration tests, in one binary: each binary links the engine again.
