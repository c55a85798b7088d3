//! Resolves a configuration against a model's modules into a plan for each of them.

use crate::{
    Bias, Ia3Config, LoraConfig, PeftConfig, PeftError,
    matching::{Targets, end_match, layer_number, nearest},
};

/// A module of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleInfo {
    /// transformers' dotted name, such as `bert.encoder.layer.0.attention.self.query`.
    pub name: String,
    /// Kind of module.
    pub kind: ModuleKind,
}

/// The kinds of modules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModuleKind {
    /// A linear layer.
    Linear {
        /// Width of the input.
        in_features: usize,
        /// Width of the output.
        out_features: usize,
        /// Whether it has a bias.
        bias: bool,
    },
    /// A norm or an embedding.
    Other {
        /// Last part of the name, and shape, of each parameter.
        parameters: Vec<(String, Vec<usize>)>,
    },
}

impl ModuleInfo {
    /// Returns the number of elements of its parameters.
    pub fn num_elements(&self) -> u64 {
        match &self.kind {
            ModuleKind::Linear {
                in_features,
                out_features,
                bias,
            } => (in_features * out_features + if *bias { *out_features } else { 0 }) as u64,
            ModuleKind::Other { parameters } => parameters
                .iter()
                .map(|(_, shape)| shape.iter().product::<usize>() as u64)
                .sum(),
        }
    }

    fn is_linear(&self) -> bool {
        matches!(self.kind, ModuleKind::Linear { .. })
    }

    /// Returns the full name and the length of its bias, if it has one.
    fn bias(&self) -> Option<(String, u64)> {
        let length = match &self.kind {
            ModuleKind::Linear {
                out_features, bias, ..
            } => bias.then_some(*out_features as u64),
            ModuleKind::Other { parameters } => parameters
                .iter()
                .find(|(name, _)| name == "bias")
                .map(|(_, shape)| shape.iter().product::<usize>() as u64),
        }?;
        Some((format!("{}.bias", self.name), length))
    }
}

/// The plan for attaching an adapter to a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AdapterPlan {
    /// The linear layers that get an adapter, in the model's order.
    pub adapted: Vec<AdaptedModule>,
    /// Names of the linear layers of which a copy is fully trained: peft's `modules_to_save`.
    pub saved: Vec<String>,
    /// Full names of the base model's biases that are trained and saved.
    pub biases: Vec<String>,
    /// Number of trained elements.
    pub trainable: u64,
    /// Number of elements of the model, including adapters and copies.
    pub all: u64,
    /// Notes for the user.
    pub notes: Vec<String>,
}

impl AdapterPlan {
    /// Checks that no rank exceeds the maximum rank of its layer's weight. This does not hold for saved
    /// adapters: those of PiSSA have twice the trained rank.
    ///
    /// # Errors
    /// Fails if a rank is larger than the smaller dimension of its layer's weight.
    pub fn check_ranks(&self) -> Result<(), PeftError> {
        for module in &self.adapted {
            let (inputs, outputs) = (module.in_features, module.out_features);
            let limit = inputs.min(outputs);
            if let AdaptedKind::Lora { r, .. } = module.kind
                && r > limit
            {
                return Err(PeftError::config(
                    "r",
                    format!(
                        "{r} is too large for {}, which has {inputs} inputs and {outputs} outputs; expected at most {limit}",
                        module.name
                    ),
                ));
            }
        }
        Ok(())
    }
}

/// A linear layer with an adapter.
#[derive(Clone, Debug, PartialEq)]
pub struct AdaptedModule {
    /// The layer's name.
    pub name: String,
    /// Width of the input.
    pub in_features: usize,
    /// Width of the output.
    pub out_features: usize,
    /// The kind of adapter.
    pub kind: AdaptedKind,
}

/// The resolved settings of a layer's adapter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AdaptedKind {
    /// A low-rank update.
    Lora {
        /// Rank.
        r: usize,
        /// `lora_alpha / r` or `lora_alpha / √r`.
        scaling: f64,
        /// Whether it has a magnitude (DoRA).
        dora: bool,
    },
    /// (IA)³ factors.
    Ia3 {
        /// Whether they scale the input instead of the output.
        feedforward: bool,
    },
}

