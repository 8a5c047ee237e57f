//! Scenario runner, fake upstream, fake API server, allocation counter.
