//! Domain-adaptive pretraining before fine-tuning (Gururangan et al. 2020).

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{
    ContrastiveConfig, DataPlan, FeatureLimits, ModelPlan, PretrainingPlan, RunLength, Strategy,
    TrainPlan,
};

/// The settings of a run that first goes on pretraining its base model on the training texts, without
/// their labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdaptationPlan {
    /// Passes over the texts.
    pub epochs: f64,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// A further data set of texts, as the user named it; `None` takes the training texts alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlabelled: Option<String>,
    /// The masks.
    #[serde(default)]
    pub masks: PretrainingPlan,
}

impl AdaptationPlan {
    /// The default learning rate, that of BERT's pretraining.
    pub const LEARNING_RATE: f64 = 1e-4;
}

impl TrainPlan {
    /// Returns the plan of the run in `output` that adapts the base model of this one, if it is to be
    /// adapted.
    pub fn adapting(&self, output: &Path) -> Option<Self> {
        let adaptation = self.adaptation.as_ref()?;
        let mut plan = Self::pretraining(Strategy::Full, self.model.device.clone());
        plan.model = ModelPlan {
            strategy: Strategy::Full,
            contrastive: ContrastiveConfig::default(),
            feature_cache: FeatureLimits::default(),
            reset_head: false,
            ..self.model.clone()
        };
        plan.data = DataPlan {
            dataset_fingerprints: Vec::new(),
            test_split: None,
            label_column: Vec::new(),
            labels: Vec::new(),
            labels_by_position: false,
            label_separator: None,
            ..self.data.clone()
        };
        plan.data.problem_type = DataPlan::default().problem_type;
        plan.pretraining = Some(adaptation.masks.clone());
        plan.optimization.length = RunLength::Epochs(adaptation.epochs);
        plan.optimization.learning_rate = adaptation.learning_rate;
        plan.optimization.head_learning_rate = adaptation.learning_rate;
        plan.evaluation.eval_batch_size = self.evaluation.eval_batch_size;
        plan.saving = self.saving.clone();
        plan.saving.save = Self::blank().saving.save;
        plan.saving.output = output.display().to_string();
        plan.seed = self.seed;
        Some(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_of_the_adaptation_is_complete() {
        let mut plan = TrainPlan::default();
        assert_eq!(plan.adapting(Path::new("run/adaptation")), None);
        plan.adaptation = Some(AdaptationPlan {
            epochs: 2.0,
            learning_rate: 1e-4,
            unlabelled: Some("more.txt".into()),
            masks: PretrainingPlan::default(),
        });
        plan.seed = 7;
        plan.check().unwrap();
        let adapting = plan.adapting(Path::new("run/adaptation")).unwrap();
        adapting.check().unwrap();
        assert_eq!((adapting.seed, adapting.adaptation), (7, None));
        assert_eq!(adapting.optimization.length, RunLength::Epochs(2.0));
        let text = plan.to_toml().unwrap();
        assert_eq!(toml::from_str::<TrainPlan>(&text).unwrap(), plan);
        plan.model.strategy = Strategy::Lora;
        assert!(
            plan.check()
                .unwrap_err()
                .to_string()
                .contains("adapt_epochs")
        );
    }
}
