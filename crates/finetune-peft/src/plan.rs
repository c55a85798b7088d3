//! From a configuration and a model's description to what becomes of each module.

use crate::{
    Bias, Ia3Config, LoraConfig, PeftConfig, PeftError,
    matching::{Targets, end_match, layer_number, nearest},
};

/// A module of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleInfo {
    /// transformers' dotted name, such as `bert.encoder.layer.0.attention.self.query`.
    pub name: String,
    /// What it is.
    pub kind: ModuleKind,
}

/// What a module is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModuleKind {
    /// A linear layer.
    Linear {
        /// Width of the input.
        in_features: usize,
        /// Width of the output.
        out_features: usize,
        /// Whether it adds a bias.
        bias: bool,
    },
    /// A norm or an embedding.
    Other {
        /// Last part of each parameter's name, and its shape.
        parameters: Vec<(String, Vec<usize>)>,
    },
}

impl ModuleInfo {
    /// Number of elements of its parameters.
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

    /// Full name and length of its bias, if it has one.
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

/// What becomes of a model's modules.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AdapterPlan {
    /// The linear layers that get an adapter, in the model's order.
    pub adapted: Vec<AdaptedModule>,
    /// Names of the linear layers that are trained whole, as copies: peft's `modules_to_save`.
    pub saved: Vec<String>,
    /// Full names of biases of the base model that are trained and saved.
    pub biases: Vec<String>,
    /// Elements that are trained.
    pub trainable: u64,
    /// Elements of the model with adapters and copies.
    pub all: u64,
    /// What a user should know.
    pub notes: Vec<String>,
}

impl AdapterPlan {
    /// Refuses ranks above what a layer's weight can have. Not for saved adapters: PiSSA's have
    /// twice the rank that was trained.
    ///
    /// # Errors
    /// A rank above what a layer has.
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
                        "{r} is above what {} has, {inputs} inputs and {outputs} outputs; expected at most {limit}",
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
    /// Its name.
    pub name: String,
    /// Width of the input.
    pub in_features: usize,
    /// Width of the output.
    pub out_features: usize,
    /// The adapter.
    pub kind: AdaptedKind,
}

/// The adapter of one layer, resolved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AdaptedKind {
    /// A low-rank update.
    Lora {
        /// Rank.
        r: usize,
        /// `lora_alpha / r` or `lora_alpha / √r`.
        scaling: f64,
        /// Whether there is a magnitude.
        dora: bool,
    },
    /// Factors.
    Ia3 {
        /// Whether the input is scaled.
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

/// The targets of a configuration that names none; a resolved one names some.
static NO_TARGETS: Targets = Targets::Names(Vec::new());

/// Heads of sequence classifiers, which peft always saves with an adapter.
pub(crate) const HEADS: [&str; 2] = ["classifier", "score"];

impl PeftConfig {
    /// Matches the configuration against the modules of a model of family `model_type`.
    ///
    /// # Errors
    /// Targets that match nothing, or something that takes no adapter.
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

    /// Modules that are trained whole: by the end of their names, as peft matches them, so that
    /// `classifier` means DistilBERT's `pre_classifier` too, and `pooler` all that it holds.
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
                        "{} is not a linear layer; linear layers, and modules that hold nothing else, can be trained whole with an adapter",
                        module.name
                    ),
                ));
            }
            saved.push(module.name.clone());
        }
        Ok(saved)
    }

    /// The configuration to write for peft: with all that it would choose by the model's family, and
    /// where its rule would find other targets than are adapted (it takes none in modules to be saved,
    /// but knows those only at dots of the name, and fails on what it takes twice), with their names.
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

/// Whether the name of a module, or of one that holds it, ends in `end`: how peft matches
/// `modules_to_save`.
pub fn is_part_of(name: &str, end: &str) -> bool {
    prefixes(name).any(|module| module.ends_with(end))
}

/// Whether a module belongs to a sequence classifier's head, which peft always trains whole and saves
/// with an adapter.
pub fn is_head(name: &str) -> bool {
    HEADS.iter().any(|head| is_part_of(name, head))
}

/// The names of the modules that hold a module, and its own.
fn prefixes(name: &str) -> impl Iterator<Item = &str> {
    let dots = name.match_indices('.').map(|(dot, _)| dot);
    dots.chain([name.len()]).map(|at| &name[..at])
}

/// Whether these parts of a dotted name stand in it.
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
            "works only with a list of names as target_modules; put the layers' numbers into the pattern",
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

/// The linear layers that are meant, without those that are trained whole.
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

/// The line that peft's `print_trainable_parameters` prints.
pub fn trainable_line(trainable: u64, all: u64) -> String {
    let share = 100.0 * trainable as f64 / all.max(1) as f64;
    format!(
        "trainable params: {} || all params: {} || trainable%: {share:.4}",
        thousands(trainable),
        thousands(all)
    )
}

/// The number with commas between the thousands.
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
