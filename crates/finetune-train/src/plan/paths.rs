//! Absolute paths, so that later sessions find the files of a plan.

use std::path::Path;

use crate::TrainPlan;

impl TrainPlan {
    /// Makes the paths absolute if the output path is. A relative output path tells in which folder the
    /// run began, and so what the other relative paths mean.
    pub fn make_paths_absolute(&mut self) {
        if Path::new(&self.saving.output).is_relative() {
            return;
        }
        let exists_here = |path: &str| !path.is_empty() && Path::new(path).exists();
        let data = &mut self.data;
        let is_pattern = data.dataset.contains(['*', '?', '[']);
        if data.dataset_revision.is_none() && (is_pattern || exists_here(&data.dataset)) {
            data.dataset = absolute(&data.dataset);
        }
        let model = &mut self.model;
        let tokenizer = model.scratch.as_mut().map(|scratch| &mut scratch.tokenizer);
        let paths = std::iter::once(&mut model.name).chain(&mut model.adapter);
        let distillation = self.distillation.as_mut();
        let teacher = distillation.map(|plan| [Some(&mut plan.teacher), plan.unlabelled.as_mut()]);
        let teacher = teacher.into_iter().flatten().flatten();
        let paths = paths.chain(&mut model.vectors).chain(tokenizer);
        for path in paths.chain(teacher) {
            if exists_here(path) {
                *path = absolute(path);
            }
        }
    }
}

fn absolute(path: &str) -> String {
    let absolute = std::path::absolute(path);
    absolute.map_or_else(|_| path.to_string(), |path| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_absolute_if_the_output_is() {
        let mut plan = TrainPlan::blank();
        plan.data.dataset = "src/../Cargo.toml".into();
        plan.model.name = "some/model-on-the-hub".into();
        plan.saving.output = "runs/one".into();
        let relative = plan.clone();
        plan.make_paths_absolute();
        assert_eq!(plan, relative);

        plan.saving.output = std::env::temp_dir().join("one").display().to_string();
        plan.make_paths_absolute();
        assert!(Path::new(&plan.data.dataset).is_absolute());
        // A name that is not a path here stays.
        assert_eq!(plan.model.name, relative.model.name);
    }
}
