//! Corefile text to a tree with positions; imports, snippets, environment. Reports every mistake.