impl AdaptedModule {
    fn num_elements(&self) -> u64 {
        let (inputs, outputs) = (self.in_features, self.out_features);
        (match self.kind {
            AdaptedKind::Lora { r, dora, .. } => {
                r * (inputs + outputs) + if dora { outputs } else { 0 }
            }
            AdaptedKind::Ia3 { feedforward: true } => inputs,
            AdaptedKind::Ia3 { feedforward: false } => outputs,
        }) as u64
    }
}

/// The targets of a configuration without any. A resolved configuration has some.
static NO_TARGETS: Targets = Targets::Names(Vec::new());

/// The heads of sequence classifiers, which peft always saves with an adapter.
pub(crate) const HEADS: [&str; 2] = ["classifier", "score"];

impl PeftConfig {
    /// Matches the configuration against the modules of a model of family `model_type`.
    ///
    /// # Errors
    /// Fails if a value is invalid, or if names match no module or one that takes no adapter.
    pub fn plan(&self, model_type: &str, modules: &[ModuleInfo]) -> Result<AdapterPlan, PeftError> {
        let saved = self.saved(modules)?;
        let mut plan = match &self.clone().resolved(model_type) {
            Self::Lora(config) => lora(config, model_type, modules, &saved)?,
            Self::Ia3(config) => ia3(config, model_type, modules, &saved)?,
        };
        let total: u64 = modules.iter().map(ModuleInfo::num_elements).sum();
        let adapters: u64 = plan.adapted.iter().map(AdaptedModule::num_elements).sum();
        let copies: u64 = modules
            .iter()
            .filter(|module| saved.contains(&module.name))
            .map(ModuleInfo::num_elements)
            .sum();
        let biases: u64 = modules
            .iter()
            .filter_map(ModuleInfo::bias)
            .filter(|(name, _)| plan.biases.contains(name))
            .map(|(_, length)| length)
            .sum();
        plan.saved = saved;
        plan.all = total + adapters + copies;
        plan.trainable = adapters + copies + biases;
        Ok(plan)
    }

    /// Lists the fully trained modules. Like peft, it matches the end of their names, so that
    /// `classifier` includes DistilBERT's `pre_classifier`, and `pooler` everything in it.
    fn saved(&self, modules: &[ModuleInfo]) -> Result<Vec<String>, PeftError> {
        let own = self.modules_to_save();
        for end in own {
            // peft writes both heads' names into every file, whichever the model has.
            if HEADS.contains(&end.as_str()) {
                continue;
            }
            if !modules.iter().any(|module| is_part_of(&module.name, end)) {
                let names: Vec<_> = modules.iter().flat_map(|m| prefixes(&m.name)).collect();
                return Err(PeftError::config(
                    "modules_to_save",
                    format!(
                        "\"{end}\" matches no module; the nearest names are {}",
                        nearest(&[end], &names)
                    ),
                ));
            }
        }
        let heads = HEADS.into_iter().filter(|_| !self.keeps_head());
        let ends: Vec<&str> = own.iter().map(String::as_str).chain(heads).collect();
        let mut saved = Vec::new();
        for module in modules {
            if !ends.iter().any(|end| is_part_of(&module.name, end)) {
                continue;
            }
            if !module.is_linear() {
                return Err(PeftError::config(
                    "modules_to_save",
                    format!(
                        "{} is not a linear layer; only linear layers, and modules of linear layers alone, can be fully trained with an adapter",
                        module.name
                    ),
                ));
            }
            saved.push(module.name.clone());
        }
        Ok(saved)
    }

