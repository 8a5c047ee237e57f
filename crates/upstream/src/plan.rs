//! Which server is tried next.

/// The course of one question through the servers.
#[derive(Debug)]
pub(crate) struct Plan {
    order: Vec<usize>,
    at: usize,
    /// Servers passed by since the order last began, because they are down.
    passed_by: usize,
    /// Failed attempts that are left; none is as many as the time allows.
    attempts_left: Option<usize>,
    over: bool,
}

/// The next step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Ask this server.
    Ask(usize),
    /// Every server is down: one of them may be asked all the same, and then there is no more.
    AllDown,
}

impl Plan {
    /// Servers by their indices in `order`; `max_connect_attempts` as in [`crate::Settings`].
    pub(crate) fn new(order: Vec<usize>, max_connect_attempts: Option<u32>) -> Self {
        let attempts_left = match max_connect_attempts {
            None => Some(2 * order.len()),
            Some(0) => None,
            Some(attempts) => Some(attempts as usize),
        };
        let over = order.is_empty();
        Self { order, at: 0, passed_by: 0, attempts_left, over }
    }

    /// The next server in turn that is not down.
    pub(crate) fn next(&mut self, is_down: impl Fn(usize) -> bool) -> Option<Step> {
        if self.over {
            return None;
        }
        // The rest of one pass and a whole one see every server once.
        for _ in 0..2 * self.order.len() {
            if self.at == self.order.len() {
                (self.at, self.passed_by) = (0, 0);
            }
            let server = self.order[self.at];
            self.at += 1;
            if !is_down(server) {
                return Some(Step::Ask(server));
            }
            self.passed_by += 1;
            if self.passed_by == self.order.len() {
                break;
            }
        }
        self.over = true;
        Some(Step::AllDown)
    }

    /// The last attempt has failed.
    pub(crate) fn failed(&mut self) {
        if let Some(left) = &mut self.attempts_left {
            *left = left.saturating_sub(1);
            self.over |= *left == 0;
        }
    }

    /// Whether every server has had its turn, and nothing but time ends the attempts.
    pub(crate) fn must_pause(&self) -> bool {
        self.attempts_left.is_none() && self.at == self.order.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Lets every attempt fail and returns the steps.
    fn steps(servers: usize, attempts: Option<u32>, down: &[usize]) -> Vec<Step> {
        let mut plan = Plan::new((0..servers).collect(), attempts);
        let mut steps = Vec::new();
        while let Some(step) = plan.next(|server| down.contains(&server)) {
            steps.push(step);
            plan.failed();
            if steps.len() == 20 {
                break;
            }
        }
        steps
    }

    #[test]
    fn two_passes_unless_configured() {
        assert_eq!(steps(2, None, &[]), [0, 1, 0, 1].map(Step::Ask));
        assert_eq!(steps(2, Some(3), &[]), [0, 1, 0].map(Step::Ask));
        assert_eq!(steps(3, Some(0), &[]).len(), 20);
        assert!(steps(0, None, &[]).is_empty());
    }

    #[test]
    fn servers_that_are_down_are_passed_by() {
        assert_eq!(steps(3, Some(4), &[1]), [0, 2, 0, 2].map(Step::Ask));
        assert_eq!(steps(3, Some(0), &[0, 1, 2]), [Step::AllDown]);
    }

    #[test]
    fn the_last_one_may_go_down_between_attempts() {
        let mut plan = Plan::new(vec![0, 1], None);
        assert_eq!(plan.next(|server| server == 0), Some(Step::Ask(1)));
        plan.failed();
        assert_eq!(plan.next(|_| true), Some(Step::AllDown));
        assert_eq!(plan.next(|_| false), None);
    }

    proptest! {
        #[test]
        fn a_plan_ends_and_asks_nobody_who_is_down(
            servers in 0..8usize,
            attempts in 1..30u32,
            down in prop::collection::vec(any::<bool>(), 8),
        ) {
            let mut plan = Plan::new((0..servers).collect(), Some(attempts));
            let mut asked = 0;
            while let Some(step) = plan.next(|server| down[server]) {
                match step {
                    Step::Ask(server) => prop_assert!(!down[server]),
                    Step::AllDown => prop_assert!(down[..servers].iter().all(|&down| down)),
                }
                plan.failed();
                asked += 1;
            }
            prop_assert!(asked <= attempts);
        }
    }
}
