//! L-BFGS (Nocedal 1980), which minimizes a smooth convex function from its gradients.

/// Steps that are remembered.
const MEMORY: usize = 10;
/// Largest number of steps. A regression on a few hundred texts takes some dozens.
const MAX_STEPS: usize = 1000;

/// Returns the minimum of `function`, starting from `x`: where no component of the gradient exceeds
/// `tolerance`, or no step is an improvement in floating point. `function` returns the value at a point and
/// writes the gradient there. The same function gives the same bits.
pub(super) fn minimize(
    mut x: Vec<f64>,
    tolerance: f64,
    function: impl Fn(&[f64], &mut [f64]) -> f64,
) -> Vec<f64> {
    let mut gradient = vec![0.0; x.len()];
    let mut value = function(&x, &mut gradient);
    let mut memory: Vec<Step> = Vec::new();
    for _ in 0..MAX_STEPS {
        if gradient.iter().all(|slope| slope.abs() <= tolerance) {
            break;
        }
        let direction = descent(&gradient, &memory);
        let slope = dot(&gradient, &direction);
        // The first step has no measure of the curvature yet.
        let mut length = match memory.is_empty() {
            true => 1.0 / dot(&gradient, &gradient).sqrt().max(1.0),
            false => 1.0,
        };
        let next = loop {
            let candidate = add(&x, length, &direction);
            let mut its_gradient = vec![0.0; x.len()];
            let its_value = function(&candidate, &mut its_gradient);
            // Armijo's condition.
            if its_value <= value + 1e-4 * length * slope {
                break Some((candidate, its_value, its_gradient));
            }
            length /= 2.0;
            if length < 1e-12 {
                break None;
            }
        };
        let Some((candidate, its_value, its_gradient)) = next else {
            break;
        };
        let step = Step::new(&x, &candidate, &gradient, &its_gradient);
        // Without curvature along the step it says nothing about the function.
        if step.curvature > 0.0 {
            memory.push(step);
            if memory.len() > MEMORY {
                memory.remove(0);
            }
        }
        (x, value, gradient) = (candidate, its_value, its_gradient);
    }
    x
}

/// A step and the change of the gradient along it.
struct Step {
    change: Vec<f64>,
    gradient_change: Vec<f64>,
    /// Their product.
    curvature: f64,
}

impl Step {
    fn new(from: &[f64], to: &[f64], gradient: &[f64], next: &[f64]) -> Self {
        let (change, gradient_change) = (add(to, -1.0, from), add(next, -1.0, gradient));
        Self {
            curvature: dot(&change, &gradient_change),
            change,
            gradient_change,
        }
    }
}

/// Returns the direction of the next step by the two loops of the method.
fn descent(gradient: &[f64], memory: &[Step]) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|slope| -slope).collect();
    let mut shares = Vec::with_capacity(memory.len());
    for step in memory.iter().rev() {
        let share = dot(&step.change, &direction) / step.curvature;
        direction = add(&direction, -share, &step.gradient_change);
        shares.push(share);
    }
    if let Some(last) = memory.last() {
        let scale = last.curvature / dot(&last.gradient_change, &last.gradient_change);
        direction.iter_mut().for_each(|value| *value *= scale);
    }
    for (step, share) in memory.iter().zip(shares.into_iter().rev()) {
        let other = dot(&step.gradient_change, &direction) / step.curvature;
        direction = add(&direction, share - other, &step.change);
    }
    direction
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Returns `a + scale · b`.
fn add(a: &[f64], scale: f64, b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + scale * b).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A quadratic function whose axes differ by a factor of ten thousand.
    #[test]
    fn the_bottom_of_a_narrow_valley_is_found() {
        let scales: Vec<f64> = (0..6).map(|i| 10f64.powi(i - 2)).collect();
        let bottom = [3.0, -1.0, 0.5, 2.0, -4.0, 1.0];
        let found = minimize(vec![0.0; 6], 1e-9, |x, gradient| {
            let mut value = 0.0;
            for (i, scale) in scales.iter().enumerate() {
                let distance = x[i] - bottom[i];
                gradient[i] = scale * distance;
                value += scale * distance * distance / 2.0;
            }
            value
        });
        for (found, expected) in found.iter().zip(bottom) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }

    #[test]
    fn a_minimum_stays_where_it_is() {
        let flat = |_: &[f64], gradient: &mut [f64]| {
            gradient.fill(0.0);
            1.0
        };
        assert_eq!(minimize(vec![0.25; 3], 1e-6, flat), [0.25; 3]);
    }
}
