//! Walks over a model's float parameters by path.

use burn::{
    Tensor,
    module::{Module, ModuleMapper, ModuleVisitor, Param},
};
use finetune_models::SequenceClassifier;

/// What happens to some of a model's parameters.
pub(crate) trait ParameterMap {
    /// Whether the parameter at `path` is one of them.
    fn wants(&mut self, path: &str, trained: bool) -> bool;

    /// The new values of a parameter of this shape, flattened and without autodiff, as the old.
    fn map(&mut self, path: &str, shape: &[usize], values: Tensor<1>) -> Tensor<1>;
}

/// The model with new values of the parameters that `map` wants; each keeps its `require_grad`.
/// The old values are handed over, not copied.
pub(crate) fn map_parameters(
    model: SequenceClassifier,
    map: &mut dyn ParameterMap,
) -> SequenceClassifier {
    struct Mapper<'a> {
        path: Vec<String>,
        map: &'a mut dyn ParameterMap,
    }
    impl ModuleMapper for Mapper<'_> {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.into());
        }
        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let path = self.path.join(".");
            let trained = param.val().is_require_grad();
            if !self.map.wants(&path, trained) {
                return param;
            }
            let (id, tensor, mapper) = param.consume();
            let (autodiff, shape) = (tensor.is_autodiff(), tensor.shape());
            let flat = tensor.inner().reshape([shape.num_elements()]);
            let tensor = self.map.map(&path, &shape, flat).reshape(shape);
            let tensor = match autodiff {
                true => tensor.autodiff().set_require_grad(trained),
                false => tensor,
            };
            Param::from_mapped_value(id, tensor, mapper)
        }
    }
    model.map(&mut Mapper {
        path: Vec::new(),
        map,
    })
}

/// A parameter that a walk comes by.
pub(crate) struct Visited<'a> {
    pub path: &'a str,
    pub shape: &'a [usize],
    /// Whether gradients reach it.
    pub trained: bool,
    /// Flattened and without autodiff.
    pub values: Tensor<1>,
}

/// Calls `visit` with each parameter of `model`.
pub(crate) fn visit_parameters(model: &SequenceClassifier, visit: &mut dyn FnMut(Visited<'_>)) {
    struct Visitor<'a> {
        path: Vec<String>,
        visit: &'a mut dyn FnMut(Visited<'_>),
    }
    impl ModuleVisitor for Visitor<'_> {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.into());
        }
        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let tensor = param.val();
            let (trained, shape) = (tensor.is_require_grad(), tensor.shape());
            (self.visit)(Visited {
                path: &self.path.join("."),
                values: tensor.inner().reshape([shape.num_elements()]),
                shape: &shape,
                trained,
            });
        }
    }
    model.visit(&mut Visitor {
        path: Vec::new(),
        visit,
    });
}

/// The layer of a path such as `layers.3.query.weight`.
pub(crate) fn layer(path: &str) -> Option<usize> {
    path.strip_prefix("layers.")?
        .split('.')
        .next()?
        .parse()
        .ok()
}
