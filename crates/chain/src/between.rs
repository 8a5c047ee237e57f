//! What an exchange keeps for a plugin between its way down and its way up.
//!
//! Both are small stacks in the exchange itself, so that keeping something allocates nothing.

use wire::Question;

/// Questions as they were before each rewrite, with the place of the plugin that rewrote.
#[derive(Default)]
pub(crate) struct Rewrites {
    count: usize,
    before: [Option<(usize, Question)>; 4],
}

impl Rewrites {
    pub(crate) fn clear(&mut self) {
        self.count = 0;
    }

    pub(crate) fn push(&mut self, at: usize, question: Question) -> bool {
        let Some(slot) = self.before.get_mut(self.count) else { return false };
        *slot = Some((at, question));
        self.count += 1;
        true
    }

    /// The latest, if a plugin at `at` or below made it.
    pub(crate) fn pop_from(&mut self, at: usize) -> Option<Question> {
        let last = self.count.checked_sub(1)?;
        let (by, question) = self.before[last]?;
        (by >= at).then(|| {
            self.count = last;
            question
        })
    }
}

/// Values that plugins keep between their hooks, as a stack.
#[derive(Default)]
pub(crate) struct Memos {
    count: usize,
    kept: [(usize, u64); 8],
}

impl Memos {
    pub(crate) fn clear(&mut self) {
        self.count = 0;
    }

    pub(crate) fn push(&mut self, at: usize, value: u64) {
        if let Some(slot) = self.kept.get_mut(self.count) {
            *slot = (at, value);
            self.count += 1;
        }
    }

    /// The latest of the plugin at `at`; what plugins below have left is dropped.
    pub(crate) fn pop_at(&mut self, at: usize) -> Option<u64> {
        while let Some(last) = self.count.checked_sub(1) {
            let (by, value) = self.kept[last];
            if by < at {
                return None;
            }
            self.count = last;
            if by == at {
                return Some(value);
            }
        }
        None
    }
}
