//! Walks over the parameters of a model that identify each of them.

use std::sync::Arc;

use burn::{Tensor, module::Module};
use finetune_peft::Visited;

use crate::{ModelError, ParameterId, ParameterTable};

/// A model whose parameters are described by a [`ParameterTable`]. Optimizers, weight averages and
/// checkpoints need to know nothing else about a model.
pub trait Described: Module {
    /// Returns the description of the model's parameters.
    fn parameter_table(&self) -> Arc<ParameterTable>;

    /// Checks that the table describes every parameter.
    ///
    /// # Errors
    /// Fails with the first parameter that it does not describe.
    fn check_described(&self, model_type: &'static str) -> Result<(), ModelError> {
        let table = self.parameter_table();
        let mut unknown = None;
        finetune_peft::visit_parameters(self, &mut |parameter| {
            let path = stored_path(parameter.path);
            if table.identify(path).is_none() {
                unknown.get_or_insert_with(|| path.to_string());
            }
        });
        match unknown {
            None => Ok(()),
            Some(path) => Err(ModelError::NotDescribed { model_type, path }),
        }
    }
}

/// A change to some of a model's parameters.
pub trait ParameterMap {
    /// Returns whether the parameter is to be changed.
    fn wants(&mut self, id: &ParameterId) -> bool;

    /// Returns the new values of a parameter of this shape. Old and new values are flat and without
    /// autodiff.
    fn map(&mut self, id: &ParameterId, shape: &[usize], values: Tensor<1>) -> Tensor<1>;
}

/// Calls `visit` for each parameter of `model` and its adapters, in the order of the module tree.
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

/// Replaces the values of the parameters that `map` wants. Whether a parameter is trained does not
/// change. The old values are moved, not copied.
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

/// Makes the parameters that `is_trained` accepts require gradients, and no others.
pub fn set_trained<M: Described>(model: M, is_trained: &dyn Fn(&ParameterId) -> bool) -> M {
    let table = model.parameter_table();
    finetune_peft::set_trained(model, &|path| {
        let id = table.identify(stored_path(path));
        id.as_ref().is_some_and(is_trained)
    })
}

/// Returns the key in checkpoints of the parameter at `path` in the module tree. The keys date from when
/// embeddings and layers stood at the top of that tree.
pub(crate) fn stored_path(path: &str) -> &str {
    path.strip_prefix("encoder.").unwrap_or(path)
}
