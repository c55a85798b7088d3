//! Walks over the parameters of a model that say which parameter each is.

use std::sync::Arc;

use burn::{Tensor, module::Module};
use finetune_peft::Visited;

use crate::{ParameterId, ParameterTable};

/// A model whose parameters have a description. Optimizers, averages and checkpoints need nothing
/// more of a model.
pub trait Described: Module {
    /// The model's parameters.
    fn parameter_table(&self) -> Arc<ParameterTable>;
}

/// What happens to some of a model's parameters.
pub trait ParameterMap {
    /// Whether the parameter is one of them.
    fn wants(&mut self, id: &ParameterId) -> bool;

    /// The new values of a parameter of this shape, flattened and without autodiff, as the old.
    fn map(&mut self, id: &ParameterId, shape: &[usize], values: Tensor<1>) -> Tensor<1>;
}

/// Calls `visit` with each parameter of `model`, adapters' included, in the order of the module tree.
pub fn visit_parameters<M: Described>(
    model: &M,
    visit: &mut dyn FnMut(&ParameterId, &Visited<'_>),
) {
    let table = model.parameter_table();
    finetune_peft::visit_parameters(model, &mut |visited| {
        if let Some(id) = table.identify(stored_path(visited.path)) {
            visit(&id, &visited);
        }
    });
}

/// The model with new values of the parameters that `map` wants; whether each is trained stays as it
/// was. The old values are handed over, not copied.
pub fn map_parameters<M: Described>(model: M, map: &mut dyn ParameterMap) -> M {
    struct Identified<'a> {
        table: Arc<ParameterTable>,
        map: &'a mut dyn ParameterMap,
        id: Option<ParameterId>,
    }
    impl finetune_peft::ParameterMap for Identified<'_> {
        fn wants(&mut self, path: &str) -> bool {
            self.id = self.table.identify(stored_path(path));
            self.id.as_ref().is_some_and(|id| self.map.wants(id))
        }
        fn map(&mut self, _path: &str, shape: &[usize], values: Tensor<1>) -> Tensor<1> {
            match &self.id {
                Some(id) => self.map.map(id, shape, values),
                None => values,
            }
        }
    }
    let mut identified = Identified {
        table: model.parameter_table(),
        map,
        id: None,
    };
    finetune_peft::map_parameters(model, &mut identified)
}

/// The model with gradients reaching the parameters that `is_trained` accepts, and no others.
pub fn set_trained<M: Described>(model: M, is_trained: &dyn Fn(&ParameterId) -> bool) -> M {
    let table = model.parameter_table();
    finetune_peft::set_trained(model, &|path| {
        let id = table.identify(stored_path(path));
        id.as_ref().is_some_and(is_trained)
    })
}

/// The path by which checkpoints store a parameter. They were first written when embeddings and layers
/// stood at the top of the module tree.
pub(crate) fn stored_path(path: &str) -> &str {
    path.strip_prefix("encoder.").unwrap_or(path)
}