    /// Returns the configuration to write for peft, with the family's defaults filled in. Where peft's
    /// rule would find other targets than the adapted layers, it lists their names: peft skips targets
    /// in modules to save, but recognises these only by whole parts of the name, and fails on a module
    /// that is both.
    pub(crate) fn written(
        &self,
        model_type: &str,
        modules: &[ModuleInfo],
    ) -> Result<Self, PeftError> {
        let mut config = self.clone().resolved(model_type);
        let adapted = config.plan(model_type, modules)?.adapted;
        let saved = config.saved(modules)?;
        let kept: Vec<&str> = {
            let heads = HEADS.into_iter().filter(|_| !self.keeps_head());
            let own = self.modules_to_save().iter().map(String::as_str);
            own.chain(heads).collect()
        };
        let (targets, exclude) = match &config {
            Self::Lora(config) => (&config.target_modules, &config.exclude_modules),
            Self::Ia3(config) => (&config.target_modules, &config.exclude_modules),
        };
        let targets = targets.as_ref().unwrap_or(&NO_TARGETS);
        let matcher = targets.matcher("target_modules")?;
        let exclude = exclude.as_ref();
        let exclude = exclude.map(|names| names.matcher("exclude_modules"));
        let exclude = exclude.transpose()?;
        let taken_twice = saved.iter().any(|name| {
            let excluded = exclude.as_ref().is_some_and(|out| out.matches(name))
                || kept.iter().any(|part| has_parts(name, part));
            matcher.matches(name) && !excluded
        });
        if !taken_twice && !targets.is_all_linear() {
            return Ok(config);
        }
        let named = |wanted: &dyn Fn(&AdaptedKind) -> bool| {
            let modules = adapted.iter().filter(|module| wanted(&module.kind));
            Targets::Names(modules.map(|module| module.name.clone()).collect())
        };
        match &mut config {
            Self::Lora(config) => config.target_modules = Some(named(&|_| true)),
            Self::Ia3(config) => {
                config.target_modules = Some(named(&|_| true));
                config.feedforward_modules = Some(named(&|kind| {
                    matches!(kind, AdaptedKind::Ia3 { feedforward: true })
                }));
            }
        }
        Ok(config)
    }
}

/// Returns whether the name of a module, or of one that contains it, ends in `end`. This is how peft
/// matches `modules_to_save`.
pub fn is_part_of(name: &str, end: &str) -> bool {
    prefixes(name).any(|module| module.ends_with(end))
}

/// Returns whether a module belongs to a sequence classifier's head, which peft always trains fully and
/// saves with an adapter.
pub fn is_head(name: &str) -> bool {
    HEADS.iter().any(|head| is_part_of(name, head))
}

/// Iterates over the names of the modules that contain a module, and its own name.
fn prefixes(name: &str) -> impl Iterator<Item = &str> {
    let dots = name.match_indices('.').map(|(dot, _)| dot);
    dots.chain([name.len()]).map(|at| &name[..at])
}

/// Returns whether a dotted name contains these consecutive parts.
fn has_parts(name: &str, parts: &str) -> bool {
    format!(".{name}.").contains(&format!(".{parts}."))
}

