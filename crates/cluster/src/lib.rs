//! Kubernetes: watch, model, names, records. Only watch/ does I/O.
