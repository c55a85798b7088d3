//! Walks over the float parameters of a Burn module by path. Everything that reads or changes single
//! parameters (optimizers, averages, checkpoints, freezing) uses these walks.

use burn::{
    Tensor,
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    tensor::Gradients,
};

/// A parameter that a walk visits.
#[derive(Debug)]
pub struct Visited<'a> {
    /// The path in the module tree, such as `head.dense.weight`.
    pub path: &'a str,
    param: &'a dyn AnyParam,
}

impl Visited<'_> {
    /// Returns the parameter's shape in the module.
    pub fn shape(&self) -> Vec<usize> {
        self.param.shape()
    }

    /// Returns whether the parameter requires gradients.
    pub fn is_trained(&self) -> bool {
        self.param.is_trained()
    }

    /// Returns the values, flat and without autodiff. They share memory with the parameter.
    pub fn values(&self) -> Tensor<1> {
        self.param.values()
    }

    /// Removes the parameter's gradient from the result of a backward pass and returns it flat, if it
    /// has one. It can be shorter than the parameter where an operation computes the gradient of some
    /// rows only.
    pub fn take_gradient(&self, graph: &mut Gradients) -> Option<Tensor<1>> {
        self.param.take_gradient(graph)
    }
}

/// A parameter with any number of dimensions.
trait AnyParam: std::fmt::Debug {
    fn shape(&self) -> Vec<usize>;
    fn is_trained(&self) -> bool;
    fn values(&self) -> Tensor<1>;
    fn take_gradient(&self, graph: &mut Gradients) -> Option<Tensor<1>>;
}

impl<const D: usize> AnyParam for Param<Tensor<D>> {
    fn shape(&self) -> Vec<usize> {
        self.val().dims().to_vec()
    }

    fn is_trained(&self) -> bool {
        self.val().is_require_grad()
    }

    fn values(&self) -> Tensor<1> {
        flat(self.val().inner())
    }

    fn take_gradient(&self, graph: &mut Gradients) -> Option<Tensor<1>> {
        self.val().grad_remove(graph).map(flat)
    }
}

fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let length = tensor.shape().num_elements();
    tensor.reshape([length])
}

/// A change to some of a module's parameters.
pub trait ParameterMap {
    /// Returns whether the parameter at `path` is to be changed.
    fn wants(&mut self, path: &str) -> bool;

    /// Returns the new values of a parameter of this shape. Old and new values are flat and without
    /// autodiff.
    fn map(&mut self, path: &str, shape: &[usize], values: Tensor<1>) -> Tensor<1>;
}

/// Calls `visit` for each float parameter of `module`, in the order of the module tree.
pub fn visit_parameters<M: Module>(module: &M, visit: &mut dyn FnMut(Visited<'_>)) {
    module.visit(&mut Visitor {
        path: Vec::new(),
        visit,
    });
}

/// Replaces the values of the parameters that `map` wants. Whether a parameter is trained does not
/// change. The old values are moved, not copied.
pub fn map_parameters<M: Module>(module: M, map: &mut dyn ParameterMap) -> M {
    module.map(&mut Mapper {
        path: Vec::new(),
        change: Change::Values(map),
    })
}

/// Makes the parameters whose paths `is_trained` accepts require gradients, and no others.
pub fn set_trained<M: Module>(module: M, is_trained: &dyn Fn(&str) -> bool) -> M {
    module.map(&mut Mapper {
        path: Vec::new(),
        change: Change::Trained(is_trained),
    })
}

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
        let path = &self.path.join(".");
        (self.visit)(Visited { path, param });
    }
}

struct Mapper<'a> {
    path: Vec<String>,
    change: Change<'a>,
}

enum Change<'a> {
    Values(&'a mut dyn ParameterMap),
    Trained(&'a dyn Fn(&str) -> bool),
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
        let map = match &mut self.change {
            Change::Trained(is_trained) => return param.set_require_grad(is_trained(&path)),
            Change::Values(map) => map,
        };
        if !map.wants(&path) {
            return param;
        }
        let trained = param.val().is_require_grad();
        let (id, tensor, mapper) = param.consume();
        let (autodiff, shape) = (tensor.is_autodiff(), tensor.shape());
        let values = map.map(&path, &shape, flat(tensor.inner()));
        let tensor = match autodiff {
            true => values.reshape(shape).autodiff().set_require_grad(trained),
            false => values.reshape(shape),
        };
        Param::from_mapped_value(id, tensor, mapper)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::Linear;

    fn layer() -> Linear {
        let device = Device::flex();
        let weight = Tensor::from_floats([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], &device);
        let bias = Tensor::from_floats([7.0, 8.0, 9.0], &device);
        Linear::new(Param::from_tensor(weight), Param::from_tensor(bias)).train()
    }

    fn seen(layer: &Linear) -> Vec<(String, Vec<usize>, bool)> {
        let mut seen = Vec::new();
        visit_parameters(layer, &mut |parameter| {
            seen.push((
                parameter.path.to_string(),
                parameter.shape(),
                parameter.is_trained(),
            ));
        });
        seen
    }

    #[test]
    fn parameters_come_in_order_with_their_shapes() {
        let layer = set_trained(layer(), &|path| path == "bias");
        assert_eq!(
            seen(&layer),
            [
                ("weight".to_string(), vec![2, 3], false),
                ("bias".to_string(), vec![3], true)
            ]
        );
    }

    #[test]
    fn a_map_changes_what_it_wants_and_nothing_else() {
        struct Double;
        impl ParameterMap for Double {
            fn wants(&mut self, path: &str) -> bool {
                path == "weight"
            }
            fn map(&mut self, path: &str, shape: &[usize], values: Tensor<1>) -> Tensor<1> {
                assert_eq!((path, shape), ("weight", &[2, 3][..]));
                values * 2.0
            }
        }
        let before = set_trained(layer(), &|path| path == "weight");
        let after = map_parameters(before.clone(), &mut Double);
        let values = |layer: &Linear| -> Vec<f32> {
            let mut all = Vec::new();
            visit_parameters(layer, &mut |parameter| {
                all.extend(parameter.values().into_data().iter::<f32>());
            });
            all
        };
        assert_eq!(
            values(&after),
            [2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 7.0, 8.0, 9.0]
        );
        assert_eq!(seen(&after), seen(&before));
    }

    #[test]
    fn a_gradient_is_taken_once() {
        let layer = set_trained(layer(), &|path| path == "bias");
        let mut graph = (layer.bias.val() * layer.bias.val()).sum().backward();
        let mut taken = Vec::new();
        for _ in 0..2 {
            visit_parameters(&layer, &mut |parameter| {
                let gradient = parameter.take_gradient(&mut graph);
                taken.extend(gradient.map(|g| g.into_data().iter::<f32>().collect::<Vec<_>>()));
            });
        }
        assert_eq!(taken, [vec![14.0, 16.0, 18.0]]);
    }
}