fn lora(
    config: &LoraConfig,
    model_type: &str,
    modules: &[ModuleInfo],
    saved: &[String],
) -> Result<AdapterPlan, PeftError> {
    config.check()?;
    let targets = config.target_modules.as_ref().unwrap_or(&NO_TARGETS);
    let numbers = config.layers_to_transform.as_ref();
    let numbers = numbers.map_or(&[][..], |numbers| numbers.as_slice());
    let lists = config.layers_pattern.as_ref();
    let lists = lists.map_or(&[][..], |lists| lists.as_slice());
    if !numbers.is_empty() && matches!(targets, Targets::Pattern(_)) {
        return Err(PeftError::config(
            "layers_to_transform",
            "needs a list of names as target_modules; with a pattern, put the layers' numbers into it",
        ));
    }
    let found = select(
        targets,
        config.exclude_modules.as_ref(),
        model_type,
        modules,
        saved,
    )?;
    let layers: Vec<_> = found
        .iter()
        .filter_map(|module| layer_number(&module.name, lists))
        .collect();
    if let Some(number) = numbers.iter().find(|number| !layers.contains(number)) {
        return Err(PeftError::config(
            "layers_to_transform",
            format!(
                "the targets have no layer {number}; they are in the layers {}",
                match (layers.iter().min(), layers.iter().max()) {
                    (Some(first), Some(last)) => format!("{first} to {last}"),
                    _ => "of no list".into(),
                }
            ),
        ));
    }
    let mut plan = AdapterPlan::default();
    let patterns = |keys: Vec<&String>, key: &str| {
        keys.into_iter()
            .map(|pattern| Ok((end_match(pattern, key)?, pattern.clone())))
            .collect::<Result<Vec<_>, PeftError>>()
    };
    let ranks = patterns(config.rank_pattern.keys().collect(), "rank_pattern")?;
    let alphas = patterns(config.alpha_pattern.keys().collect(), "alpha_pattern")?;
    let of = |patterns: &[(fancy_regex::Regex, String)], name: &str| {
        let mut patterns = patterns.iter();
        let found = patterns.find(|(regex, _)| regex.is_match(name).unwrap_or(false));
        found.map(|(_, pattern)| pattern.clone())
    };
    let mut used = Vec::new();
    for module in found {
        let ModuleKind::Linear {
            in_features,
            out_features,
            ..
        } = module.kind
        else {
            continue;
        };
        let number = layer_number(&module.name, lists);
        if !numbers.is_empty() && !number.is_some_and(|number| numbers.contains(&number)) {
            continue;
        }
        let (rank, alpha) = (of(&ranks, &module.name), of(&alphas, &module.name));
        let r = rank
            .as_ref()
            .map_or(config.r, |key| config.rank_pattern[key]);
        let lora_alpha = alpha.as_ref();
        let lora_alpha = lora_alpha.map_or(config.lora_alpha, |key| config.alpha_pattern[key]);
        used.extend(rank.into_iter().chain(alpha));
        let scaling = match config.use_rslora {
            true => lora_alpha / (r as f64).sqrt(),
            false => lora_alpha / r as f64,
        };
        plan.adapted.push(AdaptedModule {
            name: module.name.clone(),
            in_features,
            out_features,
            kind: AdaptedKind::Lora {
                r,
                scaling,
                dora: config.use_dora,
            },
        });
    }
    let keys = config
        .rank_pattern
        .keys()
        .chain(config.alpha_pattern.keys());
    plan.notes = keys
        .filter(|key| !used.contains(key))
        .map(|key| format!("the pattern \"{key}\" matches no adapted layer"))
        .collect();
    plan.biases = match config.bias {
        Bias::None => Vec::new(),
        Bias::All => modules
            .iter()
            .filter(|module| !saved.contains(&module.name))
            .filter_map(|module| Some(module.bias()?.0))
            .collect(),
        Bias::LoraOnly => {
            let adapted = |name: &str| plan.adapted.iter().any(|module| module.name == name);
            let modules = modules.iter().filter(|module| adapted(&module.name));
            modules
                .filter_map(|module| Some(module.bias()?.0))
                .collect()
        }
    };
    Ok(plan)
}

fn ia3(
    config: &Ia3Config,
    model_type: &str,
    modules: &[ModuleInfo],
    saved: &[String],
) -> Result<AdapterPlan, PeftError> {
    let targets = config.target_modules.as_ref().unwrap_or(&NO_TARGETS);
    let feedforward = config.feedforward_modules.as_ref().unwrap_or(&NO_TARGETS);
    if let (Targets::Names(all), Targets::Names(some)) = (targets, feedforward)
        && let Some(name) = some.iter().find(|name| !all.contains(name))
    {
        return Err(PeftError::config(
            "feedforward_modules",
            format!(
                "\"{name}\" is not in target_modules {targets}; name it there too, as peft demands"
            ),
        ));
    }
    let feedforward = feedforward.matcher("feedforward_modules")?;
    let found = select(
        targets,
        config.exclude_modules.as_ref(),
        model_type,
        modules,
        saved,
    )?;
    let adapted = found.into_iter().filter_map(|module| match module.kind {
        ModuleKind::Linear {
            in_features,
            out_features,
            ..
        } => Some(AdaptedModule {
            name: module.name.clone(),
            in_features,
            out_features,
            kind: AdaptedKind::Ia3 {
                feedforward: feedforward.matches(&module.name),
            },
        }),
        ModuleKind::Other { .. } => None,
    });
    Ok(AdapterPlan {
        adapted: adapted.collect(),
        ..AdapterPlan::default()
    })
}

