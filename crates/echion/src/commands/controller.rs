//! `echion controller`: source → plan → ledger → dispatcher, over a cluster.

use crate::args::Controller;
use crate::cluster::Options;
use crate::{Outcome, cluster};

pub(super) async fn run(args: Controller) -> Outcome {
    cluster::run(Options::resolve(args)?).await
}
