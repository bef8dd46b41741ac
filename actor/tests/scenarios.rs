//! Every scenario on the rules themselves.

use bauta_actor::runtime::fake::Chain;
use bauta_scenarios::{Body, New};

fn on_the_rules(scenario: fn(New<'_>)) {
    scenario(&|| Box::new(Chain::new()) as Box<dyn Body>);
}

bauta_scenarios::scenarios!(crate::on_the_rules);