/// Selects the linear layers that match, without those that are fully trained.
fn select<'a>(
    targets: &Targets,
    exclude: Option<&Targets>,
    model_type: &str,
    modules: &'a [ModuleInfo],
    saved: &[String],
) -> Result<Vec<&'a ModuleInfo>, PeftError> {
    let exclude = exclude
        .map(|targets| targets.matcher("exclude_modules"))
        .transpose()?;
    let all_linear = targets.is_all_linear();
    let matcher = match all_linear {
        true => None,
        false => Some(targets.matcher("target_modules")?),
    };
    let linear = ModuleInfo::is_linear;
    let mut found = Vec::new();
    for module in modules {
        let out = exclude
            .as_ref()
            .is_some_and(|out| out.matches(&module.name));
        let wanted = match &matcher {
            Some(matcher) => matcher.matches(&module.name),
            None => linear(module),
        };
        let whole = saved.contains(&module.name);
        if out || !wanted || whole {
            continue;
        }
        if !linear(module) {
            return Err(PeftError::NotLinear {
                targets: targets.to_string(),
                module: module.name.clone(),
            });
        }
        found.push(module);
    }
    if found.is_empty() {
        let names: Vec<_> = modules
            .iter()
            .filter(|module| linear(module) && !saved.contains(&module.name))
            .map(|module| module.name.as_str())
            .collect();
        let wanted = match targets {
            Targets::Pattern(pattern) => vec![pattern.as_str()],
            Targets::Names(names) => names.iter().map(String::as_str).collect(),
        };
        return Err(PeftError::NoTarget {
            targets: targets.to_string(),
            model_type: model_type.into(),
            near: nearest(&wanted, &names),
        });
    }
    Ok(found)
}

/// Formats the line that peft's `print_trainable_parameters` prints.
pub fn trainable_line(trainable: u64, all: u64) -> String {
    let share = 100.0 * trainable as f64 / all.max(1) as f64;
    format!(
        "trainable params: {} || all params: {} || trainable%: {share:.4}",
        thousands(trainable),
        thousands(all)
    )
}

