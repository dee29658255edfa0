//! Parked deliveries whose templates have changed: they are rendered anew, since the same message would be refused again.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use echion_engine::{Inputs, render_again};
use echion_model::{Delivery, DeliveryId, LedgerError, ResourceId, Selection, Source};

use crate::index::SourceId;
use crate::pipeline::Pipeline;

/// Renders one parked delivery anew. One that cannot be is sent as it was.
pub(crate) async fn render_one_again(
    pipeline: &Arc<Pipeline>,
    sources: &[Arc<dyn Source>],
    places: &HashMap<ResourceId, SourceId>,
    id: &DeliveryId,
) -> Result<(), LedgerError> {
    let Some(delivery) = pipeline.ledger.delivery(id).await? else { return Ok(()) };
    let now = pipeline.now();
    let rendered = match places.get(&delivery.resource) {
        Some(source) => rendered_again(pipeline, sources, *source, &delivery).await,
        None => None,
    };
    match rendered {
        Some(notification) => {
            let (_, version) = pipeline
                .configurations
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .channel(&delivery.intent.route());
            pipeline.ledger.render_again(id, &notification, &version, now).await
        }
        None => pipeline.ledger.redeliver(&Selection::Id(id.0.clone()), now).await.map(|_| ()),
    }
}

async fn rendered_again(
    pipeline: &Arc<Pipeline>,
    sources: &[Arc<dyn Source>],
    source: SourceId,
    delivery: &Delivery,
) -> Option<echion_model::Notification> {
    let resource = sources.get(source)?.get(&delivery.resource).await.ok()??;
    let config = {
        let configurations = pipeline.configurations.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(configurations.owner(&delivery.intent.owner)?)
    };
    let project = pipeline.projects.read().unwrap_or_else(PoisonError::into_inner).of(&resource);
    let query = pipeline.repositories.begin();
    let context = pipeline.context(&config, source, &query);
    let (namespaces, route) = (pipeline.namespaces.clone(), delivery.intent.route());
    let render = move || {
        let inputs = Inputs {
            resource: &resource,
            project: project.as_ref(),
            state: None,
            foreign: false,
            namespaces: &namespaces,
            context: &context,
        };
        render_again(&config, inputs, &route).ok()
    };
    tokio::task::spawn_blocking(render).await.ok().flatten()
}