/// Formats a number with commas between the thousands.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OneOrMany;

    const LAYER: [&str; 6] = [
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
        "attention.output.dense",
        "intermediate.dense",
        "output.dense",
    ];

    /// A BERT of two layers, 4 wide, with a pooler and 3 classes.
    fn modules() -> Vec<ModuleInfo> {
        let linear = |name: String, in_features, out_features| ModuleInfo {
            name,
            kind: ModuleKind::Linear {
                in_features,
                out_features,
                bias: true,
            },
        };
        let norm = ModuleInfo {
            name: "bert.embeddings.LayerNorm".into(),
            kind: ModuleKind::Other {
                parameters: ["weight", "bias"]
                    .map(|leaf| (leaf.to_string(), vec![4]))
                    .to_vec(),
            },
        };
        let mut modules = vec![norm];
        for layer in 0..2 {
            for name in LAYER {
                let (inputs, outputs) = match name {
                    "intermediate.dense" => (4, 16),
                    "output.dense" => (16, 4),
                    _ => (4, 4),
                };
                let name = format!("bert.encoder.layer.{layer}.{name}");
                modules.push(linear(name, inputs, outputs));
            }
        }
        modules.push(linear("bert.pooler.dense".into(), 4, 4));
        modules.push(linear("classifier".into(), 4, 3));
        modules
    }

    fn plan(config: LoraConfig) -> Result<AdapterPlan, PeftError> {
        PeftConfig::Lora(config).plan("bert", &modules())
    }

    fn adapted(config: LoraConfig) -> Vec<String> {
        let adapted = plan(config).unwrap().adapted.into_iter();
        let short = |name: String| name.replace("bert.encoder.layer.", "");
        adapted.map(|module| short(module.name)).collect()
    }

    fn refusal(config: LoraConfig) -> String {
        plan(config).unwrap_err().to_string()
    }

    #[test]
    fn targets_by_name_pattern_and_default() {
        let new = || LoraConfig::new(2, 4.0);
        let defaults = [
            "0.attention.self.query",
            "0.attention.self.value",
            "1.attention.self.query",
            "1.attention.self.value",
        ];
        assert_eq!(adapted(new()), defaults);
        let dense = ["0.output.dense", "1.output.dense"];
        let attention = ["0.attention.output.dense", "1.attention.output.dense"];
        let both = [attention[0], dense[0], attention[1], dense[1]];
        assert_eq!(adapted(new().targets(["output.dense"])), both);
        let excluded = LoraConfig {
            exclude_modules: Some(Targets::Names(vec!["attention.output.dense".into()])),
            ..new().targets(["output.dense"])
        };
        assert_eq!(adapted(excluded), dense);
        let pattern = |text: &str| LoraConfig {
            target_modules: Some(Targets::Pattern(text.into())),
            ..new()
        };
        assert_eq!(
            adapted(pattern(".*1.*(query|key)")),
            ["1.attention.self.query", "1.attention.self.key"]
        );
        // Everything but the head, which is trained as a whole.
        assert_eq!(adapted(pattern("all-linear")).len(), 2 * LAYER.len() + 1);
        let second = LoraConfig {
            layers_to_transform: Some(OneOrMany::One(1)),
            ..new()
        };
        assert_eq!(adapted(second), defaults[2..]);
    }

    #[test]
    fn targets_that_match_nothing_are_refused_with_the_nearest_names() {
        let new = || LoraConfig::new(2, 4.0);
        let error = refusal(new().targets(["qeury"]));
        assert!(
            error.contains("[\"qeury\"]") && error.contains("names are query"),
            "{error}"
        );
        let error = refusal(new().targets(["classifier"]));
        assert!(
            error.contains("matches no linear layer"),
            "it is saved whole: {error}"
        );
        let error = refusal(new().targets(["LayerNorm"]));
        assert!(
            error.contains("bert.embeddings.LayerNorm, which is not a linear layer"),
            "{error}"
        );
        let error = refusal(LoraConfig {
            layers_to_transform: Some(OneOrMany::Many(vec![0, 2])),
            ..new()
        });
        assert!(
            error.contains("no layer 2") && error.contains("0 to 1"),
            "{error}"
        );
        let error = refusal(LoraConfig {
            modules_to_save: Some(vec!["poler".into()]),
            ..new()
        });
        assert!(
            error.contains("\"poler\" matches no module") && error.contains("pooler"),
            "{error}"
        );
        let error = refusal(LoraConfig {
            modules_to_save: Some(vec!["LayerNorm".into()]),
            ..new()
        });
        assert!(
            error.starts_with("modules_to_save: bert.embeddings.LayerNorm"),
            "{error}"
        );
    }

    #[test]
    fn ranks_and_alphas_follow_their_patterns() {
        let config = LoraConfig {
            rank_pattern: [("layer.0.attention.self.query".to_string(), 4)].into(),
            alpha_pattern: [("value".to_string(), 10.0), ("key".to_string(), 1.0)].into(),
            ..LoraConfig::new(2, 6.0)
        };
        let found = plan(config.clone()).unwrap();
        let lora = |module: &AdaptedModule| match module.kind {
            AdaptedKind::Lora {
                r,
                scaling,
                dora: false,
            } => (r, scaling),
            other => panic!("{other:?}"),
        };
        let found_scalings: Vec<_> = found.adapted.iter().map(lora).collect();
        assert_eq!(found_scalings, [(4, 1.5), (2, 5.0), (2, 3.0), (2, 5.0)]);
        assert_eq!(
            found.notes,
            ["the pattern \"key\" matches no adapted layer"]
        );
        let stabilised = plan(LoraConfig {
            use_rslora: true,
            ..config
        })
        .unwrap();
        assert_eq!(lora(&stabilised.adapted[0]), (4, 3.0));
        assert_eq!(lora(&stabilised.adapted[2]), (2, 6.0 / 2_f64.sqrt()));
    }

    #[test]
    fn a_rank_beyond_the_layers_sizes_is_refused() {
        assert!(plan(LoraConfig::new(4, 4.0)).unwrap().check_ranks().is_ok());
        let error = plan(LoraConfig::new(5, 4.0))
            .unwrap()
            .check_ranks()
            .unwrap_err();
        assert!(error.to_string().contains("at most 4"), "{error}");
    }

    #[test]
    fn elements_are_counted_as_peft_counts_them() {
        let total: u64 = modules().iter().map(ModuleInfo::num_elements).sum();
        let layer = 4 * (16 + 4) + (64 + 16) + (64 + 4);
        assert_eq!(total, 8 + 2 * layer + 20 + 15);
        // Two factors of rank 2 for four layers of 4 by 4, and a copy of the classifier.
        let found = plan(LoraConfig::new(2, 4.0)).unwrap();
        assert_eq!(found.trainable, 4 * 2 * (4 + 4) + 15);
        assert_eq!(found.all, total + found.trainable);
        let dora = plan(LoraConfig {
            use_dora: true,
            ..LoraConfig::new(2, 4.0)
        })
        .unwrap();
        assert_eq!(dora.trainable, found.trainable + 4 * 4);
        let bias = |bias| {
            plan(LoraConfig {
                bias,
                ..LoraConfig::new(2, 4.0)
            })
            .unwrap()
        };
        assert_eq!(bias(Bias::LoraOnly).trainable, found.trainable + 4 * 4);
        // All biases but that of the classifier, whose copy has its own.
        assert_eq!(
            bias(Bias::All).trainable,
            found.trainable + 4 + 2 * (4 * 4 + 16 + 4) + 4
        );
        assert_eq!(bias(Bias::All).all, found.all);
    }

    #[test]
    fn ia3_scales_the_inputs_of_feed_forward_modules() {
        let found = PeftConfig::Ia3(Ia3Config::default())
            .plan("bert", &modules())
            .unwrap();
        let kinds = found.adapted.iter().map(|module| module.kind);
        let scales = |feedforward| AdaptedKind::Ia3 { feedforward };
        let layer = [scales(false), scales(false), scales(true), scales(true)];
        assert_eq!(kinds.collect::<Vec<_>>(), [layer, layer].concat());
        assert_eq!(found.trainable, 2 * (4 + 4 + 4 + 16) + 15);
        let names = |name: &str| Some(Targets::Names(vec![name.into()]));
        let stray = PeftConfig::Ia3(Ia3Config {
            target_modules: names("key"),
            feedforward_modules: names("value"),
            ..Ia3Config::default()
        });
        let error = stray.plan("bert", &modules()).unwrap_err().to_string();
        assert!(
            error.starts_with("feedforward_modules: \"value\""),
            "{error}"
        );
    }

    /// peft would put an adapter on the pooler too, although it is saved whole, and fail.
    #[test]
    fn targets_are_written_by_name_where_peft_would_take_others() {
        let names = |config: LoraConfig| {
            let written = PeftConfig::Lora(config)
                .written("bert", &modules())
                .unwrap();
            match written {
                PeftConfig::Lora(LoraConfig {
                    target_modules: Some(Targets::Names(names)),
                    ..
                }) => names,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(names(LoraConfig::default()), ["query", "value"]);
        let whole = LoraConfig {
            target_modules: Some(Targets::Pattern("all-linear".into())),
            modules_to_save: Some(vec!["pooler".into()]),
            ..LoraConfig::default()
        };
        let found = names(whole);
        assert_eq!(found.len(), 2 * LAYER.len());
        assert!(found.contains(&"bert.encoder.layer.1.output.dense".to_string()));
    }

    #[test]
    fn the_line_is_that_of_peft() {
        assert_eq!(
            trainable_line(1_234_567, 66_000_000),
            "trainable params: 1,234,567 || all params: 66,000,000 || trainable%: 1.8706"
        );
        assert_eq!(
            trainable_line(0, 0),
            "trainable params: 0 || all params: 0 || trainable%: 0.0000"
        );
    }
}
